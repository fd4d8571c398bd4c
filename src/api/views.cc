#include "api/views.h"

#include "model/ids.h"

namespace kelvin::api {

namespace {

std::optional<std::int64_t> known_time(std::int64_t unix_ms) {
  return unix_ms == 0 ? std::nullopt : std::optional(unix_ms);
}

std::string app_url(const Service& service, std::string_view app) {
  const std::string& listen = service.options.listen;
  const std::size_t colon = listen.rfind(':');
  const std::string port = colon == std::string::npos ? std::string() : listen.substr(colon);
  const std::string scheme = service.options.is_secure ? "https://" : "http://";
  return scheme + std::string(app) + ".localhost" + port + "/";
}

void write_accelerators(JsonWriter& json, const model::Lease& lease) {
  json.open_array("accelerators");
  for (const std::uint32_t index : lease.accelerators) {
    json.open_object();
    json.text("kind", lease.kind);
    json.integer("index", index);
    json.close_object();
  }
  json.close_array();
}

std::string node_name(const Service& service, NodeId id) {
  if (!service.options.nodes) return {};
  for (const model::Node& node : service.options.nodes()) {
    if (node.id == id) return node.name;
  }
  return {};
}

std::optional<std::int64_t> memory_of(const Service& service, const model::ReplicaView& replica) {
  if (!service.options.memory_of) return std::nullopt;
  const std::optional<Bytes> memory = service.options.memory_of(replica);
  if (!memory) return std::nullopt;
  return static_cast<std::int64_t>(memory->count);
}

void write_rule(JsonWriter& json, const model::ScheduleRule& rule) {
  json.open_object();
  json.text("cron", rule.begins);
  json.text_or_null("until", rule.ends);
  std::optional<std::int64_t> length;
  if (rule.ends.empty()) length = whole_ms(rule.length);
  json.integer_or_null("for_ms", length);
  json.text("zone", rule.zone);
  json.integer("min", rule.replicas_min);
  json.close_object();
}

void write_rollout(JsonWriter& json, const Service& service, const model::AppView& app) {
  if (!app.rollout) return json.null("rollout");
  const model::RolloutView& view = *app.rollout;
  const bool has_shares = view.percent > 0;
  std::optional<std::int64_t> since;
  if (has_shares) since = service.unix_ms(view.step_since);
  json.open_object("rollout");
  json.text("stage", model::to_text(view.rollout.stage));
  json.integer("from", view.from_number);
  json.integer("to", view.to_number);
  json.integer("percent", view.percent);
  json.integer("step", has_shares ? view.rollout.step + 1 : 0);
  json.integer("steps", view.steps);
  json.integer_or_null("step_since_unix_ms", since);
  json.unsigned_integer("answered", view.answered);
  json.unsigned_integer("failed", view.failed);
  json.unsigned_integer("old_answered", view.old_answered);
  json.unsigned_integer("old_failed", view.old_failed);
  json.text_or_null("why", view.rollout.why);
  json.close_object();
}

void write_schedule(JsonWriter& json, const model::AppView& app) {
  const std::vector<model::ScheduleRule>& rules = app.revision.spec.scale.schedule;
  if (rules.empty()) return json.null("schedule");
  json.open_object("schedule");
  json.open_array("rules");
  for (const model::ScheduleRule& rule : rules) write_rule(json, rule);
  json.close_array();
  json.integer("min", app.scheduled.replicas_min);
  json.text_or_null("words", app.scheduled.words);
  json.integer_or_null("since_unix_ms", known_time(app.scheduled.since_unix_ms));
  json.integer_or_null("until_unix_ms", known_time(app.scheduled.until_unix_ms));
  json.close_object();
}

}  // namespace

void write_app(JsonWriter& json, std::string_view name, const Service& service,
               const model::AppView& app) {
  const model::AppSpec& spec = app.revision.spec;
  json.open_object(name);
  json.text("name", spec.name);
  json.text("workspace", app.workspace);
  json.integer("revision", app.revision.number);
  json.text("condition", model::to_text(app.condition));
  json.text_or_null("reason", app.reason);
  std::optional<std::int64_t> retry_at;
  if (app.retry_at) retry_at = service.unix_ms(*app.retry_at);
  json.integer_or_null("retry_at_unix_ms", retry_at);
  json.open_object("replicas");
  json.integer("live", app.replicas_live);
  json.integer("ready", app.replicas_ready);
  json.integer("parked", app.replicas_parked);
  json.close_object();
  json.text_or_null("keeps", app.keeps);
  json.integer("waiting", app.waiting);
  json.integer("waiting_low", app.waiting_low);
  json.integer("waiting_keys", app.waiting_keys);
  json.text_or_null("waits_for", app.waits_for);
  json.open_array("traffic");
  for (const model::TrafficView& share : app.traffic) {
    json.open_object();
    json.integer("revision", share.number);
    json.integer("percent", share.percent);
    json.close_object();
  }
  json.close_array();
  write_rollout(json, service, app);
  json.open_object("scale");
  json.integer("min", spec.scale.replicas_min);
  json.integer("max", spec.scale.replicas_max);
  json.integer("concurrency", spec.scale.concurrency);
  json.integer("urgency_milli", spec.scale.urgency_milli);
  write_schedule(json, app);
  json.close_object();
  json.text("url", app_url(service, spec.name));
  json.integer_or_null("created_unix_ms", known_time(app.revision.app_created_unix_ms));
  json.close_object();
}

void write_revision(JsonWriter& json, const model::Revision& revision, bool is_active) {
  json.open_object();
  json.integer("number", revision.number);
  json.boolean("is_active", is_active);
  json.open_array("command");
  for (const std::string& argument : revision.spec.command) json.text({}, argument);
  json.close_array();
  json.text_or_null("model", revision.spec.model);
  json.integer_or_null("created_unix_ms", known_time(revision.created_unix_ms));
  json.close_object();
}

void write_replica(JsonWriter& json, const Service& service, const model::ReplicaView& replica,
                   std::string_view name) {
  const std::uint32_t in_flight =
      service.options.in_flight_of ? service.options.in_flight_of(replica) : 0;
  json.open_object(name);
  json.text("id", model::to_text(replica.id));
  json.text("app", replica.app_name);
  json.integer("revision", replica.revision_number);
  json.text("state", model::to_text(replica.state));
  json.text("temperature", model::to_text(model::temperature_of(replica.state, in_flight > 0)));
  json.text("node", node_name(service, replica.lease.node));
  write_accelerators(json, replica.lease);
  json.unsigned_integer("memory_claim_bytes", replica.lease.memory.count);
  json.integer_or_null("memory_bytes", memory_of(service, replica));
  json.integer_or_null("pid",
                       replica.pid == 0 ? std::nullopt : std::optional<std::int64_t>(replica.pid));
  json.integer_or_null(
      "port", replica.port == 0 ? std::nullopt : std::optional<std::int64_t>(replica.port));
  json.integer("in_flight", in_flight);
  json.integer("created_unix_ms", service.unix_ms(replica.created));
  json.integer("state_since_unix_ms", service.unix_ms(replica.state_since));
  json.text_or_null("reason", replica.reason);
  json.text_or_null("next", replica.next);
  std::optional<std::int64_t> next_at;
  if (replica.next_at != Instant::never()) next_at = service.unix_ms(replica.next_at);
  json.integer_or_null("next_unix_ms", next_at);
  json.boolean("is_adopted", replica.is_adopted);
  json.close_object();
}

void write_key(JsonWriter& json, std::string_view name, const model::Key& key) {
  json.open_object(name);
  json.text("name", key.name);
  json.text("prefix", key.prefix);
  json.open_array("scopes");
  if (key.scopes.invoke) json.text({}, "invoke");
  if (key.scopes.admin) json.text({}, "admin");
  json.close_array();
  json.integer("weight", key.weight);
  json.text("workspace", key.workspace);
  json.integer_or_null("created_unix_ms", known_time(key.created_unix_ms));
  json.close_object();
}

void write_request(JsonWriter& json, std::string_view name, const Service& service,
                   const std::optional<model::RequestView>& request) {
  if (!request) return json.null(name);
  json.open_object(name);
  json.text("id", model::to_text(request->id));
  json.text("app", request->app_name);
  json.text("priority", model::to_text(request->priority));
  json.integer("place", request->place);
  json.integer("waiting", request->waiting);
  json.text_or_null("waits_for", request->waits_for);
  json.integer("arrived_unix_ms", service.unix_ms(request->arrived));
  json.integer("deadline_unix_ms", service.unix_ms(request->deadline));
  json.close_object();
}

std::string app_body(const Service& service, const model::AppView& app) {
  JsonWriter json;
  json.open_object();
  write_app(json, "app", service, app);
  json.close_object();
  return json.take();
}

}  // namespace kelvin::api
