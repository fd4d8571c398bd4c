#include <nlohmann/json.hpp>

#include "cli/plan_text.h"

namespace kelvin::cli {

namespace {

using Json = nlohmann::ordered_json;

Json seconds(Duration time) { return plan::to_seconds(time); }

Json money(const std::optional<Money>& amount) { return amount ? Json(amount->nano) : Json(); }

Json traffic_json(const PlanTraffic& traffic) {
  return {{"file", traffic.file},
          {"format", plan::to_text(traffic.format)},
          {"requests", traffic.requests},
          {"apps", traffic.apps},
          {"skipped", traffic.skipped},
          {"lost", traffic.lost},
          {"span_s", seconds(traffic.span)},
          {"service_mean_s", seconds(traffic.service_mean)},
          {"service_p50_s", seconds(traffic.service_p50)},
          {"service_p99_s", seconds(traffic.service_p99)}};
}

Json terms_json(const PlanReport& report) {
  const plan::Terms& terms = report.terms;
  return {{"slots", terms.slots},
          {"start_s", seconds(terms.cold)},
          {"resume_s", terms.parked ? seconds(*terms.parked) : Json()},
          {"parked_price", terms.parked_price},
          {"replicas_max", terms.replicas_max},
          {"service_fixed_s", report.service.fixed},
          {"service_per_context_token_s", report.service.per_context},
          {"service_per_generated_token_s", report.service.per_generated},
          {"seed", report.seed},
          {"currency", kPlanCurrency},
          {"price_nano_per_hour", money(report.price)},
          {"reserved_price_nano_per_hour", money(report.reserved_price)}};
}

Json row_json(const PlanRow& row, const PlanReport& report) {
  const auto spent = [&row](plan::Spending what) {
    return row.accelerator_s[static_cast<std::size_t>(what)];
  };
  Json priced = Json::array();
  for (const std::uint32_t urgency : report.urgencies)
    priced.push_back({{"lambda", urgency / 1000.0}, {"j", row.priced(urgency)}});
  return {{"policy", row.policy},
          {"urgency", row.urgency_milli ? Json(*row.urgency_milli / 1000.0) : Json()},
          {"accelerator_s",
           {{"starting", spent(plan::Spending::Starting)},
            {"resuming", spent(plan::Spending::Resuming)},
            {"busy", spent(plan::Spending::Busy)},
            {"idle", spent(plan::Spending::Idle)},
            {"parking", spent(plan::Spending::Parking)},
            {"parked", spent(plan::Spending::Parked)},
            {"total", row.cost}}},
          {"amount_nano", money(amount_of(report, row))},
          {"over_optimum", row.cost / report.optimum.cost()},
          {"waiting",
           {{"total_s", row.waiting},
            {"p50_s", seconds(row.wait_p50)},
            {"p95_s", seconds(row.wait_p95)},
            {"p99_s", seconds(row.wait_p99)},
            {"most_s", seconds(row.wait_most)},
            {"share_over_1s", row.over_1s}}},
          {"cold_starts", row.cold_starts},
          {"resumes", row.resumes},
          {"priced", std::move(priced)}};
}

Json verdict_json(const PlanReport& report) {
  const PlanVerdict verdict = verdict_of(report);
  return {{"serverless", report.rows[verdict.serverless].policy},
          {"serverless_accelerator_s", report.rows[verdict.serverless].cost},
          {"serverless_amount_nano", money(money_of(report, verdict.serverless_cost))},
          {"reserved_accelerators", report.peak},
          {"reserved_accelerator_s", report.rows[verdict.reserved].cost},
          {"reserved_amount_nano", money(money_of(report, verdict.reserved_cost))},
          {"load", verdict.load},
          {"overhead", verdict.overhead},
          {"break_even_load", verdict.break_even},
          {"saved_by_serverless", verdict.saved},
          {"sentences", verdict_sentences(report)}};
}

}  // namespace

std::string plan_json(const PlanReport& report) {
  Json rows = Json::array();
  for (const PlanRow& row : report.rows) rows.push_back(row_json(row, report));
  const plan::Optimum& optimum = report.optimum;
  const Json whole = {{"traffic", traffic_json(report.traffic)},
                      {"terms", terms_json(report)},
                      {"optimum",
                       {{"accelerator_s", optimum.cost()},
                        {"needed_s", optimum.needed_s},
                        {"held_s", optimum.held_s},
                        {"starting_s", optimum.starting_s},
                        {"starts", optimum.starts}}},
                      {"policies", std::move(rows)},
                      {"verdict", verdict_json(report)}};
  // A file's name may be any bytes.
  return whole.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kelvin::cli
