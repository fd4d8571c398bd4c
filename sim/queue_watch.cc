#include "sim/queue_watch.h"

#include <algorithm>
#include <variant>

#include "model/ids.h"
#include "sim/ground.h"

namespace kelvin::sim {

namespace {

using model::State;

bool is_low(const model::Demand& demand) { return demand.priority == model::Priority::Low; }

// Outcomes of a Handover come before anything else.
bool is_outcome(const model::Event& event) {
  return std::holds_alternative<model::HandoverRefused>(event) ||
         std::holds_alternative<model::SlotsClosed>(event);
}

bool begins_one(const model::Decision& decision) {
  return decision.verb == "start" || decision.verb == "resume" || decision.verb == "wake";
}

// What may become of a replica for those who wait for a slot of its revision.
struct Prospects {
  std::uint32_t ready = 0;
  std::uint32_t coming = 0;
  std::uint32_t failing = 0;  // starts that were given up and are not gone yet
  std::uint32_t leased = 0;   // count against `max`
  bool has_room = false;
};

Prospects look_ahead(const control::World& world, const control::App& app, RevisionId revision) {
  Prospects prospects;
  for (const ReplicaId id : app.replicas) {
    const control::Replica& replica = world.replicas.at(id);
    if (replica.revision->id != revision) continue;
    if (replica.state != State::Parked || replica.lease_turn) ++prospects.leased;
    switch (replica.state) {
      case State::Ready:
        ++prospects.ready;
        prospects.has_room |=
            replica.closing == control::Closing::None && replica.free_believed > 0;
        break;
      case State::Planned:
      case State::Fetching:
      case State::Starting:
      case State::Loading:
      case State::Resuming:
        ++prospects.coming;
        break;
      case State::Parking:
        if (replica.wakes_again) ++prospects.coming;
        break;
      case State::Parked:
        if (replica.lease_turn) ++prospects.coming;
        break;
      case State::Stopping:
        // What its end says decides whether and when the next start is tried.
        if (replica.stop_cause != model::ExitCause::Stopped) ++prospects.failing;
        break;
      case State::Draining:
      case State::Gone:
        break;
    }
  }
  return prospects;
}

// Requests that this revision would serve, in its lane or in those of its replicas.
std::size_t count_wanting(const control::World& world, const control::App& app,
                          RevisionId revision) {
  std::size_t wanting = 0;
  for (const queue::Lane lane : app.queue.lanes()) {
    RevisionId serves = lane.revision;
    if (!serves && app.shares.empty()) serves = app.fallback ? app.fallback : app.active;
    // Who waits for one replica has that one.
    const bool has_own = lane.replica && world.replicas.contains(lane.replica);
    if (serves == revision && !has_own) wanting += app.queue.wanting(lane);
  }
  return wanting;
}

}  // namespace

void QueueWatch::check(const control::World& world, const model::Event& event,
                       const model::Effects& effects) {
  take_in(event);
  check_starts(world, effects);
  for (const model::Effect& effect : effects) {
    // While a rollout has shares, each revision has a lane.
    if (const auto* kept = std::get_if<model::KeepRollout>(&effect))
      lines_[kept->app].is_mixed = true;
    if (const auto* handover = std::get_if<model::Handover>(&effect)) on_handover(world, *handover);
    if (const auto* refusal = std::get_if<model::RefuseRequest>(&effect))
      take_out(refusal->request);
    const auto* told = std::get_if<model::TellProgress>(&effect);
    if (told != nullptr && !waiting_.contains(told->request))
      violate(Checker::Requests,
              model::to_text(told->request) + " is told what it waits for, and does not wait");
  }
  if (waiting_.size() != world.waiting.size()) {
    violate(Checker::Requests, std::to_string(waiting_.size()) +
                                   " requests wait and control knows " +
                                   std::to_string(world.waiting.size()));
  }
  // A step that changed nothing cannot have taken away what is coming.
  if (!effects.empty()) check_all_coming(world, effects);
}

void QueueWatch::check_no_start_of(const model::Effects& effects, const std::string& app) {
  for (const model::Effect& effect : effects) {
    const auto* start = std::get_if<model::StartReplica>(&effect);
    if (start != nullptr && start->revision->spec.name == app)
      violate(Checker::Priority,
              app + " is started although only clients of low priority have called it");
  }
}

void QueueWatch::take_in(const model::Event& event) {
  if (!is_outcome(event)) handed_over_.clear();
  if (const auto* demand = std::get_if<model::Demand>(&event)) stand(*demand);
  if (const auto* left = std::get_if<model::RequestLeft>(&event)) take_out(left->request);
  if (const auto* refused = std::get_if<model::HandoverRefused>(&event)) {
    const auto found = handed_over_.find(refused->request);
    if (found == handed_over_.end()) return;
    if (refused->problem != model::HandoverProblem::NoSlot) return;
    charged_.insert(refused->request);
    stand(found->second);
  }
  if (const auto* split = std::get_if<model::TrafficChanged>(&event))
    lines_[split->app].is_mixed = true;
}

void QueueWatch::stand(const model::Demand& demand) {
  if (!waiting_.emplace(demand.request, demand).second) return;
  if (!is_low(demand)) ++wanting_[demand.app];
  Line& line = lines_[demand.app];
  // Which lane it stands in depends on the state of its replica, which may change.
  if (demand.wanted_replica || demand.revision) line.is_mixed = true;
  if (is_low(demand)) return;
  line.weights[demand.key] = demand.key_weight;
  ++line.waiting[demand.key];
}

void QueueWatch::take_out(RequestId request) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end()) return;
  const model::Demand demand = found->second;
  waiting_.erase(found);
  charged_.erase(request);
  if (is_low(demand)) return;
  if (--wanting_[demand.app] == 0) wanting_.erase(demand.app);
  Line& line = lines_[demand.app];
  if (--line.waiting[demand.key] > 0) return;
  line.waiting.erase(demand.key);
  std::erase_if(line.races, [&](const auto& race) {
    return race.first.first == demand.key || race.first.second == demand.key;
  });
}

