// demand: requests that found no slot, from their queue to a replica.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"
#include "model/ids.h"

namespace kelvin::control {

using model::Phase;
using model::State;

namespace {

// What a client is told to wait before it tries again, where nothing better is known.
constexpr Duration kRetryAfter = 10s;

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

model::Refusal full_refusal(const App& app) {
  return {.status = 429,
          .code = "queue_full",
          .sentence =
              "the queue of " + app.name + " is full: " + count_words(app.queue.size(), "request") +
              " wait and queue.max is " + std::to_string(app.queue.limit()) + "; try again later",
          .retry_after = kRetryAfter};
}

// What the app's requests wait for, as far as one replica knows it.
std::string waits_for(const World& world, const App& app) {
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.state == State::Ready || replica.state == State::Draining) continue;
    return "replica " + model::to_text(id) + " is " + std::string(to_text(replica.state)) + " (" +
           replica.reason + ")";
  }
  return "no ready replica had a free slot";
}

model::Refusal waited_refusal(const World& world, const App& app, Duration waited) {
  return {.status = 503,
          .code = "queue_wait_over",
          .sentence = "no slot of " + app.name + " came free within " + to_words(waited) +
                      " (queue.wait): " + waits_for(world, app) + "; the start goes on, try again",
          .retry_after = kRetryAfter};
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

// The emptiest ready replica, as far as is known; equal ones by id.
Replica* find_room(World& world, const App& app) {
  Replica* best = nullptr;
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    const bool has_room = replica.state == State::Ready && replica.closing == Closing::None &&
                          replica.free_believed > 0;
    if (has_room && (best == nullptr || replica.free_believed > best->free_believed))
      best = &replica;
  }
  return best;
}

void hand_over(Step& step, App& app, Replica& replica) {
  const queue::Waiting waiting = *app.queue.pop();
  step.world.waiting.erase(waiting.request);
  step.world.offered.insert_or_assign(waiting.request, Offered{app.id, waiting});
  replica.free_believed -= 1;
  replica.idle_since = step.now;
  replica.is_serving = true;
  const bool waited_for_it = waiting.arrived < replica.ready_since;
  const model::Temperature woke_from = waited_for_it ? replica.woke_from : model::Temperature::Warm;
  step.emit(model::Handover{.request = waiting.request,
                            .loop = waiting.loop,
                            .replica = {.id = replica.id,
                                        .revision = replica.revision->id,
                                        .slot = replica.slot,
                                        .generation = replica.generation,
                                        .slots = slots_of(replica),
                                        .port = replica.port},
                            .woke_from = woke_from,
                            .stages = stages_of(replica, waiting.arrived, step.now)});
  decide(step, {app.id, replica.id, waiting.request}, "serve",
         "given to " + model::to_text(replica.id) + " after waiting " +
             to_words(step.now - waiting.arrived) + " (it was " + std::string(to_text(woke_from)) +
             ")");
}

void dispatch(Step& step, App& app) {
  while (!app.queue.is_empty()) {
    Replica* replica = find_room(step.world, app);
    if (replica == nullptr) return;
    hand_over(step, app, *replica);
  }
}

void enqueue(Step& step, App& app, const model::Demand& event) {
  const Duration wait = serving_spec(app).queue.wait;
  const bool is_in = app.queue.try_push({.request = event.request,
                                         .key = event.key,
                                         .loop = event.loop,
                                         .arrived = event.arrived,
                                         .deadline = event.arrived + wait});
  if (!is_in) {
    refuse(step, {app.id, {}, event.request}, event.loop, full_refusal(app));
    return;
  }
  step.world.waiting.emplace(event.request, app.id);
  const Census census = take_census(step.world, app);
  decide(step, {app.id, {}, event.request}, "queue",
         "waits at place " + std::to_string(app.queue.size()) + ": " +
             std::to_string(census.ready) + " ready, " + std::to_string(census.coming) +
             " on the way, " + std::to_string(census.parked) + " parked");
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
    refuse(step, {app.id, {}, waiting.request}, waiting.loop,
           waited_refusal(step.world, app, step.now - waiting.arrived));
  }
  serve_queue(step, app);
}

void serve_queue(Step& step, App& app) {
  dispatch(step, app);
  ensure_capacity(step, app);
  set_queue_timer(step, app);
}

void refuse_waiting(Step& step, App& app, const model::Refusal& refusal) {
  for (const queue::Waiting& waiting : app.queue.take_all()) {
    step.world.waiting.erase(waiting.request);
    refuse(step, {app.id, {}, waiting.request}, waiting.loop, refusal);
  }
  set_queue_timer(step, app);
}

}  // namespace kelvin::control
