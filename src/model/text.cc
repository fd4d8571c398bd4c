#include <charconv>

#include "model/ids.h"
#include "model/replica.h"
#include "model/request.h"
#include "model/view.h"

namespace kelvin::model {

namespace {

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t below) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  if (!is_whole || value >= below) return std::nullopt;
  return value;
}

}  // namespace

std::string to_text(ReplicaId id) {
  const std::uint64_t counter = id.value & ((1ULL << kReplicaCounterBits) - 1);
  return "r" + std::to_string(id.value >> kReplicaCounterBits) + "-" + std::to_string(counter);
}

std::string to_text(RequestId id) {
  const std::uint64_t loop = (id.value >> 40) & 0xf;
  const std::uint64_t counter = id.value & ((1ULL << 40) - 1);
  return "q" + std::to_string(id.value >> kRequestCounterBits) + "-" + std::to_string(loop) + "-" +
         std::to_string(counter);
}

std::optional<ReplicaId> parse_replica_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (!text.starts_with('r') || dash == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_number(text.substr(1, dash - 1), 1ULL << (64 - kReplicaCounterBits));
  const auto counter = parse_number(text.substr(dash + 1), 1ULL << kReplicaCounterBits);
  if (!epoch || !counter) return std::nullopt;
  return make_replica_id(*epoch, *counter);
}

std::optional<RequestId> parse_request_id(std::string_view text) {
  const std::size_t first = text.find('-');
  if (!text.starts_with('q') || first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('-', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_number(text.substr(1, first - 1), 1ULL << (64 - kRequestCounterBits));
  const auto loop = parse_number(text.substr(first + 1, second - first - 1), 16);
  const auto counter = parse_number(text.substr(second + 1), 1ULL << 40);
  if (!epoch || !loop || !counter) return std::nullopt;
  return make_request_id(*epoch, *loop, *counter);
}

std::string_view to_text(State s) {
  switch (s) {
    case State::Planned:
      return "planned";
    case State::Fetching:
      return "fetching";
    case State::Starting:
      return "starting";
    case State::Loading:
      return "loading";
    case State::Ready:
      return "ready";
    case State::Parking:
      return "parking";
    case State::Parked:
      return "parked";
    case State::Resuming:
      return "resuming";
    case State::Draining:
      return "draining";
    case State::Stopping:
      return "stopping";
    case State::Gone:
      return "gone";
  }
  return "?";
}

std::string_view to_text(Phase p) {
  switch (p) {
    case Phase::Queue:
      return "queue";
    case Phase::Fetch:
      return "fetch";
    case Phase::Start:
      return "start";
    case Phase::Load:
      return "load";
    case Phase::Busy:
      return "busy";
    case Phase::Idle:
      return "idle";
    case Phase::Park:
      return "park";
    case Phase::Parked:
      return "parked";
    case Phase::Resume:
      return "resume";
    case Phase::Drain:
      return "drain";
    case Phase::Stop:
      return "stop";
  }
  return "?";
}

std::string_view to_text(Temperature t) {
  switch (t) {
    case Temperature::Hot:
      return "hot";
    case Temperature::Warm:
      return "warm";
    case Temperature::Parked:
      return "parked";
    case Temperature::Cold:
      return "cold";
  }
  return "?";
}

std::string_view to_text(RolloutStage s) {
  switch (s) {
    case RolloutStage::Starting:
      return "starting";
    case RolloutStage::Shifting:
      return "shifting";
    case RolloutStage::Paused:
      return "paused";
    case RolloutStage::RolledBack:
      return "rolled_back";
  }
  return "?";
}

std::string_view to_text(Condition c) {
  switch (c) {
    case Condition::Cold:
      return "cold";
    case Condition::Starting:
      return "starting";
    case Condition::Ready:
      return "ready";
    case Condition::Parked:
      return "parked";
    case Condition::Failing:
      return "failing";
  }
  return "?";
}

std::string_view to_text(Priority p) {
  switch (p) {
    case Priority::High:
      return "high";
    case Priority::Normal:
      return "normal";
    case Priority::Low:
      return "low";
  }
  return "?";
}

Temperature temperature_of(State s, bool is_serving) {
  switch (s) {
    case State::Ready:
      return is_serving ? Temperature::Hot : Temperature::Warm;
    case State::Parking:
      return Temperature::Warm;
    case State::Draining:
      return Temperature::Hot;
    case State::Parked:
    case State::Resuming:
      return Temperature::Parked;
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Stopping:
    case State::Gone:
      return Temperature::Cold;
  }
  return Temperature::Cold;
}

std::string to_text(const Exit& exit) {
  const std::string tail = exit.detail.empty() ? "" : ": " + exit.detail;
  switch (exit.cause) {
    case ExitCause::Stopped:
      return "stopped by the platform" + tail;
    case ExitCause::Exited:
      return "the program exited by itself with status " + std::to_string(exit.code) + tail;
    case ExitCause::Killed:
      return "the program was killed by signal " + std::to_string(exit.code) + tail;
    case ExitCause::OutOfMemory:
      return "out of memory: the kernel killed the program at its memory limit" + tail;
    case ExitCause::LaunchFailed:
      return "the program could not be launched" + tail;
    case ExitCause::NoProgress:
      return "the start made no progress" + tail;
    case ExitCause::Unhealthy:
      return "the replica stopped answering" + tail;
    case ExitCause::NodeLost:
      return "its node is gone" + tail;
    case ExitCause::Unknown:
      return "exit status unknown: it died while nobody watched" + tail;
  }
  return "?";
}

}  // namespace kelvin::model
