#include "plan/replay.h"

#include <gtest/gtest.h>

namespace kelvin::plan {
namespace {

Trace trace_of(std::vector<Arrival> arrivals, std::size_t apps = 1) {
  Trace trace{.apps = {}, .arrivals = std::move(arrivals)};
  for (std::size_t i = 0; i < apps; ++i) trace.apps.push_back("app" + std::to_string(i));
  return trace;
}

TEST(ReplayTest, OneRequestPaysItsStartItsWorkAndTheIdleTail) {
  const Terms terms{.slots = 8, .cold = 10s};
  const Outcome outcome =
      replay(trace_of({{.at = 0s, .service = 1s}}), terms, {.urgency_milli = 1'000});
  EXPECT_EQ(outcome.cold_starts, 1u);
  EXPECT_EQ(outcome.waits, std::vector<Duration>{10s});
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Starting), 10);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Busy), 1);
  // It is held for as long as its own start and its user's patience are worth: 10 s * (1 + 1).
  EXPECT_NEAR(outcome.spent(Spending::Idle), 20, 0.1);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Parked), 0);
}

TEST(ReplayTest, AStartAtTheFirstMomentIsMeasuredLikeAnyOther) {
  const Outcome outcome = replay(trace_of({{.at = 0s, .service = 1s}}), {.slots = 8, .cold = 3s},
                                 {.urgency_milli = 1'000});
  EXPECT_NEAR(outcome.spent(Spending::Idle), 6, 0.1);
}

TEST(ReplayTest, ALongSilenceFindsTheReplicaParked) {
  const Terms terms{.slots = 8, .cold = 30s, .parked = 2s};
  const Outcome outcome =
      replay(trace_of({{.at = 0s, .service = 1s}, {.at = 500s, .service = 1s}}), terms, {});
  EXPECT_EQ(outcome.cold_starts, 1u);
  EXPECT_EQ(outcome.resumes, 1u);
  EXPECT_EQ(outcome.waits, (std::vector<Duration>{30s, 2s}));
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Resuming), 2);
  EXPECT_GT(outcome.spent(Spending::Parked), 20);
}

TEST(ReplayTest, ABurstStartsAsManyAsItNeeds) {
  std::vector<Arrival> burst;
  for (int i = 0; i < 20; ++i)
    burst.push_back({.at = std::chrono::milliseconds(i), .service = 60s});
  const Outcome outcome = replay(trace_of(burst), {.slots = 8, .cold = 5s}, {});
  EXPECT_EQ(outcome.cold_starts, 3u);
  EXPECT_NEAR(to_seconds(outcome.wait_quantile(1)), 5, 0.1);
}

TEST(ReplayTest, AppsDoNotShareReplicasAndNobodyIsForgotten) {
  std::vector<Arrival> arrivals;
  for (std::uint32_t i = 0; i < 300; ++i)
    arrivals.push_back({.at = std::chrono::seconds(i * 7), .app = i % 3, .service = 2s});
  const Outcome outcome = replay(trace_of(arrivals, 3), {.slots = 1, .cold = 1s}, {});
  EXPECT_EQ(outcome.waits.size(), 300u);
  EXPECT_EQ(outcome.cold_starts, 3u);
  EXPECT_NEAR(outcome.spent(Spending::Busy), 600, 1e-6);
}

TEST(ReplayTest, WhereThePlatformIsFullAnAppWaitsUntilAnotherHasGoneCold) {
  const Trace trace = trace_of({{.at = 0s, .app = 0, .service = 1s},
                                {.at = 0s, .app = 1, .service = 1s},
                                {.at = 0s, .app = 2, .service = 1s}},
                               3);
  const Outcome outcome =
      replay(trace, {.slots = 1, .cold = 2s}, {.urgency_milli = 1'000, .replicas_max = 2});
  EXPECT_EQ(outcome.cold_starts, 3u);
  EXPECT_EQ(outcome.waits[0], 2s);
  EXPECT_EQ(outcome.waits[1], 2s);
  EXPECT_GT(outcome.waits[2], 5s) << "2 s until ready, 1 s of work and the idle time of another";
  EXPECT_LT(outcome.waits[2], 30s);
}

TEST(ReplayTest, TheSameTraceGivesTheSameOutcome) {
  std::vector<Arrival> arrivals;
  for (std::uint32_t i = 0; i < 500; ++i)
    arrivals.push_back({.at = std::chrono::milliseconds(i * i * 3), .service = 9s});
  const Terms terms{.slots = 4, .cold = 3s, .parked = 500ms};
  const Outcome one = replay(trace_of(arrivals), terms, {});
  const Outcome other = replay(trace_of(arrivals), terms, {});
  EXPECT_EQ(one.waits, other.waits);
  EXPECT_EQ(one.accelerator_s, other.accelerator_s);
}

TEST(ReplayTest, NothingComesOfAnEmptyTrace) {
  const Outcome outcome = replay(trace_of({}), {}, {});
  EXPECT_EQ(outcome.cost(), 0);
  EXPECT_TRUE(outcome.waits.empty());
}

}  // namespace
}  // namespace kelvin::plan
