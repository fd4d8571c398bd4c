// timers: what the world wants to be woken for; one moment per purpose and subject.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"

namespace kelvin::control {

enum class Alarm : std::uint8_t {
  StartMoves,   // replica: a start, park or resume must have moved by then
  PlanDue,      // replica: its start may be placed (after back-off, or when the storm limit allows)
  Cool,         // replica: its next step down is due
  DrainEnds,    // replica: it stopped answering and has had its time to drain
  StopRepeats,  // replica: it should be gone by then
  Proven,       // replica: ready long enough to clear the failure budget
  QueueWait,    // app: the next request's wait ends
  Retry,        // app: back-off is over, and something other than a request wants a replica
  RolloutStep,  // app: the present step of its rollout is to be judged
  Placement,    // everybody who waits for a lease: an idle replica may be cooled by then
};

class Timers {
 public:
  struct Key {
    Alarm alarm = Alarm::Cool;
    std::uint64_t subject = 0;  // id of the replica or app; 0 for the world
    auto operator<=>(const Key&) const = default;
  };

  // Replaces what was set for the key; never() clears it.
  void set(Key key, Instant at) {
    clear(key);
    if (at == Instant::never()) return;
    moments_.emplace(key, at);
    order_.emplace(at, key);
  }

  void clear(Key key) {
    const auto found = moments_.find(key);
    if (found == moments_.end()) return;
    order_.erase({found->second, key});
    moments_.erase(found);
  }

  [[nodiscard]] bool is_set(Key key) const { return moments_.contains(key); }

  [[nodiscard]] std::optional<Instant> find(Key key) const {
    const auto found = moments_.find(key);
    if (found == moments_.end()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] Instant next() const {
    return order_.empty() ? Instant::never() : order_.begin()->first;
  }

  // Clears and returns what is due, earliest first.
  [[nodiscard]] std::vector<Key> take_due(Instant now) {
    std::vector<Key> due;
    while (!order_.empty() && order_.begin()->first <= now) {
      due.push_back(order_.begin()->second);
      clear(due.back());
    }
    return due;
  }

 private:
  std::map<Key, Instant> moments_;
  std::set<std::pair<Instant, Key>> order_;
};

}  // namespace kelvin::control
