// span_sender: sends the traces of requests to a collector, from a thread of its own.
//
// While the collector does not answer, the same batch is tried again after one second, then two, four and so on up to
// thirty, five times in all; then it is given up. Meanwhile the queue fills, and what does not fit is counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/record_queue.h"
#include "gateway/request_facts.h"
#include "obs/log.h"
#include "obs/otlp.h"
#include "os/thread.h"
#include "ports/clock.h"

namespace kelvin::gateway {

struct TraceOptions {
  std::string endpoint;  // "http://127.0.0.1:4318"; empty: no tracing
  std::uint32_t sample_ppm =
      1'000'000;  // of the traces that begin here; a client's own decision holds for its traces
  std::string version;             // of this program
  std::size_t waiting_max = 1024;  // requests per loop that wait for the collector
  std::size_t batch_max = 128;     // requests in one post
  Duration gather = 500ms;         // a batch comes together for this long
  Duration post_time = 10s;        // of one post
  Duration retry_first = 1s;       // doubles
  Duration retry_most = 30s;
  std::uint32_t tries = 5;
  Duration farewell = 2s;  // for what is left at the end
};

struct TraceFigures {
  std::uint64_t requests_exported = 0;
  std::uint64_t spans_exported = 0;
  std::uint64_t spans_rejected = 0;     // taken from us, thrown away by the collector
  std::uint64_t requests_dropped = 0;   // the queue was full
  std::uint64_t requests_given_up = 0;  // refused, or tried in vain
  std::uint64_t posts_failed = 0;
};

// How long to wait after the try of this number, from 1.
[[nodiscard]] Duration retry_delay(std::uint32_t tried, Duration wish, const TraceOptions& options);

class SpanSender {
 public:
  struct Ports {
    const ports::Clock* clock = nullptr;
    obs::Log* log = nullptr;  // null: silent
    std::uint64_t epoch = 0;
  };
  // What `ports` names outlives the sender. Invalid when the endpoint is no URL.
  static Result<std::unique_ptr<SpanSender>> create(const TraceOptions& options,
                                                    std::uint32_t loops, const Ports& ports);
  // Sends what waits, for `farewell` at most.
  ~SpanSender();

  // On the thread of this loop, for a request whose trace is sampled.
  void note(std::uint32_t loop, const RequestFacts& facts) { queue_->push(loop, facts); }
  [[nodiscard]] TraceFigures figures() const;
  const TraceOptions& options() const { return options_; }

 private:
  SpanSender(TraceOptions options, std::unique_ptr<RecordQueue> queue, const Ports& ports);
  void run();
  void send_batch();
  void send(const std::string& json, std::size_t requests, std::size_t spans);
  void say(const obs::ExportAnswer& answer);

  const TraceOptions options_;
  std::unique_ptr<RecordQueue> queue_;
  const Ports ports_;
  std::atomic<bool> gives_up_{false};
  std::unique_ptr<obs::OtlpClient> client_;
  TraceIds ids_;
  bool is_failing_ = false;
  Instant end_by_ = Instant::never();
  struct Counts {
    std::atomic<std::uint64_t> requests_exported{0};
    std::atomic<std::uint64_t> spans_exported{0};
    std::atomic<std::uint64_t> spans_rejected{0};
    std::atomic<std::uint64_t> requests_given_up{0};
    std::atomic<std::uint64_t> posts_failed{0};
  };
  Counts counts_;
  os::Thread thread_;
};

}  // namespace kelvin::gateway
