#include "core/warmth/levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/warmth/warmth.h"

namespace kelvin::warmth {
namespace {

Instant at(Duration since_beginning) { return Instant{} + since_beginning; }

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

std::size_t bin_of(Duration silence) {
  std::size_t bin = 0;
  while (bin + 1 < Gaps::kBins && Gaps::edge(bin + 1) <= silence) ++bin;
  return bin;
}

Gaps seen(const std::vector<std::pair<Duration, int>>& silences) {
  Gaps gaps;
  for (const auto& [silence, times] : silences) {
    for (int i = 0; i < times; ++i) gaps.ended(silence);
  }
  return gaps;
}

TEST(Levels, RememberWhenEachWasCalledForLast) {
  Levels levels;
  levels.called(3, {at(10s), at(10s)});
  levels.called(1, {at(20s), at(20s)});
  EXPECT_EQ(levels.last_called(0), at(20s));
  EXPECT_EQ(levels.last_called(2), at(10s));
  EXPECT_EQ(levels.last_called(3), Instant{});
}

TEST(Levels, LearnTheSilencesOfEach) {
  Levels levels;
  levels.called(2, {at(10s), at(10s)});
  levels.called(1, {at(11s), at(11s)});
  levels.called(1, {at(12s), at(12s)});
  EXPECT_FALSE(levels.gaps(0).has_any()) << "shorter than 2 s is no silence";
  levels.called(2, {at(40s), at(40s)});
  EXPECT_TRUE(levels.gaps(0).has_any());
  const auto first = levels.gaps(0).chances();
  const auto second = levels.gaps(1).chances();
  EXPECT_GT(first[bin_of(28s)], first[bin_of(28s) - 1]);
  EXPECT_GT(second[bin_of(30s)], second[bin_of(30s) - 1]);
  EXPECT_FALSE(levels.gaps(2).has_any());
}

TEST(Levels, KnowNoSilenceWhileSomebodyWaits) {
  Levels levels;
  levels.called(1, {at(10s), at(10s)});
  levels.called(1, {at(10s), at(40s)});
  levels.called(1, {at(41s), at(60s)});
  EXPECT_FALSE(levels.gaps(0).has_any());
  EXPECT_EQ(levels.last_called(0), at(60s));
}

TEST(Levels, BeyondTheLastLearnedTheyShareIt) {
  Levels levels;
  levels.called(100, {at(10s), at(10s)});
  levels.called(100, {at(100s), at(100s)});
  EXPECT_TRUE(levels.gaps(99).has_any());
}

TEST(Gaps, BeginWithThePrior) {
  const auto chances = Gaps{}.chances();
  for (std::size_t bin = 0; bin < Gaps::kBins; ++bin) {
    const double lasts = (1 + seconds(Gaps::edge(bin))) / (1 + seconds(Gaps::edge(bin + 1)));
    EXPECT_NEAR(chances[bin], 1 - lasts, 1e-9);
  }
}

TEST(Gaps, TakeASingleLongSilenceForNoRule) {
  const auto chances = seen({{600s, 1}}).chances();
  EXPECT_LT(chances[bin_of(600s)], 0.5);
}

TEST(Gaps, ForgetWhatIsLongAgo) {
  const auto chances = seen({{600s, 64}, {10s, 640}}).chances();
  EXPECT_GT(chances[bin_of(10s)], 0.9);
}

TEST(Waiters, CountWhoWaitsPerSecondOfWaking) {
  Waiters waiters;
  EXPECT_EQ(waiters.milli(2s), 1'000u);
  for (int i = 0; i < 200; ++i) {
    for (int request = 0; request < 4; ++request) waiters.waited(2s);
    waiters.woke(2s);
  }
  EXPECT_NEAR(waiters.milli(2s), 3'700, 200);
  for (int i = 0; i < 500; ++i) waiters.woke(2s);
  EXPECT_EQ(waiters.milli(2s), 200u);
}

// --- what follows from them for cooling ---------------------------------------------------------

constexpr Terms kTerms{.wake = {.parked = 2s, .cold = 30s}, .urgency_milli = 5'000};

TEST(SeenSilences, HoldWhatIsCalledEveryFewSeconds) {
  EXPECT_GT(next_step(Tier::Warm, kTerms, seen({{8s, 30}}))->at_idle, 8s);
  EXPECT_EQ(next_step(Tier::Warm, kTerms, seen({{30s, 30}}))->at_idle, kIdleMin)
      << "12.6 s of holding cost as much as a wake";
}

TEST(SeenSilences, ParkAtOnceWhatIsCalledEveryTenMinutes) {
  const Gaps gaps = seen({{600s, 30}});
  const auto step = next_step(Tier::Warm, kTerms, gaps);
  EXPECT_EQ(step->to, Tier::Parked);
  EXPECT_EQ(step->at_idle, kIdleMin);
  EXPECT_GT(next_step(Tier::Parked, kTerms, gaps)->at_idle, 600s);
}

TEST(SeenSilences, WithoutParkingTheyHoldOrStop) {
  Terms terms = kTerms;
  terms.may_park = false;
  EXPECT_EQ(next_step(Tier::Warm, terms, seen({{600s, 30}}))->to, Tier::Cold);
  EXPECT_GT(next_step(Tier::Warm, terms, seen({{100s, 30}}))->at_idle, 100s);
}

// What it costs on average to park at one bin and to stop at a later one, from the beginning of the first bin on.
using Chances = std::array<double, Gaps::kBins>;
double expected_cost(const Terms& terms, const Chances& chances, std::size_t park,
                     std::size_t stop) {
  const double patience = 1 + static_cast<double>(terms.urgency_milli) / 1000;
  const double hold[] = {1.05, 0.05, 0};
  const double wake[] = {0, 1.05 * seconds(terms.wake.parked) * patience,
                         1.05 * seconds(terms.wake.cold) * patience};
  double cost = 0;
  double reaches = 1;
  for (std::size_t bin = 0; bin < Gaps::kBins; ++bin) {
    const int tier = bin >= stop ? 2 : bin >= park ? 1 : 0;
    const double length = seconds(Gaps::edge(bin + 1) - Gaps::edge(bin));
    const double ends = chances[bin];
    cost += reaches *
            (ends * (hold[tier] * length / 2 + wake[tier]) + (1 - ends) * hold[tier] * length);
    reaches *= 1 - ends;
  }
  return cost + reaches * wake[2];
}

// Source: every pair of moments, tried.
TEST(SeenSilences, NoOtherMomentsCostLess) {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    Gaps gaps;
    for (std::uint64_t n = 1 + random.below(40); n > 0; --n)
      gaps.ended(2s + std::chrono::milliseconds(random.below(1U << (5 + random.below(18)))));
    const Terms terms{.wake = {.parked = 2s, .cold = 30s},
                      .urgency_milli = static_cast<std::uint32_t>(1000 + random.below(100'000))};
    const Chances chances = gaps.chances();
    double least = std::numeric_limits<double>::max();
    for (std::size_t park = 0; park <= Gaps::kBins; ++park) {
      for (std::size_t stop = park; stop <= Gaps::kBins; ++stop)
        least = std::min(least, expected_cost(terms, chances, park, stop));
    }
    const auto first = next_step(Tier::Warm, terms, gaps);
    const auto second = next_step(Tier::Parked, terms, gaps);
    ASSERT_TRUE(first && second);
    // What the limits of holding cut off is not the induction's doing.
    if (first->at_idle == kWarmMax || second->at_idle == kParkedMax) continue;
    const std::size_t park = bin_of(first->at_idle);
    const std::size_t stop =
        first->to == Tier::Cold ? park : std::max(park, bin_of(second->at_idle));
    EXPECT_NEAR(expected_cost(terms, chances, park, stop), least, 1e-6 * least)
        << "round " << round;
  }
}

}  // namespace
}  // namespace kelvin::warmth
