// request_log: one JSON line per finished request that reached a replica or waited for one, for audits.
//
// The moments in a line are the very ones that went into BusyMeasured, so that busy time can be computed again from
// this file alone: the union of [t_first_byte_sent_ns, t_last_byte_read_ns) per replica.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "os/fd.h"
#include "os/thread.h"

namespace kelvin::gateway {

struct RequestRecord {
  RequestId request;
  std::string_view app;
  ReplicaId replica;                // 0: it reached none
  Instant first_byte_sent;          // 0: none was sent
  Instant last_byte_read;           // the moment the replica was done with it, or given up
  int status = 0;                   // 499: the client left before a head was sent
  std::uint64_t request_bytes = 0;  // of the body
  std::uint64_t reply_bytes = 0;    // of the body
  Duration waited{};                // from its head to its slot
  std::string_view woke_from;       // "cold", "parked", "warm"
};

// write() may be called from any thread and never waits for the disk; a thread of its own does. When the disk falls
// behind by `bytes_max`, lines are counted instead of kept, and the count is written as {"dropped":N}.
class RequestLog {
 public:
  // Appends to the file; it is made with mode 0600.
  static Result<std::unique_ptr<RequestLog>> open(const std::string& path, std::size_t bytes_max);
  ~RequestLog();

  void write(const RequestRecord& record);

 private:
  RequestLog(os::Fd file, std::size_t bytes_max);
  void run();
  void write_out(std::string_view bytes) const;

  os::Fd file_;
  std::size_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::string lines_;          // guarded by mutex_
  std::uint64_t dropped_ = 0;  // guarded by mutex_
  bool is_ending_ = false;     // guarded by mutex_
  os::Thread writer_;
};

}  // namespace kelvin::gateway
