// views: the world as people are shown it.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::Condition;
using model::State;

namespace {

struct Counts {
  std::uint32_t live = 0;
  std::uint32_t ready = 0;
  std::uint32_t parked = 0;
  std::uint32_t coming = 0;
};

Counts count(const World& world, const App& app) {
  Counts counts;
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    const State state = replica.state;
    if (state != State::Stopping) counts.live += 1;
    if (state == State::Ready) {
      counts.ready += 1;
    } else if (is_parked_and_unwanted(replica)) {
      counts.parked += 1;
    } else if (state != State::Draining && state != State::Stopping) {
      counts.coming += 1;
    }
  }
  return counts;
}

// The revision that has requests to take and whose starts keep failing; none where all is well.
const RevisionRecord* find_failing(const World& world, const App& app) {
  if (app.shares.empty()) {
    const RevisionRecord& active = record_at(app, app.active);
    const bool is_failing = active.budget.is_failing() && !has_ready(world, app, app.active);
    return is_failing ? &active : nullptr;
  }
  for (const model::RevisionShare& share : app.shares) {
    const RevisionRecord& record = record_at(app, share.revision);
    if (record.budget.is_failing() && !has_ready(world, app, share.revision)) return &record;
  }
  return nullptr;
}

Condition condition_of(const RevisionRecord* failing, const Counts& counts) {
  if (failing != nullptr) return Condition::Failing;
  if (counts.ready > 0) return Condition::Ready;
  if (counts.coming > 0) return Condition::Starting;
  if (counts.parked > 0) return Condition::Parked;
  return Condition::Cold;
}

std::string reason_of(const World& world, const App& app, Condition condition) {
  if (condition == Condition::Failing) {
    const RevisionRecord& failing = *find_failing(world, app);
    const std::string whose =
        app.shares.empty() ? "" : " of revision " + std::to_string(failing.revision->number);
    const std::string serving =
        app.fallback
            ? "; revision " + std::to_string(record_at(app, app.fallback).revision->number) +
                  " goes on serving"
            : "";
    return count_words(failing.budget.failures(), "start") + whose +
           " in a row failed, the last because " + to_text(failing.budget.last_exit()) + serving;
  }
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    const bool is_waiting = replica.state == State::Planned || replica.lease_turn;
    if (is_waiting && condition == Condition::Starting) return replica.reason;
  }
  return condition == Condition::Ready ? std::string() : app.trouble;
}

model::RolloutView rollout_of(const App& app) {
  const model::Rollout& rollout = *app.rollout;
  const std::vector<std::uint32_t>& steps = record_at(app, rollout.to).revision->spec.rollout.steps;
  model::RolloutView view{.rollout = rollout,
                          .from_number = record_at(app, rollout.from).revision->number,
                          .to_number = record_at(app, rollout.to).revision->number,
                          .steps = static_cast<std::uint32_t>(steps.size())};
  if (!has_shares_by_steps(app)) return view;
  view.percent = steps.at(rollout.step);
  view.step_since = app.trial.began;
  view.answered = app.trial.fresh.answered;
  view.failed = app.trial.fresh.failed;
  view.old_answered = app.trial.old.answered;
  view.old_failed = app.trial.old.failed;
  return view;
}

model::AppView view_of(const World& world, const App& app) {
  const Counts counts = count(world, app);
  const RevisionRecord& active = record_at(app, app.active);
  model::AppView view{.id = app.id, .workspace = app.workspace, .revision = *active.revision};
  view.revision.spec.scale.replicas_min = app.replicas_min;
  view.revision.spec.scale.replicas_max = app.replicas_max;
  view.revisions = static_cast<std::uint32_t>(app.revisions.size());
  const RevisionRecord* failing = find_failing(world, app);
  view.condition = condition_of(failing, counts);
  view.reason = reason_of(world, app, view.condition);
  if (failing != nullptr) view.retry_at = failing->budget.next_start();
  view.replicas_live = counts.live;
  view.replicas_ready = counts.ready;
  view.replicas_parked = counts.parked;
  view.replicas_coming = counts.coming;
  view.waiting = static_cast<std::uint32_t>(app.queue.size());
  view.waiting_low = static_cast<std::uint32_t>(app.queue.size() - app.queue.wanting());
  view.waiting_keys = static_cast<std::uint32_t>(app.queue.keys());
  view.keeps = keeps_words(app);
  view.scheduled = app.scheduled;
  if (app.rollout) view.rollout = rollout_of(app);
  if (!app.queue.is_empty()) view.waits_for = waits_for(world, app);
  for (const model::RevisionShare& share : app.shares) {
    view.traffic.push_back({.revision = share.revision,
                            .number = record_at(app, share.revision).revision->number,
                            .percent = share.percent});
  }
  return view;
}

