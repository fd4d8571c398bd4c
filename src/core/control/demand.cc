// demand: requests that found no slot, from their queue to a replica.
#include <algorithm>

#include "core/control/steps.h"
#include "core/route/route.h"
#include "core/words.h"
#include "model/ids.h"

namespace kelvin::control {

using model::Phase;
using model::State;

namespace {

// What a client is told to wait before it tries again, while the platform goes down.
constexpr Duration kRetryAfter = 10s;

using queue::Lane;

// The revision that serves a lane.
RevisionId revision_of(const App& app, Lane lane) {
  return lane.revision ? lane.revision : serving_revision(app);
}

// A replica for which its own lane waits: it will be ready without anybody's doing.
bool is_waking(const Replica& replica) {
  switch (replica.state) {
    case State::Parked:
      return replica.lease_turn.has_value();
    case State::Parking:
      return replica.wakes_again;
    case State::Resuming:
      return true;
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Ready:
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return false;
  }
  return false;
}

// The lane of a revision, whatever was asked for: a share that has ended goes to whoever serves.
Lane lane_of(const App& app, RevisionId wanted) {
  if (app.shares.empty()) return {};
  return {.revision = is_serving_revision(app, wanted) ? wanted : serving_revision(app),
          .replica = {}};
}

void refuse(Step& step, const Subject& subject, std::uint32_t loop, const model::Refusal& refusal) {
  step.emit(model::RefuseRequest{.request = subject.request, .loop = loop, .refusal = refusal});
  decide(step, subject, "refuse",
         std::to_string(refusal.status) + " " + refusal.code + ": " + refusal.sentence);
}

model::Refusal deleted_refusal() {
  return {.status = 404,
          .code = "app_deleted",
          .sentence = "the app was deleted; `kelvin apps` lists those that exist",
          .retry_after = {}};
}

model::Refusal full_refusal(const Step& step, const App& app) {
  return {.status = 429,
          .code = "queue_full",
          .sentence =
              "the queue of " + app.name + " is full: " + count_words(app.queue.size(), "request") +
              " wait and queue.max is " + std::to_string(app.queue.limit()) + "; try again later",
          .retry_after = retry_after_of(step, app, serving_revision(app))};
}

model::Refusal waited_refusal(const Step& step, const App& app, const queue::Waiting& waiting) {
  const std::string within = to_words(step.now - waiting.arrived);
  const std::string reason = waits_for(step.world, app);
  const bool is_low = waiting.priority == model::Priority::Low;
  const std::string more = is_low ? "; it has low priority, for which nothing is started"
                                  : "; the start goes on, try again";
  const Duration retry = retry_after_of(step, app, revision_of(app, waiting.lane));
  if (waiting.is_deadline_own) {
    return {.status = 504,
            .code = "deadline_over",
            .sentence = "no slot of " + app.name + " came free within " + within +
                        " (the request's Kelvin-Deadline): " + reason + more,
            .retry_after = retry};
  }
  return {.status = 503,
          .code = "queue_wait_over",
          .sentence = "no slot of " + app.name + " came free within " + within +
                      " (queue.wait): " + reason + more,
          .retry_after = retry};
}

void set_queue_timer(Step& step, const App& app) {
  step.world.timers.set({Alarm::QueueWait, app.id.value}, app.queue.next_deadline());
}

Phase stage_of(State state) {
  switch (state) {
    case State::Fetching:
      return Phase::Fetch;
    case State::Starting:
      return Phase::Start;
    case State::Loading:
      return Phase::Load;
    case State::Resuming:
      return Phase::Resume;
    case State::Planned:
    case State::Ready:
    case State::Parking:
    case State::Parked:
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return Phase::Queue;
  }
  return Phase::Queue;
}

// Where the time between `arrived` and now went: every moment of it belongs to exactly one stage.
// What was not spent on the replica's way up (waiting for a plan, for accelerators, for a slot) is
// queueing.
std::vector<model::StageTime> stages_of(const Replica& replica, Instant arrived, Instant now) {
  std::vector<model::StageTime> stages{{Phase::Queue, std::max<Duration>(now - arrived, 0s)}};
  for (std::size_t i = 0; i < replica.way.size(); ++i) {
    const Phase phase = stage_of(replica.way[i].state);
    if (phase == Phase::Queue) continue;
    const Instant from = std::max(replica.way[i].at, arrived);
    const Instant to = i + 1 < replica.way.size() ? std::min(replica.way[i + 1].at, now) : now;
    if (to <= from) continue;
    stages[0].time -= to - from;
    if (stages.back().phase != phase) stages.push_back({phase, 0s});
    stages.back().time += to - from;
  }
  return stages;
}

// Spares come last, and one after the other.
bool is_emptier(const Replica& replica, const Replica& other) {
  if (replica.is_spare || other.is_spare) return !replica.is_spare && other.is_spare;
  return replica.free_believed > other.free_believed;
}

// The emptiest ready replica of the lane's revision, as far as is known; equal ones by id. Whoever
// comes next may want another of those with room: the one it names, or the first for its affinity.
Replica* find_room(World& world, const App& app, Lane lane) {
  const queue::Waiting* next = app.queue.peek(lane);
  // Who came before the first step of a rollout by steps is none of those that it gives away.
  const RevisionId only = is_rolling_out(app) ? revision_of(app, lane) : lane.revision;
  Replica* best = nullptr;
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    if (only && replica.revision->id != only) continue;
    const bool has_room = replica.state == State::Ready && replica.closing == Closing::None &&
                          replica.free_believed > 0;
    if (!has_room) continue;
    if (replica.id == next->wanted) return &replica;
    const bool is_better =
        best == nullptr ||
        (next->affinity ? route::comes_first(*next->affinity, replica.id, best->id)
                        : is_emptier(replica, *best));
    if (is_better) best = &replica;
  }
  return best;
}

// Whoever waited was calling all the while.
void note_wait(Step& step, App& app, const Replica& replica, Instant arrived) {
  const Census census = take_census(step.world, app, replica.revision->id);
  RevisionRecord& record = record_at(app, replica.revision->id);
  record.levels.called(census.ready + census.coming, {arrived, step.now});
  if (arrived < replica.ready_since || census.coming > 0) record.waiters.waited(step.now - arrived);
}

void hand_over(Step& step, App& app, Replica& replica, Lane lane) {
  const queue::Waiting waiting = *app.queue.pop(lane);
  step.world.waiting.erase(waiting.request);
  step.world.offered.insert_or_assign(waiting.request, Offered{app.id, waiting});
  replica.free_believed -= 1;
  replica.idle_since = step.now;
  replica.is_serving = true;
  const bool waited_for_it = waiting.arrived < replica.ready_since;
  note_wait(step, app, replica, waiting.arrived);
  const model::Temperature woke_from = waited_for_it ? replica.woke_from : model::Temperature::Warm;
  step.emit(model::Handover{.request = waiting.request,
                            .loop = waiting.loop,
                            .replica = {.id = replica.id,
                                        .revision = replica.revision->id,
                                        .revision_number = replica.revision->number,
                                        .slot = replica.slot,
                                        .generation = replica.generation,
                                        .slots = slots_of(replica),
                                        .port = replica.port,
                                        .protocol = replica.revision->spec.protocol},
                            .woke_from = woke_from,
                            .stages = stages_of(replica, waiting.arrived, step.now)});
  decide(step, {app.id, replica.id, waiting.request}, "serve",
         "given to " + model::to_text(replica.id) + " after waiting " +
             to_words(step.now - waiting.arrived) + " (it was " + std::string(to_text(woke_from)) +
             ")");
}

// What is believed of slots may be old, because nobody speaks of those that come free while nobody
// waits. These are believed free until a Handover finds otherwise.
void ask_slots_of(World& world, const App& app, RevisionId revision) {
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    if (replica.state == State::Ready && replica.revision->id == revision)
      replica.free_believed = slots_of(replica);
  }
}

