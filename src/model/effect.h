// effect: everything control may want done. Imperatives; carried out by the shell in the order given.
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
#include "model/replica.h"
#include "model/route.h"
#include "model/usage.h"
#include "model/view.h"

namespace kelvin::model {

// --- to the cluster; answered by ReplicaMoved, MoveFailed, ReplicaProgressed ------------------------------------------

// Answered by ReplicaMoved to Fetching (where content is missing), Starting, Loading, Ready; Gone at any point.
struct StartReplica {
  ReplicaId replica;
  std::shared_ptr<const Revision> revision;
  Lease lease;
  std::uint32_t slot = 0;
};
struct ParkReplica {  // answered by ReplicaMoved to Parked, or MoveFailed
  ReplicaId replica;
};
struct ResumeReplica {  // answered by ReplicaMoved to Ready, or MoveFailed
  ReplicaId replica;
};
// Answered by ReplicaMoved to Gone with `cause` (the exit status is added). SIGTERM, after `grace` SIGKILL for the
// whole cgroup; a grace of 0 kills at once.
struct StopReplica {
  ReplicaId replica;
  ExitCause cause = ExitCause::Stopped;
  std::string why;
  Duration grace = 10s;
};

// --- to the slot table; carried out at once --------------------------------------------------------------------------

// The word becomes {open, generation, 0 in flight}.
struct OpenSlots {
  ReplicaId replica;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
};
// Answered by SlotsClosed in the same breath. To park: closes only where nothing is in flight and the last slot was
// given back at `idle_since` or before. To stop: closes at any count; SlotsDrained follows when it is not yet 0.
enum class ClosePurpose : std::uint8_t { Park, Stop };
struct CloseSlots {
  ReplicaId replica;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  ClosePurpose purpose = ClosePurpose::Park;
  Instant idle_since;
};

// --- to the gateway --------------------------------------------------------------------------------------------------

struct RouteChanged {
  Route route;
};
// Close idle connections to this replica in every loop; answered by ConnectionsClosed.
struct CloseConnections {
  ReplicaId replica;
};
struct StageTime {
  Phase phase = Phase::Queue;
  Duration time{};
};
// The shell takes a slot first; where none is free it answers HandoverRefused{NoSlot} in the same breath.
struct Handover {
  RequestId request;
  std::uint32_t loop = 0;
  RouteReplica replica;
  Temperature woke_from = Temperature::Warm;  // what the request waited for; Warm: only for a slot
  std::vector<StageTime> stages;              // where its waiting went, in order
};
struct RefuseRequest {
  RequestId request;
  std::uint32_t loop = 0;
  Refusal refusal;
};
// Answer to ProgressAsked: what the request waits for at this moment.
struct TellProgress {
  RequestId request;
  std::uint32_t loop = 0;
  std::string sentence;
};
// Ask every loop for a BusyMeasured up to the present.
struct AskBusy {};

// --- to the wall clock -----------------------------------------------------------------------------------------------

// Says by ScheduleChanged what these rules keep warm, at once and whenever that changes. None: no more.
struct FollowSchedule {
  AppId app;
  std::vector<ScheduleRule> rules;
};

// --- to the store and the decision log -------------------------------------------------------------------------------

// What is known of the app's rollout, in place of what was; nothing: there is none. One that was rolled back makes `from`
// the active revision, unless another one than `to` is by then.
struct KeepRollout {
  AppId app;
  std::optional<Rollout> rollout;
};
struct AppendUsage {
  UsageBatch batch;
};
struct RecordDecision {
  Decision decision;
};

using Effect =
    std::variant<StartReplica, ParkReplica, ResumeReplica, StopReplica, OpenSlots, CloseSlots,
                 RouteChanged, CloseConnections, Handover, RefuseRequest, TellProgress, AskBusy,
                 FollowSchedule, KeepRollout, AppendUsage, RecordDecision>;
using Effects = std::vector<Effect>;

}  // namespace kelvin::model
