#include "plan/rivals.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "plan/optimum.h"

namespace kelvin::plan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Trace one_app(std::vector<Arrival> arrivals) {
  return {.apps = {"a"}, .arrivals = std::move(arrivals)};
}

Trace same_time(std::size_t count, Duration at, Duration service) {
  return one_app(std::vector<Arrival>(count, {.at = at, .service = service}));
}

constexpr Terms kTerms{.slots = 8, .cold = 10s};

TEST(FixedIdleTest, EndsAfterTheIdleTime) {
  const Outcome outcome = fixed_idle(same_time(1, 0s, 1s), kTerms, 60s);
  EXPECT_EQ(outcome.policy, "idle 60 s");
  EXPECT_DOUBLE_EQ(outcome.cost(), 10 + 1 + 60);
  EXPECT_EQ(outcome.waits[0], 10s);
}

TEST(FixedIdleTest, ARequestInTheLastMomentOfTheIdleTimeFindsTheReplica) {
  const auto starts = [](Duration second) {
    const Trace trace = one_app({{.at = 0s, .service = 1s}, {.at = second, .service = 1s}});
    return fixed_idle(trace, kTerms, 5s).cold_starts;
  };
  EXPECT_EQ(starts(16s), 1U);
  EXPECT_EQ(starts(16s + 1ms), 2U);
}

TEST(FixedIdleTest, ReplicasThatAreBeingStartedCount) {
  std::vector<Arrival> arrivals;
  for (int i = 0; i < 10; ++i) arrivals.push_back({.at = milliseconds(100 * i), .service = 5s});
  const Outcome outcome = fixed_idle(one_app(arrivals), {.slots = 4, .cold = 30s}, 0s);
  EXPECT_EQ(outcome.cold_starts, 3U);
  EXPECT_EQ(outcome.waits[9], 30s + 800ms - 900ms) << "the third is for the ninth, at 0.8 s";
}

TEST(HeadroomFloorTest, StartsBeforeAnybodyWaitsWhereTheLoadIsSteady) {
  // In flight 8: e grows beyond 5.63 after 146 s, then e + sqrt(e) > 8.
  const Outcome outcome = headroom_floor(same_time(8, 0s, 600s), kTerms, 5);
  EXPECT_EQ(outcome.cold_starts, 2U);
  EXPECT_EQ(headroom_floor(same_time(8, 0s, 130s), kTerms, 5).cold_starts, 1U);
}

TEST(HeadroomFloorTest, HoldsForThePriceOfWaking) {
  // Short services keep e below 0.05, so that the floor is 0.
  const auto idle = [](Duration cold, double lambda) {
    return headroom_floor(same_time(1, 0s, 100ms), {.slots = 8, .cold = cold}, lambda)
        .spent(Spending::Idle);
  };
  EXPECT_NEAR(idle(2s, 5), 12, 1) << "looked at every second";
  EXPECT_NEAR(idle(100ms, 0), 2, 1);
  EXPECT_NEAR(idle(30s, 100), 1800, 1);
}

TEST(HeadroomFloorTest, TheFloorFallsWithTheAverageLoad) {
  // Present for 11 s: e = 0.088 at the reply, and 0.05 67 s later.
  const Outcome outcome = headroom_floor(same_time(1, 0s, 1s), kTerms, 0);
  EXPECT_NEAR(outcome.spent(Spending::Idle), 67, 2);
}

TEST(KnativeTest, KeepsTheLastReplicaForTheWindowAndTheGracePeriod) {
  // The last trace of the request leaves the window of 60 s at 71 s, seen at 72 s; the grace period is 30 s.
  const Outcome outcome = knative(same_time(1, 0s, 1s), kTerms);
  EXPECT_EQ(outcome.cold_starts, 1U);
  EXPECT_EQ(outcome.waits[0], 10s) << "the first request is seen at once";
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle), 102 - 11);
}

