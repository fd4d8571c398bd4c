#include "shell/timetables.h"

#include <gtest/gtest.h>

#include "shell/doubles_test.h"

namespace kelvin::shell {
namespace {

// A clock that the test moves; the wall shows 2 March 2026, a Monday, 7:00 at boot.
class MadeUpClock final : public ports::Clock {
 public:
  Instant now() const override { return at; }
  std::int64_t unix_ns(Instant moment) const override { return boot_unix_ns + moment.ns; }
  Instant at;
  std::int64_t boot_unix_ns = (1'772'409'600LL + 7 * 3600) * 1'000'000'000;
};

class TimetablesTest : public testing::Test {
 protected:
  void follow(std::uint64_t app, std::string begins) {
    timetables.follow(
        {.app = {app}, .rules = {{.begins = std::move(begins), .length = 2h, .replicas_min = 3}}});
  }
  // Passes time as the control thread does, and notes what is said and when.
  void pass(Duration time) {
    const Instant end = clock.at + time;
    while (timetables.next() <= end) {
      clock.at = std::max(clock.at, timetables.next());
      looks += 1;
      for (auto& change : timetables.take_due(clock.at)) {
        at.push_back(clock.at);
        said.push_back(std::move(change));
      }
    }
    clock.at = end;
  }

  MadeUpClock clock;
  Timetables timetables{clock};
  std::vector<model::ScheduleChanged> said;
  std::vector<Instant> at;
  int looks = 0;
};

TEST_F(TimetablesTest, SayAtOnceWhatHoldsAndAgainWhenItChanges) {
  follow(1, "0 8 * * *");
  pass(1s);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].app, AppId{1});
  EXPECT_EQ(said[0].floor.replicas_min, 0U);
  EXPECT_EQ(said[0].floor.since_unix_ms, 0);
  EXPECT_EQ(said[0].floor.until_unix_ms, (1'772'409'600LL + 8 * 3600) * 1000);
  pass(4h);
  ASSERT_EQ(said.size(), 3U);
  EXPECT_EQ(said[1].floor.replicas_min, 3U);
  EXPECT_EQ(said[1].floor.since_unix_ms, (1'772'409'600LL + 8 * 3600) * 1000);
  EXPECT_EQ(said[1].floor.until_unix_ms, (1'772'409'600LL + 10 * 3600) * 1000);
  EXPECT_GE(at[1], Instant{} + 1h);
  EXPECT_LT(at[1], Instant{} + 1h + 2s);
  EXPECT_EQ(said[2].floor.replicas_min, 0U);
}

TEST_F(TimetablesTest, AskForNothingWithoutASchedule) {
  EXPECT_EQ(timetables.next(), Instant::never());
  follow(1, "0 8 * * *");
  EXPECT_NE(timetables.next(), Instant::never());
  timetables.follow({.app = {1}, .rules = {}});
  EXPECT_EQ(timetables.next(), Instant::never());
  pass(10h);
  EXPECT_TRUE(said.empty());
}

TEST_F(TimetablesTest, LookOnceAMinuteAtMostForAnyNumberOfApps) {
  for (std::uint64_t app = 1; app <= 100; ++app) follow(app, "0 20 * * *");
  pass(1s);
  EXPECT_EQ(said.size(), 100U);
  looks = 0;
  pass(1h);
  EXPECT_LE(looks, 60);
  EXPECT_EQ(said.size(), 100U) << "nothing has changed";
}

TEST_F(TimetablesTest, NoticeWithinAMinuteThatTheClockWasSet) {
  follow(1, "0 8 * * *");
  pass(1s);
  clock.boot_unix_ns += 3600LL * 1'000'000'000;
  pass(61s);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[1].floor.replicas_min, 3U);
  clock.boot_unix_ns -= 3600LL * 1'000'000'000;
  pass(61s);
  ASSERT_EQ(said.size(), 3U);
  EXPECT_EQ(said[2].floor.replicas_min, 0U) << "set back, the window has not come yet";
}

TEST_F(TimetablesTest, SayWhyAScheduleCannotBeRead) {
  timetables.follow(
      {.app = {1}, .rules = {{.begins = "0 8 * * *", .length = 1h, .zone = "Mars/Olympus"}}});
  pass(100h);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].floor.replicas_min, 0U);
  EXPECT_NE(said[0].floor.words.find("knows no time zone 'Mars/Olympus'"), std::string::npos);
}

}  // namespace
}  // namespace kelvin::shell
