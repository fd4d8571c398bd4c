// Apps and replicas: looking at them, steering by hand, rolling back, deleting.
#include <algorithm>

#include "api/bodies.h"
#include "api/routes.h"
#include "api/views.h"

namespace kelvin::api {

namespace {

Problem no_such_app(std::string_view name) {
  return {.status = 404,
          .code = "app_not_found",
          .detail = "There is no app named '" + std::string(name) + "'.",
          .next = "See which there are with: kelvin apps"};
}

// What control shows after an event; the app may have been deleted meanwhile.
Answer answer_with(Service& service, const model::AppView& before) {
  const std::optional<model::AppView> app = service.ports.control.find_app(before.id);
  if (!app) return refuse(no_such_app(before.revision.spec.name));
  return json_reply(app_body(service, *app));
}

OrProblem<const model::Revision*> choose_revision(const std::vector<model::Revision>& revisions,
                                                  const model::AppView& app,
                                                  const RollbackBody& wanted) {
  const std::string& name = app.revision.spec.name;
  const model::Revision* chosen = nullptr;
  for (const model::Revision& one : revisions) {  // by number, ascending
    const bool is_wanted = wanted.to ? one.number == *wanted.to : one.number < app.revision.number;
    if (is_wanted) chosen = &one;
  }
  if (chosen != nullptr) return chosen;
  if (wanted.to) {
    return refuse({.status = 404,
                   .code = "revision_not_found",
                   .detail = name + " has no revision " + std::to_string(*wanted.to) + ".",
                   .next = "See which there are with: kelvin describe " + name});
  }
  return refuse({.status = 409,
                 .code = "nothing_to_roll_back_to",
                 .detail = name + " runs revision " + std::to_string(app.revision.number) +
                           ", and there is none before it.",
                 .next = "Deploy another one with: kelvin deploy FILE"});
}

OrProblem<std::vector<model::RevisionShare>> shares_of(Service& service, const model::AppView& app,
                                                       const TrafficBody& wanted) {
  const std::string& name = app.revision.spec.name;
  const std::vector<model::Revision> revisions = service.ports.control.revisions(app.id);
  std::vector<model::RevisionShare> shares;
  bool is_port_fixed = false;
  for (const TrafficBody::Share& share : wanted.shares) {
    const auto found = std::ranges::find(revisions, share.revision, &model::Revision::number);
    if (found == revisions.end()) {
      return refuse({.status = 404,
                     .code = "revision_not_found",
                     .detail = name + " has no revision " + std::to_string(share.revision) + ".",
                     .next = "See which there are with: kelvin describe " + name});
    }
    is_port_fixed = is_port_fixed || found->spec.fixed_port != 0;
    shares.push_back({.revision = found->id, .percent = share.percent});
  }
  if (is_port_fixed && shares.size() > 1) {
    return refuse(bad_request("A revision with a fixed port cannot run beside another one.",
                              "Give one revision 100 percent, or deploy with `port: auto`."));
  }
  return shares;
}

}  // namespace

OrProblem<model::AppView> find_app(Service& service, std::string_view name) {
  std::optional<model::AppView> app =
      service.ports.control.find_named_app({.name = std::string(name)});
  if (!app) return refuse(no_such_app(name));
  return std::move(*app);
}

Answer list_apps(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  JsonWriter json;
  json.open_object();
  json.open_array("apps");
  for (const model::AppView& app : service.ports.control.apps()) write_app(json, {}, service, app);
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer describe_app(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  JsonWriter json;
  json.open_object();
  write_app(json, "app", service, app);
  json.open_array("revisions");
  for (const model::Revision& one : service.ports.control.revisions(app.id)) {
    write_revision(json, one, one.id == app.revision.id);
  }
  json.close_array();
  json.open_array("replicas");
  for (const model::ReplicaView& one : service.ports.control.replicas(app.id))
    write_replica(json, service, one);
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer delete_app(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  const std::scoped_lock lock(service.changes);
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  KELVIN_ANSWER_TRY_VOID(service.ports.store.delete_app(app.id));
  service.ports.control.post(model::AppDeleted{.app = app.id});
  service.collector.request();
  JsonWriter json;
  json.open_object();
  json.text("deleted", app.revision.spec.name);
  json.close_object();
  return json_reply(json.take());
}

Answer roll_back(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const RollbackBody wanted, parse_rollback(text));
  const std::scoped_lock lock(service.changes);
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  const std::vector<model::Revision> revisions = service.ports.control.revisions(app.id);
  KELVIN_ANSWER_TRY(const model::Revision* const chosen, choose_revision(revisions, app, wanted));
  KELVIN_ANSWER_TRY_VOID(service.ports.store.activate_revision(app.id, chosen->id));
  service.ports.control.post(model::RevisionActivated{.app = app.id, .revision = chosen->id});
  return answer_with(service, app);
}

Answer scale_app(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const ScaleBody wanted, parse_scale(text, service.options.limits.replicas_max));
  const std::scoped_lock lock(service.changes);
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  const model::ScaleRule& scale = app.revision.spec.scale;
  const std::uint32_t least = wanted.replicas_min.value_or(scale.replicas_min);
  const std::uint32_t most = wanted.replicas_max.value_or(scale.replicas_max);
  if (least > most) {
    return refuse(bad_request("min would be " + std::to_string(least) + " and max " +
                                  std::to_string(most) + "; min cannot be larger than max.",
                              "Give both, min no larger than max."));
  }
  if (app.revision.spec.fixed_port != 0 && most > 1) {
    return refuse(bad_request("The app listens on the fixed port " +
                                  std::to_string(app.revision.spec.fixed_port) +
                                  ", which only one replica at a time can have.",
                              "Leave max at 1, or deploy with `port: auto`."));
  }
  KELVIN_ANSWER_TRY_VOID(service.ports.store.set_scale(app.id, least, most));
  service.ports.control.post(
      model::ScaleChanged{.app = app.id, .replicas_min = least, .replicas_max = most});
  return answer_with(service, app);
}

Answer split_traffic(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const TrafficBody wanted, parse_traffic(text));
  const std::scoped_lock lock(service.changes);
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  KELVIN_ANSWER_TRY(std::vector<model::RevisionShare> shares, shares_of(service, app, wanted));
  KELVIN_ANSWER_TRY_VOID(service.ports.store.set_traffic(app.id, shares));
  service.ports.control.post(model::TrafficChanged{.app = app.id, .shares = std::move(shares)});
  return answer_with(service, app);
}

