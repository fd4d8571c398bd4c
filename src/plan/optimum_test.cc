#include "plan/optimum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "base/random.h"

namespace kelvin::plan {
namespace {

using std::chrono::seconds;

Trace one_app(std::vector<Arrival> arrivals) {
  return {.apps = {"a"}, .arrivals = std::move(arrivals)};
}

TEST(OptimumTest, HoldsThroughShortGapsAndStartsAgainAfterLongOnes) {
  const Trace trace =
      one_app({{.at = 0s, .service = 1s}, {.at = 4s, .service = 1s}, {.at = 60s, .service = 1s}});
  const Optimum optimum = offline_optimum(trace, {.cold = 10s});
  EXPECT_DOUBLE_EQ(optimum.needed_s, 3);
  EXPECT_DOUBLE_EQ(optimum.held_s, 3);
  EXPECT_DOUBLE_EQ(optimum.starting_s, 20);
  EXPECT_EQ(optimum.starts, 2U);
  EXPECT_DOUBLE_EQ(optimum.cost(), 26);
}

TEST(OptimumTest, ASlotThatIsFreedNowServesWhoComesNow) {
  const Trace trace = one_app({{.at = 0s, .service = 2s}, {.at = 2s, .service = 2s}});
  EXPECT_DOUBLE_EQ(offline_optimum(trace, {.slots = 1, .cold = 5s}).cost(), 5 + 4);
  EXPECT_EQ(peak_needs(trace, 1), std::vector<std::uint32_t>{1});
}

TEST(OptimumTest, EveryLevelStartsOnItsOwn) {
  const Trace trace =
      one_app({{.at = 0s, .service = 10s}, {.at = 1s, .service = 1s}, {.at = 9s, .service = 1s}});
  const Optimum optimum = offline_optimum(trace, {.slots = 1, .cold = 3s});
  EXPECT_EQ(optimum.starts, 3U) << "the second level is needed twice, 7 s apart";
  EXPECT_DOUBLE_EQ(optimum.cost(), 10 + 2 + 3 * 3);
}

TEST(OptimumTest, AppsDoNotShareReplicas) {
  const Trace trace{
      .apps = {"a", "b"},
      .arrivals = {{.at = 0s, .app = 0, .service = 1s}, {.at = 0s, .app = 1, .service = 1s}}};
  EXPECT_DOUBLE_EQ(offline_optimum(trace, {.cold = 10s}).cost(), 22);
}

TEST(OptimumTest, TheSecondYardstickBridgesGapsThatPatienceWouldPayFor) {
  const Trace trace = one_app({{.at = 0s, .service = 1s}, {.at = 51s, .service = 1s}});
  EXPECT_DOUBLE_EQ(offline_optimum(trace, {.cold = 10s}, 5).cost(), 2 + 10 + 50);
  EXPECT_DOUBLE_EQ(offline_optimum(trace, {.cold = 10s}, 2).cost(), 2 + 10 + 30);
}

TEST(OptimumTest, NothingCostsNothing) {
  EXPECT_DOUBLE_EQ(offline_optimum({}, {}).cost(), 0);
  EXPECT_TRUE(peak_needs({}, 8).empty());
}

// Whole seconds only, so that a day of decisions is a handful of moments.
struct Small {
  Trace trace;
  Terms terms;
  int last = 0;  // nothing is in flight from here on
};

Small draw(std::uint64_t seed) {
  Random random{seed};
  const auto below = [&](std::uint64_t bound) { return static_cast<int>(random.below(bound)); };
  Small small;
  small.terms.slots = static_cast<std::uint32_t>(1 + below(2));
  small.terms.cold = seconds(below(5));
  small.trace.apps = {"a"};
  for (int left = 1 + below(6); left > 0; --left) {
    const int at = below(12);
    const int length = 1 + below(4);
    small.trace.arrivals.push_back({.at = seconds(at), .app = 0, .service = seconds(length)});
    small.last = std::max(small.last, at + length);
  }
  std::ranges::sort(small.trace.arrivals, {}, &Arrival::at);
  return small;
}

int needed_at(const Small& small, int second) {
  int in_flight = 0;
  for (const Arrival& arrival : small.trace.arrivals)
    in_flight +=
        arrival.at <= seconds(second) && seconds(second) < arrival.at + arrival.service ? 1 : 0;
  const int slots = static_cast<int>(small.terms.slots);
  return (in_flight + slots - 1) / slots;
}

// [0]: replicas that are ready; [i]: those that are ready in i seconds.
using Replicas = std::vector<int>;

// Every way to start and to stop replicas, second by second: from each set of replicas, the least that is paid until
// then. Replicas may be ordered before the first request.
int search(const Small& small) {
  const int cold = static_cast<int>(small.terms.cold / 1s);
  int most = 0;
  for (int t = 0; t < small.last; ++t) most = std::max(most, needed_at(small, t));
  std::map<Replicas, int> paid{{Replicas(static_cast<std::size_t>(cold) + 1), 0}};
  for (int t = -cold; t < small.last; ++t) {
    std::map<Replicas, int> then;
    for (const auto& [replicas, cost] : paid) {
      const int live = std::accumulate(replicas.begin(), replicas.end(), 0);
      for (int stop = 0; stop <= replicas[0]; ++stop) {
        for (int start = 0; live - stop + start <= most + 1; ++start) {
          Replicas next = replicas;
          next[0] -= stop;
          next.back() += start;
          if (t >= 0 && next[0] < needed_at(small, t)) continue;
          const int sum = cost + live - stop + start;
          if (cold > 0) {
            next[0] += next[1];
            std::shift_left(next.begin() + 1, next.end(), 1);
            next.back() = 0;
          }
          const auto [at, is_new] = then.emplace(next, sum);
          if (!is_new) at->second = std::min(at->second, sum);
        }
      }
    }
    paid = std::move(then);
  }
  return std::ranges::min_element(paid, {}, [](const auto& entry) { return entry.second; })->second;
}

TEST(OptimumTest, IsWhatASearchOfAllDecisionsFinds) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Small small = draw(seed);
    ASSERT_DOUBLE_EQ(offline_optimum(small.trace, small.terms).cost(), search(small))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace kelvin::plan
