// span_sender: sends the traces of requests to a collector, from a thread of its own.
#include "gateway/span_sender.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "gateway/spans.h"

namespace kelvin::gateway {

Duration retry_delay(std::uint32_t tried, Duration wish, const TraceOptions& options) {
  Duration delay = options.retry_first;
  for (std::uint32_t i = 1; i < tried && delay < options.retry_most; ++i) delay *= 2;
  // A collector may ask for more than the steps say, never for more than the longest of them.
  return std::min(std::max(delay, wish), options.retry_most);
}

Result<std::unique_ptr<SpanSender>> SpanSender::create(const TraceOptions& options,
                                                       std::uint32_t loops, const Ports& ports) {
  KELVIN_TRY(std::unique_ptr<RecordQueue> queue, RecordQueue::create(loops, options.waiting_max));
  std::unique_ptr<SpanSender> sender(new SpanSender(options, std::move(queue), ports));
  KELVIN_TRY(sender->client_, obs::OtlpClient::create(options.endpoint, sender->gives_up_));
  sender->thread_ = os::Thread("span-sender", [&self = *sender] { self.run(); });
  return sender;
}

SpanSender::SpanSender(TraceOptions options, std::unique_ptr<RecordQueue> queue, const Ports& ports)
    : options_(std::move(options)), queue_(std::move(queue)), ports_(ports) {}

SpanSender::~SpanSender() {
  gives_up_ = true;  // a post that hangs ends, and is tried once more within `farewell`
  queue_->end();
  thread_.join();
}

TraceFigures SpanSender::figures() const {
  const auto read = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  return {.requests_exported = read(counts_.requests_exported),
          .spans_exported = read(counts_.spans_exported),
          .spans_rejected = read(counts_.spans_rejected),
          .requests_dropped = queue_->dropped(),
          .requests_given_up = read(counts_.requests_given_up),
          .posts_failed = read(counts_.posts_failed)};
}

void SpanSender::run() {
  while (queue_->wait()) {
    queue_->rest(options_.gather);
    send_batch();
  }
}

void SpanSender::send_batch() {
  std::vector<obs::Span> spans;
  const std::size_t requests = queue_->take(options_.batch_max, [&](const RequestRecord& record) {
    std::vector<obs::Span> of_one = spans_of(record, ports_.clock->unix_ns(record.ended), ids_);
    std::move(of_one.begin(), of_one.end(), std::back_inserter(spans));
  });
  if (requests == 0) return;
  const obs::SpanSource source{.version = options_.version,
                               .instance = std::to_string(ports_.epoch)};
  send(obs::otlp_json(source, spans), requests, spans.size());
}

void SpanSender::send(const std::string& json, std::size_t requests, std::size_t spans) {
  for (std::uint32_t tried = 1;; ++tried) {
    Duration at_most = options_.post_time;
    if (queue_->is_ending()) {
      const Instant now = ports_.clock->now();
      if (end_by_ == Instant::never()) end_by_ = now + options_.farewell;
      at_most = std::min(at_most, end_by_ - now);
      gives_up_ = false;
    }
    obs::ExportAnswer answer{.why = "the platform ends"};
    if (at_most > Duration::zero()) answer = client_->post(json, at_most);
    say(answer);
    if (answer.kind == obs::ExportAnswer::Kind::Taken) {
      counts_.requests_exported += requests;
      counts_.spans_exported += spans - std::min<std::size_t>(spans, answer.rejected);
      counts_.spans_rejected += answer.rejected;
      return;
    }
    ++counts_.posts_failed;
    // At the end, one more try for what was interrupted by it.
    const bool was_interrupted = queue_->is_ending() && end_by_ == Instant::never();
    const bool is_over = queue_->is_ending() ? !was_interrupted : tried >= options_.tries;
    if (is_over || answer.kind == obs::ExportAnswer::Kind::Refused) {
      counts_.requests_given_up += requests;
      return;
    }
    if (!was_interrupted) queue_->rest(retry_delay(tried, answer.retry_after, options_));
  }
}

// Once when it begins to fail and once when it works again.
void SpanSender::say(const obs::ExportAnswer& answer) {
  const bool is_taken = answer.kind == obs::ExportAnswer::Kind::Taken;
  if (ports_.log != nullptr && is_taken == is_failing_) {
    if (is_taken)
      ports_.log->info("traces are taken again", {{"endpoint", options_.endpoint}});
    else
      ports_.log->warn("traces are not taken",
                       {{"endpoint", options_.endpoint}, {"why", answer.why}});
  }
  is_failing_ = !is_taken;
}

}  // namespace kelvin::gateway
