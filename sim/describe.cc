#include "sim/describe.h"

#include "model/ids.h"
#include "model/replica.h"

namespace kelvin::sim {

namespace {

using namespace model;

std::string text(ReplicaId id) { return to_text(id); }
std::string text(RequestId id) { return to_text(id); }
std::string text(AppId id) { return "app-id " + std::to_string(id.value); }

std::string say(const RevisionDeployed& e) {
  return "RevisionDeployed " + e.revision->spec.name + "@" + std::to_string(e.revision->number);
}
std::string say(const RevisionActivated& e) { return "RevisionActivated " + text(e.app); }
std::string say(const AppDeleted& e) { return "AppDeleted " + text(e.app); }
std::string say(const ScaleChanged& e) {
  return "ScaleChanged " + text(e.app) + " " + std::to_string(e.replicas_min) + ".." +
         std::to_string(e.replicas_max);
}
std::string say(const TrafficChanged& e) {
  std::string shares;
  for (const RevisionShare& share : e.shares) {
    shares += " revision-id " + std::to_string(share.revision.value) + ": " +
              std::to_string(share.percent) + " %";
  }
  return "TrafficChanged " + text(e.app) + shares;
}
std::string say(const RolloutAsked& e) {
  return "RolloutAsked " + text(e.app) + " " + std::to_string(static_cast<int>(e.wish));
}
std::string say(const RolloutRestored& e) {
  return "RolloutRestored " + text(e.app) + " " + std::string(to_text(e.rollout.stage));
}
std::string say(const ScheduleChanged& e) {
  return "ScheduleChanged " + text(e.app) + " " + std::to_string(e.floor.replicas_min);
}
std::string say(const ParkAsked& e) { return "ParkAsked " + text(e.app); }
std::string say(const WakeAsked& e) { return "WakeAsked " + text(e.app); }
std::string say(const ShutdownAsked&) { return "ShutdownAsked"; }
std::string say(const Demand& e) {
  return "Demand " + text(e.request) + " " + text(e.app) + " " + std::string(to_text(e.priority)) +
         (e.wanted_replica ? " for " + text(e.wanted_replica) : "");
}
std::string say(const RequestLeft& e) { return "RequestLeft " + text(e.request); }
std::string say(const ProgressAsked& e) { return "ProgressAsked " + text(e.request); }
std::string say(const SlotFree& e) { return "SlotFree " + text(e.replica); }
std::string say(const HandoverRefused& e) {
  return "HandoverRefused " + text(e.request) +
         (e.problem == HandoverProblem::NoSlot ? " no slot" : " client left");
}
std::string say(const BusyMeasured& e) {
  return "BusyMeasured loop " + std::to_string(e.loop) + ", " + std::to_string(e.entries.size()) +
         " replicas";
}
std::string say(const ReplicaSuspected& e) {
  return "ReplicaSuspected " + text(e.replica) + " " + e.detail;
}
std::string say(const ConnectionsClosed& e) { return "ConnectionsClosed " + text(e.replica); }
std::string say(const SlotsClosed& e) {
  return "SlotsClosed " + text(e.replica) + (e.is_closed ? " closed, " : " open, ") +
         std::to_string(e.in_flight);
}
std::string say(const SlotsDrained& e) { return "SlotsDrained " + text(e.replica); }
std::string say(const NodeChanged& e) {
  return "NodeChanged " + e.node.name + (e.node.is_up ? " up" : " down");
}
std::string say(const ReplicaMoved& e) {
  return "ReplicaMoved " + text(e.replica) + " " + std::string(to_text(e.to)) +
         (e.exit ? ": " + to_text(*e.exit) : "");
}
std::string say(const MoveFailed& e) { return "MoveFailed " + text(e.replica) + " " + e.what; }
std::string say(const ReplicaProgressed& e) { return "ReplicaProgressed " + text(e.replica); }
std::string say(const RevisionRestored& e) { return "RevisionRestored " + e.revision->spec.name; }
std::string say(const ReplicaKept& e) {
  return "ReplicaKept " + text(e.replica.replica) + " " + std::string(to_text(e.replica.state));
}
std::string say(const MeterLineKept& e) { return "MeterLineKept " + text(e.line.facts.replica); }
std::string say(const DataPlaneLeft& e) {
  return "DataPlaneLeft from loop " + std::to_string(e.first_loop);
}
std::string say(const ReplicaFound& e) {
  return "ReplicaFound " + text(e.replica) + " " + std::string(to_text(e.state));
}
std::string say(const RecoveryFinished&) { return "RecoveryFinished"; }
std::string say(const Tick&) { return "Tick"; }

std::string say(const StartReplica& e) {
  return "StartReplica " + text(e.replica) + " of " + e.revision->spec.name + " on n" +
         std::to_string(e.lease.node.value) + ", " + std::to_string(e.lease.accelerators.size()) +
         " " + e.lease.kind;
}
std::string say(const ParkReplica& e) { return "ParkReplica " + text(e.replica); }
std::string say(const ResumeReplica& e) { return "ResumeReplica " + text(e.replica); }
std::string say(const StopReplica& e) { return "StopReplica " + text(e.replica) + ": " + e.why; }
std::string say(const OpenSlots& e) {
  return "OpenSlots " + text(e.replica) + " g" + std::to_string(e.generation);
}
std::string say(const CloseSlots& e) {
  return "CloseSlots " + text(e.replica) +
         (e.purpose == ClosePurpose::Park ? " to park" : " to stop");
}
std::string say(const RouteChanged& e) {
  return "RouteChanged " + e.route.name + ", " + std::to_string(e.route.replicas.size()) +
         " replicas" + (e.route.is_gone ? ", gone" : "");
}
std::string say(const CloseConnections& e) { return "CloseConnections " + text(e.replica); }
std::string say(const Handover& e) {
  return "Handover " + text(e.request) + " to " + text(e.replica.id);
}
std::string say(const RefuseRequest& e) {
  return "RefuseRequest " + text(e.request) + " " + e.refusal.code;
}
std::string say(const TellProgress& e) {
  return "TellProgress " + text(e.request) + " " + e.sentence;
}
std::string say(const AskBusy&) { return "AskBusy"; }
std::string say(const KeepRollout& e) {
  return "KeepRollout " + text(e.app) + " " +
         (e.rollout ? std::string(to_text(e.rollout->stage)) : "none");
}
std::string say(const FollowSchedule& e) {
  return "FollowSchedule " + text(e.app) + ", " + std::to_string(e.rules.size()) + " rules";
}
std::string say(const AppendUsage& e) {
  return "AppendUsage " + std::to_string(e.batch.rows.size()) + " rows";
}
std::string say(const RecordDecision& e) {
  return "decision " + e.decision.verb + ": " + e.decision.sentence;
}

}  // namespace

std::string describe(const Event& event) {
  return std::visit([](const auto& one) { return "> " + say(one); }, event);
}

std::string describe(const Effect& effect) {
  return std::visit([](const auto& one) { return "  < " + say(one); }, effect);
}

}  // namespace kelvin::sim
