#include "plan/policies.h"

#include <gtest/gtest.h>

#include <set>

namespace kelvin::plan {
namespace {

TEST(Policies, AreKelvinAtEachUrgencyThenTheRivalsThenReserved) {
  const std::vector<Policy> all = policies({20'000, 5'000});
  ASSERT_GE(all.size(), 12U);
  EXPECT_EQ(all[0].urgency_milli, 20'000U);
  EXPECT_EQ(all[1].urgency_milli, 5'000U);
  std::set<std::string> names;
  for (std::size_t i = 2; i < all.size(); ++i) {
    EXPECT_EQ(all[i].urgency_milli, std::nullopt);
    EXPECT_TRUE(names.insert(all[i].name).second) << all[i].name << " is there twice";
    EXPECT_EQ(all[i].is_reserved, i + 1 == all.size());
  }
}

TEST(Policies, ServeEveryRequest) {
  Trace trace{.apps = {"a", "b"}};
  for (int i = 0; i < 40; ++i)
    trace.arrivals.push_back(
        {.at = i * 7s, .app = static_cast<std::uint32_t>(i % 2), .service = 3s});
  const Terms terms{.slots = 2, .cold = 5s, .parked = 1s};
  const double least = offline_optimum(trace, terms).needed_s;
  for (const Policy& policy : policies({1'000, 20'000})) {
    SCOPED_TRACE(policy.name);
    const Outcome outcome = policy.replay(trace, terms, {});
    EXPECT_EQ(outcome.waits.size(), trace.arrivals.size());
    // Packed as tightly as their slots allow.
    EXPECT_GE(outcome.spent(Spending::Busy), 40 * 3.0 / terms.slots);
    EXPECT_GE(outcome.cost(), 40 * 3.0 / terms.slots);
    if (policy.is_reserved) {
      EXPECT_EQ(outcome.waiting(), 0);
      EXPECT_GE(outcome.cost(), least);
    }
  }
}

}  // namespace
}  // namespace kelvin::plan
