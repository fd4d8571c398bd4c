// price: what a usage row costs, in integers.
//
// A plan gives each phase a rate per accelerator kind, in nano-units of currency per
// accelerator-millisecond. A row of a phase costs rate * accelerators * milliseconds; the busy part
// of a Ready or Draining row is priced as Busy and the rest by the row's own phase. Example, plan
// `active`: 1,250 busy ms on two H100s cost 1,250 * 2 * 833 nano.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "model/usage.h"

namespace kelvin::meter {

constexpr std::size_t kPhaseCount = 11;

// Nano-units per accelerator-millisecond, by phase.
using PhaseRates = std::array<Money, kPhaseCount>;

struct PricePlan {
  std::string name = "active";
  std::string currency = "USD";
  std::map<std::string, PhaseRates, std::less<>> by_kind;
  PhaseRates otherwise{};  // of kinds the plan does not name
};

// Bills busy time only. The rates stand for what clouds ask per hour, in USD: cpu slot 0.05,
// a100 1.80, h100 3.00, h200 3.60, l4 0.65, t4 0.35, others 1.44.
[[nodiscard]] PricePlan active_plan();
// The same rates for all time on a lease, from Starting to Gone; parked time holds no accelerator
// and costs nothing.
[[nodiscard]] PricePlan held_plan();

[[nodiscard]] Money rate_of(const PricePlan& plan, std::string_view kind, model::Phase phase);

// 0 for a row that is not billable.
[[nodiscard]] Money price_of(const PricePlan& plan, const model::Usage& row);

// Two entries that sum to zero (the workspace owes, revenue is earned), or none where the price is
// 0.
void append_postings(const PricePlan& plan, const model::Usage& row,
                     std::vector<model::LedgerEntry>& entries);

}  // namespace kelvin::meter
