// Logs: what an app's replicas printed, as one JSON object a line, with what the platform decided between the lines.
#include <utility>

#include "api/json.h"
#include "api/routes.h"
#include "http/write.h"
#include "model/ids.h"

namespace kelvin::api {

namespace {

// Lines are gathered up to this size before they are sent; a pause in the log sends what there is.
constexpr std::size_t kBatchBytes = 32 * 1024;

struct Wanted {
  ports::LogQuery query;
  bool has_decisions = false;
};

OrProblem<Wanted> read_wanted(Call& call, AppId app) {
  Wanted wanted;
  wanted.query.app = app;
  const std::string replica = call.query.text("replica");
  KELVIN_ANSWER_TRY(const std::optional<std::int64_t> since,
                    call.query.integer("since_unix_ms", 0, INT64_MAX));
  KELVIN_ANSWER_TRY(wanted.query.follow, call.query.is_set("follow"));
  KELVIN_ANSWER_TRY(wanted.has_decisions, call.query.is_set("system"));
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  wanted.query.since_unix_ms = since.value_or(0);
  if (replica.empty()) return wanted;
  const std::optional<ReplicaId> id = model::parse_replica_id(replica);
  if (!id)
    return refuse(bad_request("'" + replica + "' is no replica's id; one looks like r3-17."));
  wanted.query.replica = *id;
  return wanted;
}

// One place among the streams that stay open.
class Follower {
 public:
  Follower(std::atomic<std::uint32_t>& count, std::uint32_t most) : count_(count) {
    is_in_ = count_.fetch_add(1) < most;
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() { count_.fetch_sub(1); }
  bool is_in() const { return is_in_; }

 private:
  std::atomic<std::uint32_t>& count_;
  bool is_in_ = false;
};

// Merges lines and decisions by time and sends them in chunks.
class LogStream {
 public:
  LogStream(Service& service, Call& call, const Wanted& wanted)
      : service_(service), call_(call), wanted_(wanted) {}

  // False: nobody listens any more.
  bool add(const ports::LogLine& line) {
    if (wanted_.has_decisions) add_decisions(line.unix_ms);
    is_quiet_ = false;
    JsonWriter json;
    json.open_object();
    json.integer("at_unix_ms", line.unix_ms);
    json.text("replica", model::to_text(line.replica));
    json.text("stream", line.stream == ports::LogStream::Out ? "out" : "err");
    json.text("text", line.text);
    json.close_object();
    batch_ += json.take() + "\n";
    return batch_.size() < kBatchBytes || flush();
  }

  // Asked between lines while the stream is followed. Decisions wait for a pause: as long as lines come, older ones than
  // the decisions at hand may follow.
  bool is_done() {
    if (wanted_.has_decisions && is_quiet_) add_decisions(INT64_MAX);
    is_quiet_ = true;
    return !flush() || call_.connection.has_left() || call_.connection.is_closing();
  }

  bool end() {
    if (wanted_.has_decisions) add_decisions(INT64_MAX);
    return flush() && call_.connection.send(http::kLastChunk);
  }

 private:
  bool flush() {
    if (batch_.empty()) return true;
    std::string chunk;
    http::append_chunk_size(chunk, batch_.size());
    chunk += batch_;
    chunk += http::kChunkEnd;
    batch_.clear();
    return call_.connection.send(chunk);
  }

  // Those up to `unix_ms` that were not added yet.
  void add_decisions(std::int64_t unix_ms) {
    if (next_ >= pending_.size() && !fetch()) return;
    while (next_ < pending_.size() && service_.unix_ms(pending_[next_].at) <= unix_ms)
      add(pending_[next_++]);
  }

  // The decisions after the last one that was fetched. Several may share a moment, so those of the last moment are
  // counted.
  bool fetch() {
    std::vector<model::Decision> all =
        service_.ports.control.decisions({.app = wanted_.query.app,
                                          .replica = wanted_.query.replica,
                                          .most = service_.options.limits.decisions_max});
    pending_.clear();
    next_ = 0;
    std::size_t seen_at_last = 0;
    for (model::Decision& one : all) {
      if (one.at < last_at_ || (one.at == last_at_ && seen_at_last++ < count_at_last_)) continue;
      if (service_.unix_ms(one.at) < wanted_.query.since_unix_ms) continue;
      pending_.push_back(std::move(one));
    }
    for (const model::Decision& one : pending_) {
      count_at_last_ = one.at == last_at_ ? count_at_last_ + 1 : 1;
      last_at_ = one.at;
    }
    return !pending_.empty();
  }

  void add(const model::Decision& decision) {
    JsonWriter json;
    json.open_object();
    json.integer("at_unix_ms", service_.unix_ms(decision.at));
    json.text_or_null("replica", decision.replica ? model::to_text(decision.replica) : "");
    json.text("stream", "system");
    json.text("text", decision.verb + ": " + decision.sentence);
    json.close_object();
    batch_ += json.take() + "\n";
  }

  Service& service_;
  Call& call_;
  const Wanted& wanted_;
  std::string batch_;
  bool is_quiet_ = true;  // no line since is_done was asked last
  std::vector<model::Decision> pending_;
  std::size_t next_ = 0;
  Instant last_at_{INT64_MIN};
  std::size_t count_at_last_ = 0;
};

}  // namespace

Answer stream_logs(Service& service, Call& call) {
  KELVIN_ANSWER_TRY(const model::AppView app, find_app(service, call.parameters[0]));
  KELVIN_ANSWER_TRY(const Wanted wanted, read_wanted(call, app.id));
  std::optional<Follower> follower;
  if (wanted.query.follow) {
    follower.emplace(service.followers, service.options.limits.followers_max);
    if (!follower->is_in()) {
      return refuse({.status = 503,
                     .code = "too_many_followers",
                     .detail = std::to_string(service.options.limits.followers_max) +
                               " log streams are followed already.",
                     .next = "End one of them, or read without following.",
                     .extra_fields = "Retry-After: 5\r\n"});
    }
  }
  const bool has_head = call.connection.send(call.head_start +
                                             "Content-Type: application/x-ndjson\r\n"
                                             "Transfer-Encoding: chunked\r\n\r\n");
  const Reply sent{.is_sent = true};
  if (!has_head || call.head.method == "HEAD") return sent;
  LogStream stream(service, call, wanted);
  const Status read = service.ports.logs.read(
      wanted.query, [&](const ports::LogLine& line) { return stream.add(line); },
      [&] { return stream.is_done(); });
  if (read) {
    (void)stream.end();
  } else {
    // Without the last chunk the client sees that the stream broke off.
    service.ports.log.error("logs cannot be read",
                            {{"app", app.revision.spec.name}, {"why", read.error().what}});
  }
  return sent;
}

}  // namespace kelvin::api
