#include "takeover/control_line.h"

#include <gtest/gtest.h>

namespace kelvin::takeover {
namespace {

model::Demand demand(std::uint64_t request, std::int64_t arrived) {
  return {.request = {request}, .app = {1}, .arrived = {arrived}};
}

std::string words(const std::vector<model::Event>& events) {
  std::string all;
  for (const model::Event& event : events) {
    if (const auto* waits = std::get_if<model::Demand>(&event)) {
      all += "q" + std::to_string(waits->request.value) + " ";
    } else if (const auto* left = std::get_if<model::RequestLeft>(&event)) {
      all += "left" + std::to_string(left->request.value) + " ";
    } else if (const auto* free = std::get_if<model::SlotFree>(&event)) {
      all += "free" + std::to_string(free->replica.value) + " ";
    } else {
      all += "? ";
    }
  }
  return all;
}

TEST(Arranged, WhoWaitsComesFirstByArrivalAndOnce) {
  EXPECT_EQ(words(arranged({model::SlotFree{{9}}, demand(3, 30), demand(1, 10), demand(3, 30),
                            demand(2, 20), model::SlotFree{{8}}})),
            "q1 q2 q3 free9 free8 ");
}

TEST(Arranged, WhoHasLeftIsNotMentioned) {
  EXPECT_EQ(words(arranged({demand(1, 10), model::RequestLeft{{1}}, demand(2, 20)})), "q2 ");
  EXPECT_EQ(words(arranged({model::RequestLeft{{1}}, demand(1, 10)})), "");
}

TEST(Arranged, AnswersToQuestionsOfAnEarlierControlAreDropped) {
  EXPECT_TRUE(arranged({model::ConnectionsClosed{{1}}}).empty());
}

TEST(ControlLine, HoldsUntilItIsConnectedAndAgainAfterwards) {
  ControlLine line;
  std::vector<model::Event> heard;
  line.post(demand(2, 20));
  line.post(demand(1, 10));
  line.connect([&](model::Event event) { heard.push_back(std::move(event)); });
  EXPECT_EQ(words(heard), "q1 q2 ");
  line.post(model::SlotFree{{5}});
  EXPECT_EQ(words(heard), "q1 q2 free5 ");
  line.hold();
  line.post(model::SlotFree{{6}});
  EXPECT_EQ(words(heard), "q1 q2 free5 ");
  line.put_in_front({model::SlotFree{{7}}});
  line.connect([&](model::Event event) { heard.push_back(std::move(event)); });
  EXPECT_EQ(words(heard), "q1 q2 free5 free7 free6 ");
}

}  // namespace
}  // namespace kelvin::takeover
