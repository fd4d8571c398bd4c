// The platform itself: status, health, metrics, decisions, and the description of this API.
#include <unistd.h>

#include <map>

#include "api/bodies.h"
#include "api/json.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "api/views.h"
#include "model/ids.h"

namespace kelvin::api {

namespace {

using PoolName = std::pair<NodeId, std::string>;

// Accelerators on lease.
std::map<PoolName, std::uint64_t> accelerators_in_use(
    const std::vector<model::ReplicaView>& replicas) {
  std::map<PoolName, std::uint64_t> in_use;
  for (const model::ReplicaView& replica : replicas) {
    if (!model::holds_lease(replica.state)) continue;
    in_use[{replica.lease.node, replica.lease.kind}] += replica.lease.accelerators.size();
  }
  return in_use;
}

std::vector<model::Node> nodes_of(const Service& service) {
  return service.options.nodes ? service.options.nodes() : std::vector<model::Node>{};
}

void write_node(JsonWriter& json, const model::Node& node,
                std::map<PoolName, std::uint64_t>& in_use) {
  json.open_object();
  json.text("name", node.name);
  json.boolean("is_up", node.is_up);
  json.unsigned_integer("memory_bytes", node.memory.count);
  json.open_array("accelerators");
  for (const model::AcceleratorPool& pool : node.pools) {
    json.open_object();
    json.text("kind", pool.kind);
    json.integer("count", pool.count);
    json.unsigned_integer("in_use", in_use[{node.id, pool.kind}]);
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

void write_app_metrics(obs::MetricsWriter& writer, const std::vector<model::AppView>& apps) {
  std::map<model::Condition, std::uint64_t> by_condition;
  for (const model::AppView& app : apps) by_condition[app.condition] += 1;
  writer.family(obs::MetricType::Gauge, "kelvin_apps", "Apps by condition.");
  for (const model::Condition condition :
       {model::Condition::Cold, model::Condition::Starting, model::Condition::Ready,
        model::Condition::Parked, model::Condition::Failing}) {
    writer.sample({{"condition", model::to_text(condition)}}, by_condition[condition]);
  }
  writer.family(obs::MetricType::Gauge, "kelvin_app_requests_waiting",
                "Requests in the app's queue.");
  for (const model::AppView& app : apps) {
    writer.sample({{"app", app.revision.spec.name}}, std::uint64_t{app.waiting});
  }
}

void write_replica_metrics(obs::MetricsWriter& writer,
                           const std::vector<model::ReplicaView>& replicas) {
  std::map<std::pair<std::string, model::State>, std::uint64_t> by_state;
  for (const model::ReplicaView& replica : replicas)
    by_state[{replica.app_name, replica.state}] += 1;
  writer.family(obs::MetricType::Gauge, "kelvin_replicas", "Replicas by app and state.");
  for (const auto& [name, count] : by_state) {
    writer.sample({{"app", name.first}, {"state", model::to_text(name.second)}}, count);
  }
}

void write_node_metrics(obs::MetricsWriter& writer, const std::vector<model::Node>& nodes,
                        std::map<PoolName, std::uint64_t> in_use) {
  writer.family(obs::MetricType::Gauge, "kelvin_accelerators", "Accelerators by node and kind.");
  for (const model::Node& node : nodes) {
    for (const model::AcceleratorPool& pool : node.pools) {
      writer.sample({{"node", node.name}, {"kind", pool.kind}}, std::uint64_t{pool.count});
    }
  }
  writer.family(obs::MetricType::Gauge, "kelvin_accelerators_in_use", "Accelerators on lease.");
  for (const model::Node& node : nodes) {
    for (const model::AcceleratorPool& pool : node.pools) {
      writer.sample({{"node", node.name}, {"kind", pool.kind}}, in_use[{node.id, pool.kind}]);
    }
  }
}

OrProblem<model::DecisionFilter> read_decision_filter(Service& service, Query& query) {
  model::DecisionFilter filter;
  const std::string app = query.text("app");
  const std::string replica = query.text("replica");
  const std::string request = query.text("request");
  const auto most_max = static_cast<std::int64_t>(service.options.limits.decisions_max);
  KELVIN_ANSWER_TRY(const std::optional<std::int64_t> most, query.integer("most", 1, most_max));
  KELVIN_ANSWER_TRY_VOID(query.check_all_read());
  if (most) filter.most = static_cast<std::size_t>(*most);
  if (!app.empty()) {
    KELVIN_ANSWER_TRY(const model::AppView found, find_app(service, app));
    filter.app = found.id;
  }
  if (!replica.empty()) {
    const std::optional<ReplicaId> id = model::parse_replica_id(replica);
    if (!id)
      return refuse(bad_request("'" + replica + "' is no replica's id; one looks like r3-17."));
    filter.replica = *id;
  }
  if (!request.empty()) {
    const std::optional<RequestId> id = model::parse_request_id(request);
    if (!id)
      return refuse(bad_request("'" + request + "' is no request's id; one looks like q3-1-902."));
    filter.request = *id;
  }
  return filter;
}

std::string_view to_text(UpgradeStage stage) {
  switch (stage) {
    case UpgradeStage::None:
      return "none";
    case UpgradeStage::Preparing:
      return "preparing";
    case UpgradeStage::Draining:
      return "draining";
    case UpgradeStage::Done:
      return "done";
    case UpgradeStage::Failed:
      return "failed";
  }
  return "none";
}

std::string upgrade_text(Service& service) {
  const UpgradeView view = service.options.upgrade ? service.options.upgrade() : UpgradeView{};
  JsonWriter json;
  json.open_object();
  json.text("stage", to_text(view.stage));
  json.text_or_null("why", view.why);
  json.text("version", service.options.version);
  json.unsigned_integer("epoch", service.options.epoch);
  json.integer("pid", ::getpid());
  json.text_or_null("from_version", view.from_version);
  json.integer("draining_pid", view.draining_pid);
  json.unsigned_integer("draining_connections", view.draining_connections);
  json.close_object();
  return json.take();
}

// The replica as it is, where decisions about one are asked for and it still lives.
void write_asked_replica(JsonWriter& json, const Service& service, ReplicaId id) {
  ports::Control& control = service.ports.control;
  AppId app;
  if (id) {
    for (const model::ReplicaView& one : control.replicas({})) {
      if (one.id == id) app = one.app;
    }
  }
  if (app) {
    for (const model::ReplicaView& one : control.replicas(app)) {
      if (one.id == id) return write_replica(json, service, one, "replica");
    }
  }
  json.null("replica");
}

}  // namespace

Answer show_status(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  const ApiOptions& options = service.options;
  JsonWriter json;
  json.open_object();
  json.text("version", options.version);
  json.unsigned_integer("epoch", options.epoch);
  json.integer("pid", ::getpid());
  json.text("listen", options.listen);
  json.text("data", options.data_folder);
  json.integer("uptime_ms", whole_ms(service.ports.clock.now() - options.started));
  json.open_array("nodes");
  std::map<PoolName, std::uint64_t> in_use =
      accelerators_in_use(service.ports.control.replicas({}));
  for (const model::Node& node : nodes_of(service)) write_node(json, node, in_use);
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer list_decisions(Service& service, Call& call) {
  KELVIN_ANSWER_TRY(const model::DecisionFilter filter, read_decision_filter(service, call.query));
  std::map<AppId, std::string> names;
  for (const model::AppView& app : service.ports.control.apps())
    names[app.id] = app.revision.spec.name;
  JsonWriter json;
  json.open_object();
  std::optional<model::RequestView> waiting;
  if (filter.request) waiting = service.ports.control.find_request(filter.request);
  write_request(json, "waiting", service, waiting);
  write_asked_replica(json, service, filter.replica);
  json.open_array("decisions");
  for (const model::Decision& one : service.ports.control.decisions(filter)) {
    json.open_object();
    json.integer("at_unix_ms", service.unix_ms(one.at));
    json.text_or_null("app", names[one.app]);
    json.text_or_null("replica", one.replica ? model::to_text(one.replica) : "");
    json.text_or_null("request", one.request ? model::to_text(one.request) : "");
    json.text("verb", one.verb);
    json.text("sentence", one.sentence);
    json.close_object();
  }
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer show_upgrade(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  return json_reply(upgrade_text(service));
}

Answer begin_upgrade(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const UpgradeBody body, parse_upgrade(text));
  UpgradeOrder order{.binary = body.binary};
  if (body.drain) order.drain = *body.drain;
  if (!service.options.ask_upgrade) {
    return refuse({.status = 501,
                   .code = "cannot_upgrade",
                   .detail = "This platform cannot replace its own binary.",
                   .next = "Stop it and start the other one."});
  }
  KELVIN_ANSWER_TRY_VOID(service.options.ask_upgrade(order));
  return json_reply(upgrade_text(service), 202);
}

Answer show_metrics(Service& service, Call&) {
  obs::MetricsWriter writer;
  writer.family(obs::MetricType::Gauge, "kelvin_info", "Always 1; its labels say what runs.");
  writer.sample({{"version", service.options.version}}, std::uint64_t{1});
  writer.family(obs::MetricType::Gauge, "kelvin_uptime_seconds",
                "Since the platform process started.");
  writer.sample({}, whole_ms(service.ports.clock.now() - service.options.started) / 1000);
  const std::vector<model::ReplicaView> replicas = service.ports.control.replicas({});
  write_app_metrics(writer, service.ports.control.apps());
  write_replica_metrics(writer, replicas);
  write_node_metrics(writer, nodes_of(service), accelerators_in_use(replicas));
  writer.family(obs::MetricType::Counter, "kelvin_api_connections_turned_away_total",
                "Management connections answered with 503 because all threads were busy.");
  writer.sample({}, service.connections_turned_away.load());
  for (const auto& source : service.options.metric_sources) source(writer);
  return Reply{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = writer.take()};
}

Answer show_health(Service&, Call&) {
  return Reply{.content_type = "text/plain; charset=utf-8", .body = "ok\n"};
}

Answer show_readiness(Service& service, Call&) {
  if (!service.options.is_ready || service.options.is_ready()) {
    return Reply{.content_type = "text/plain; charset=utf-8", .body = "ready\n"};
  }
  return refuse({.status = 503,
                 .code = "not_ready",
                 .detail = "The platform is starting, or going down.",
                 .next = "Try again in a moment.",
                 .extra_fields = "Retry-After: 1\r\n"});
}

Answer show_document(Service&, Call&) { return Reply{.body = std::string(openapi_document())}; }

Answer show_no_dashboard(Service&, Call&) {
  return refuse({.status = 404,
                 .code = "no_dashboard",
                 .detail = "This version has no dashboard.",
                 .next = "Use the command line (kelvin apps, kelvin ps --watch) or the API "
                         "(/api/openapi.json)."});
}

}  // namespace kelvin::api
