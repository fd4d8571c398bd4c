// client_proxy: bytes both ways between a client and a replica.
//
// Nothing is read that cannot be passed on: while bytes for one side wait in its Outbox, the other side is not read.
// So a connection holds at most one buffer's worth each way, whatever the length of the bodies.
#include <algorithm>

#include "gateway/client.h"
#include "gateway/problem.h"
#include "gateway/upstream.h"
#include "http/write.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

std::string_view value_of(const http::Head& head, std::string_view name) {
  const http::Field* field = head.find(name);
  return field == nullptr ? std::string_view() : field->value;
}

// Half of the replica's "Keep-Alive: timeout=N", so that it rarely closes just as a request is on its way.
Duration kept_for(const http::ResponseHead& head, Duration at_most) {
  const std::string_view value = value_of(head, "Keep-Alive");
  const std::size_t at = value.find("timeout=");
  if (at == std::string_view::npos) return at_most;
  std::int64_t seconds = 0;
  for (const char c : value.substr(at + 8, 6)) {
    if (c < '0' || c > '9') break;
    seconds = seconds * 10 + (c - '0');
  }
  return std::min<Duration>(at_most, std::chrono::milliseconds(seconds * 500));
}

// Line ends at the end of `text`, added to those before when it holds nothing else. Two end an event.
int line_ends_after(std::string_view text, int before) {
  int ends = 0;
  for (std::size_t i = text.size(); i > 0; --i) {
    if (text[i - 1] == '\r') continue;
    if (text[i - 1] != '\n') return ends;
    if (++ends == 2) return ends;
  }
  return std::min(ends + before, 2);
}

}  // namespace

Client::Went Client::pump() {
  if (const Went went = pump_request(); went == Went::Gone || step_ != Step::Proxying) return went;
  const Went went = pump_reply();
  if (went == Went::Waiting && step_ == Step::Proxying) watch_client();
  return went;
}

// The client's own deadlines while bytes move: it must take its reply and go on with its body.
void Client::watch_client() {
  const Exchange& e = exchange_;
  const bool wants_body = step_ == Step::Proxying && !e.body_is_held && !e.body.is_done() &&
                          e.may_send_more && upstream_->may_write;
  if (out_.empty() && !wants_body) {
    step_timer_.drop();
  } else if (has_moved_ || !step_timer_.is_set()) {
    const GatewayLimits& limits = loop_.limits();
    loop_.timers().set(
        step_timer_, loop_.now() + (out_.empty() ? limits.body_idle_time : limits.write_idle_time));
  }
  has_moved_ = false;
}

// --- to the replica ----------------------------------------------------------------------------

Client::Went Client::pump_request() {
  Exchange& e = exchange_;
  std::uint64_t moved = 0;
  while (step_ == Step::Proxying && e.may_send_more && upstream_->may_write) {
    const std::uint64_t before = e.request_bytes;
    Went went = Went::On;
    if (e.body_is_held) {
      if (request_out_.empty() && e.held_from == e.held.size()) return Went::On;
      const Instant at = loop_.clock_now();
      const Sent sent = request_out_.send_beside(upstream_->fd.get(),
                                                 std::string_view(e.held).substr(e.held_from));
      e.held_from += sent.borrowed;
      e.request_bytes += sent.borrowed;
      went = note_sent(sent, at);
      if (went == Went::On && e.held_from == e.held.size()) free_held();
    } else if (e.body.is_done() || (!request_out_.empty() && in_.empty() && e.any_byte_sent)) {
      if (request_out_.empty()) return Went::On;
      went = send_request({});
    } else {
      went = forward_body();
    }
    if (went != Went::On) return went == Went::Gone ? went : Went::On;
    moved += e.request_bytes - before;
    if (moved > loop_.limits().burst_bytes) {
      loop_.call_again(*this);
      return Went::On;
    }
  }
  return Went::On;
}

// Takes what has come of the body and sends it after what is kept: the head, at first.
Client::Went Client::forward_body() {
  Exchange& e = exchange_;
  if (in_.view().size() == 0 && !read_more()) {
    if (saw_end_) {
      client_left();
      return Went::Gone;
    }
    if (request_out_.empty()) return Went::Waiting;
    return send_request({});
  }
  const auto piece = e.body.read(in_.bytes());
  if (piece.is_refused) {
    const bool had_head = e.head_is_done;
    leave_replica(false);
    e.closes = true;
    if (had_head) {
      client_left();
      return Went::Gone;
    }
    refuse({.status = 400, .code = "malformed_body", .sentence = std::string(piece.why)});
    return Went::On;
  }
  e.request_bytes += piece.payload.size();
  in_hand_ = piece.consumed;
  Went went = Went::On;
  if (e.body_form.framing == http::Framing::Length) {
    went = send_request({piece.payload});
  } else {
    text_.clear();
    if (!piece.payload.empty()) http::append_chunk_size(text_, piece.payload.size());
    const std::string_view after = piece.payload.empty() ? std::string_view() : http::kChunkEnd;
    went = send_request(
        {text_, piece.payload, after, e.body.is_done() ? http::kLastChunk : std::string_view()});
  }
  if (went == Went::Gone) return went;
  in_.consume(std::exchange(in_hand_, 0));
  return went;
}