model::ReplicaView view_of(const World& world, const Replica& replica) {
  const App& app = world.apps.at(replica.app);
  return {.id = replica.id,
          .app = replica.app,
          .app_name = app.name,
          .workspace = app.workspace,
          .revision = replica.revision->id,
          .revision_number = replica.revision->number,
          .state = replica.state,
          .temperature = temperature_of(replica.state, replica.is_serving),
          .lease = replica.lease,
          .slot = replica.slot,
          .port = replica.port,
          .pid = replica.pid,
          .created = replica.created,
          .state_since = replica.state_since,
          .reason = replica.reason,
          .is_adopted = replica.is_adopted};
}

}  // namespace

std::vector<model::AppView> view_apps(const World& world) {
  std::vector<model::AppView> views;
  for (const auto& [id, app] : world.apps) {
    if (!app.is_deleted) views.push_back(view_of(world, app));
  }
  std::sort(views.begin(), views.end(), [](const model::AppView& a, const model::AppView& b) {
    return std::tie(a.workspace, a.revision.spec.name, a.id) <
           std::tie(b.workspace, b.revision.spec.name, b.id);
  });
  return views;
}

std::optional<model::AppView> view_app(const World& world, AppId id) {
  const App* app = find_app(world, id);
  if (app == nullptr || app->is_deleted) return std::nullopt;
  return view_of(world, *app);
}

std::optional<model::AppView> view_named_app(const World& world, const model::AppName& name) {
  const auto found = world.app_of_name.find(name);
  return found == world.app_of_name.end() ? std::nullopt : view_app(world, found->second);
}

std::optional<model::RequestView> view_request(const World& world, RequestId id) {
  const auto found = world.waiting.find(id);
  if (found == world.waiting.end()) return std::nullopt;
  const App& app = world.apps.at(found->second);
  const queue::Waiting* waiting = app.queue.find(id);
  if (waiting == nullptr) return std::nullopt;
  model::RequestView view{.id = id,
                          .app = app.id,
                          .app_name = app.name,
                          .priority = waiting->priority,
                          .arrived = waiting->arrived,
                          .deadline = waiting->deadline};
  view.place = static_cast<std::uint32_t>(app.queue.place_of(id));
  view.waiting = static_cast<std::uint32_t>(app.queue.size());
  view.waits_for = waits_for(world, app);
  return view;
}

std::vector<model::ReplicaView> view_replicas(const World& world, AppId id) {
  std::vector<model::ReplicaView> views;
  if (const App* app = id ? find_app(world, id) : nullptr) {
    for (const ReplicaId replica : app->replicas) {
      const Replica& one = world.replicas.at(replica);
      model::ReplicaView& view = views.emplace_back(view_of(world, one));
      Outlook outlook = outlook_of(world, *app, one);
      view.next = std::move(outlook.sentence);
      view.next_at = outlook.at;
    }
  } else if (!id) {
    for (const auto& [replica_id, replica] : world.replicas)
      views.push_back(view_of(world, replica));
  }
  return views;
}

std::vector<model::Revision> view_revisions(const World& world, AppId id) {
  std::vector<model::Revision> views;
  const App* app = find_app(world, id);
  if (app == nullptr) return views;
  for (const auto& [revision, record] : app->revisions) views.push_back(*record.revision);
  std::sort(views.begin(), views.end(),
            [](const model::Revision& a, const model::Revision& b) { return a.number < b.number; });
  return views;
}

}  // namespace kelvin::control
