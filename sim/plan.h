// plan: what happens to a seed from outside, drawn before it begins: faults, operators' acts and requests.
//
// Each of them stands by itself with a chance of its own, so that a part of the plan can be played without the rest:
// that is how a failing seed is shrunk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/clients.h"
#include "sim/part.h"
#include "sim/scenario.h"

namespace kelvin::sim {

enum class Fault : std::uint8_t {
  CrashProcess,
  HangProcess,
  LoseNode,
  LoseKeeper,
  CrashPlatform,  // before one of its next effects
  CrashPlatformAndKeeper,
  SlowMessages,  // and with that, out of order between those who send them
  FailStore,     // before it has written anything, or after all of it (torn: the answer is lost)
  RepeatEvents,
  SlowStarts,
  FailStarts,
  JumpClock,
  StallPlatform,  // it gets no processor for a while, and then everything at once
};
[[nodiscard]] const char* to_text(Fault fault);

struct PlannedFault {
  Fault fault = Fault::CrashProcess;
  Duration at{};  // from the beginning of the traffic
  Chance own;     // whom it hits, and for how long
};
struct PlannedAct {
  Duration at{};
  Chance own;  // what is done to which app
};

// A window of an app's schedule opens or closes.
struct PlannedTurn {
  Duration at{};
  std::size_t app = 0;
  std::uint32_t floor = 0;
};

struct Plan {
  std::vector<PlannedFault> faults;
  std::vector<PlannedAct> acts;
  std::vector<PlannedTurn> turns;
  std::vector<Client> clients;  // their arrival counts from the beginning of the traffic too
};

[[nodiscard]] Plan draw_plan(const Scenario& scenario, std::uint64_t seed);
// Only what the part names.
[[nodiscard]] Plan cut(Plan plan, const Part& part);

}  // namespace kelvin::sim
