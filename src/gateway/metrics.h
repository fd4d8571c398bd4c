// metrics: what the data plane counts about itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace kelvin::gateway {

// A moment's sums over all loops.
struct MetricsSnapshot {
  std::array<std::uint64_t, 6>
      requests_by_class{};  // [n]: finished with status nxx; [0]: the client left first
  std::uint64_t requests_in_flight = 0;  // at a replica
  std::uint64_t requests_waiting = 0;    // for a slot
  std::uint64_t cold_starts = 0;         // requests that waited for a start
  std::uint64_t resumes = 0;             // requests that waited for a parked replica
  std::uint64_t retries = 0;             // tries beyond a request's first
  std::uint64_t request_bytes = 0;       // bodies to replicas
  std::uint64_t reply_bytes = 0;         // bodies from replicas
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // their address had as many as it may
  std::uint64_t accept_pauses = 0;  // times that connections_max or the descriptors were reached
  std::uint64_t upstream_connects = 0;
  std::uint64_t upstream_reuses = 0;
  std::uint64_t held_body_bytes = 0;  // bodies under /v1 in memory
};

// One loop's counters: written by its thread only, read by any.
struct alignas(64) Metrics {
  using Counter = std::atomic<std::uint64_t>;
  std::array<Counter, 6> requests_by_class{};
  Counter requests_in_flight{0};
  Counter requests_waiting{0};
  Counter cold_starts{0};
  Counter resumes{0};
  Counter retries{0};
  Counter request_bytes{0};
  Counter reply_bytes{0};
  Counter connections_accepted{0};
  Counter connections_refused{0};
  Counter accept_pauses{0};
  Counter upstream_connects{0};
  Counter upstream_reuses{0};

  // A plain load and store, not a locked one: there is one writer.
  static void add(Counter& counter, std::uint64_t n = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  static void take(Counter& counter) {
    counter.store(counter.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }
  void add_to(MetricsSnapshot& sum) const;
};

}  // namespace kelvin::gateway