// Who waits for one replica gets its first slots once it is ready, and joins everybody else where
// these do not suffice, or where it will not be ready.
void settle_lane(Step& step, App& app, Lane lane) {
  if (lane.replica) {
    Replica* replica = find_replica(step.world, lane.replica);
    const bool is_ours = replica != nullptr && replica->app == app.id;
    if (is_ours && is_waking(*replica)) return;
    const bool is_ready =
        is_ours && replica->state == State::Ready && replica->closing == Closing::None;
    while (is_ready && replica->free_believed > 0 && app.queue.size(lane) > 0)
      hand_over(step, app, *replica, lane);
  }
  const Lane other = lane_of(app, lane.revision);
  if (app.queue.size(lane) == 0 || other == lane) return;
  if (app.queue.size(other) == 0) ask_slots_of(step.world, app, revision_of(app, other));
  app.queue.move_lane(lane, other);
}

void dispatch(Step& step, App& app) {
  // Nearly always there is the one lane of everybody.
  for (const Lane lane : app.queue.lanes()) settle_lane(step, app, lane);
  for (const Lane lane : app.queue.lanes()) {
    while (!lane.replica && app.queue.size(lane) > 0) {
      Replica* replica = find_room(step.world, app, lane);
      if (replica == nullptr) break;
      hand_over(step, app, *replica, lane);
    }
  }
}

