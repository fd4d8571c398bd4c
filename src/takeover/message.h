// message: everything that two platform processes say to each other during an upgrade.
//
//   fresh                              running
//   Hello                       ->                        I speak these versions; nothing is touched yet
//                               <-     kept..., Handed    lock, store and keeper are yours
//   Serving                     ->                        I accept; or Failed, and all goes back
//   orders of DataPlane         ->
//                               <-     events of Control, connections of the management API, Draining, Ended
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/effect.h"
#include "model/event.h"
#include "model/key.h"
#include "os/slot_table.h"

namespace kelvin::takeover {

// Grows with every change of what a message holds; both sides must speak the same one.
constexpr std::uint32_t kProtocolVersion = 4;

// --- from the process that takes over --------------------------------------------------------------------------------

struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  std::uint32_t keeper_protocol = 0;
  std::uint32_t schema = 0;  // of the store: what it writes; it reads every older one
  std::string version;
};
// It has control and takes connections.
struct Serving {
  std::uint64_t epoch = 0;
};
// It could not, has let go of everything, and ends.
struct Failed {
  std::string why;
};
// Let running requests end within this time, then end.
struct EndAsked {
  Duration within{};
};
struct KeysChanged {
  std::vector<model::Key> keys;
};

// --- from the process that had control -------------------------------------------------------------------------------

// Everything is let go of. Follows all ReplicaKept and MeterLineKept.
struct Handed {
  os::SlotSide side = os::SlotSide::First;  // of the sender
  std::uint32_t loops = 0;                  // of the sender's gateway
  std::int32_t pid = 0;                     // of the sender
  std::string version;                      // of the sender
};
// A connection whose next request is for management; its descriptor travels beside it.
struct ManagementTaken {
  std::string received;
};
// How far it is.
struct Draining {
  std::uint32_t connections = 0;
};
// Its last connection has ended and its last BusyMeasured was sent.
struct Ended {};

using Message = std::variant<
    Hello, Serving, Failed, EndAsked, KeysChanged, Handed, ManagementTaken, Draining, Ended,
    model::ReplicaKept, model::MeterLineKept, model::Demand, model::RequestLeft, model::SlotFree,
    model::HandoverRefused, model::BusyMeasured, model::ReplicaSuspected, model::ConnectionsClosed,
    model::SlotsDrained, model::RouteChanged, model::Handover, model::RefuseRequest,
    model::CloseConnections, model::AskBusy, model::ProgressAsked, model::TellProgress>;

// Absent for what does not come from a data plane: the process that takes over finds that out anew.
[[nodiscard]] std::optional<Message> as_message(model::Event event);

}  // namespace kelvin::takeover