TEST(KnativeTest, PanicsWhereTheShortWindowAsksForTwiceTheReadyReplicas) {
  std::vector<Arrival> arrivals{{.at = 0s, .service = 300s}};
  for (int i = 0; i < 19; ++i) arrivals.push_back({.at = 100s + 500ms, .service = 300s});
  const Outcome outcome = knative(one_app(arrivals), {.slots = 8, .cold = 30s});
  // The window of 6 s averages 5.75, 12.1, 18.4, 20 at 102 s, 104 s, 106 s, 108 s: 2, 3, 4, 4 replicas.
  EXPECT_EQ(outcome.cold_starts, 4U);
  EXPECT_EQ(outcome.waits[8], 31s + 500ms) << "the second replica is ordered at 102 s";
  EXPECT_EQ(outcome.waits[19], 33s + 500ms) << "the third one at 104 s";
}

TEST(KnativeTest, ReplicasThatAreBeingStartedDoNotCountAsReady) {
  // 100 requests of 1 s in the second after the first: two rounds of 8 replicas would serve them all, but they are
  // present while replicas start, so that the whole crowd is provided for.
  std::vector<Arrival> arrivals{{.at = 0s, .service = 1s}};
  for (int i = 0; i < 100; ++i) arrivals.push_back({.at = 1s, .service = 1s});
  const Outcome outcome = knative(one_app(arrivals), {.slots = 8, .cold = 30s});
  EXPECT_EQ(outcome.cold_starts, 19U) << "ceil(101 / 5.6)";
}

TEST(KnativeTest, HalvesWhereItShrinks) {
  // 18 replicas are ready at 12 s. The panic ends at 72 s, and every 2 s leave 9, 4, 2 and 1; 0 at 80 s, meant from
  // 110 s on.
  const Outcome outcome = knative(same_time(100, 0s, 1s), kTerms);
  EXPECT_EQ(outcome.cold_starts, 18U);
  const double ready = (110 - 10) + 17 * (72 - 12) + 2 * (9 + 4 + 2 - 3);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle) + outcome.spent(Spending::Busy), ready);
}

TEST(KnativeTest, ARequestInTheMomentOfATickIsSeen) {
  const Trace trace = one_app({{.at = 0s, .service = 1s}, {.at = 2000s, .service = 1s}});
  EXPECT_EQ(knative(trace, kTerms).cold_starts, 2U);
}

TEST(RayServeTest, GoesUpAfterThirtySecondsAndDownAfterTenMinutes) {
  // Seven present are more than 70 % of eight slots. The first replica is ready at 10 s, the second ordered at 40 s.
  const auto starting = [](Duration service) {
    return ray_serve(same_time(7, 0s, service), kTerms, 0).spent(Spending::Starting);
  };
  EXPECT_DOUBLE_EQ(starting(25s), 20) << "an average of 30 s outlives a request of 25 s";
  EXPECT_DOUBLE_EQ(starting(10s), 10);
}

TEST(RayServeTest, ReachesZeroAfterTenMinutesOfSilence) {
  // Told at 50 s that the last 30 s were silent.
  const Outcome outcome = ray_serve(same_time(1, 0s, 1s), kTerms, 0);
  EXPECT_EQ(outcome.waits[0], 10s) << "the first replica is ordered at once";
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle), 650 - 11);
}

TEST(RayServeTest, ReachesZeroFromOneOnly) {
  // Told at 80 s that one suffices: the second, ready at 50 s, goes at 680 s, and the first one 600 s later.
  const Outcome outcome = ray_serve(same_time(7, 0s, 60s), kTerms, 0);
  EXPECT_EQ(outcome.cold_starts, 2U);
  EXPECT_NEAR(outcome.spent(Spending::Idle), (680 - 50) + (1280.1 - 70), 0.001);
}

TEST(RayServeTest, TheLeastNumberIsThereFromTheFirstMomentToTheLastReply) {
  const Outcome outcome = ray_serve(same_time(1, 100s, 1s), kTerms, 1);
  EXPECT_EQ(outcome.waits[0], 0s);
  EXPECT_DOUBLE_EQ(outcome.cost(), 101);
}

