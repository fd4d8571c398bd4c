// checker: which promise broke. A failing seed is shrunk to the least that breaks the same one, and a planted bug is
// reported with the one that caught it.
#pragma once

#include <cstdint>
#include <string>

namespace kelvin::sim {

enum class Checker : std::uint8_t {
  None,
  Requests,  // each ends once, reaches a replica at most once, and is known to control while it waits
  Waiting,      // whoever waits has something coming, in time
  Turns,        // keys get turns by weight
  Priority,     // low priority starts nothing
  Routes,       // traffic is split as asked for
  Lives,        // legal moves, orders that fit the state
  Victims,      // nobody with work is parked or stopped
  Limits,       // queue.max, replicas_max, concurrency
  Leases,       // accelerators, memory and slots are held once, and none is lost
  Leaks,        // what runs is known, and what is known runs
  Ledger,       // usage and postings
  Convergence,  // when the faults have stopped, everything heals and cools
  Core,         // a check inside the core ended the program
};

[[nodiscard]] constexpr const char* to_text(Checker checker) {
  switch (checker) {
    case Checker::None:
      return "none";
    case Checker::Requests:
      return "requests";
    case Checker::Waiting:
      return "waiting";
    case Checker::Turns:
      return "turns";
    case Checker::Priority:
      return "priority";
    case Checker::Routes:
      return "routes";
    case Checker::Lives:
      return "lives";
    case Checker::Victims:
      return "victims";
    case Checker::Limits:
      return "limits";
    case Checker::Leases:
      return "leases";
    case Checker::Leaks:
      return "leaks";
    case Checker::Ledger:
      return "ledger";
    case Checker::Convergence:
      return "convergence";
    case Checker::Core:
      return "core";
  }
  return "";
}

}  // namespace kelvin::sim
