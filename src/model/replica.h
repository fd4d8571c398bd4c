// replica: one running copy of a revision, and the one table of its life.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/time.h"

namespace kelvin::model {

enum class State : std::uint8_t {
  Planned,
  Fetching,
  Starting,
  Loading,
  Ready,
  Parking,
  Parked,
  Resuming,
  Draining,
  Stopping,
  Gone
};
constexpr std::array kStates = {State::Planned,  State::Fetching, State::Starting, State::Loading,
                                State::Ready,    State::Parking,  State::Parked,   State::Resuming,
                                State::Draining, State::Stopping, State::Gone};

enum class Phase : std::uint8_t {
  Queue,
  Fetch,
  Start,
  Load,
  Busy,
  Idle,
  Park,
  Parked,
  Resume,
  Drain,
  Stop
};
enum class Temperature : std::uint8_t { Hot, Warm, Parked, Cold };

constexpr bool can_move(State from, State to) {
  if (to == State::Gone) return from != State::Gone;
  switch (from) {
    case State::Planned:
      return to == State::Fetching || to == State::Starting;
    case State::Fetching:
      return to == State::Starting || to == State::Stopping;
    case State::Starting:
      return to == State::Loading || to == State::Stopping;
    case State::Loading:
      return to == State::Ready || to == State::Stopping;
    case State::Ready:
      return to == State::Parking || to == State::Draining;
    case State::Parking:
      return to == State::Parked || to == State::Ready || to == State::Stopping;
    case State::Parked:
      return to == State::Resuming || to == State::Stopping;
    case State::Resuming:
      return to == State::Ready || to == State::Parked || to == State::Stopping;
    case State::Draining:
      return to == State::Stopping;
    case State::Stopping:
      return false;
    case State::Gone:
      return false;
  }
  return false;
}
static_assert(!can_move(State::Draining, State::Ready), "a draining replica takes no new work");
static_assert(!can_move(State::Ready, State::Stopping),
              "a ready replica is drained before it is stopped");
static_assert(!can_move(State::Parked, State::Ready),
              "a parked replica takes its lease before it serves");
static_assert(!can_move(State::Stopping, State::Ready) && !can_move(State::Gone, State::Planned),
              "death is final");

// A lease holds accelerators from Starting to Gone, but not while parked.
constexpr bool holds_lease(State s) {
  switch (s) {
    case State::Starting:
    case State::Loading:
    case State::Ready:
    case State::Parking:
    case State::Resuming:
    case State::Draining:
    case State::Stopping:
      return true;
    case State::Planned:
    case State::Fetching:
    case State::Parked:
    case State::Gone:
      return false;
  }
  return false;
}

// The usage phase of a replica in this state; Ready and Draining are split into busy and the rest by the meter.
constexpr Phase phase_of(State s) {
  switch (s) {
    case State::Planned:
      return Phase::Queue;
    case State::Fetching:
      return Phase::Fetch;
    case State::Starting:
      return Phase::Start;
    case State::Loading:
      return Phase::Load;
    case State::Ready:
      return Phase::Idle;
    case State::Parking:
      return Phase::Park;
    case State::Parked:
      return Phase::Parked;
    case State::Resuming:
      return Phase::Resume;
    case State::Draining:
      return Phase::Drain;
    case State::Stopping:
      return Phase::Stop;
    case State::Gone:
      return Phase::Stop;
  }
  return Phase::Stop;
}

// Why a process is dead, as far as anybody knows.
enum class ExitCause : std::uint8_t {
  Stopped,       // we asked it to stop
  Exited,        // by itself; `code` is its status
  Killed,        // by a signal nobody of us sent; `code` is the signal
  OutOfMemory,   // the kernel killed it for memory
  LaunchFailed,  // the process could not be made; `detail` says why
  NoProgress,    // we killed it: nothing moved for start.progress
  Unhealthy,     // we killed it: it stopped answering
  NodeLost,      // its machine is gone
  Unknown,       // it died while nobody watched: "exit status unknown"
};

struct Exit {
  ExitCause cause = ExitCause::Unknown;
  int code = 0;
  std::string detail;  // may be empty
};

// What a replica occupies on its node.
struct Lease {
  NodeId node;
  std::string kind = "cpu";
  std::vector<std::uint32_t> accelerators;  // indices on the node, ascending
  Bytes memory;                             // claim on host memory
};

std::string_view to_text(State s);        // "ready"
std::string_view to_text(Phase p);        // "idle"
std::string_view to_text(Temperature t);  // "warm"
std::string to_text(const Exit& exit);    // "killed for using more than its memory limit"

// Temperature of a replica in this state; `is_serving` separates hot from warm.
Temperature temperature_of(State s, bool is_serving);

}  // namespace kelvin::model