TEST(QueueDelayTest, AddsOneWhileSomebodyHasWaitedLonger) {
  // The first start is for the first request. At 6 s both have waited for more than 4 s.
  const Outcome outcome = queue_delay(same_time(2, 500ms, 60s), {.slots = 1, .cold = 30s});
  EXPECT_EQ(outcome.cold_starts, 2U);
  EXPECT_EQ(outcome.waits[0], 30s);
  EXPECT_EQ(outcome.waits[1], 35s + 500ms);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle), 2 * 5);
}

TEST(QueueDelayTest, StartsNoMoreThanThoseWhoWaitCanUse) {
  EXPECT_EQ(queue_delay(same_time(8, 0s, 60s), {.slots = 8, .cold = 30s}).cold_starts, 1U);
  EXPECT_EQ(queue_delay(same_time(24, 0s, 60s), {.slots = 8, .cold = 30s}).cold_starts, 3U);
}

TEST(ReservedTest, HoldsThePeakFromTheFirstMomentToTheLastReply) {
  const Trace trace{.apps = {"a", "b"},
                    .arrivals = {{.at = 10s, .app = 0, .service = 5s},
                                 {.at = 12s, .app = 0, .service = 5s},
                                 {.at = 50s, .app = 1, .service = 50s}}};
  const Outcome outcome = reserved(trace, {.slots = 1});
  EXPECT_DOUBLE_EQ(outcome.waiting(), 0);
  EXPECT_DOUBLE_EQ(outcome.cost(), 3 * 100);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Busy), 60);
  EXPECT_EQ(outcome.cold_starts, 0U);
}

TEST(RivalsTest, NothingComesOfNothing) {
  for (const Outcome& outcome :
       {fixed_idle({}, kTerms, 60s), headroom_floor({}, kTerms, 5), knative({}, kTerms),
        ray_serve({}, kTerms, 1), queue_delay({}, kTerms), reserved({}, kTerms)})
    EXPECT_DOUBLE_EQ(outcome.cost(), 0) << outcome.policy;
}

Trace draw(Random& random) {
  Trace trace{.apps = {"a", "b", "c"}};
  const std::uint64_t span = 100 + random.below(2000);
  for (std::uint64_t left = 1 + random.below(60); left > 0; --left)
    trace.arrivals.push_back({.at = milliseconds(random.below(span * 1000)),
                              .app = static_cast<std::uint32_t>(random.below(3)),
                              .service = milliseconds(random.below(40'000))});
  std::ranges::sort(trace.arrivals, {}, &Arrival::at);
  return trace;
}

// Whoever never lets anybody wait pays at least the optimum, and everybody pays for the work itself.
TEST(RivalsTest, ServeEveryRequestOnceAndPayForIt) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random{seed};
    const Trace trace = draw(random);
    const Terms terms{.slots = static_cast<std::uint32_t>(1 + random.below(8)),
                      .cold = milliseconds(random.below(30'000))};
    double work = 0;
    for (const Arrival& arrival : trace.arrivals) work += to_seconds(arrival.service);
    for (const Outcome& outcome :
         {fixed_idle(trace, terms, seconds(random.below(100))), headroom_floor(trace, terms, 5),
          knative(trace, terms), ray_serve(trace, terms, 0), ray_serve(trace, terms, 1),
          queue_delay(trace, terms)}) {
      EXPECT_GE(outcome.spent(Spending::Busy) * terms.slots, work - 1e-6)
          << outcome.policy << ", seed " << seed;
      EXPECT_LE(outcome.spent(Spending::Busy), work + 1e-6) << outcome.policy << ", seed " << seed;
      EXPECT_LE(outcome.spent(Spending::Starting),
                static_cast<double>(outcome.cold_starts) * to_seconds(terms.cold) + 1e-6)
          << outcome.policy << ", seed " << seed;
    }
    const Outcome without_waiting = reserved(trace, terms);
    EXPECT_DOUBLE_EQ(without_waiting.waiting(), 0) << "seed " << seed;
    const double started_before =
        to_seconds(terms.cold) * 3 *
        static_cast<double>(std::ranges::max(peak_needs(trace, terms.slots)));
    EXPECT_GE(without_waiting.cost() + started_before, offline_optimum(trace, terms).cost() - 1e-6)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace kelvin::plan
