// access_log: one JSON line per finished request.
//
// The moments t_first_byte_sent_ns and t_last_byte_read_ns are the very ones that went into BusyMeasured, so that from a
// log with every request in it (sample 1) busy time can be computed again: the union of those spans per replica.
//
// A share of the requests is kept, chosen by the request's id; always kept are errors (5xx, 429, broken replies, clients
// that left), requests that woke a replica, and slow ones. The page docs/ops/access-log.md names every field.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "gateway/log_file.h"
#include "gateway/record_queue.h"
#include "gateway/request_facts.h"
#include "os/thread.h"
#include "ports/clock.h"

namespace kelvin::gateway {

struct AccessLogOptions {
  std::string path;                      // empty: no log
  std::uint32_t sample_ppm = 1'000'000;  // the share of requests that is kept, in millionths
  Duration slow = 1s;                    // to the first byte: such a request is always kept
  bool keeps_query = false;              // queries often hold secrets
  LogFile::Limits file;
  std::size_t waiting_max =
      4096;  // requests per loop that wait for the disk; further ones are counted
};

struct AccessLogFigures {
  std::uint64_t lines_written = 0;
  std::uint64_t lines_dropped = 0;  // the writer fell behind
  std::uint64_t lines_failed = 0;   // the disk did not take them
  std::uint64_t files_turned_over = 0;
};

// Whether this request's line is kept.
[[nodiscard]] bool is_logged(const RequestFacts& facts, const AccessLogOptions& options);

// With its line end. `unix_ns`: when the request ended.
[[nodiscard]] std::string access_log_line(const RequestRecord& record, std::int64_t unix_ns);

class AccessLog {
 public:
  // The clock outlives the log.
  static Result<std::unique_ptr<AccessLog>> open(const AccessLogOptions& options,
                                                 std::uint32_t loops, const ports::Clock& clock);
  // Writes what waits.
  ~AccessLog();

  // On the thread of this loop; never waits for the disk.
  void note(std::uint32_t loop, const RequestFacts& facts);
  [[nodiscard]] AccessLogFigures figures() const;
  const AccessLogOptions& options() const { return options_; }

 private:
  AccessLog(AccessLogOptions options, LogFile file, std::unique_ptr<RecordQueue> queue,
            const ports::Clock& clock);
  void run();
  void write_batch();

  const AccessLogOptions options_;
  LogFile file_;
  std::unique_ptr<RecordQueue> queue_;
  const ports::Clock& clock_;
  std::string lines_;
  std::uint64_t dropped_said_ = 0;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> turned_over_{0};
  os::Thread writer_;
};

}  // namespace kelvin::gateway
