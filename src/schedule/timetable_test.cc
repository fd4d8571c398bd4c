#include "schedule/timetable.h"

#include <gtest/gtest.h>

namespace kelvin::schedule {
namespace {

// 2 March 2026 is a Monday.
UnixSeconds march(int day, int hour, int minute = 0) {
  return 1'772'323'200 + (day - 1) * 86'400 + hour * 3600 + minute * 60;
}

model::ScheduleRule rule(std::string begins, Duration length, std::uint32_t least,
                         std::string zone = "UTC") {
  return {.begins = std::move(begins),
          .ends = "",
          .length = length,
          .zone = std::move(zone),
          .replicas_min = least};
}

model::ScheduleRule until(std::string begins, std::string ends, std::uint32_t least) {
  return {
      .begins = std::move(begins), .ends = std::move(ends), .length = {}, .replicas_min = least};
}

Timetable of(const std::vector<model::ScheduleRule>& rules) {
  auto timetable = Timetable::make(rules);
  EXPECT_TRUE(timetable) << (timetable ? "" : timetable.error().what);
  return std::move(timetable).value();
}

TEST(Timetable, KeepsReplicasForALengthOfTime) {
  const Timetable timetable = of({rule("0 8 * * 1-5", 10h, 2)});
  const Floor before = timetable.at(march(2, 7, 59));
  EXPECT_EQ(before.replicas_min, 0U);
  EXPECT_EQ(before.opens, march(2, 8));
  EXPECT_EQ(before.changes_at, march(2, 8));
  const Floor first = timetable.at(march(2, 8));
  EXPECT_EQ(first.replicas_min, 2U);
  EXPECT_EQ(first.window->since, march(2, 8));
  EXPECT_EQ(first.window->until, march(2, 18));
  EXPECT_EQ(first.changes_at, march(2, 18));
  EXPECT_EQ(timetable.at(march(2, 18) - 1).replicas_min, 2U);
  EXPECT_EQ(timetable.at(march(2, 18)).replicas_min, 0U);
  EXPECT_EQ(timetable.at(march(6, 18)).opens, march(9, 8)) << "the weekend is left out";
}

TEST(Timetable, KeepsReplicasUntilAnotherExpression) {
  const Timetable timetable = of({until("0 22 * * *", "30 6 * * *", 1)});
  EXPECT_EQ(timetable.at(march(2, 12)).replicas_min, 0U);
  const Floor night = timetable.at(march(3, 3));
  EXPECT_EQ(night.replicas_min, 1U);
  EXPECT_EQ(night.window->since, march(2, 22));
  EXPECT_EQ(night.window->until, march(3, 6, 30));
  EXPECT_EQ(timetable.at(march(3, 6, 30)).replicas_min, 0U);
}

TEST(Timetable, JoinsWindowsThatOverlapOrTouch) {
  const Timetable overlapping = of({rule("0 8,9,10 * * *", 90min, 1)});
  const Floor at_ten = overlapping.at(march(2, 10, 10));
  EXPECT_EQ(at_ten.window->since, march(2, 8));
  EXPECT_EQ(at_ten.window->until, march(2, 11, 30));
  const Timetable touching = of({until("0 8,12 * * *", "0 12,16 * * *", 1)});
  EXPECT_EQ(touching.at(march(2, 9)).window->until, march(2, 16));
  const Timetable again = of({until("0 8,10 * * *", "0 12 * * *", 1)});
  EXPECT_EQ(again.at(march(2, 11)).window->since, march(2, 8));
  EXPECT_EQ(again.at(march(2, 9)).window->until, march(2, 12));
}

TEST(Timetable, SeesNoEndOfWindowsThatNeverStopTouching) {
  const Timetable timetable = of({rule("* * * * *", 1h, 3)});
  const Floor floor = timetable.at(march(2, 12));
  EXPECT_EQ(floor.replicas_min, 3U);
  EXPECT_FALSE(floor.window->until);
  EXPECT_EQ(floor.changes_at, march(3, 12)) << "it is looked at again all the same";
  EXPECT_NE(timetable.words(floor).find("with no end in sight"), std::string::npos);
}

TEST(Timetable, TakesTheLargestOfSeveralWindows) {
  const Timetable timetable = of({rule("0 8 * * 1-5", 10h, 2), rule("0 12 * * *", 1h, 5)});
  EXPECT_EQ(timetable.at(march(2, 11)).replicas_min, 2U);
  EXPECT_EQ(timetable.at(march(2, 11)).changes_at, march(2, 12));
  EXPECT_EQ(timetable.at(march(2, 12)).replicas_min, 5U);
  EXPECT_EQ(timetable.at(march(2, 12)).changes_at, march(2, 13));
  EXPECT_EQ(timetable.at(march(2, 13)).replicas_min, 2U);
  EXPECT_EQ(timetable.at(march(7, 12)).replicas_min, 5U) << "on a Saturday";
  EXPECT_EQ(timetable.at(march(7, 13)).replicas_min, 0U);
}

TEST(Timetable, SaysItInWords) {
  const Timetable timetable = of({rule("0 8 * * 1-5", 10h + 30min, 2, "Europe/Berlin")});
  EXPECT_EQ(timetable.words(timetable.at(march(2, 10))),
            "2 replicas by `0 8 * * 1-5` for 10h30m, Europe/Berlin, since Mon 2026-03-02 08:00 CET "
            "until Mon 2026-03-02 18:30 CET");
  EXPECT_EQ(timetable.words(timetable.at(march(7, 10))),
            "none until Mon 2026-03-09 08:00 CET, then 2 replicas by `0 8 * * 1-5` for 10h30m, "
            "Europe/Berlin");
  EXPECT_EQ(of({}).words(of({}).at(0)), "");
  EXPECT_EQ(words_of(until("0 8 * * *", "0 9 * * *", 1)), "`0 8 * * *` until `0 9 * * *`, UTC");
}

// Twelve hours stay twelve hours, whatever the clock does; an end by the clock moves with it.
TEST(Timetable, CountsLengthsInHoursThatPass) {
  const Timetable timetable = of({rule("0 0 * * *", 12h, 1, "Europe/Berlin")});
  const UnixSeconds midnight = march(28, 23);  // of the 29th, when the clock is set forward
  EXPECT_EQ(timetable.at(midnight).window->until, midnight + 12 * 3600);
  EXPECT_NE(timetable.words(timetable.at(midnight)).find("until Sun 2026-03-29 13:00 CEST"),
            std::string::npos);
}

TEST(Timetable, RefusesWhatItCannotRead) {
  EXPECT_FALSE(Timetable::make({rule("0 8 * *", 1h, 1)}));
  EXPECT_FALSE(Timetable::make({until("0 8 * * *", "", 1), until("0 8 * * *", "x", 1)}));
  EXPECT_FALSE(Timetable::make({rule("0 8 * * *", 1h, 1, "Nowhere/Land")}));
}

// Whatever is asked, the answer holds until the moment at which it is to be asked again.
TEST(Timetable, HoldsUntilItSaysThatItChanges) {
  const Timetable timetable =
      of({rule("*/50 7-9 * * 1-5", 20min, 2, "America/New_York"),
          until("15 8 * * *", "45 9 * * *", 3), rule("0 0 1 * *", 48h, 1, "Asia/Tokyo")});
  UnixSeconds look = march(1, 0);
  Floor floor = timetable.at(look);
  for (UnixSeconds at = look; at < march(31, 0); at += 60) {
    if (floor.changes_at && at >= *floor.changes_at) floor = timetable.at(at);
    ASSERT_EQ(timetable.at(at).replicas_min, floor.replicas_min) << at;
  }
}

}  // namespace
}  // namespace kelvin::schedule
