// price: rates of the built-in plans, and postings.
#include "core/meter/price.h"

#include <utility>

namespace kelvin::meter {

namespace {

using model::Phase;

static_assert(static_cast<std::size_t>(Phase::Stop) + 1 == kPhaseCount);

// 1 nano per millisecond is 0.0036 per hour.
constexpr std::pair<std::string_view, std::int64_t> kRates[] = {
    {"a100", 500}, {"cpu", 14},  {"h100", 833}, {"h200", 1000},
    {"l4", 180},   {"mig", 400}, {"t4", 97},
};
constexpr std::int64_t kRateOtherwise = 400;

constexpr std::size_t index_of(Phase phase) { return static_cast<std::size_t>(phase); }

constexpr PhaseRates busy_only(std::int64_t rate) {
  PhaseRates rates{};
  rates[index_of(Phase::Busy)] = {rate};
  return rates;
}

constexpr PhaseRates every_phase(std::int64_t rate) {
  PhaseRates rates{};
  rates.fill({rate});
  return rates;
}

PricePlan make_plan(std::string name, PhaseRates (*spread)(std::int64_t)) {
  PricePlan plan{.name = std::move(name), .otherwise = spread(kRateOtherwise)};
  for (const auto& [kind, rate] : kRates) plan.by_kind.emplace(kind, spread(rate));
  return plan;
}

}  // namespace

PricePlan active_plan() { return make_plan("active", busy_only); }

PricePlan held_plan() { return make_plan("held", every_phase); }

Money rate_of(const PricePlan& plan, std::string_view kind, Phase phase) {
  const auto found = plan.by_kind.find(kind);
  const PhaseRates& rates = found == plan.by_kind.end() ? plan.otherwise : found->second;
  return rates[index_of(phase)];
}

Money price_of(const PricePlan& plan, const model::Usage& row) {
  if (!row.is_billable) return {};
  const Money busy = rate_of(plan, row.kind, Phase::Busy) * row.busy_ms;
  const Money rest = rate_of(plan, row.kind, row.phase) * (row.total_ms - row.busy_ms);
  return (busy + rest) * row.accelerators;
}

void append_postings(const PricePlan& plan, const model::Usage& row,
                     std::vector<model::LedgerEntry>& entries) {
  const Money price = price_of(plan, row);
  if (price == Money{}) return;
  model::LedgerEntry entry{.replica = row.replica,
                           .sequence = row.sequence,
                           .account = model::Account::WorkspaceReceivable,
                           .workspace = row.workspace,
                           .app = row.app,
                           .amount = price};
  entries.push_back(entry);
  entry.account = model::Account::Revenue;
  entry.amount = -price;
  entries.push_back(std::move(entry));
}

}  // namespace kelvin::meter
