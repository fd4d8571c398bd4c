// notary: the one place that hears of every finished request, and tells who wants to know: metrics, log, traces.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/access_log.h"
#include "gateway/app_series.h"
#include "gateway/metrics.h"
#include "gateway/request_facts.h"
#include "gateway/span_sender.h"
#include "gateway/trace_context.h"
#include "http/message.h"
#include "obs/log.h"
#include "ports/clock.h"

namespace kelvin::gateway {

struct RecordOptions {
  AccessLogOptions log;
  TraceOptions traces;
  SeriesBook::Limits series;
};

// What all loops record into; it outlives them.
class Records {
 public:
  struct Ports {
    const ports::Clock* clock = nullptr;
    obs::Log* log = nullptr;  // of the platform; null: silent
    std::uint32_t loops = 1;
    std::uint64_t epoch = 1;
  };
  // Fails when the log cannot be opened or the collector's address is none.
  static Result<std::unique_ptr<Records>> open(const RecordOptions& options, const Ports& ports);

  SeriesBook& series() { return series_; }
  AccessLog* log() { return log_.get(); }         // null: none
  SpanSender* traces() { return traces_.get(); }  // null: no tracing

 private:
  explicit Records(const SeriesBook::Limits& limits) : series_(limits) {}

  SeriesBook series_;
  std::unique_ptr<AccessLog> log_;
  std::unique_ptr<SpanSender> traces_;
};

// One loop's own.
class Notary {
 public:
  // `records` and `counts` outlive it.
  Notary(Records& records, Metrics& counts, std::uint32_t loop)
      : records_(records), counts_(counts), loop_(loop) {}

  // A head has been read. Fills the note with what will be asked for at the end, and begins or joins a trace.
  void note_head(HeadNote& note, const http::RequestHead& head);
  // The request has ended; once for each.
  void note_end(const RequestFacts& facts);

 private:
  [[nodiscard]] RequestTrace trace_of(const http::RequestHead& head);

  Records& records_;
  Metrics& counts_;
  std::uint32_t loop_;
  TraceIds ids_;
};

}  // namespace kelvin::gateway
