#include "cli/wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/text.h"

namespace kelvin::cli::wire {

namespace {

using Json = nlohmann::json;

Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

// Null for what is absent, so that reading goes on with defaults.
const Json& part(const Json& from, const char* name) {
  static const Json kNothing;
  if (!from.is_object()) return kNothing;
  const auto it = from.find(name);
  return it == from.end() ? kNothing : *it;
}

std::string text(const Json& from, const char* name) {
  const Json& value = part(from, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool truth(const Json& from, const char* name) {
  const Json& value = part(from, name);
  return value.is_boolean() && value.get<bool>();
}

template <class Number>
std::optional<Number> maybe_number(const Json& from, const char* name) {
  const Json& value = part(from, name);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<Number>();
}

template <class Number>
Number number(const Json& from, const char* name) {
  return maybe_number<Number>(from, name).value_or(0);
}

std::vector<std::string> texts(const Json& from, const char* name) {
  std::vector<std::string> out;
  for (const Json& value : part(from, name)) {
    if (value.is_string()) out.push_back(value.get<std::string>());
  }
  return out;
}

template <class Read>
auto list(const Json& from, const char* name, const Read& read) {
  std::vector<decltype(read(from))> out;
  const Json& values = part(from, name);
  if (!values.is_array()) return out;
  for (const Json& value : values) out.push_back(read(value));
  return out;
}

tl::unexpected<Failure> not_ours(const char* missing) {
  return failed({.code = "answer_not_understood",
                 .what = "the answer was not understood",
                 .why = std::string("it holds no \"") + missing +
                        "\", so whoever answered is no kelvin server",
                 .next = "check the address (--server, KELVIN_SERVER)"});
}

Share to_share(const Json& from) {
  return {number<std::uint32_t>(from, "revision"), number<std::uint32_t>(from, "percent")};
}

std::optional<Rollout> to_rollout(const Json& from) {
  if (!from.is_object()) return std::nullopt;
  return Rollout{.stage = text(from, "stage"),
                 .from = number<std::uint32_t>(from, "from"),
                 .to = number<std::uint32_t>(from, "to"),
                 .percent = number<std::uint32_t>(from, "percent"),
                 .step = number<std::uint32_t>(from, "step"),
                 .steps = number<std::uint32_t>(from, "steps"),
                 .step_since_unix_ms = maybe_number<std::int64_t>(from, "step_since_unix_ms"),
                 .why = text(from, "why")};
}

App to_app(const Json& from) {
  const Json& replicas = part(from, "replicas");
  const Json& scale = part(from, "scale");
  return {.name = text(from, "name"),
          .revision = number<std::uint32_t>(from, "revision"),
          .condition = text(from, "condition"),
          .reason = text(from, "reason"),
          .retry_at_unix_ms = maybe_number<std::int64_t>(from, "retry_at_unix_ms"),
          .live = number<std::uint32_t>(replicas, "live"),
          .ready = number<std::uint32_t>(replicas, "ready"),
          .parked = number<std::uint32_t>(replicas, "parked"),
          .waiting = number<std::uint32_t>(from, "waiting"),
          .waiting_low = number<std::uint32_t>(from, "waiting_low"),
          .waiting_keys = number<std::uint32_t>(from, "waiting_keys"),
          .waits_for = text(from, "waits_for"),
          .keeps = text(from, "keeps"),
          .traffic = list(from, "traffic", to_share),
          .rollout = to_rollout(part(from, "rollout")),
          .scale_min = number<std::uint32_t>(scale, "min"),
          .scale_max = number<std::uint32_t>(scale, "max"),
          .concurrency = number<std::uint32_t>(scale, "concurrency"),
          .urgency_milli = number<std::uint32_t>(scale, "urgency_milli"),
          .schedule = text(part(scale, "schedule"), "words"),
          .url = text(from, "url"),
          .created_unix_ms = maybe_number<std::int64_t>(from, "created_unix_ms")};
}

Revision to_revision(const Json& from) {
  return {.number = number<std::uint32_t>(from, "number"),
          .is_active = truth(from, "is_active"),
          .command = texts(from, "command"),
          .model = text(from, "model"),
          .created_unix_ms = maybe_number<std::int64_t>(from, "created_unix_ms")};
}

Replica to_replica(const Json& from) {
  const auto to_accelerator = [](const Json& one) {
    return Accelerator{text(one, "kind"), number<std::uint32_t>(one, "index")};
  };
  return {.id = text(from, "id"),
          .app = text(from, "app"),
          .revision = number<std::uint32_t>(from, "revision"),
          .state = text(from, "state"),
          .temperature = text(from, "temperature"),
          .node = text(from, "node"),
          .accelerators = list(from, "accelerators", to_accelerator),
          .memory_claim_bytes = number<std::uint64_t>(from, "memory_claim_bytes"),
          .memory_bytes = maybe_number<std::uint64_t>(from, "memory_bytes"),
          .pid = number<std::int64_t>(from, "pid"),
          .in_flight = number<std::uint32_t>(from, "in_flight"),
          .created_unix_ms = maybe_number<std::int64_t>(from, "created_unix_ms"),
          .state_since_unix_ms = maybe_number<std::int64_t>(from, "state_since_unix_ms"),
          .reason = text(from, "reason"),
          .next = text(from, "next"),
          .next_unix_ms = maybe_number<std::int64_t>(from, "next_unix_ms"),
          .is_adopted = truth(from, "is_adopted")};
}

Request to_request(const Json& from) {
  return {.id = text(from, "id"),
          .app = text(from, "app"),
          .priority = text(from, "priority"),
          .place = number<std::uint32_t>(from, "place"),
          .waiting = number<std::uint32_t>(from, "waiting"),
          .waits_for = text(from, "waits_for"),
          .arrived_unix_ms = number<std::int64_t>(from, "arrived_unix_ms"),
          .deadline_unix_ms = number<std::int64_t>(from, "deadline_unix_ms")};
}

Decision to_decision(const Json& from) {
  return {.at_unix_ms = number<std::int64_t>(from, "at_unix_ms"),
          .app = text(from, "app"),
          .replica = text(from, "replica"),
          .request = text(from, "request"),
          .verb = text(from, "verb"),
          .sentence = text(from, "sentence")};
}

Key to_key(const Json& from) {
  return {.name = text(from, "name"),
          .prefix = text(from, "prefix"),
          .scopes = texts(from, "scopes"),
          .weight = maybe_number<std::uint32_t>(from, "weight").value_or(1),
          .created_unix_ms = maybe_number<std::int64_t>(from, "created_unix_ms")};
}

UsageSum to_usage_sum(const Json& from) {
  return {.app = text(from, "app"),
          .kind = text(from, "kind"),
          .phase = text(from, "phase"),
          .total_ms = number<std::int64_t>(from, "total_ms"),
          .billable_ms = number<std::int64_t>(from, "billable_ms")};
}

BillLine to_bill_line(const Json& from) {
  return {.app = text(from, "app"),
          .kind = text(from, "kind"),
          .busy_ms = number<std::int64_t>(from, "busy_ms"),
          .rate_nano_per_ms = number<std::int64_t>(from, "rate_nano_per_ms"),
          .amount_nano = number<std::int64_t>(from, "amount_nano")};
}

Node to_node(const Json& from) {
  const auto to_pool = [](const Json& one) {
    return NodeAccelerators{text(one, "kind"), number<std::uint32_t>(one, "count"),
                            number<std::uint32_t>(one, "in_use")};
  };
  return {.name = text(from, "name"),
          .is_up = truth(from, "is_up"),
          .memory_bytes = number<std::uint64_t>(from, "memory_bytes"),
          .accelerators = list(from, "accelerators", to_pool)};
}

ExitCode exit_of(int status) {
  switch (status) {
    case 400:
    case 422:
      return ExitCode::Usage;
    case 401:
    case 403:
      return ExitCode::Refused;
    case 404:
      return ExitCode::NotFound;
    case 408:
    case 504:
      return ExitCode::TimedOut;
    case 409:
      return ExitCode::Conflict;
    default:
      return ExitCode::Failed;
  }
}

std::string clause(std::string sentence) {
  while (sentence.ends_with('.') || sentence.ends_with(' ')) sentence.pop_back();
  return sentence;
}

Fault to_fault(const Json& from) {
  Fault fault{.file = text(from, "file"),
              .line = number<std::uint32_t>(from, "line"),
              .column = number<std::uint32_t>(from, "column"),
              .message = text(from, "message")};
  if (!fault.message.empty()) return fault;
  fault.message = "found " + text(from, "found") + ", expected " + text(from, "expected");
  return fault;
}

// The key order of the documents is part of what people see; nlohmann's plain object would sort them.
using Ordered = nlohmann::ordered_json;

std::string dumped(const Ordered& json) {
  return json.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

Ordered file_list(const std::vector<ContentFile>& files) {
  Ordered out = Ordered::array();
  for (const ContentFile& file : files) {
    out.push_back({{"path", file.path},
                   {"is_executable", file.is_executable},
                   {"sha256", file.sha256},
                   {"bytes", file.bytes}});
  }
  return out;
}

Ordered text_or_null(const std::string& value) {
  return value.empty() ? Ordered() : Ordered(value);
}

}  // namespace

Attempt<std::vector<App>> read_apps(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "apps").is_array()) return not_ours("apps");
  return list(answer, "apps", to_app);
}

Attempt<App> read_app(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "app").is_object()) return not_ours("app");
  return to_app(answer["app"]);
}

