// notary: the one place that hears of every finished request.
#include "gateway/notary.h"

#include <optional>

namespace kelvin::gateway {

Result<std::unique_ptr<Records>> Records::open(const RecordOptions& options, const Ports& ports) {
  std::unique_ptr<Records> records(new Records(options.series));
  if (!options.log.path.empty()) {
    KELVIN_TRY(records->log_, AccessLog::open(options.log, ports.loops, *ports.clock));
  }
  if (!options.traces.endpoint.empty()) {
    KELVIN_TRY(records->traces_,
               SpanSender::create(options.traces, ports.loops,
                                  {.clock = ports.clock, .log = ports.log, .epoch = ports.epoch}));
  }
  return records;
}

void Notary::note_head(HeadNote& note, const http::RequestHead& head) {
  const AccessLog* log = records_.log();
  if (log == nullptr && records_.traces() == nullptr) return;
  note.method.assign(head.method);
  const bool keeps_query = log != nullptr && log->options().keeps_query;
  note.path.assign(keeps_query ? head.path : head.path.substr(0, head.path.find('?')));
  if (head.minor_version == 0) note.version = HttpVersion::Http10;
  note.trace = trace_of(head);
}

// Without tracing the client's fields pass untouched, as through any proxy that takes no part: a span of ours that nobody
// gets to see would cut the trace in two.
RequestTrace Notary::trace_of(const http::RequestHead& head) {
  RequestTrace own;
  const std::optional<TraceParent> from = find_traceparent(head);
  if (from) {
    own.trace = from->trace;
    own.parent = from->span;
    own.flags = from->flags;
  }
  const SpanSender* traces = records_.traces();
  if (traces == nullptr) return own;
  if (!from) {
    own.trace = ids_.next_trace();
    own.is_restarted = true;
    own.flags = kTraceRandom;
    if (is_in_sample(own.trace, traces->options().sample_ppm)) own.flags |= kTraceSampled;
  }
  own.span = ids_.next_span();
  return own;
}

void Notary::note_end(const RequestFacts& facts) {
  Metrics::add(counts_.requests_by_class[status_class(facts.status)]);
  Metrics::add(counts_.request_bytes, facts.request_bytes);
  Metrics::add(counts_.reply_bytes, facts.reply_bytes);
  AppSeries& series = facts.app == nullptr ? records_.series().without_app() : *facts.app->series;
  series.note(loop_, facts);
  if (AccessLog* log = records_.log(); log != nullptr) log->note(loop_, facts);
  SpanSender* traces = records_.traces();
  if (traces != nullptr && facts.head->trace.is_sampled()) traces->note(loop_, facts);
}

}  // namespace kelvin::gateway