// Control tells the store how the rollout stands after it.
Answer steer_rollout(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const RolloutBody wanted, parse_rollout(text));
  const std::scoped_lock lock(service.changes);
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  if (!app.rollout || app.rollout->rollout.stage == model::RolloutStage::RolledBack) {
    return refuse({.status = 409,
                   .code = "no_rollout",
                   .detail = "No rollout of " + app.revision.spec.name + " is under way.",
                   .next = "Deploy a revision whose app file has rollout.steps, or split the "
                           "requests by hand with: kelvin traffic " +
                           app.revision.spec.name});
  }
  service.ports.control.post(model::RolloutAsked{.app = app.id, .wish = wanted.wish});
  return answer_with(service, app);
}

Answer park_app(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY_VOID(parse_nothing(text));
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  service.ports.control.post(model::ParkAsked{.app = app.id});
  return answer_with(service, app);
}

Answer wake_app(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY_VOID(parse_nothing(text));
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  service.ports.control.post(model::WakeAsked{.app = app.id});
  return answer_with(service, app);
}

Answer list_replicas(Service& service, Call& call) {
  const std::string name = call.query.text("app");
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  AppId app;
  if (!name.empty()) {
    KELVIN_ANSWER_TRY(const model::AppView found, find_app(service, name));
    app = found.id;
  }
  JsonWriter json;
  json.open_object();
  json.open_array("replicas");
  for (const model::ReplicaView& one : service.ports.control.replicas(app))
    write_replica(json, service, one);
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

}  // namespace kelvin::api