Attempt<Description> read_description(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "app").is_object()) return not_ours("app");
  return Description{to_app(answer["app"]), list(answer, "revisions", to_revision),
                     list(answer, "replicas", to_replica)};
}

Attempt<Deployed> read_deployed(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "app").is_object()) return not_ours("app");
  return Deployed{to_app(answer["app"]), truth(answer, "is_unchanged")};
}

Attempt<std::vector<Replica>> read_replicas(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "replicas").is_array()) return not_ours("replicas");
  return list(answer, "replicas", to_replica);
}

Attempt<Explained> read_decisions(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "decisions").is_array()) return not_ours("decisions");
  Explained explained{
      .waiting = {}, .replica = {}, .decisions = list(answer, "decisions", to_decision)};
  if (part(answer, "waiting").is_object()) explained.waiting = to_request(part(answer, "waiting"));
  if (part(answer, "replica").is_object()) explained.replica = to_replica(part(answer, "replica"));
  return explained;
}

Attempt<std::vector<Key>> read_keys(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "keys").is_array()) return not_ours("keys");
  return list(answer, "keys", to_key);
}

Attempt<NewKey> read_new_key(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "secret").is_string()) return not_ours("secret");
  return NewKey{to_key(part(answer, "key")), text(answer, "secret")};
}

