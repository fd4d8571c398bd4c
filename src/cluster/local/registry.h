// registry: the processes of the replicas that run, for other threads than the cluster's.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/id.h"
#include "os/process_set.h"

namespace kelvin::cluster::local {

struct Running {
  os::ProcessSet processes;
  std::uint16_t port = 0;
};

// Any thread. A value found may be of a replica that is dead by the time it is used; every use must bear that.
class Registry {
 public:
  void put(ReplicaId replica, Running running) {
    const std::lock_guard lock(mutex_);
    running_.insert_or_assign(replica, std::move(running));
  }
  void erase(ReplicaId replica) {
    const std::lock_guard lock(mutex_);
    running_.erase(replica);
  }
  std::optional<Running> find(ReplicaId replica) const {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(replica);
    if (found == running_.end()) return std::nullopt;
    return found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<ReplicaId, Running> running_;
};

}  // namespace kelvin::cluster::local
