#include "core/life/trial.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace kelvin::life {
namespace {

const model::RolloutRule kRule{
    .steps = {5, 25}, .every = 2min, .errors_milli = 2'000, .requests = 20};

Tally tally(std::uint64_t failed, std::uint64_t answered, std::uint32_t breakdowns = 0) {
  return {.answered = answered, .failed = failed, .breakdowns = breakdowns};
}

Verdict verdict(const Tally& fresh, const Tally& old, Duration time) {
  return judge({.fresh = fresh, .old = old, .time = time}, kRule).verdict;
}

TEST(Trial, KnowsTheBoundsOfADifference) {
  EXPECT_NEAR(least_difference(tally(3, 20), tally(0, 380)), 0.0375, 0.0005);
  EXPECT_NEAR(least_difference(tally(1, 20), tally(0, 380)), 0.0027, 0.0005);
  EXPECT_NEAR(least_difference(tally(0, 20), tally(0, 380)), -0.0172, 0.0005);
  // The example of Newcombe's paper, 56/70 against 48/80: its bounds at 95 % are 5.2 % and 33.4 %; at 99 % the lower one is
  // nearer to nothing.
  EXPECT_NEAR(least_difference(tally(56, 70), tally(48, 80)), 0.0054, 0.0005);
  EXPECT_EQ(least_difference({}, {}), 0);
}

TEST(Trial, IsLostAtOnceWhenTheNewRevisionIsWorseBeyondDoubt) {
  EXPECT_EQ(verdict(tally(3, 20), tally(0, 380), 1s), Verdict::Lost);
  EXPECT_EQ(verdict(tally(5, 5), tally(0, 100), 1s), Verdict::Lost)
      << "five failures are enough to judge by";
  EXPECT_EQ(verdict(tally(4, 4), tally(0, 100), 1s), Verdict::Open) << "four are not";
  EXPECT_EQ(verdict(tally(200, 1000), tally(0, 0), 1s), Verdict::Lost)
      << "an old one without replies never fails";
}

TEST(Trial, ForgivesWhatTheOldRevisionDoesToo) {
  EXPECT_EQ(verdict(tally(30, 100), tally(300, 1000), 1s), Verdict::Open);
  EXPECT_EQ(verdict(tally(30, 100), tally(300, 1000), 2min), Verdict::Won);
}

TEST(Trial, IsWonOnlyAfterItsTimeAndItsReplies) {
  EXPECT_EQ(verdict(tally(0, 1000), tally(0, 1000), 119s), Verdict::Open);
  EXPECT_EQ(verdict(tally(0, 1000), tally(0, 1000), 2min), Verdict::Won);
  EXPECT_EQ(verdict(tally(0, 19), tally(0, 1000), 2min), Verdict::Open);
  EXPECT_EQ(verdict(tally(0, 20), tally(0, 1000), 2min), Verdict::Won);
}

TEST(Trial, StaysOpenWhereMoreFailuresMayBeChance) {
  EXPECT_EQ(verdict(tally(2, 30), tally(0, 600), 2min), Verdict::Open);
  EXPECT_EQ(verdict(tally(2, 300), tally(0, 6000), 4min), Verdict::Won) << "it was chance";
  EXPECT_EQ(verdict(tally(2, 30), tally(0, 600), 20min), Verdict::Lost)
      << "nothing has shown that it was";
}

TEST(Trial, EndsAfterTenTimesItsTimeHoweverFewRepliesThereWere) {
  EXPECT_EQ(verdict(tally(0, 2), tally(0, 10), 19min), Verdict::Open);
  EXPECT_EQ(verdict(tally(0, 2), tally(0, 10), 20min), Verdict::Won);
  EXPECT_EQ(verdict(tally(0, 0), tally(0, 0), 20min), Verdict::Won);
  EXPECT_EQ(verdict(tally(1, 2), tally(0, 10), 20min), Verdict::Lost);
}

TEST(Trial, IsLostWhenReplicasBreakDown) {
  EXPECT_EQ(verdict(tally(0, 100, 1), tally(0, 100, 0), 1s), Verdict::Open)
      << "one may be bad luck";
  EXPECT_EQ(verdict(tally(0, 100, 2), tally(0, 100, 0), 1s), Verdict::Lost);
  EXPECT_EQ(verdict(tally(0, 100, 2), tally(0, 100, 2), 1s), Verdict::Open)
      << "the old one does so too";
}

TEST(Trial, SaysItsNumbers) {
  const Finding lost = judge({.fresh = tally(3, 20), .old = tally(0, 380), .time = 40s}, kRule);
  EXPECT_EQ(lost.why,
            "3 of 20 (15 %) of its replies failed, 0 of 380 (0 %) of the old one's; 2 % more are "
            "allowed, and it is at "
            "least 3.75 %");
}

// Looked at after every reply, a revision that fails as often as the old one is seldom taken for a worse one, and one that
// fails far more often nearly always.
TEST(Trial, IsSeldomWrong) {
  Random random{.state = 7};
  const auto lost_of = [&](double fresh_share, double old_share) {
    int lost = 0;
    for (int trial = 0; trial < 400; ++trial) {
      Tally fresh;
      Tally old;
      bool is_lost = false;
      for (int reply = 0; reply < 400 && !is_lost; ++reply) {
        // One in twenty goes to the new revision, and so on until it has 400.
        for (int i = 0; i < 19; ++i) {
          old.answered += 1;
          old.failed += random.below(10'000) < static_cast<std::uint64_t>(old_share * 10'000);
        }
        fresh.answered += 1;
        fresh.failed += random.below(10'000) < static_cast<std::uint64_t>(fresh_share * 10'000);
        is_lost = verdict(fresh, old, 1s) == Verdict::Lost;
      }
      lost += is_lost;
    }
    return lost;
  };
  EXPECT_LE(lost_of(0, 0), 0);
  EXPECT_LE(lost_of(0.01, 0.01), 8) << "2 % of 400";
  EXPECT_LE(lost_of(0.1, 0.1), 20) << "5 %";
  EXPECT_GE(lost_of(0.15, 0.01), 396) << "99 %";
  EXPECT_GE(lost_of(1, 0), 400);
}

}  // namespace
}  // namespace kelvin::life