// A parked replica that this very request asks for.
Replica* find_wanted(World& world, const App& app, const model::Demand& event) {
  if (event.priority == model::Priority::Low) return nullptr;
  Replica* replica = find_replica(world, event.wanted_replica);
  if (replica == nullptr || replica->app != app.id) return nullptr;
  if (!is_serving_revision(app, replica->revision->id)) return nullptr;
  return is_waking(*replica) || is_parked_and_unwanted(*replica) ? replica : nullptr;
}

// For so long a loop may not have heard of a replica that is ready.
constexpr Duration kNewsMax = 5s;

// It may have come without having tried this replica: who names a parked one tries no other, nor
// does who finds others waiting, be it for another revision, or was drawn for another revision that
// has lost its share since; and news of a replica takes its time.
bool may_be_untried(const App& app, const Replica& replica, const queue::Waiting& waiting,
                    RevisionId drawn) {
  if (waiting.wanted || (drawn && drawn != replica.revision->id)) return true;
  if (app.queue.size(waiting.lane) > 1) return false;
  const bool is_split_off = !app.shares.empty() && replica.revision->id == waiting.lane.revision;
  return is_split_off || waiting.arrived < replica.ready_since + kNewsMax;
}

// Like ask_slots_of, of those that matter.
void doubt_beliefs(World& world, const App& app, const queue::Waiting& waiting, RevisionId drawn) {
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    if (replica.state == State::Ready && may_be_untried(app, replica, waiting, drawn))
      replica.free_believed = slots_of(replica);
  }
}

std::string queue_words(const World& world, const App& app, const queue::Waiting& waiting) {
  const Census census = take_census(world, app, revision_of(app, waiting.lane));
  std::string words = "is one of " + std::to_string(app.queue.size()) +
                      " that wait: " + std::to_string(census.ready) + " ready, " +
                      std::to_string(census.coming) + " on the way, " +
                      std::to_string(census.parked) + " parked";
  if (waiting.priority == model::Priority::High) words += "; high priority";
  if (waiting.priority == model::Priority::Low)
    words += "; low priority, for which nothing is started";
  if (waiting.weight > 1) words += "; its key has weight " + std::to_string(waiting.weight);
  if (waiting.lane.replica) words += "; for " + model::to_text(waiting.lane.replica);
  return words;
}

void enqueue(Step& step, App& app, const model::Demand& event) {
  Replica* wanted = find_wanted(step.world, app, event);
  const Instant end = event.arrived + serving_spec(app).queue.wait;
  queue::Waiting waiting{.request = event.request,
                         .key = event.key,
                         .weight = event.key_weight,
                         .priority = event.priority,
                         .loop = event.loop,
                         .arrived = event.arrived,
                         .deadline = std::min(end, event.deadline),
                         .is_deadline_own = event.deadline < end,
                         .affinity = event.affinity,
                         .wanted = event.wanted_replica,
                         .lane = lane_of(app, event.revision)};
  const bool is_woken =
      wanted != nullptr && !app.queue.is_full() &&
      (is_waking(*wanted) ||
       wake_replica(step, app, *wanted, model::to_text(event.request) + " asks for it"));
  if (is_woken) {
    waiting.lane = {.revision = app.shares.empty() ? RevisionId{} : wanted->revision->id,
                    .replica = wanted->id};
  }
  if (!app.queue.try_push(waiting)) {
    refuse(step, {app.id, {}, event.request}, event.loop, full_refusal(step, app));
    return;
  }
  step.world.waiting.emplace(event.request, app.id);
  decide(step, {app.id, {}, event.request}, "queue", queue_words(step.world, app, waiting));
  doubt_beliefs(step.world, app, waiting, event.revision);
  serve_queue(step, app);
}

}  // namespace

void on(Step& step, const model::Demand& event) {
  if (step.world.waiting.contains(event.request)) return;
  step.world.offered.erase(event.request);
  App* app = find_app(step.world, event.app);
  const Subject subject{event.app, {}, event.request};
  if (app == nullptr || app->is_deleted)
    return refuse(step, subject, event.loop, deleted_refusal());
  if (step.world.is_shutting_down) {
    return refuse(step, subject, event.loop,
                  {.status = 503,
                   .code = "shutting_down",
                   .sentence = "the platform is shutting down; try again when it is back",
                   .retry_after = kRetryAfter});
  }
  enqueue(step, *app, event);
}

void on(Step& step, const model::RequestLeft& event) {
  step.world.offered.erase(event.request);
  const auto found = step.world.waiting.find(event.request);
  if (found == step.world.waiting.end()) return;
  App& app = step.world.apps.at(found->second);
  app.queue.remove(event.request);
  step.world.waiting.erase(found);
  decide(step, {app.id, {}, event.request}, "leave", "its client left while it waited");
  serve_queue(step, app);
}

