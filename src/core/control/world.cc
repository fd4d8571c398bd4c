#include <algorithm>

#include "base/check.h"
#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

App* find_app(World& world, AppId id) {
  const auto found = world.apps.find(id);
  return found == world.apps.end() ? nullptr : &found->second;
}

const App* find_app(const World& world, AppId id) {
  const auto found = world.apps.find(id);
  return found == world.apps.end() ? nullptr : &found->second;
}

Replica* find_replica(World& world, ReplicaId id) {
  const auto found = world.replicas.find(id);
  return found == world.replicas.end() ? nullptr : &found->second;
}

const Replica* find_replica(const World& world, ReplicaId id) {
  const auto found = world.replicas.find(id);
  return found == world.replicas.end() ? nullptr : &found->second;
}

RevisionRecord& record_at(App& app, RevisionId id) {
  const auto found = app.revisions.find(id);
  KELVIN_CHECK(found != app.revisions.end());
  return found->second;
}

const RevisionRecord& record_at(const App& app, RevisionId id) {
  const auto found = app.revisions.find(id);
  KELVIN_CHECK(found != app.revisions.end());
  return found->second;
}

RevisionId serving_revision(const App& app) {
  if (app.shares.empty()) return app.fallback ? app.fallback : app.active;
  const auto largest =
      std::max_element(app.shares.begin(), app.shares.end(),
                       [](const auto& a, const auto& b) { return a.percent < b.percent; });
  return largest->revision;
}

std::vector<RevisionId> serving_revisions(const App& app) {
  std::vector<RevisionId> all{serving_revision(app)};
  for (const model::RevisionShare& share : app.shares) {
    if (share.revision != all.front()) all.push_back(share.revision);
  }
  return all;
}

double share_of(const App& app, RevisionId revision) {
  if (app.shares.empty()) return revision == serving_revision(app) ? 1 : 0;
  for (const model::RevisionShare& share : app.shares) {
    if (share.revision == revision) return static_cast<double>(share.percent) / 100;
  }
  return 0;
}

const model::AppSpec& serving_spec(const App& app) {
  return record_at(app, serving_revision(app)).revision->spec;
}

std::uint32_t slots_of(const Replica& replica) {
  return std::max(replica.revision->spec.scale.concurrency, 1U);
}

std::uint32_t most_replicas(const App& app) {
  return serving_spec(app).fixed_port != 0 ? std::min(app.replicas_max, 1U) : app.replicas_max;
}

std::uint32_t least_replicas(const App& app) {
  return std::max(app.replicas_min, app.scheduled.replicas_min);
}

std::string least_words(const App& app) {
  if (app.scheduled.replicas_min > app.replicas_min)
    return "the schedule keeps " + app.scheduled.words;
  return "min is " + std::to_string(app.replicas_min);
}

bool is_serving_revision(const App& app, RevisionId revision) {
  if (app.shares.empty()) return revision == serving_revision(app);
  return std::any_of(app.shares.begin(), app.shares.end(),
                     [&](const auto& share) { return share.revision == revision; });
}

bool is_parked_and_unwanted(const Replica& replica) {
  if (replica.state == State::Parked) return !replica.lease_turn;
  return replica.state == State::Parking && !replica.wakes_again;
}

Census take_census(const World& world, const App& app, RevisionId revision) {
  Census census;
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.revision->id != revision) continue;
    if (replica.state != State::Parked || replica.lease_turn) census.leased += 1;
    if (replica.state == State::Ready) {
      census.ready += 1;
      census.closing += replica.closing != Closing::None ? 1 : 0;
      census.promised += replica.free_believed;
    } else if (is_parked_and_unwanted(replica)) {
      census.parked += 1;
    } else if (replica.state != State::Draining && replica.state != State::Stopping) {
      census.coming += 1;
      census.promised += slots_of(replica);
    }
  }
  return census;
}

bool has_ready(const World& world, const App& app, RevisionId revision) {
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& replica = world.replicas.at(id);
    return replica.revision->id == revision && replica.state == State::Ready;
  });
}

