#include "plan/rivals/fleet.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "plan/rivals/history.h"

namespace kelvin::plan {
namespace {

// Wants a number of replicas from each of these seconds on.
class Script : public Rule {
 public:
  explicit Script(std::map<int, std::uint32_t> wanted) : wanted_(std::move(wanted)) {}
  void arrived(Fleet& fleet) override { ticked(fleet); }
  void ticked(Fleet& fleet) override {
    const auto at = wanted_.find(static_cast<int>(fleet.now() / 1s));
    if (at != wanted_.end()) fleet.scale_to(at->second);
  }
  [[nodiscard]] std::optional<Duration> tick() const override { return 1s; }
  [[nodiscard]] bool is_at_rest(const Fleet& fleet) const override {
    return fleet.now() / 1s > wanted_.rbegin()->first;
  }

 private:
  std::map<int, std::uint32_t> wanted_;
};

Outcome play(std::vector<Arrival> arrivals, const Terms& terms,
             std::map<int, std::uint32_t> wanted) {
  const Trace trace{.apps = {"a"}, .arrivals = std::move(arrivals)};
  Outcome outcome = outcome_of("script", trace);
  std::vector<std::uint32_t> indices(trace.arrivals.size());
  std::iota(indices.begin(), indices.end(), 0U);
  const Fleet::Traffic traffic{.trace = trace, .arrivals = indices};
  Script script(std::move(wanted));
  Fleet(traffic, terms, outcome).run(script);
  return outcome;
}

constexpr Terms kOneSlot{.slots = 1, .cold = 10s};

TEST(FleetTest, ServesInTheOrderOfArrivalAsSlotsComeFree) {
  const Outcome outcome =
      play({{.at = 0s, .service = 4s}, {.at = 1s, .service = 4s}, {.at = 2s, .service = 4s}},
           kOneSlot, {{0, 1}, {30, 0}});
  EXPECT_EQ(outcome.waits, (std::vector<Duration>{10s, 13s, 16s}));
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Starting), 10);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Busy), 12);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle), 8) << "from the last reply at 22 s to 30 s";
}

TEST(FleetTest, FillsTheOldestReplicaFirst) {
  const Outcome outcome =
      play({{.at = 20s, .service = 4s}, {.at = 25s, .service = 4s}, {.at = 26s, .service = 4s}},
           kOneSlot, {{0, 2}, {40, 0}});
  EXPECT_DOUBLE_EQ(outcome.waiting(), 0);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Busy), 12);
  EXPECT_DOUBLE_EQ(outcome.cost(), 80);
}

TEST(FleetTest, AReplicaThatWorksIsDrained) {
  const Outcome outcome = play({{.at = 10s, .service = 20s}, {.at = 15s, .service = 1s}}, kOneSlot,
                               {{0, 1}, {12, 0}, {15, 1}});
  EXPECT_EQ(outcome.waits[1], 10s) << "it takes no more requests";
  EXPECT_EQ(outcome.cold_starts, 2U);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Busy), 20 + 1) << "and is paid for until its last reply";
}

TEST(FleetTest, StartsThatAreNoLongerWantedGoFirstTheYoungestAhead) {
  const Outcome outcome =
      play({{.at = 10s, .service = 20s}}, kOneSlot, {{0, 1}, {5, 2}, {7, 3}, {9, 1}, {40, 0}});
  EXPECT_EQ(outcome.cold_starts, 3U);
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Starting), 10 + 4 + 2);
  EXPECT_DOUBLE_EQ(outcome.waiting(), 0);
}

TEST(FleetTest, TheReplicasWithTheFewestRequestsGoFirst) {
  const Outcome outcome = play({{.at = 10s, .service = 20s}}, kOneSlot, {{0, 2}, {15, 1}, {40, 0}});
  EXPECT_DOUBLE_EQ(outcome.spent(Spending::Idle), 5 + 10) << "the idle one goes at 15 s";
}

TEST(FleetTest, NeverHasMoreReplicasThanAllowed) {
  Terms terms = kOneSlot;
  terms.replicas_max = 2;
  EXPECT_EQ(play({{.at = 0s, .service = 1s}}, terms, {{0, 5}, {20, 0}}).cold_starts, 2U);
}

TEST(HistoryTest, AveragesOverTheWindowOrSinceTheFirstSample) {
  History history(60s);
  EXPECT_DOUBLE_EQ(history.average(60s), 0);
  history.sample(100s, 50);
  EXPECT_DOUBLE_EQ(history.average(60s), 0);
  history.sample(110s, 80);
  EXPECT_DOUBLE_EQ(history.average(60s), 3);
  EXPECT_DOUBLE_EQ(history.average(5s), 3) << "grows evenly between two samples";
  history.sample(200s, 80);
  history.sample(210s, 100);
  EXPECT_DOUBLE_EQ(history.average(60s), 20.0 / 60) << "a gap counts as nothing";
  EXPECT_TRUE(history.is_unchanged(100));
  EXPECT_FALSE(history.is_unchanged(101));
  EXPECT_TRUE(history.is_older_than(5s, 216s));
  EXPECT_FALSE(history.is_older_than(6s, 216s));
}

}  // namespace
}  // namespace kelvin::plan
