// steps: what changes the world, by concern. Every function belongs to one .cc file of this folder.
//
// An event enters through one `on` overload. What one concern asks of another goes through the
// verbs below; nothing else crosses files. Pointers and references into World stay valid except to
// what a function says it removes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/control/world.h"

namespace kelvin::control {

// One call of step(): the world, the moment, and the effects so far.
struct Step {
  World& world;
  Instant now;
  model::Effects effects;

  template <class Effect>
  void emit(Effect effect) {
    effects.emplace_back(std::move(effect));
  }
};

// --- world.cc: looking things up, moving replicas, saying why ------------------------------------

App* find_app(World& world, AppId id);
const App* find_app(const World& world, AppId id);
Replica* find_replica(World& world, ReplicaId id);
const Replica* find_replica(const World& world, ReplicaId id);
RevisionRecord& record_at(App& app, RevisionId id);
const RevisionRecord& record_at(const App& app, RevisionId id);

// The revision that requests are served by: the fallback while there is one; the one with the
// largest share where the traffic is split.
RevisionId serving_revision(const App& app);
const model::AppSpec& serving_spec(const App& app);
// All that take requests, the one above first. Each has replicas, `min` and `max` of its own.
std::vector<RevisionId> serving_revisions(const App& app);
// The part of the app's load that is this revision's, from 0 to 1.
double share_of(const App& app, RevisionId revision);
std::uint32_t slots_of(const Replica& replica);
// What `max` allows; 1 for an app with a fixed port.
std::uint32_t most_replicas(const App& app);
// That `min` or the schedule keeps warm, whichever is more; `max` may still be less.
std::uint32_t least_replicas(const App& app);
// "min is 2", or what the schedule says where that is more.
std::string least_words(const App& app);
bool is_serving_revision(const App& app, RevisionId revision);

// Replicas of one revision, by what they are to a request.
struct Census {
  std::uint32_t ready = 0;
  std::uint32_t closing = 0;  // of them, those that cool unless a request comes first
  std::uint32_t coming =
      0;  // Planned to Loading, Resuming, waiting to resume, or parking and to wake again
  std::uint32_t parked = 0;  // Parked or Parking without being wanted
  std::uint32_t leased = 0;  // count against max: hold a lease, or will
  std::uint64_t promised =
      0;  // slots that `coming` will bring and that ready ones are believed to have free
};
Census take_census(const World& world, const App& app, RevisionId revision);

bool has_ready(const World& world, const App& app, RevisionId revision);
bool may_start_things(const World& world);
bool is_parked_and_unwanted(const Replica& replica);

struct Subject {
  AppId app;
  ReplicaId replica;
  RequestId request;
};
inline Subject about(const App& app) { return {.app = app.id}; }
inline Subject about(const Replica& replica) { return {.app = replica.app, .replica = replica.id}; }
void decide(Step& step, const Subject& subject, std::string_view verb, std::string sentence);

// Our own transition; an illegal one ends the program.
void move(Step& step, Replica& replica, model::State to, std::string reason);
// Parking, Parked or Resuming: it can be had back without a start.
bool is_waking_or_parked(model::State state);
// Emits the app's route as it is.
void publish_route(Step& step, const App& app);
void give_back_accelerators(Step& step, Replica& replica);
// Takes the replica out of every collection. `replica` is gone afterwards.
void forget_replica(Step& step, Replica& replica);

// --- demand.cc: requests that wait ---------------------------------------------------------------

void on(Step& step, const model::Demand& event);
void on(Step& step, const model::RequestLeft& event);
void on(Step& step, const model::SlotFree& event);
void on(Step& step, const model::HandoverRefused& event);
void on_queue_wait_over(Step& step, App& app);

// Hands waiting requests to replicas with room, and sees to it that enough replicas are on their
// way.
void serve_queue(Step& step, App& app);
void refuse_waiting(Step& step, App& app, const model::Refusal& refusal);
// Only those whom this revision would serve.
void refuse_waiting_for(Step& step, App& app, RevisionId revision, const model::Refusal& refusal);
// How many of them there are, and how many of those may be a reason for a replica.
struct WaitingFor {
  std::size_t all = 0;
  std::size_t wanting = 0;
};
WaitingFor count_waiting_for(const App& app, RevisionId revision);
// The first replica that is neither ready, nor draining, nor parked for good: most often on its way up. Null: none is.
const Replica* find_coming(const World& world, const App& app);
// What the app's requests wait for, in plain English.
std::string waits_for(const World& world, const App& app);
// Some of them wait for this very replica, which is on its way.
bool is_waited_for(const App& app, const Replica& replica);
// Some of them would be given to this replica if it had room.
bool would_serve(const World& world, const App& app, const Replica& replica);

// --- outlook.cc: how long it will take -----------------------------------------------------------

// Until a slot of the revision is there, where none is ready.
Duration expected_wake(const World& world, const App& app, RevisionId revision, Instant now);
// Until the one in this place of the queue has a slot; nothing where nothing was measured that would tell.
std::optional<Duration> expected_wait(const World& world, const App& app, std::size_t place,
                                      Instant now);
// What a client of this revision that is turned away is told to wait.
Duration retry_after_of(const Step& step, const App& app, RevisionId revision);

// --- progress.cc: what a client that waits is told ------------------------------------------------

void on(Step& step, const model::ProgressAsked& event);

// --- capacity.cc: how many replicas --------------------------------------------------------------

// Starts or resumes for whoever waits; gives up what nobody wants any more; refuses where nothing
// can be started.
void ensure_capacity(Step& step, App& app);
void ensure_minimum(Step& step, App& app);
void ensure_floor(Step& step, App& app);
// What a report tells of a revision's work.
struct WorkPeak {
  std::uint64_t requests = 0;  // at once
  Span span{Instant::never(), {}};
};
// What that calls for is remembered, see warmth::Levels.
void note_peak(Step& step, RevisionId id, const WorkPeak& work);
// With so many ready, fewer slots are free than the app's urgency asks for: only where a second of
// waiting is worth ten of a replica or more.
bool lacks_headroom(const Step& step, const App& app, RevisionId id, std::uint32_t ready);
// One more replica of a revision, and why.
struct StartPlan {
  RevisionId revision;
  Purpose purpose = Purpose::Demand;
  std::string why;
};
// The warmest there is, else a start. False where none may be started.
bool wake_one(Step& step, App& app, const StartPlan& plan);
// This one, which is parked or being parked, whatever others there are. False where `max` or its
// state forbids it.
bool wake_replica(Step& step, App& app, Replica& replica, const std::string& why);
// Why nothing can be started now; nothing where it can.
std::optional<model::Refusal> why_no_start(const Step& step, const App& app, RevisionId revision);

// --- schedule.cc: replicas kept warm by the clock on the wall ------------------------------------

void on(Step& step, const model::ScheduleChanged& event);
// The schedule of the active revision is the one that counts from here on.
void follow_schedule(Step& step, App& app);

// --- spares.cc: replicas that the load does not call for ------------------------------------------

// Marks them; true where a mark changed.
bool mark_spares(World& world, const App& app, Instant now);
// Publishes the route where a mark changed.
void renew_spares(Step& step, const App& app);

// --- leases.cc: from the plan to the accelerators ------------------------------------------------

// False where it may not be started now (see why_no_start).
bool plan_start(Step& step, App& app, const StartPlan& plan);
void plan_resume(Step& step, Replica& replica, Purpose purpose, const std::string& why);
// A planned start or resume that has no lease yet is given up. A planned replica is gone
// afterwards.
void give_up_plan(Step& step, Replica& replica, const std::string& why);
void on_plan_due(Step& step, Replica& replica);
// Gives accelerators to those who wait for them, in turn, and cools idle replicas for the rest.
void settle_leases(Step& step);
void on(Step& step, const model::NodeChanged& event);

// --- replicas.cc: what the cluster says about a replica ------------------------------------------

void on(Step& step, const model::ReplicaMoved& event);
void on(Step& step, const model::MoveFailed& event);
void on(Step& step, const model::ReplicaProgressed& event);
void on_start_stuck(Step& step, Replica& replica);
// Opens its slots and lets requests in: Ready after a start or resume, after a park that was called
// off, or adopted.
void open_replica(Step& step, App& app, Replica& replica);
// The same for one whose slot word is open already.
void let_requests_in(Step& step, App& app, Replica& replica);

// --- cooling.cc: step by step down ---------------------------------------------------------------

void on(Step& step, const model::SlotsClosed& event);
void on(Step& step, const model::SlotsDrained& event);
void on(Step& step, const model::ConnectionsClosed& event);
void on_cooling_due(Step& step, Replica& replica);
void arm_cooling(Step& step, const App& app, Replica& replica);
void arm_cooling_of_all(Step& step, const App& app);
warmth::Terms terms_of(const App& app, const Replica& replica);
// The next step down of one that is ready or parked; `world` for the other replicas of its revision.
std::optional<warmth::Step> next_step_of(const World& world, const App& app,
                                         const Replica& replica);
// False for those that `min` or the schedule keeps warm.
bool may_cool(const World& world, const App& app, const Replica& replica);
// Closes its slots if nobody has used them since; SlotsClosed goes on from there.
void try_to_cool(Step& step, Replica& replica, Closing closing, Instant idle_since);
void call_off_parking(Step& step, App& app, Replica& replica);

// --- stopping.cc: draining and stopping ----------------------------------------------------------

struct StopOrder {
  model::ExitCause cause = model::ExitCause::Stopped;
  std::string why;
  Duration grace = 10s;
};
// From any state but Ready (drain it), Stopping and Gone. One that was never started is gone
// afterwards.
void stop_replica(Step& step, Replica& replica, const StopOrder& order);
// From Ready: takes no new work, stops when it has none.
void drain_replica(Step& step, Replica& replica, const std::string& why);
// Whatever its state: drained if it may have work, else stopped. It may be gone afterwards.
void retire_replica(Step& step, Replica& replica, const std::string& why);
void on_drain_over(Step& step, Replica& replica);
void on_stop_overdue(Step& step, Replica& replica);
// Of one that is Stopping, for the cause and reason it has: to the cluster, and repeated when nothing comes of it.
void order_stop(Step& step, const Replica& replica, Duration grace);
// Answered by SlotsClosed with what is still in flight.
void close_for_stop(Step& step, ReplicaId id, SlotKey key);

// --- failures.cc: starts that fail, replicas that die or fall ill --------------------------------

void replica_gone(Step& step, Replica& replica, const model::Exit& exit);
void on(Step& step, const model::ReplicaSuspected& event);
void on_proven(Step& step, Replica& replica);
void prove(Step& step, Replica& replica);
void on_retry_due(Step& step, App& app);
model::Refusal failing_refusal(const App& app, const RevisionRecord& record, Instant now);

// --- deploys.cc: what people ask for; rollouts.cc: from one revision to the next; traffic.cc: several at once

void on(Step& step, const model::RevisionDeployed& event);
void on(Step& step, const model::RevisionActivated& event);
void on(Step& step, const model::AppDeleted& event);
void on(Step& step, const model::ScaleChanged& event);
void on(Step& step, const model::TrafficChanged& event);
void on(Step& step, const model::ParkAsked& event);
void on(Step& step, const model::WakeAsked& event);
void on(Step& step, const model::ShutdownAsked& event);

// Deployed while the traffic is split by hand: it is there, and takes nothing until it is given some.
void add_without_traffic(Step& step, App& app, RevisionId revision);
// The split ends; the revision with the largest share counts as the active one from here on.
void end_split(App& app);
App& ensure_app(Step& step, const std::shared_ptr<const model::Revision>& revision);
// The revision takes the app's requests, at once or when it has a ready replica; a rollout by steps ends.
void activate(Step& step, App& app, RevisionId revision);
// The same, whatever rollout stands there.
void take_over(Step& step, App& app, RevisionId revision);
// Replicas that neither serve nor will.
void retire_others(Step& step, App& app, const std::string& why);
// The active revision has a ready replica: the fallback is drained.
void finish_rollout(Step& step, App& app);
// Some replica is gone: goes on with what a rollout, `min`, waiting requests or a deletion wait
// for. `app` may be gone afterwards.
void replica_left(Step& step, App& app);
void retry_rollout(Step& step, App& app);
// The same, whether anything of the old revision is ready or not: somebody asked.
void wake_rollout(Step& step, App& app);
// The active revision waits for what its own app's fallback holds, and nothing else can be cooled:
// drains a replica of the fallback, if that helps. `future` is the nodes as they will be when
// everything on its way out is gone.
void make_way(Step& step, App& app, const place::Nodes& future, const place::Wish& wish);

// --- shifts.cc: rollouts by steps ----------------------------------------------------------------

void on(Step& step, const model::RolloutAsked& event);
void on(Step& step, const model::RolloutRestored& event);
// One is under way. While it has shares by steps, both revisions have one.
bool is_rolling_out(const App& app);
bool has_shares_by_steps(const App& app);
// The revision was deployed: it takes over by its rule.
void deploy_revision(Step& step, App& app, RevisionId revision);
// The new revision has its first ready replica.
void begin_first_step(Step& step, App& app);
// The new revision takes all requests, whatever step it is in.
void promote(Step& step, App& app);
void roll_back(Step& step, App& app, const std::string& why);
// It is forgotten; while it was under way, the old revision is the fallback from here on.
void drop_rollout(Step& step, App& app);
void note_replies(Step& step, App& app, RevisionId revision, const model::BusyEntry& entry);
// A replica died by itself or stopped answering.
void note_breakdown(Step& step, App& app, RevisionId revision);
void on_rollout_step_due(Step& step, App& app);
// At the end of recovery.
void go_on_with_rollout(Step& step, App& app);

// --- recovery.cc ---------------------------------------------------------------------------------

void on(Step& step, const model::RevisionRestored& event);
void on(Step& step, const model::ReplicaFound& event);
void on(Step& step, const model::RecoveryFinished& event);
// True when it was one: its things are free.
bool stray_gone(Step& step, ReplicaId id);

// --- takeover.cc: from one platform process to the next --------------------------------------------

void on(Step& step, const model::ReplicaKept& event);
void on(Step& step, const model::MeterLineKept& event);
void on(Step& step, const model::DataPlaneLeft& event);
// What the earlier process knew of it; null where it knew nothing, or there was none.
const model::KeptReplica* find_kept(const World& world, ReplicaId id);
// Its slot word stays as it is.
bool has_kept_word(const model::KeptReplica* kept);
// An adopted replica that was Draining or Stopping goes on with that.
void continue_replica(Step& step, Replica& replica, const model::KeptReplica& kept);
// An adopted replica that goes on as it was: the time in which it was idle counts.
void keep_cooling(Step& step, Replica& replica, const model::KeptReplica& kept);
// It is stopped when its last request has ended.
void drain_stray(Step& step, ReplicaId id, Stray& stray);
// True when it was one: it is stopped.
bool stray_drained(Step& step, ReplicaId id);
// At the end of recovery: what was kept and found no replica.
void forget_kept(Step& step);

// --- explain.cc ----------------------------------------------------------------------------------

// What happens to it next by itself, and when; never() where no moment is known.
struct Outlook {
  std::string sentence;
  Instant at = Instant::never();
};
Outlook outlook_of(const World& world, const App& app, const Replica& replica);
// What keeps replicas warm that nobody asks for at the moment, with its numbers.
std::string keeps_words(const App& app);

// --- busy.cc: work done --------------------------------------------------------------------------

void on(Step& step, const model::BusyMeasured& event);
void begin_metering(Step& step, const App& app, Replica& replica, std::uint64_t first_sequence);
void collect_usage(Step& step);

void on(Step& step, const model::Tick& event);

}  // namespace kelvin::control