void on(Step& step, const model::SlotFree& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr || replica->state != State::Ready) return;
  replica->free_believed = std::min(replica->free_believed + 1, slots_of(*replica));
  replica->idle_since = step.now;
  if (App* app = find_app(step.world, replica->app)) serve_queue(step, *app);
}

void on(Step& step, const model::HandoverRefused& event) {
  Replica* replica = find_replica(step.world, event.replica);
  const bool is_no_slot = event.problem == model::HandoverProblem::NoSlot;
  if (replica != nullptr && replica->state == State::Ready) {
    // A slot given back is worth one try; a full word is full until SlotFree says otherwise.
    replica->free_believed =
        is_no_slot ? 0 : std::min(replica->free_believed + 1, slots_of(*replica));
  }
  App* app = replica == nullptr ? nullptr : find_app(step.world, replica->app);
  const auto found = step.world.offered.find(event.request);
  if (found != step.world.offered.end()) {
    const Offered offered = found->second;
    step.world.offered.erase(found);
    app = find_app(step.world, offered.app);
    if (is_no_slot && app != nullptr && !step.world.waiting.contains(event.request)) {
      app->queue.put_back(offered.waiting);
      step.world.waiting.emplace(event.request, offered.app);
      decide(step, {app->id, event.replica, event.request}, "queue",
             "goes back to its place: the slot of " + model::to_text(event.replica) + " was gone");
    }
  }
  if (app != nullptr) serve_queue(step, *app);
}

void on_queue_wait_over(Step& step, App& app) {
  for (const queue::Waiting& waiting : app.queue.take_expired(step.now)) {
    step.world.waiting.erase(waiting.request);
    refuse(step, {app.id, {}, waiting.request}, waiting.loop, waited_refusal(step, app, waiting));
  }
  serve_queue(step, app);
}

void serve_queue(Step& step, App& app) {
  dispatch(step, app);
  ensure_capacity(step, app);
  set_queue_timer(step, app);
}

namespace {

void refuse_all(Step& step, App& app, const std::vector<queue::Waiting>& all,
                const model::Refusal& refusal) {
  for (const queue::Waiting& waiting : all) {
    step.world.waiting.erase(waiting.request);
    refuse(step, {app.id, {}, waiting.request}, waiting.loop, refusal);
  }
  set_queue_timer(step, app);
}

}  // namespace

void refuse_waiting(Step& step, App& app, const model::Refusal& refusal) {
  refuse_all(step, app, app.queue.take_all(), refusal);
}

void refuse_waiting_for(Step& step, App& app, RevisionId revision, const model::Refusal& refusal) {
  for (const Lane lane : app.queue.lanes()) {
    if (revision_of(app, lane) == revision)
      refuse_all(step, app, app.queue.take_all(lane), refusal);
  }
}

WaitingFor count_waiting_for(const App& app, RevisionId revision) {
  WaitingFor count;
  for (const Lane lane : app.queue.lanes()) {
    if (revision_of(app, lane) != revision) continue;
    count.all += app.queue.size(lane);
    count.wanting += app.queue.wanting(lane);
  }
  return count;
}

bool is_waited_for(const App& app, const Replica& replica) {
  const Lane any{.revision = {}, .replica = replica.id};
  const Lane own{.revision = replica.revision->id, .replica = replica.id};
  return app.queue.size(any) + app.queue.size(own) > 0;
}

bool would_serve(const World& world, const App& app, const Replica& replica) {
  const std::vector<Lane> lanes = app.queue.lanes();
  return std::any_of(lanes.begin(), lanes.end(), [&](const Lane& lane) {
    const bool is_of_another =
        lane.replica && lane.replica != replica.id && find_replica(world, lane.replica) != nullptr;
    return !is_of_another && revision_of(app, lane) == replica.revision->id &&
           app.queue.size(lane) > 0;
  });
}

const Replica* find_coming(const World& world, const App& app) {
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.state != State::Ready && replica.state != State::Draining &&
        !is_parked_and_unwanted(replica))
      return &replica;
  }
  return nullptr;
}

// As far as one replica knows it.
std::string waits_for(const World& world, const App& app) {
  if (const Replica* replica = find_coming(world, app)) {
    return "replica " + model::to_text(replica->id) + " is " +
           std::string(to_text(replica->state)) + " (" + replica->reason + ")";
  }
  const bool is_any_ready =
      std::any_of(app.replicas.begin(), app.replicas.end(),
                  [&](ReplicaId id) { return world.replicas.at(id).state == State::Ready; });
  if (is_any_ready) return "no ready replica had a free slot";
  return app.queue.wanting() == 0 ? "nothing runs, and low priority starts nothing"
                                  : "no replica could be started yet";
}

}  // namespace kelvin::control
