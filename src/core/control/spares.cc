// spares: replicas that an app's load does not call for get work only when the others have no room.
//
// Requests that are spread over all ready replicas keep all of them warm, however few would do. So
// the oldest ceil(e / slots) replicas of a revision, e being its average load, share the
// work, at least one and at least what `min` and the schedule keep warm; the others are spares, which
// the gateway tries last, in order, so that the last ones fall idle and cool.
#include <algorithm>

#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

namespace {

std::uint32_t called_for(const App& app, const model::Revision& revision, Instant now) {
  const double load = app.load.at(now) * share_of(app, revision.id);
  const std::uint32_t filled = scale::replicas_for(load, revision.spec.scale.concurrency);
  return std::max({filled, least_replicas(app), 1U});
}

}  // namespace

bool mark_spares(World& world, const App& app, Instant now) {
  bool is_news = false;
  for (const RevisionId revision : serving_revisions(app)) {
    std::uint32_t left = called_for(app, *record_at(app, revision).revision, now);
    for (const ReplicaId id : app.replicas) {
      Replica& replica = world.replicas.at(id);
      if (replica.state != State::Ready || replica.revision->id != revision) continue;
      const bool is_spare = left == 0;
      if (left > 0) left -= 1;
      is_news = is_news || is_spare != replica.is_spare;
      replica.is_spare = is_spare;
    }
  }
  return is_news;
}

void renew_spares(Step& step, const App& app) {
  // The only replica is never a spare.
  if (app.replicas.size() > 1 && mark_spares(step.world, app, step.now)) publish_route(step, app);
}

}  // namespace kelvin::control
