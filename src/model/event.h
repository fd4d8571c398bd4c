// event: everything control may learn. Facts in the past tense; the outcome of an effect returns only as one of these.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/app.h"
#include "model/kept.h"
#include "model/node.h"
#include "model/replica.h"
#include "model/request.h"

namespace kelvin::model {

// --- from users, through the API -------------------------------------------------------------------------------------

// A revision was stored and takes the app's new requests from here on. Also heals a failing app.
struct RevisionDeployed {
  std::shared_ptr<const Revision> revision;
};
// An older revision takes the app's requests again.
struct RevisionActivated {
  AppId app;
  RevisionId revision;
};
struct AppDeleted {
  AppId app;
};
struct ScaleChanged {
  AppId app;
  std::uint32_t replicas_min = 0;
  std::uint32_t replicas_max = 0;
};
// From here on the app's requests are split like this, whatever is deployed. Empty: the active revision takes all of
// them again. Revisions that exist, each once, percents that sum to 100.
struct TrafficChanged {
  AppId app;
  std::vector<RevisionShare> shares;
};
// What somebody wants of a rollout that is under way.
enum class RolloutWish : std::uint8_t { Pause, Resume, Promote, Abort };
struct RolloutAsked {
  AppId app;
  RolloutWish wish = RolloutWish::Pause;
};
// A window of the app's schedule has opened or closed, or the schedule has just been taken up; see FollowSchedule.
struct ScheduleChanged {
  AppId app;
  ScheduledFloor floor;
};
struct ParkAsked {  // park every idle replica of the app now
  AppId app;
};
struct WakeAsked {  // have one ready replica, as if a request waited
  AppId app;
};

// The platform is asked to end (SIGTERM): everything that waits is refused (503, code "shutting_down"), so is new Demand;
// starts are abandoned, ready replicas drained and stopped, parked ones stopped, nothing is started any more.
struct ShutdownAsked {};

// --- from the gateway ------------------------------------------------------------------------------------------------

// A request found no free slot and waits. `loop` is the gateway loop that holds its connection.
struct Demand {
  RequestId request;
  AppId app;
  std::uint32_t loop = 0;
  KeyId key;  // 0: no key; fairness is between keys
  std::uint32_t key_weight = 1;
  Priority priority = Priority::Normal;
  Instant arrived;
  Instant deadline =
      Instant::never();      // its client's own bound on the wait; queue.wait holds as well
  ReplicaId wanted_replica;  // 0: any. Woken for it where parked; else any will do
  RevisionId revision;       // 0: whichever serves; else the one its share of the traffic fell on
  std::optional<std::uint64_t> affinity =
      std::nullopt;  // hash of what the app's affinity rule names
};
// A waiting request's client has left.
struct RequestLeft {
  RequestId request;
};
// A waiting request's client would like to know what it waits for. Answered by TellProgress while it waits.
struct ProgressAsked {
  RequestId request;
  std::uint32_t loop = 0;
};
// A slot of this replica was given back while requests of its app wait.
struct SlotFree {
  ReplicaId replica;
};
enum class HandoverProblem : std::uint8_t {
  NoSlot,  // the slot word was full or closed; the request still waits and goes back to its place in the queue
  ClientLeft,  // the request has ended; its slot was given back
};
struct HandoverRefused {
  RequestId request;
  ReplicaId replica;
  HandoverProblem problem = HandoverProblem::NoSlot;
};
struct BusyEntry {
  ReplicaId replica;
  std::vector<Span> spans;  // disjoint, ascending; requests still running are cut at complete_up_to
  std::uint32_t most = 0;   // requests at once, those of low priority left out
  Duration request_time{};  // sum over requests, overlaps counted: the integral of in-flight
  Duration
      low_time{};  // the part of it that requests of low priority took: it calls for no replica
  std::uint32_t answered = 0;  // replies whose head came from the replica
  std::uint32_t failed =
      0;  // those of 5xx, and requests whose reply the replica broke off or never began
  std::uint32_t unanswered = 0;  // the failed ones without a head
};
// All work of one gateway loop between its last report and `complete_up_to`.
struct BusyMeasured {
  std::uint32_t loop = 0;
  Instant complete_up_to;
  std::vector<BusyEntry> entries;
};
enum class Suspicion : std::uint8_t { ConnectFailed, BrokenReply, FirstByteTimeout, AliveFailed };
struct ReplicaSuspected {
  ReplicaId replica;
  Suspicion suspicion = Suspicion::ConnectFailed;
  std::string detail;
};
// Every loop has closed its idle connections to this replica.
struct ConnectionsClosed {
  ReplicaId replica;
};

// --- from the slot table, through the shell --------------------------------------------------------------------------

// Outcome of CloseSlots.
struct SlotsClosed {
  ReplicaId replica;
  bool is_closed = false;  // false: it had work, or was used after `idle_since`; it stays open
  std::uint32_t in_flight = 0;
  Instant last_used;  // when its last slot was given back; 0: never
};
// The last slot of a closed word was given back.
struct SlotsDrained {
  ReplicaId replica;
};

// --- from the cluster ------------------------------------------------------------------------------------------------

struct NodeChanged {
  Node node;
};
struct ReplicaMoved {
  ReplicaId replica;
  State to = State::Gone;
  std::uint16_t port = 0;    // from Loading on
  std::int32_t pid = 0;      // from Loading on
  std::optional<Exit> exit;  // with Gone
};
// Resume or Park did not work; the replica is where it was. `what` says why.
struct MoveFailed {
  ReplicaId replica;
  State tried = State::Parked;
  std::string what;
};
enum class Progress : std::uint8_t {
  Strong,  // bytes read, memory grown by 1 %, another readiness status, a log line not seen before when digits are ignored
  Weak,    // processor time, repeated lines
};
struct ReplicaProgressed {
  ReplicaId replica;
  Progress progress = Progress::Strong;
  std::string what;  // "memory grew to 212 MiB"
};

// --- recovery and time -----------------------------------------------------------------------------------------------

// At start, before anything else: what the store knows ...
struct RevisionRestored {
  std::shared_ptr<const Revision> revision;
  bool is_active = false;
};
struct RolloutRestored {
  AppId app;
  Rollout rollout;
};
// ... what an earlier platform process hands over: every replica that its control knew, and every line of its meter ...
struct ReplicaKept {
  KeptReplica replica;
};
struct MeterLineKept {
  MeterLine line;
};
// ... and what runs on the nodes. State is Loading, Ready or Parked; slots of Ready ones are to be opened afresh.
struct ReplicaFound {
  ReplicaId replica;
  RevisionId revision;
  State state = State::Ready;
  Lease lease;
  std::uint32_t slot = 0;
  std::uint16_t port = 0;
  std::int32_t pid = 0;
  Instant created;
  std::uint64_t usage_sequence = 0;  // first free one
};
struct RecoveryFinished {};
// A data plane in another process has ended, with these loops; its slots have been given back.
struct DataPlaneLeft {
  std::uint32_t first_loop = 0;
  std::uint32_t loops = 0;
};
// The moment that next_deadline named has come.
struct Tick {};

using Event =
    std::variant<RevisionDeployed, RevisionActivated, AppDeleted, ScaleChanged, TrafficChanged,
                 ScheduleChanged, RolloutAsked, ParkAsked, WakeAsked, ShutdownAsked, Demand,
                 RequestLeft, ProgressAsked, SlotFree, HandoverRefused, BusyMeasured,
                 ReplicaSuspected, ConnectionsClosed, SlotsClosed, SlotsDrained, NodeChanged,
                 ReplicaMoved, MoveFailed, ReplicaProgressed, RevisionRestored, RolloutRestored,
                 ReplicaKept, MeterLineKept, ReplicaFound, RecoveryFinished, DataPlaneLeft, Tick>;

}  // namespace kelvin::model
