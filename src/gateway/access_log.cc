// access_log: one JSON line per finished request.
#include "gateway/access_log.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/random.h"
#include "http/write.h"
#include "model/ids.h"
#include "obs/log.h"
#include "os/hash.h"

namespace kelvin::gateway {
namespace {

// Lines come together for this long before they are written.
constexpr Duration kGather = 20ms;
// Of one write; a batch goes into one file whole.
constexpr std::size_t kBatchRecords = 256;

std::string time_text(std::int64_t unix_ns) {
  using Micros = std::chrono::microseconds;
  const std::chrono::sys_time<Micros> at{Micros(unix_ns / 1000)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                static_cast<int>(time.subseconds().count()));
  return text.data();
}

// One line under construction.
class Line {
 public:
  explicit Line(std::string_view time) {
    text_ = "{\"time\":\"";
    text_ += time;
    text_ += '"';
  }
  // Null where there is none.
  void text(std::string_view name, std::string_view value) {
    begin(name);
    if (value.empty()) {
      text_ += "null";
      return;
    }
    text_ += '"';
    http::append_json_text(text_, value);
    text_ += '"';
  }
  void number(std::string_view name, std::int64_t value) {
    begin(name);
    text_ += std::to_string(value);
  }
  void truth(std::string_view name, bool value) {
    begin(name);
    text_ += value ? "true" : "false";
  }
  // Milliseconds with three decimals.
  void time(std::string_view name, Duration time) {
    begin(name);
    const std::int64_t us = std::max<std::int64_t>(time.count(), 0) / 1000;
    const std::string fraction = std::to_string(us % 1000);
    text_ += std::to_string(us / 1000);
    text_ += '.';
    text_.append(3 - fraction.size(), '0');
    text_ += fraction;
  }
  std::string take() {
    text_ += "}\n";
    return std::move(text_);
  }

 private:
  void begin(std::string_view name) {
    text_ += ",\"";
    text_ += name;
    text_ += "\":";
  }
  std::string text_;
};

std::string hex_of(const TraceId& id) { return os::to_hex(std::as_bytes(std::span(id))); }

}  // namespace

bool is_logged(const RequestFacts& facts, const AccessLogOptions& options) {
  if (facts.status >= 500 || facts.status == 429) return true;
  if (facts.ending == Ending::Broken || facts.ending == Ending::ClientLeft) return true;
  if (facts.woke_from == model::Temperature::Cold || facts.woke_from == model::Temperature::Parked)
    return true;
  if (first_byte_time(facts) >= options.slow) return true;
  // Ids count upwards; one turn of the generator spreads them evenly.
  return Random{facts.id.value}.below(1'000'000) < options.sample_ppm;
}

std::string access_log_line(const RequestRecord& record, std::int64_t unix_ns) {
  const HeadNote& head = record.head;
  const bool has_replica = static_cast<bool>(record.replica);
  Line line(time_text(unix_ns));
  line.text("request", model::to_text(record.id));
  line.text("app", record.app.view());
  line.text("workspace", record.workspace.view());
  if (has_replica && record.revision != 0)
    line.number("revision", record.revision);
  else
    line.text("revision", {});
  line.text("replica", has_replica ? model::to_text(record.replica) : std::string());
  line.text("route", to_text(record.route));
  line.text("method", head.method.view());
  line.text("path", obs::hide_keys(head.path.view()));
  if (head.path.is_cut()) line.truth("path_is_cut", true);
  line.text("protocol", to_text(head.version));
  line.truth("tls", head.is_tls);
  line.number("status", record.status);
  line.text("ending", to_text(record.ending));
  line.text("code", record.code.view());
  line.number("request_bytes", static_cast<std::int64_t>(record.request_bytes));
  line.number("reply_bytes", static_cast<std::int64_t>(record.reply_bytes));
  line.time("queue_ms", record.queued);
  if (record.first_byte_read == Instant{})
    line.text("ttfb_ms", {});
  else
    line.time("ttfb_ms", record.to_first_byte);
  line.time("total_ms", record.ended - record.arrived);
  line.text("woke_from", model::to_text(record.woke_from));
  line.text("key", head.key_prefix.view());
  line.text("client", record.client_address.view());
  line.text("trace", head.trace.has_id() ? hex_of(head.trace.trace) : std::string());
  line.number("t_first_byte_sent_ns", record.first_byte_sent.ns);
  line.number("t_last_byte_read_ns", record.last_byte_read.ns);
  return line.take();
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const AccessLogOptions& options,
                                                   std::uint32_t loops, const ports::Clock& clock) {
  KELVIN_TRY(LogFile file, LogFile::open(options.path, options.file));
  KELVIN_TRY(std::unique_ptr<RecordQueue> queue, RecordQueue::create(loops, options.waiting_max));
  return std::unique_ptr<AccessLog>(
      new AccessLog(options, std::move(file), std::move(queue), clock));
}

AccessLog::AccessLog(AccessLogOptions options, LogFile file, std::unique_ptr<RecordQueue> queue,
                     const ports::Clock& clock)
    : options_(std::move(options)),
      file_(std::move(file)),
      queue_(std::move(queue)),
      clock_(clock) {
  writer_ = os::Thread("access-log", [this] { run(); });
}

AccessLog::~AccessLog() {
  queue_->end();
  writer_.join();
}

void AccessLog::note(std::uint32_t loop, const RequestFacts& facts) {
  if (is_logged(facts, options_)) queue_->push(loop, facts);
}

AccessLogFigures AccessLog::figures() const {
  return {.lines_written = written_.load(std::memory_order_relaxed),
          .lines_dropped = queue_->dropped(),
          .lines_failed = failed_.load(std::memory_order_relaxed),
          .files_turned_over = turned_over_.load(std::memory_order_relaxed)};
}

void AccessLog::run() {
  while (queue_->wait()) {
    queue_->rest(kGather);
    write_batch();
  }
}

void AccessLog::write_batch() {
  lines_.clear();
  const std::size_t count = queue_->take(kBatchRecords, [&](const RequestRecord& record) {
    lines_ += access_log_line(record, clock_.unix_ns(record.ended));
  });
  const std::uint64_t dropped = queue_->dropped();
  if (dropped > dropped_said_) {
    Line line(time_text(clock_.unix_ns(clock_.now())));
    line.number("dropped", static_cast<std::int64_t>(dropped - dropped_said_));
    lines_ += line.take();
    dropped_said_ = dropped;
  }
  // A full disk loses lines; requests go on.
  std::atomic<std::uint64_t>& outcome = file_.write(lines_) ? written_ : failed_;
  outcome.fetch_add(count, std::memory_order_relaxed);
  turned_over_.store(file_.turned_over(), std::memory_order_relaxed);
}

}  // namespace kelvin::gateway