bool may_start_things(const World& world) {
  return !world.is_recovering && !world.is_shutting_down;
}

void decide(Step& step, const Subject& subject, std::string_view verb, std::string sentence) {
  step.emit(model::RecordDecision{{.at = step.now,
                                   .app = subject.app,
                                   .replica = subject.replica,
                                   .request = subject.request,
                                   .verb = std::string(verb),
                                   .sentence = std::move(sentence)}});
}

namespace {

// What the line was told about the future changes, unless it was cooled for the line's sake.
void note_for_line(World& world, const Replica& replica, State to) {
  const bool is_leaving = to == State::Parking || to == State::Stopping;
  if (is_leaving) world.going.insert(replica.id);
  const bool is_news = is_leaving || replica.state == State::Parking;
  if (is_news && !replica.is_relief && world.picture) world.leases_moved = true;
}

}  // namespace

void move(Step& step, Replica& replica, State to, std::string reason) {
  KELVIN_CHECK(model::can_move(replica.state, to));
  note_for_line(step.world, replica, to);
  replica.state = to;
  replica.state_since = step.now;
  replica.reason = std::move(reason);
  replica.way.push_back({to, step.now});
  if (replica.is_metered) step.world.meter.moved(replica.id, to, step.now);
}

bool is_waking_or_parked(State state) {
  return state == State::Parking || state == State::Parked || state == State::Resuming;
}

void publish_route(Step& step, const App& app) {
  const model::Revision& serving = *record_at(app, serving_revision(app)).revision;
  model::Route route{.app = app.id,
                     .workspace = app.workspace,
                     .name = app.name,
                     .is_gone = app.is_deleted,
                     .queue = serving.spec.queue,
                     .protocol = serving.spec.protocol,
                     .timeout = serving.spec.timeout,
                     .served_model = serving.spec.served_model,
                     .cors = serving.spec.cors,
                     .affinity = serving.spec.affinity,
                     .shares = app.shares,
                     .wake_time = expected_wake(step.world, app, serving.id, step.now),
                     .service_time = app.service.value()};
  (void)mark_spares(step.world, app, step.now);
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = step.world.replicas.at(id);
    if (is_waking_or_parked(replica.state)) route.parked.push_back(id);
    if (replica.state != State::Ready) continue;
    route.replicas.push_back({.id = id,
                              .revision = replica.revision->id,
                              .revision_number = replica.revision->number,
                              .slot = replica.slot,
                              .generation = replica.generation,
                              .slots = slots_of(replica),
                              .port = replica.port,
                              .protocol = replica.revision->spec.protocol,
                              .is_spare = replica.is_spare});
  }
  step.emit(model::RouteChanged{std::move(route)});
}

void give_back_accelerators(Step& step, Replica& replica) {
  if (replica.lease.accelerators.empty()) return;
  model::Lease part = replica.lease;
  part.memory = {};
  place::give_back(step.world.nodes.at(replica.lease.node), part);
  replica.lease.accelerators.clear();
  step.world.leases_moved = true;
}

void forget_replica(Step& step, Replica& replica) {
  World& world = step.world;
  if (replica.lease.node) {
    place::NodeLoad& node = world.nodes.at(replica.lease.node);
    place::give_back(node, replica.lease);
    place::move_out(node, replica.revision->workspace);
    world.leases_moved = true;
  }
  if (replica.lease_turn) {
    world.lease_queue.erase(*replica.lease_turn);
    world.leases_moved = true;
  }
  for (const Alarm alarm : {Alarm::StartMoves, Alarm::PlanDue, Alarm::Cool, Alarm::DrainEnds,
                            Alarm::StopRepeats, Alarm::Proven}) {
    world.timers.clear({alarm, replica.id.value});
  }
  world.slots_free.insert(replica.slot);
  if (App* app = find_app(world, replica.app)) app->replicas.erase(replica.id);
  world.replicas.erase(replica.id);
}

}  // namespace kelvin::control
