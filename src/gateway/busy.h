// busy: when the replicas of one gateway loop worked.
//
// Per replica the book keeps how many requests run and since when at least one does. Overlapping requests make one
// span: it opens with the first and closes with the last. A report cuts what still runs at its moment and goes on
// from there, so that the spans of all reports together are the exact union, each nanosecond once.
//
//   request a  [----------)            request b       [---------)
//   spans      [--------------------------)            a report at | gives [----|  and later  |----)
#pragma once

#include <cstdint>
#include <map>

#include "base/id.h"
#include "base/time.h"
#include "model/event.h"

namespace kelvin::gateway {

// Moments must come in ascending order.
class BusyBook {
 public:
  // `is_low`: it is of low priority; the same must be said at its end.
  void begin(ReplicaId replica, Instant at, bool is_low = false);
  // How a request ended. `is_answered`: its reply's head came from the replica.
  struct Ending {
    bool is_answered = false;
    bool is_low = false;
    bool is_failed = false;  // 5xx, broken off or never begun, by the replica's doing
  };
  void end(ReplicaId replica, Instant at, Ending ending);

  bool has_something() const { return !pages_.empty(); }
  // Everything since the last report, up to `now`.
  [[nodiscard]] model::BusyMeasured report(std::uint32_t loop, Instant now);

 private:
  struct Page {
    std::uint32_t running = 0;
    std::uint32_t running_low = 0;  // among them
    Instant since;                  // of the open span; meaningful while running > 0
    Instant counted_to;             // how far request_time goes
    model::BusyEntry entry;
  };
  static void count(Page& page, Instant at);

  std::map<ReplicaId, Page> pages_;  // a replica leaves with the report after its last request
};

}  // namespace kelvin::gateway
