#include "core/queue/outlook.h"

#include <gtest/gtest.h>

namespace kelvin::queue {
namespace {

TEST(Outlook, WithReadySlotsItIsTheTimeToServeWhoWaits) {
  EXPECT_EQ(retry_after({.waiting = 30, .slots = 4, .service_time = 2s}), Duration(15s));
  EXPECT_EQ(retry_after({.waiting = 3, .slots = 4, .service_time = 2s}), Duration(2s));
}

TEST(Outlook, WithNothingReadyItIsTheRestOfTheStart) {
  EXPECT_EQ(retry_after({.waiting = 1000, .wake_time = 8200ms}), Duration(9s));
  EXPECT_EQ(retry_after({.waiting = 1000}), Duration(5s));
}

TEST(Outlook, StaysBetweenOneSecondAndTwoMinutes) {
  EXPECT_EQ(retry_after({.waiting = 1, .slots = 100, .service_time = 1ms}), Duration(1s));
  EXPECT_EQ(retry_after({.waiting = 1, .slots = 1}), Duration(1s));
  EXPECT_EQ(retry_after({.waiting = UINT64_MAX, .slots = 1, .service_time = Duration::max()}),
            Duration(120s));
}

TEST(ServiceTime, TheFirstReportReplacesNothingKnown) {
  ServiceTime time;
  EXPECT_EQ(time.value(), Duration(0s));
  time.add(6s, 3);
  EXPECT_EQ(time.value(), Duration(2s));
}

TEST(ServiceTime, FollowsWhatIsMeasuredAndForgetsThePast) {
  ServiceTime time;
  time.add(64s, 64);
  for (int i = 0; i < 20; ++i) time.add(64 * 100ms, 64);
  EXPECT_NEAR(static_cast<double>(time.value().count()) / 1e9, 0.1, 0.001);
}

TEST(ServiceTime, IgnoresReportsWithoutAReply) {
  ServiceTime time;
  time.add(60s, 0);
  EXPECT_EQ(time.value(), Duration(0s));
}

}  // namespace
}  // namespace kelvin::queue