Attempt<Usage> read_usage(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "sums").is_array()) return not_ours("sums");
  return Usage{number<std::int64_t>(answer, "from_unix_ms"),
               number<std::int64_t>(answer, "to_unix_ms"), list(answer, "sums", to_usage_sum)};
}

Attempt<Bill> read_bill(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "lines").is_array()) return not_ours("lines");
  return Bill{.plan = text(answer, "plan"),
              .currency = text(answer, "currency"),
              .from_unix_ms = number<std::int64_t>(answer, "from_unix_ms"),
              .to_unix_ms = number<std::int64_t>(answer, "to_unix_ms"),
              .lines = list(answer, "lines", to_bill_line),
              .total_nano = number<std::int64_t>(answer, "total_nano")};
}

Attempt<ServerStatus> read_status(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "version").is_string()) return not_ours("version");
  return ServerStatus{.version = text(answer, "version"),
                      .epoch = number<std::uint64_t>(answer, "epoch"),
                      .pid = number<std::int64_t>(answer, "pid"),
                      .listen = text(answer, "listen"),
                      .data_folder = text(answer, "data"),
                      .uptime_ms = number<std::int64_t>(answer, "uptime_ms"),
                      .nodes = list(answer, "nodes", to_node)};
}

Attempt<Upgrade> read_upgrade(std::string_view json) {
  const Json answer = parsed(json);
  if (!part(answer, "stage").is_string()) return not_ours("stage");
  return Upgrade{.stage = text(answer, "stage"),
                 .why = text(answer, "why"),
                 .version = text(answer, "version"),
                 .pid = number<std::int64_t>(answer, "pid"),
                 .draining_pid = number<std::int64_t>(answer, "draining_pid")};
}

std::optional<LogLine> read_log_line(std::string_view json) {
  const Json line = parsed(json);
  if (!part(line, "text").is_string()) return std::nullopt;
  return LogLine{number<std::int64_t>(line, "at_unix_ms"), text(line, "replica"),
                 text(line, "stream"), text(line, "text")};
}

std::optional<std::string> read_listen(std::string_view json) {
  const std::string listen = text(parsed(json), "listen");
  if (listen.empty()) return std::nullopt;
  return listen;
}

