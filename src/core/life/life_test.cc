#include "core/life/life.h"

#include <gtest/gtest.h>

namespace kelvin::life {
namespace {

using model::Exit;
using model::ExitCause;
using model::Progress;

constexpr Instant at(Duration d) { return Instant{} + d; }

TEST(StartClock, GivesUpWhenNothingMoved) {
  const StartClock clock(at(10s));
  EXPECT_EQ(clock.deadline(60s), at(70s));
}

TEST(StartClock, StrongProgressSetsTheDeadlineAnew) {
  StartClock clock(at(0s));
  for (int minute = 1; minute <= 600; ++minute) clock.moved(Progress::Strong, at(minute * 50s));
  EXPECT_EQ(clock.deadline(60s), at(600 * 50s + 60s));
}

TEST(StartClock, WeakProgressExtendsAtMostTenTimes) {
  StartClock clock(at(0s));
  clock.moved(Progress::Weak, at(50s));
  EXPECT_EQ(clock.deadline(60s), at(110s));
  clock.moved(Progress::Weak, at(590s));
  EXPECT_EQ(clock.deadline(60s), at(600s));
  clock.moved(Progress::Strong, at(595s));
  EXPECT_EQ(clock.deadline(60s), at(655s));
}

TEST(StartClock, LateMessagesNeverShortenTheDeadline) {
  StartClock clock(at(0s));
  clock.moved(Progress::Strong, at(50s));
  clock.moved(Progress::Strong, at(20s));
  EXPECT_EQ(clock.deadline(60s), at(110s));
}

TEST(FailureBudget, FollowsTheWorkedExample) {
  FailureBudget budget;
  const Exit exit{.cause = ExitCause::Exited, .code = 1};
  EXPECT_FALSE(budget.failed(exit, 3, at(10s)));
  EXPECT_EQ(budget.next_start(), at(11s));
  EXPECT_FALSE(budget.failed(exit, 3, at(12s)));
  EXPECT_EQ(budget.next_start(), at(14s));
  EXPECT_TRUE(budget.failed(exit, 3, at(15s)));
  EXPECT_TRUE(budget.is_failing());
  EXPECT_EQ(budget.next_start(), at(45s));
  EXPECT_TRUE(budget.failed(exit, 3, at(46s)));
  EXPECT_EQ(budget.next_start(), at(106s));
}

TEST(FailureBudget, IsClearedByAProof) {
  FailureBudget budget;
  for (int i = 0; i < 3; ++i) (void)budget.failed({}, 3, at(10s));
  budget.ready();
  EXPECT_FALSE(budget.is_failing());
  EXPECT_EQ(budget.failures(), 3u);
  budget.clear();
  EXPECT_EQ(budget.failures(), 0u);
  EXPECT_FALSE(budget.failed({}, 3, at(99s)));
}

TEST(FailureBudget, RemembersACrashLoopThroughReadiness) {
  FailureBudget budget;
  EXPECT_FALSE(budget.failed({}, 3, at(1s)));
  budget.ready();
  EXPECT_FALSE(budget.failed({}, 3, at(2s)));
  budget.ready();
  EXPECT_TRUE(budget.failed({}, 3, at(3s)));
}

TEST(FailureBudget, DelaysDoubleUpToALimit) {
  EXPECT_EQ(delay_between_starts(1), 1s);
  EXPECT_EQ(delay_between_starts(6), 32s);
  EXPECT_EQ(delay_between_starts(7), 60s);
  EXPECT_EQ(delay_between_starts(4'000'000'000U), 60s);
  EXPECT_EQ(delay_while_failing(1), 30s);
  EXPECT_EQ(delay_while_failing(5), 480s);
  EXPECT_EQ(delay_while_failing(6), 600s);
}

TEST(Health, ThreeSuspicionsInARowAreEnough) {
  Health health;
  EXPECT_FALSE(health.suspected());
  EXPECT_FALSE(health.suspected());
  EXPECT_TRUE(health.suspected());
}

TEST(Health, AReplyBetweenThemClears) {
  Health health;
  EXPECT_FALSE(health.suspected());
  EXPECT_FALSE(health.suspected());
  health.answered();
  EXPECT_FALSE(health.suspected());
}

}  // namespace
}  // namespace kelvin::life