Client::Went Client::send_request(std::initializer_list<std::string_view> parts) {
  const Instant at = loop_.clock_now();
  return note_sent(request_out_.send(upstream_->fd.get(), parts), at);
}

// `at` was read just before the bytes were sent: the first of them begins the replica's busy time.
Client::Went Client::note_sent(const Sent& sent, Instant at) {
  Exchange& e = exchange_;
  if (sent.bytes > 0 && !e.any_byte_sent) {
    e.any_byte_sent = true;
    e.first_byte_sent = at;
    loop_.busy().begin(e.replica.id, at);
  }
  if (sent.io == Io::Done) return Went::On;
  upstream_->may_write = false;
  if (sent.io == Io::Blocked) return Went::Waiting;
  if (e.any_byte_sent) {
    // The replica may have answered before it stopped reading; what it said is still to be read.
    e.may_send_more = false;
    upstream_->may_read = true;
    return Went::Waiting;
  }
  if (upstream_->is_reused) {
    // It was closed between the look and the write: nothing was accepted, and a fresh connection will tell more.
    loop_.discard(*std::exchange(upstream_, nullptr));
    open_upstream();
    return Went::On;
  }
  connect_failed("it closed the connection before anything was sent");
  return Went::On;
}

// --- from the replica --------------------------------------------------------------------------

Client::Went Client::flush_out() {
  if (out_.empty() || !may_write_) return Went::On;
  return send_reply({});
}

Client::Went Client::send_reply(std::initializer_list<std::string_view> parts) {
  const Sent sent = out_.send(fd_.get(), parts);
  if (sent.bytes > 0) has_moved_ = true;
  if (sent.io == Io::Broken) {
    client_left();
    return Went::Gone;
  }
  if (sent.io == Io::Blocked) may_write_ = false;
  return Went::On;
}

Client::Went Client::pump_reply() {
  Exchange& e = exchange_;
  std::size_t moved = 0;
  while (true) {
    if (flush_out() == Went::Gone) return Went::Gone;
    if (!out_.empty()) return Went::Waiting;
    if (!upstream_->may_read) return Went::Waiting;
    const std::span<char> buffer = loop_.upstream_buffer();
    const Received received = receive(upstream_->fd.get(), buffer);
    Went went = Went::On;
    switch (received.io) {
      case Io::Blocked:
        upstream_->may_read = false;
        return Went::Waiting;
      case Io::Broken:
        return upstream_broke("it reset the connection");
      case Io::Ended:
        if (!e.head_is_done || !e.reply_body.ends_with_connection())
          return upstream_broke("it closed the connection before the reply was complete");
        e.reply_body.finish_at_close();
        went = pass_body({});
        break;
      case Io::Done:
        if (received.bytes < buffer.size() && !upstream_->saw_end) upstream_->may_read = false;
        went = pass_reply(buffer.first(received.bytes));
        break;
    }
    if (went != Went::On || step_ != Step::Proxying) return went;
    moved += received.bytes;
    if (moved > loop_.limits().burst_bytes) {
      loop_.call_again(*this);
      return Went::Waiting;
    }
  }
}

// Interim heads are passed on one by one; the final one is followed by its body.
Client::Went Client::pass_reply(std::span<char> bytes) {
  Exchange& e = exchange_;
  if (e.head_is_done) return pass_body(bytes);
  std::string whole = std::move(upstream_->head_bytes);
  upstream_->head_bytes.clear();
  if (!whole.empty()) {
    whole.append(bytes.data(), bytes.size());
    bytes = whole;
  }
  http::ResponseHead& head = loop_.response_head();
  while (true) {
    const http::Outcome outcome =
        http::parse_response({bytes.data(), bytes.size()}, loop_.limits().head, head);
    if (outcome.parsed == http::Parsed::Refused) return upstream_broke(std::string(outcome.why));
    if (outcome.parsed == http::Parsed::NeedMore) {
      upstream_->head_bytes.assign(bytes.data(), bytes.size());
      return Went::On;
    }
    if (head.status == 101) return upstream_broke("it switched protocols without being asked");
    if (head.status >= 200) break;
    if (!e.is_old) {
      text_.clear();
      append_interim_head(text_, head);
      if (send_reply({text_}) == Went::Gone) return Went::Gone;
    }
    bytes = bytes.subspan(head.bytes);
  }
  bytes = bytes.subspan(head.bytes);
  begin_reply(head);
  return pass_body(bytes);
}

