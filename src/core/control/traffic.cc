// traffic: an app's requests split over several revisions by hand.
//
// The gateway draws a revision for each request by the shares in the app's route; a request that
// waits does so in the lane of its revision. Here each revision with a share is scaled by itself:
// replicas, starts, `min` and `max` are counted per revision, and the average load counts by its
// share. A revision without one is drained, like the one before a rollout. While a split is set a
// deploy takes nothing; a rollback ends the split, and so does an empty one.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

std::string number_of(const App& app, RevisionId revision) {
  return std::to_string(record_at(app, revision).revision->number);
}

// "revision 3 takes 90 %, revision 4 takes 10 %".
std::string shares_words(const App& app) {
  std::string words;
  for (const model::RevisionShare& share : app.shares) {
    words += (words.empty() ? "" : ", ") + std::string("revision ") +
             number_of(app, share.revision) + " takes " + std::to_string(share.percent) + " %";
  }
  return words;
}

bool has_ready(const World& world, const App& app) {
  return std::any_of(app.replicas.begin(), app.replicas.end(),
                     [&](ReplicaId id) { return world.replicas.at(id).state == State::Ready; });
}

void retire_without_share(Step& step, App& app) {
  const std::set<ReplicaId> all = app.replicas;
  for (const ReplicaId id : all) {
    Replica* replica = find_replica(step.world, id);
    if (replica == nullptr || is_serving_revision(app, replica->revision->id)) continue;
    retire_replica(step, *replica,
                   "revision " + number_of(app, replica->revision->id) + " takes no requests");
  }
}

// Where the app is warm, whoever gets a share does not begin with a cold start.
void warm_up(Step& step, App& app) {
  if (!may_start_things(step.world)) return;
  for (const model::RevisionShare& share : app.shares) {
    const Census census = take_census(step.world, app, share.revision);
    if (census.ready + census.coming > 0) continue;
    wake_one(step, app,
             {share.revision, Purpose::Wake,
              "revision " + number_of(app, share.revision) + " takes " +
                  std::to_string(share.percent) + " % of the requests from here on"});
  }
}

void split(Step& step, App& app, const std::vector<model::RevisionShare>& shares) {
  const bool was_ready = has_ready(step.world, app);
  drop_rollout(step, app);
  app.shares = shares;
  app.fallback = {};
  app.trouble.clear();
  app.queue.set_limit(serving_spec(app).queue.requests_max);
  if (step.world.is_recovering) return;
  decide(step, about(app), "traffic", shares_words(app));
  retire_without_share(step, app);
  publish_route(step, app);
  if (was_ready) warm_up(step, app);
  ensure_minimum(step, app);
  arm_cooling_of_all(step, app);
  serve_queue(step, app);
}

}  // namespace

void end_split(App& app) {
  if (app.shares.empty()) return;
  app.active = serving_revision(app);
  app.shares.clear();
}

void add_without_traffic(Step& step, App& app, RevisionId revision) {
  drop_rollout(step, app);
  app.active = revision;
  const model::ScaleRule& scale = record_at(app, revision).revision->spec.scale;
  app.replicas_min = scale.replicas_min;
  app.replicas_max = scale.replicas_max;
  follow_schedule(step, app);
  decide(step, about(app), "traffic",
         "revision " + number_of(app, revision) +
             " takes no requests: the traffic was split by hand (" + shares_words(app) +
             "); see `kelvin traffic`");
  ensure_minimum(step, app);
  arm_cooling_of_all(step, app);
  serve_queue(step, app);
}

void on(Step& step, const model::TrafficChanged& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted) return;
  const bool is_known =
      std::all_of(event.shares.begin(), event.shares.end(),
                  [&](const auto& share) { return app->revisions.contains(share.revision); });
  if (!is_known) return;
  if (!event.shares.empty()) return split(step, *app, event.shares);
  if (is_rolling_out(*app)) return promote(step, *app);
  if (app->shares.empty()) return;
  const RevisionId latest = app->active;
  end_split(*app);
  decide(step, about(*app), "traffic",
         "revision " + number_of(*app, latest) + " takes all requests again");
  activate(step, *app, latest);
}

}  // namespace kelvin::control
