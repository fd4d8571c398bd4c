#include "core/warmth/warmth.h"

#include <gtest/gtest.h>

namespace kelvin::warmth {
namespace {

Terms terms_with(WakeTimes wake, std::uint32_t urgency_milli = 20'000) {
  return {.wake = wake, .accelerators = 1, .urgency_milli = urgency_milli, .may_park = true};
}

TEST(Warmth, FollowsTheWorkedExample) {
  const Terms terms = terms_with({.parked = 50ms, .cold = 1s});
  const auto first = next_step(Tier::Warm, terms);
  EXPECT_EQ(first->to, Tier::Parked);
  EXPECT_EQ(first->at_idle, kIdleMin);
  const auto second = next_step(Tier::Parked, terms);
  EXPECT_EQ(second->to, Tier::Cold);
  EXPECT_EQ(whole_ms(second->at_idle) / 1000, 418);
  EXPECT_FALSE(next_step(Tier::Cold, terms));
}

TEST(Warmth, WithoutParkingIsWakeTimeTimesOnePlusLambda) {
  Terms terms = terms_with({.parked = 50ms, .cold = 30s});
  terms.may_park = false;
  const auto step = next_step(Tier::Warm, terms);
  EXPECT_EQ(step->to, Tier::Cold);
  EXPECT_EQ(step->at_idle, 30s * 21);
}

TEST(Warmth, HoldsLongerTheMoreUrgentTheApp) {
  const WakeTimes slow{.parked = 2s, .cold = 20s};
  Duration before = 0s;
  for (std::uint32_t urgency : {1'000U, 5'000U, 20'000U, 100'000U}) {
    const auto step = next_step(Tier::Warm, terms_with(slow, urgency));
    EXPECT_EQ(step->to, Tier::Parked) << urgency;
    EXPECT_GT(step->at_idle, before) << urgency;
    before = step->at_idle;
  }
}

TEST(Warmth, NeverCoolsBeforeTwoSeconds) {
  for (std::uint32_t urgency : {0U, 1'000U}) {
    const Terms terms = terms_with({.parked = 1ms, .cold = 2ms}, urgency);
    EXPECT_GE(next_step(Tier::Warm, terms)->at_idle, kIdleMin);
    EXPECT_GE(next_step(Tier::Parked, terms)->at_idle, kIdleMin);
  }
}

TEST(Warmth, NeverHoldsLongerThanItsLimits) {
  const Terms terms = terms_with({.parked = 600s, .cold = 100h}, 4'000'000'000U);
  EXPECT_EQ(next_step(Tier::Warm, terms)->at_idle, kWarmMax);
  EXPECT_EQ(next_step(Tier::Parked, terms)->at_idle, kParkedMax);
}

TEST(Warmth, SkipsParkingWhereWakingFromItIsNoFaster) {
  const auto step = next_step(Tier::Warm, terms_with({.parked = 5s, .cold = 5s}));
  EXPECT_EQ(step->to, Tier::Cold);
}

TEST(Warmth, SkipsParkingThatWouldEndAtOnce) {
  // Parked -> cold would cross at 1.05 * 0.015 * 2 / 0.05 = 0.6 s.
  const auto step = next_step(Tier::Warm, terms_with({.parked = 5ms, .cold = 20ms}, 1'000));
  EXPECT_EQ(step->to, Tier::Cold);
  EXPECT_EQ(step->at_idle, kIdleMin);
}

TEST(Warmth, ExpectsAnUnmeasuredWakeToBeFasterThanAStart) {
  EXPECT_EQ(unmeasured_parked(50ms, 10s), 50ms);
  EXPECT_EQ(unmeasured_parked(50ms, 20ms), 5ms);
}

TEST(Warmth, CostsOfHoldingAreEqualAtTheCrossing) {
  const WakeTimes wake{.parked = 2s, .cold = 40s};
  const Terms terms = terms_with(wake, 5'000);
  const double t = static_cast<double>(whole_ms(next_step(Tier::Warm, terms)->at_idle)) / 1000;
  EXPECT_NEAR(1.05 * t, 0.05 * t + 1.05 * 2 * 6, 0.01);
}

TEST(Warmth, MoreAcceleratorsAreParkedAtTheSameTimeButKeptFromColdLonger) {
  Terms one = terms_with({.parked = 2s, .cold = 10s}, 1'000);
  Terms eight = one;
  eight.accelerators = 8;
  EXPECT_NEAR(static_cast<double>(next_step(Tier::Warm, one)->at_idle.count()),
              static_cast<double>(next_step(Tier::Warm, eight)->at_idle.count()), 2e8);
  EXPECT_GT(next_step(Tier::Parked, eight)->at_idle, next_step(Tier::Parked, one)->at_idle);
}

TEST(Warmth, LearnsWakeTimesFromTheFirstMeasurementOn) {
  WakeEstimate estimate(10s);
  EXPECT_EQ(estimate.value(), 10s);
  estimate.measured(1s);
  EXPECT_EQ(estimate.value(), 1s);
  estimate.measured(2s);
  EXPECT_EQ(estimate.value(), 1300ms);
}

TEST(Warmth, LearnsWakeTimesPerNodeWithAllNodesAsThePrior) {
  WakeEstimates wake(10s);
  EXPECT_EQ(wake.on({1}), 10s);
  wake.measured({1}, 2s);
  EXPECT_EQ(wake.on({1}), 2s);
  EXPECT_EQ(wake.on({2}), 2s);
  wake.measured({2}, 12s);
  EXPECT_EQ(wake.on({1}), 2s);
  EXPECT_EQ(wake.on({2}), 12s);
  EXPECT_EQ(wake.on({3}), 5s) << "30 % of the last, 70 % of what was before";
  for (std::uint64_t node = 10; node < 10 + 2 * WakeEstimates::kNodesMax; ++node)
    wake.measured({node}, 5s);
  EXPECT_EQ(wake.find({10 + 2 * WakeEstimates::kNodesMax - 1}), nullptr);
}

TEST(Warmth, LosesLessTheLongerItHasBeenIdle) {
  const Terms terms = terms_with({.parked = 1s, .cold = 10s});
  EXPECT_GT(loss_of_cooling(Tier::Parked, terms, 2s), loss_of_cooling(Tier::Parked, terms, 20s));
  EXPECT_GT(loss_of_cooling(Tier::Cold, terms, 2s), loss_of_cooling(Tier::Parked, terms, 2s));
}

TEST(Warmth, GpuReplicasAreExpectedToWakeMoreSlowly) {
  EXPECT_LT(prior_wake_times(true).parked, prior_wake_times(false).parked);
}

}  // namespace
}  // namespace kelvin::warmth
