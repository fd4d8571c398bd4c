// price: what rows cost under the built-in plans.
#include "core/meter/price.h"

#include <gtest/gtest.h>

namespace kelvin::meter {
namespace {

model::Usage row_of(std::string kind, std::uint32_t accelerators) {
  return {.replica = {7},
          .sequence = 3,
          .app = {1},
          .workspace = "default",
          .kind = std::move(kind),
          .accelerators = accelerators,
          .phase = model::Phase::Idle,
          .total_ms = 10'000,
          .busy_ms = 1'250};
}

TEST(Price, ActiveBillsBusyMillisecondsTimesAccelerators) {
  EXPECT_EQ(price_of(active_plan(), row_of("h100", 2)).nano, 1'250 * 2 * 833);
  EXPECT_EQ(price_of(active_plan(), row_of("cpu", 1)).nano, 1'250 * 14);
}

TEST(Price, HeldBillsAllOfTheTime) {
  EXPECT_EQ(price_of(held_plan(), row_of("a100", 1)).nano, 10'000 * 500);
}

TEST(Price, UnknownKindsHaveARate) {
  EXPECT_EQ(price_of(active_plan(), row_of("b300", 1)).nano, 1'250 * 400);
}

TEST(Price, WhatIsNotBillableOrHoldsNothingIsFree) {
  model::Usage waived = row_of("h100", 1);
  waived.is_billable = false;
  EXPECT_EQ(price_of(held_plan(), waived), Money{});
  EXPECT_EQ(price_of(held_plan(), row_of("h100", 0)), Money{});
}

TEST(Price, PostingsSumToZeroAndNameTheirRow) {
  std::vector<model::LedgerEntry> entries;
  append_postings(active_plan(), row_of("h100", 1), entries);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].amount + entries[1].amount, Money{});
  EXPECT_EQ(entries[0].account, model::Account::WorkspaceReceivable);
  EXPECT_EQ(entries[0].amount.nano, 1'250 * 833);
  EXPECT_EQ(entries[1].account, model::Account::Revenue);
  for (const model::LedgerEntry& entry : entries) {
    EXPECT_EQ(entry.replica, ReplicaId{7});
    EXPECT_EQ(entry.sequence, 3u);
  }
}

TEST(Price, RowsThatCostNothingHaveNoPostings) {
  std::vector<model::LedgerEntry> entries;
  model::Usage idle = row_of("h100", 1);
  idle.busy_ms = 0;
  append_postings(active_plan(), idle, entries);
  EXPECT_TRUE(entries.empty());
}

}  // namespace
}  // namespace kelvin::meter
