#include "gateway/wishes.h"

#include <gtest/gtest.h>

#include "model/ids.h"

namespace kelvin::gateway {
namespace {

tl::expected<Wishes, model::Refusal> read(std::vector<http::Field> fields) {
  http::RequestHead head;
  head.fields = std::move(fields);
  return read_wishes(head);
}

TEST(Wishes, NothingAskedIsNormalPriorityAndNoMore) {
  const auto wishes = read({{"Host", "h"}, {"Kelvin-Progres", "1"}});
  ASSERT_TRUE(wishes);
  EXPECT_EQ(wishes->priority, model::Priority::Normal);
  EXPECT_FALSE(wishes->deadline);
  EXPECT_FALSE(wishes->replica);
  EXPECT_FALSE(wishes->progress);
}

TEST(Wishes, ProgressIsAskedForByAOne) {
  EXPECT_TRUE(read({{"Kelvin-Progress", "1"}})->progress);
  EXPECT_FALSE(read({{"kelvin-progress", "0"}})->progress);
  EXPECT_FALSE(read({{"Kelvin-Progress", "yes"}}));
}

TEST(Wishes, AreReadWithoutRegardToCase) {
  const auto wishes =
      read({{"kelvin-priority", "LOW"}, {"KELVIN-DEADLINE", "30s"}, {"Kelvin-Replica", "r3-17"}});
  ASSERT_TRUE(wishes);
  EXPECT_EQ(wishes->priority, model::Priority::Low);
  EXPECT_EQ(wishes->deadline, Duration(30s));
  EXPECT_EQ(wishes->replica, model::make_replica_id(3, 17));
}

TEST(Wishes, DeadlinesHaveAUnitAndABound) {
  const auto length = [](std::string_view text) {
    const auto wishes = read({{"Kelvin-Deadline", text}});
    return wishes ? wishes->deadline : std::nullopt;
  };
  EXPECT_EQ(length("1ms"), Duration(1ms));
  EXPECT_EQ(length("5m"), Duration(300s));
  EXPECT_EQ(length("24h"), Duration(24h));
  for (const std::string_view bad :
       {"", "30", "0s", "-1s", "25h", "1d", "1.5s", " 30s", "30 s", "s", "9223372036854775807h"})
    EXPECT_FALSE(length(bad)) << bad;
}

TEST(Wishes, WhatCannotBeReadIsRefusedByName) {
  const auto bad = read({{"Kelvin-Priority", "urgent"}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().status, 400);
  EXPECT_EQ(bad.error().code, "wish_invalid");
  EXPECT_EQ(bad.error().sentence,
            "Kelvin-Priority is 'urgent'; it must be high, normal or low. Leave the field out if "
            "it is not needed.");
  EXPECT_FALSE(read({{"Kelvin-Replica", "q3-1-2"}}));
  const std::string long_text(5000, 'x');
  EXPECT_LT(read({{"Kelvin-Replica", long_text}}).error().sentence.size(), 250u);
}

TEST(Wishes, AFieldThatStandsTwiceIsRefused) {
  EXPECT_FALSE(read({{"Kelvin-Priority", "low"}, {"kelvin-priority", "high"}}));
}

TEST(Wishes, AreKeptFromReplicas) {
  EXPECT_TRUE(is_wish("Kelvin-Priority"));
  EXPECT_TRUE(is_wish("kelvin-deadline"));
  EXPECT_TRUE(is_wish("KELVIN-REPLICA"));
  EXPECT_TRUE(is_wish("kelvin-progress"));
  EXPECT_FALSE(is_wish("Kelvin-Request-Id"));
  EXPECT_FALSE(is_wish("Kelvin-"));
  EXPECT_FALSE(is_wish(""));
}

}  // namespace
}  // namespace kelvin::gateway