Failure read_problem(int status, std::string_view body) {
  const Json answer = parsed(body);
  Failure failure{.exit = exit_of(status), .status = status};
  const Json& envelope = part(answer, "error");
  if (envelope.is_object()) {
    failure.code = text(envelope, "code");
    failure.what = clause(text(envelope, "message"));
    return failure;
  }
  failure.code = text(answer, "code");
  // The title is no more than the name of the status; the detail is the sentence.
  failure.what = clause(text(answer, "detail"));
  if (failure.what.empty()) failure.what = clause(text(answer, "title"));
  failure.next = clause(text(answer, "next"));
  failure.faults = list(answer, "complaints", to_fault);
  failure.missing = texts(answer, "missing");
  if (!failure.what.empty()) return failure;
  constexpr std::size_t kQuoteMax = 200;
  failure.code = "answer_not_understood";
  failure.what = "the server answered with status " + std::to_string(status);
  failure.why = printable(body.substr(0, std::min(body.size(), kQuoteMax)));
  failure.next = "check that the address is a kelvin server's (--server, KELVIN_SERVER)";
  return failure;
}

bool is_platform_problem(std::string_view body) {
  const Json answer = parsed(body);
  return part(answer, "code").is_string() && part(answer, "title").is_string() &&
         answer.contains("next");
}

std::string write_deploy(const Deploy& deploy) {
  return dumped({{"file", deploy.file},
                 {"file_name", deploy.file_name},
                 {"folder", file_list(deploy.folder)},
                 {"model_name", text_or_null(deploy.model_name)},
                 {"model_is_folder", deploy.model_is_folder},
                 {"model", file_list(deploy.model)}});
}

std::string write_rollback(std::optional<std::uint32_t> to) {
  return dumped({{"to", to ? Ordered(*to) : Ordered()}});
}

std::string write_upgrade(const std::string& binary, const std::optional<Duration>& drain) {
  Ordered body = Ordered::object();
  if (!binary.empty()) body["binary"] = binary;
  if (drain) body["drain_ms"] = whole_ms(*drain);
  return dumped(body);
}

std::string write_rollout(std::string_view wish) { return Json{{"wish", wish}}.dump(); }

std::string write_scale(std::uint32_t least, std::uint32_t most) {
  return dumped({{"min", least}, {"max", most}});
}

std::string write_traffic(const std::vector<Share>& shares) {
  Ordered list = Ordered::array();
  for (const Share& share : shares)
    list.push_back({{"revision", share.revision}, {"percent", share.percent}});
  return dumped({{"shares", list}});
}

std::string write_key(const KeyWanted& wanted) {
  Ordered out = {{"name", wanted.name}, {"scopes", wanted.scopes}};
  if (wanted.weight) out["weight"] = *wanted.weight;
  return dumped(out);
}

std::string write_failure(const Failure& failure) {
  Ordered faults;
  for (const Fault& fault : failure.faults) {
    faults.push_back({{"file", fault.file},
                      {"line", fault.line},
                      {"column", fault.column},
                      {"message", fault.message}});
  }
  return dumped({{"error",
                  {{"exit_code", static_cast<int>(failure.exit)},
                   {"status", failure.status == 0 ? Ordered() : Ordered(failure.status)},
                   {"code", failure.code},
                   {"what", failure.what},
                   {"why", text_or_null(failure.why)},
                   {"next", text_or_null(failure.next)},
                   {"complaints", faults}}}});
}

std::string write_version(const std::string& version) { return dumped({{"version", version}}); }

std::string write_script(const std::string& shell, const std::string& script) {
  return dumped({{"shell", shell}, {"script", script}});
}

std::string write_call(const CallReport& report) {
  Ordered stages = Ordered::array();
  for (const auto& [name, microseconds] : report.stages_us) {
    stages.push_back({{"name", name}, {"us", microseconds}});
  }
  return dumped({{"status", report.status},
                 {"request_id", text_or_null(report.request_id)},
                 {"cold_start", text_or_null(report.cold_start)},
                 {"stages", stages},
                 {"first_byte_us", report.first_byte_us},
                 {"total_us", report.total_us},
                 {"content_type", text_or_null(report.content_type)},
                 {"body", report.body}});
}

std::string indented(std::string_view json) {
  const Ordered document = Ordered::parse(json, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return std::string(json);
  return document.dump(2, ' ', false, Ordered::error_handler_t::replace);
}

}  // namespace kelvin::cli::wire
