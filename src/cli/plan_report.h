// plan_report: what `kelvin plan` found, as values: a row per policy, and what follows from them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "plan/optimum.h"
#include "plan/outcome.h"
#include "plan/readers/readers.h"

namespace kelvin::cli {

constexpr const char* kPlanCurrency = "EUR";

// "interactive" for 20'000, "7.5" for 7'500.
[[nodiscard]] std::string urgency_name(std::uint32_t urgency_milli);
// From a word or a number from 0 to 10,000 with at most three decimals; nullopt for anything else.
[[nodiscard]] std::optional<std::uint32_t> parse_urgency(const std::string& text);

struct PlanTraffic {
  std::string file;
  plan::Format format = plan::Format::AzureLlm;
  std::uint64_t requests = 0;
  std::uint64_t apps = 0;
  std::uint64_t skipped = 0;  // see plan::ReadTrace
  std::uint64_t lost = 0;
  Duration span{};  // from the first moment to the last arrival
  Duration service_mean{};
  Duration service_p50{};
  Duration service_p99{};
};
[[nodiscard]] PlanTraffic traffic_of(std::string file, const plan::ReadTrace& read);

// Whose row it is.
enum class PlanPlayer { Kelvin, Rival, Reserved };

struct PlanRow {
  std::string policy;
  PlanPlayer player = PlanPlayer::Rival;
  std::optional<std::uint32_t> urgency_milli;  // of Kelvin's
  std::array<double, plan::kSpendings> accelerator_s{};
  double cost = 0;     // accelerator-seconds
  double waiting = 0;  // request-seconds
  Duration wait_p50{};
  Duration wait_p95{};
  Duration wait_p99{};
  Duration wait_most{};
  double over_1s = 0;  // the part of the requests, from 0 to 1
  std::uint64_t cold_starts = 0;
  std::uint64_t resumes = 0;
  plan::Timeline timeline;

  [[nodiscard]] double priced(std::uint32_t milli) const { return cost + milli / 1000.0 * waiting; }
};
// Takes of the outcome what reports show; the waits of the single requests are not kept.
[[nodiscard]] PlanRow row_of(const plan::Outcome& outcome, PlanPlayer player);

struct PlanReport {
  PlanTraffic traffic;
  plan::Terms terms;
  plan::ServiceTime service;
  std::uint64_t seed = 1;
  std::vector<std::uint32_t>
      urgencies;  // in thousandths; Kelvin has a row for each, and J is told for each
  std::uint32_t urgency = 20'000;       // the one of them that is compared with reserving
  std::optional<Money> price;           // of an accelerator for an hour
  std::optional<Money> reserved_price;  // the same where it is reserved; else as `price`
  plan::Optimum optimum;
  std::uint64_t peak = 0;     // accelerators that the busiest moments of all apps need, together
  std::vector<PlanRow> rows;  // Kelvin's first, in the order of `urgencies`; one reserved
};

// Serverless against reserved.
//
// `load` is the part of the reserved accelerators' time in which they serve. Serverless costs `overhead` times the time in
// which its own serve, because starts and idle time come on top. With all that in proportion, traffic that keeps the
// reserved accelerators busy for the part u costs overhead * u serverless, in units of the reserved accelerators, and 1
// (or their price over the serverless one) reserved. Both are equal at break_even = reserved price / price / overhead.
//
// Example: 10 accelerators reserved for an hour that serve 2 hours together: load 0.2. Serverless holds 3 hours, so
// overhead 1.5: reserving wins above a load of 0.67.
struct PlanVerdict {
  std::size_t serverless = 0;  // row
  std::size_t reserved = 0;    // row
  double load = 0;
  double overhead = 1;
  double break_even = 1;
  double serverless_cost = 0;  // accelerator-seconds at the serverless price
  double reserved_cost = 0;    // the same, so that both compare even without a price
  double saved = 0;  // the part of the reserved cost that serverless saves; negative: it costs more
};
// Compares Kelvin at the report's urgency.
[[nodiscard]] PlanVerdict verdict_of(const PlanReport& report);

// Of so many accelerator-seconds, in whole cents above one unit of money and to three digits below. nullopt without a price.
[[nodiscard]] std::optional<Money> money_of(const PlanReport& report, double accelerator_s);
// What a row costs, the reserved one at the price of reserving. nullopt without a price.
[[nodiscard]] std::optional<Money> amount_of(const PlanReport& report, const PlanRow& row);
// Which row is best at this urgency.
[[nodiscard]] std::size_t best_row(const PlanReport& report, std::uint32_t urgency_milli);

}  // namespace kelvin::cli