void QueueWatch::on_handover(const control::World& world, const model::Handover& handover) {
  const auto found = waiting_.find(handover.request);
  if (found == waiting_.end()) {
    violate(Checker::Requests,
            model::to_text(handover.request) + " is handed over but did not wait");
  }
  const model::Demand demand = found->second;
  handed_over_.emplace(handover.request, demand);
  const auto app = world.apps.find(demand.app);
  if (app != world.apps.end() && demand.revision && !demand.wanted_replica) {
    const auto& shares = app->second.shares;
    const bool has_share = std::any_of(shares.begin(), shares.end(), [&](const auto& share) {
      return share.revision == demand.revision;
    });
    if (has_share && handover.replica.revision != demand.revision) {
      violate(Checker::Routes, model::to_text(handover.request) +
                                   " is handed over to another revision than its share fell on");
    }
  }
  if (!is_low(demand) && !lines_[demand.app].is_mixed && !charged_.contains(handover.request))
    count_turn(demand);
  take_out(handover.request);
}

void QueueWatch::count_turn(const model::Demand& demand) {
  Line& line = lines_[demand.app];
  for (const auto& [other, count] : line.waiting) {
    if (other == demand.key) continue;
    const bool is_first = demand.key < other;
    const auto keys = is_first ? std::pair(demand.key, other) : std::pair(other, demand.key);
    Race& race = line.races[keys];
    const double own = 1.0 / line.weights[demand.key];
    const double theirs = 1.0 / line.weights[other];
    (is_first ? race.one : race.other) += own;
    if (std::abs(race.one - race.other) > own + theirs + 0.001) {
      violate(Checker::Turns, "key " + std::to_string(demand.key.value) +
                                  " has had more turns than its weight over key " +
                                  std::to_string(other.value));
    }
  }
}

void QueueWatch::check_starts(const control::World& world, const model::Effects& effects) const {
  for (auto effect = effects.begin(); effect != effects.end(); ++effect) {
    const auto* record = std::get_if<model::RecordDecision>(&*effect);
    if (record == nullptr) continue;
    const model::Decision& decision = record->decision;
    const bool is_start = begins_one(decision);
    const bool is_counted = decision.sentence.find(" waiting, ") != std::string::npos;
    const bool is_for_requests =
        is_counted || decision.sentence.find(" asks for it") != std::string::npos;
    if (!is_start || !is_for_requests) continue;
    if (!wanting_.contains(decision.app))
      violate(Checker::Priority, "low priority alone has caused: " + decision.sentence);
    // What `min` or a schedule has begun behind it in the same step was not on its way then.
    const auto later = std::count_if(std::next(effect), effects.end(), [&](const auto& other) {
      const auto* next = std::get_if<model::RecordDecision>(&other);
      return next != nullptr && next->decision.app == decision.app && begins_one(next->decision);
    });
    if (is_counted) check_is_needed(world, decision, static_cast<std::uint32_t>(later));
  }
}

// What else was on its way, but for `later` ones, has fewer slots than requests wait.
void QueueWatch::check_is_needed(const control::World& world, const model::Decision& decision,
                                 std::uint32_t later) {
  const auto started = world.replicas.find(decision.replica);
  if (started == world.replicas.end()) return;
  const model::Revision& revision = *started->second.revision;
  const control::App& app = world.apps.at(decision.app);
  const std::uint32_t coming = look_ahead(world, app, revision.id).coming;
  if (coming < 2 + later) return;
  const std::size_t promised = std::size_t{coming - 1 - later} * revision.spec.scale.concurrency;
  if (promised >= app.queue.wanting()) {
    violate(Checker::Limits, std::to_string(app.queue.wanting()) + " requests of " + app.name +
                                 " wait, " + std::to_string(promised) +
                                 " slots are on their way, and one more replica is started");
  }
}

// In a large world only the apps that the step has decided about.
void QueueWatch::check_all_coming(const control::World& world,
                                  const model::Effects& effects) const {
  constexpr std::size_t kFewApps = 8;
  if (wanting_.size() <= kFewApps) {
    for (const auto& [app, count] : wanting_) check_coming(world, app);
    return;
  }
  std::set<AppId> touched;
  for (const model::Effect& effect : effects) {
    if (const auto* record = std::get_if<model::RecordDecision>(&effect))
      touched.insert(record->decision.app);
  }
  for (const AppId app : touched) {
    if (wanting_.contains(app)) check_coming(world, app);
  }
}

void QueueWatch::check_coming(const control::World& world, AppId id) {
  const auto found = world.apps.find(id);
  if (found == world.apps.end() || found->second.is_deleted || world.is_recovering) return;
  const control::App& app = found->second;
  std::vector<RevisionId> serving;
  for (const model::RevisionShare& share : app.shares) serving.push_back(share.revision);
  if (serving.empty()) serving.push_back(app.fallback ? app.fallback : app.active);
  for (const RevisionId revision : serving) {
    if (count_wanting(world, app, revision) == 0) continue;
    const Prospects prospects = look_ahead(world, app, revision);
    if (prospects.has_room)
      violate(Checker::Waiting,
              "requests of " + app.name + " wait beside a slot that counts as free");
    const bool is_full = prospects.leased >= app.replicas_max && prospects.leased > 0;
    if (prospects.coming + prospects.ready + prospects.failing == 0 && !is_full) {
      violate(Checker::Waiting, "requests of " + app.name + " wait and nothing is on its way");
    }
  }
}

}  // namespace kelvin::sim