void Client::begin_reply(const http::ResponseHead& head) {
  Exchange& e = exchange_;
  const http::Framing framing = http::framing_of(head, e.is_head ? "HEAD" : "GET");
  e.head_is_done = true;
  e.status = head.status;
  e.reply_body = BodyReader(framing, head.content_length.value_or(0));
  e.is_sse = http::same_name(value_of(head, "Content-Type").substr(0, 17), "text/event-stream");
  // After an event stream cpp-httplib (in llama-server) closes without having said so, a moment after the last chunk:
  // a request sent in that moment could not be tried again. A fresh connection costs far less than a stream.
  e.upstream_stays = head.keeps_alive && framing != http::Framing::UntilClose && !e.is_sse;
  e.upstream_idle = kept_for(head, loop_.limits().upstream_idle_time);
  const bool is_measured = framing == http::Framing::None || framing == http::Framing::Length;
  e.reply_form.framing = is_measured ? framing
                         : e.is_old  ? http::Framing::UntilClose
                                     : http::Framing::Chunked;
  e.reply_form.length = head.content_length.value_or(0);
  // A body that is still coming in cannot be told from the next request once the reply has ended.
  e.closes = !e.keeps_alive || is_drained_ || !(e.body_is_held || e.body.is_done()) ||
             e.reply_form.framing == http::Framing::UntilClose;
  const std::string id = model::to_text(e.id);
  const std::string timing = timing_text(e.stages, loop_.clock_now() - e.first_byte_sent);
  text_.clear();
  append_reply_head(text_, head,
                    {.request_id = id,
                     .server_timing = timing,
                     .cold_start = cold_start_word(e.woke_from),
                     .allowed_origin = e.allowed_origin,
                     .body = e.reply_form,
                     .closes = e.closes,
                     .says_keep_alive = e.is_old});
  out_.keep(text_);
}

// The replica's time ends with the last byte read, before that byte is passed on: a slow client costs the app nothing.
Client::Went Client::pass_body(std::span<char> bytes) {
  Exchange& e = exchange_;
  const auto piece = e.reply_body.read(bytes);
  if (piece.is_refused) return upstream_broke(std::string(piece.why));
  if (piece.consumed < bytes.size()) e.upstream_stays = false;
  e.reply_bytes += piece.payload.size();
  if (e.is_sse) e.line_ends = line_ends_after(piece.payload, e.line_ends);
  const bool is_done = e.reply_body.is_done();
  if (is_done) reply_ended();
  Went went = Went::On;
  if (e.reply_form.framing == http::Framing::Chunked) {
    text_.clear();
    if (!piece.payload.empty()) http::append_chunk_size(text_, piece.payload.size());
    const std::string_view after = piece.payload.empty() ? std::string_view() : http::kChunkEnd;
    went =
        send_reply({text_, piece.payload, after, is_done ? http::kLastChunk : std::string_view()});
  } else {
    went = send_reply({piece.payload});
  }
  if (went == Went::Gone) return went;
  if (is_done) set_step(Step::Replying, Duration::zero());
  return Went::On;
}

void Client::reply_ended() {
  Exchange& e = exchange_;
  const bool sent_all =
      request_out_.empty() && (e.body_is_held || e.body.is_done()) && e.may_send_more;
  if (!sent_all) {
    e.closes = true;
    request_out_.clear();
  }
  leave_replica(e.upstream_stays && sent_all);
  note_end(e.status);
}

Client::Went Client::upstream_broke(std::string detail) {
  Exchange& e = exchange_;
  if (!e.any_byte_sent) {
    connect_failed(std::move(detail));
    return Went::On;
  }
  // A kept connection may end in the moment in which it is used again; that says nothing about the replica's health.
  const bool is_hang_up = upstream_ != nullptr && upstream_->is_reused && !e.head_is_done;
  if (!is_hang_up) suspect(model::Suspicion::BrokenReply, detail);
  const bool had_head = e.head_is_done;
  leave_replica(false);
  const model::Refusal refusal{.status = 502,
                               .code = "replica_broke_reply",
                               .sentence = "The replica of '" + e.app->route.name +
                                           "' broke its reply: " + detail + ". 'kelvin explain " +
                                           e.app->route.name + "' and 'kelvin logs " +
                                           e.app->route.name + "' may say why."};
  if (had_head)
    break_reply(refusal);
  else
    refuse(refusal);
  return Went::On;
}

// The head is out: all that is left to say is that the body is not whole.
void Client::break_reply(const model::Refusal& refusal) {
  Exchange& e = exchange_;
  if (e.is_sse && e.reply_form.framing != http::Framing::Length) {
    std::string event = e.line_ends >= 2 ? "data: " : "\n\ndata: ";
    event += openai_error(refusal);
    event += "\n\n";
    if (e.reply_form.framing == http::Framing::Chunked) {
      std::string size_line;
      http::append_chunk_size(size_line, event.size());
      out_.keep(size_line);
      event += http::kChunkEnd;
    }
    out_.keep(event);
  }
  e.closes = true;
  request_out_.clear();
  free_held();
  note_end(e.status);
  set_step(Step::Replying, Duration::zero());
}

}  // namespace kelvin::gateway
