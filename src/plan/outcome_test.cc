#include "plan/outcome.h"

#include <gtest/gtest.h>

namespace kelvin::plan {
namespace {

TEST(OutcomeTest, PricesWhatIsHeldAndWhoWaits) {
  Outcome outcome = outcome_of("any", {.apps = {"a"}, .arrivals = {{}}});
  outcome.spend(Spending::Starting, 0s, 10s);
  outcome.spend(Spending::Busy, 10s, 11s);
  outcome.spend(Spending::Parked, 11s, 31s, 0.05);
  outcome.waited(0, 0s, 10s);
  EXPECT_DOUBLE_EQ(outcome.cost(), 12);
  EXPECT_DOUBLE_EQ(outcome.waiting(), 10);
  EXPECT_DOUBLE_EQ(outcome.priced(5), 62);
}

TEST(OutcomeTest, SaysHowLongMostRequestsWait) {
  Outcome outcome = outcome_of("any", {.apps = {"a"}, .arrivals = std::vector<Arrival>(100)});
  for (std::size_t i = 0; i < 100; ++i)
    outcome.waited(i, 0s, std::chrono::seconds(static_cast<std::int64_t>(i + 1)));
  EXPECT_EQ(outcome.wait_quantile(0.5), 50s);
  EXPECT_EQ(outcome.wait_quantile(0.99), 99s);
  EXPECT_EQ(outcome.wait_quantile(1), 100s);
  EXPECT_DOUBLE_EQ(outcome.share_waiting_over(1s), 0.99);
  EXPECT_EQ(Outcome{}.wait_quantile(0.5), 0s);
}

TEST(TimelineTest, AveragesOverStepsAndKeepsSumsWhenStepsWiden) {
  Timeline timeline;
  timeline.add(Timeline::Curve::Warm, 500ms, 2s);
  timeline.add(Timeline::Curve::Warm, 1s, 2s, 2);
  EXPECT_EQ(timeline.averages(Timeline::Curve::Warm), (std::vector<double>{0.5, 3}));
  timeline.add(Timeline::Curve::Waiting, 2000s, 2001s);
  EXPECT_EQ(timeline.step(), 2s);
  EXPECT_EQ(timeline.averages(Timeline::Curve::Warm), (std::vector<double>{1.75}));
  timeline.add(Timeline::Curve::Waiting, 86'399s, 86'400s);
  EXPECT_LE(timeline.averages(Timeline::Curve::Waiting).size(), Timeline::kStepsMax);
}

}  // namespace
}  // namespace kelvin::plan
