// Usage and bill: facts about time, and the money that follows from them.
#include "api/json.h"
#include "api/routes.h"

namespace kelvin::api {

namespace {

// The default plan; its rates are in the ledger's postings.
constexpr std::string_view kPlan = "active";
constexpr std::string_view kCurrency = "USD";

// `to` is the present where it is not given. Apps that were deleted still have usage, so any name is fine.
OrProblem<ports::UsageFilter> read_filter(const Service& service, Query& query) {
  ports::UsageFilter filter;
  filter.app = query.text("app");
  KELVIN_ANSWER_TRY(const std::optional<std::int64_t> from,
                    query.integer("from_unix_ms", 0, INT64_MAX));
  KELVIN_ANSWER_TRY(const std::optional<std::int64_t> to,
                    query.integer("to_unix_ms", 0, INT64_MAX));
  KELVIN_ANSWER_TRY_VOID(query.check_all_read());
  filter.from_unix_ms = from.value_or(0);
  filter.to_unix_ms = to.value_or(service.unix_ms_now());
  if (filter.from_unix_ms <= filter.to_unix_ms) return filter;
  return refuse(
      bad_request("from_unix_ms lies after to_unix_ms.", "Give an earlier begin or a later end."));
}

}  // namespace

Answer show_usage(Service& service, Call& call) {
  KELVIN_ANSWER_TRY(const ports::UsageFilter filter, read_filter(service, call.query));
  KELVIN_ANSWER_TRY(const std::vector<ports::UsageSum> sums, service.ports.store.sum_usage(filter));
  JsonWriter json;
  json.open_object();
  json.integer("from_unix_ms", filter.from_unix_ms);
  json.integer("to_unix_ms", filter.to_unix_ms);
  json.open_array("sums");
  for (const ports::UsageSum& sum : sums) {
    json.open_object();
    json.text("app", sum.app);
    json.text("kind", sum.kind);
    json.text("phase", model::to_text(sum.phase));
    json.integer("total_ms", sum.total_ms);
    json.integer("billable_ms", sum.billable_ms);
    json.unsigned_integer("rows", sum.rows);
    json.close_object();
  }
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer show_bill(Service& service, Call& call) {
  KELVIN_ANSWER_TRY(const ports::UsageFilter filter, read_filter(service, call.query));
  KELVIN_ANSWER_TRY(const std::vector<ports::BillLine> lines, service.ports.store.bill(filter));
  JsonWriter json;
  json.open_object();
  json.text("plan", kPlan);
  json.text("currency", kCurrency);
  json.integer("from_unix_ms", filter.from_unix_ms);
  json.integer("to_unix_ms", filter.to_unix_ms);
  Money total;
  json.open_array("lines");
  for (const ports::BillLine& line : lines) {
    json.open_object();
    json.text("app", line.app);
    json.text("kind", line.kind);
    json.integer("busy_ms", line.busy_ms);
    json.integer("rate_nano_per_ms", line.rate_per_ms.nano);
    json.integer("amount_nano", line.amount.nano);
    json.close_object();
    total = total + line.amount;
  }
  json.close_array();
  json.integer("total_nano", total.nano);
  json.close_object();
  return json_reply(json.take());
}

}  // namespace kelvin::api
