// exchange_proxy: bytes both ways between a client and a replica.
//
// Nothing is read that cannot be passed on: while bytes for one side wait in its Outbox, the other side is not read.
// So an exchange holds at most one buffer's worth each way, whatever the length of the bodies.
#include <algorithm>

#include "gateway/exchange.h"
#include "gateway/problem.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

bool is_event_stream(const http::Head& head) {
  const http::Field* type = head.find("Content-Type");
  return type != nullptr && http::same_name(type->value.substr(0, 17), "text/event-stream");
}

// Nothing of its head can be said any more: it must be what the head of the comments has promised.
bool may_follow_comments(const http::ResponseHead& head, bool is_sse) {
  const http::Field* coding = head.find("Content-Encoding");
  const bool is_plain = coding == nullptr || http::same_name(coding->value, "identity");
  return is_sse && is_plain && head.status >= 200 && head.status < 300;
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

void Exchange::advance() {
  switch (step_) {
    case Step::HoldingBody:
      hold_body();
      if (step_ == Step::Proxying) pump();
      return;
    case Step::Proxying:
      return pump();
    case Step::Idle:
    case Step::Waiting:
    case Step::Connecting:
    case Step::Over:
      return;
  }
}

void Exchange::pump() {
  pump_request();
  if (step_ != Step::Proxying) return;
  upstream_->read_reply();
  if (step_ == Step::Proxying) downstream_.watch(awaited());
}

// A replica that takes no more, or has not said yet that it wants the body, is not the client's fault.
Awaited Exchange::awaited() const {
  const bool wants_body =
      !s_.body_is_over && !s_.is_tunnel && s_.may_send_more && upstream_->can_take();
  if (!wants_body) return Awaited::Nothing;
  return s_.body.length && !s_.awaits_continue ? Awaited::BodyInTime : Awaited::Body;
}

// --- to the replica ----------------------------------------------------------------------------

void Exchange::pump_request() {
  const std::uint64_t from = s_.request_bytes;
  while (step_ == Step::Proxying && s_.may_send_more && upstream_->can_take()) {
    bool goes_on = false;
    if (s_.body_is_held) {
      goes_on = send_held();
    } else if (!request_out_.empty() && (s_.any_byte_sent || s_.body_is_over)) {
      goes_on = send({.is_last = s_.body_is_over && !s_.end_is_given});
    } else if (!s_.body_is_over) {
      goes_on = forward_body();
    }
    if (!goes_on) return;
    if (s_.request_bytes - from > loop_.limits().burst_bytes) return loop_.call_again(downstream_);
  }
}

bool Exchange::send_held() {
  const std::string_view rest = std::string_view(s_.held).substr(s_.held_from);
  if (request_out_.empty() && rest.empty()) return false;
  const Instant at = loop_.clock_now();
  const Sent sent =
      upstream_->send(request_out_, {.payload = rest, .is_last = true, .is_held = true});
  s_.held_from += sent.borrowed;
  s_.request_bytes += sent.borrowed;
  if (!note_sent(sent, at)) return false;
  if (s_.held_from == s_.held.size()) free_held();
  return true;
}

// Takes what has come of the body and sends it after what is kept: the head, at first.
bool Exchange::forward_body() {
  const BodyPiece piece = downstream_.read_body();
  switch (piece.kind) {
    case BodyPiece::Kind::Left:
      downstream_.abandon();
      return false;
    case BodyPiece::Kind::NotYet:
      return !request_out_.empty() && send({});
    case BodyPiece::Kind::Broken: {
      const bool had_head = s_.head_is_done;
      leave_replica(false);
      downstream_.close_after();
      if (had_head)
        downstream_.abandon();  // both sides are broken
      else
        refuse({.status = 400, .code = "malformed_body", .sentence = std::string(piece.why)});
      return false;
    }
    case BodyPiece::Kind::Bytes:
      break;
  }
  s_.request_bytes += piece.payload.size();
  s_.body_is_over = piece.is_last;
  s_.awaits_continue = false;
  const bool goes_on =
      send({.payload = piece.payload, .is_last = piece.is_last, .trailers = piece.trailers});
  downstream_.body_taken();
  return goes_on;
}

bool Exchange::send(const Outgoing& outgoing) {
  const Instant at = loop_.clock_now();
  if (outgoing.is_last) s_.end_is_given = true;
  return note_sent(upstream_->send(request_out_, outgoing), at);
}

// `at` was read just before the bytes were sent: the first of them begins the replica's busy time. False: no more can
// be sent now.
bool Exchange::note_sent(const Sent& sent, Instant at) {
  State& e = s_;
  if (sent.bytes > 0 && !e.any_byte_sent) {
    e.any_byte_sent = true;
    e.first_byte_sent = at;
    if (e.replica.id) loop_.busy().begin(e.replica.id, at, is_low());
  }
  if (sent.io == Io::Done) return true;
  if (sent.io == Io::Blocked) return false;
  if (e.any_byte_sent) {
    e.may_send_more = false;
    return false;
  }
  if (upstream_->is_reused()) {
    // It was closed between the look and the write: nothing was accepted, and a fresh connection will tell more.
    std::exchange(upstream_, nullptr)->leave(false);
    open_upstream();
    return true;
  }
  leave_failed("it closed the connection before anything was sent");
  return true;
}

// --- from the replica --------------------------------------------------------------------------

void Exchange::on_interim(const http::ResponseHead& head) {
  if (head.status == 100) s_.awaits_continue = false;
  if (!s_.has_said_progress) downstream_.send_interim(head);
}

void Exchange::on_reply_head(const http::ResponseHead& head, BodyOut body) {
  State& e = s_;
  e.head_is_done = true;
  e.is_failed = head.status >= 500;
  e.first_byte_read = loop_.clock_now();
  e.is_sse = is_event_stream(head);
  if (e.has_said_progress && !may_follow_comments(head, e.is_sse)) return refuse_late_head(head);
  e.status = head.status;
  e.is_tunnel = head.status == 101;
  e.has_length = body.framing == http::Framing::Length && !e.has_said_progress;
  if (e.is_tunnel) {
    e.body_is_over = false;
    timeout_.drop();  // an open tunnel is idle or busy, never late
  }
  if (e.has_said_progress) return;
  const std::string id = model::to_text(e.id);
  const std::string timing = timing_text(e.stages, e.first_byte_read - e.first_byte_sent);
  const std::string replica = e.replica.id ? model::to_text(e.replica.id) : std::string();
  downstream_.send_head(head, {.request_id = id,
                               .server_timing = timing,
                               .replica = replica,
                               .cold_start = cold_start_word(e.woke_from),
                               .allowed_origin = e.allowed_origin,
                               .body = body});
}

// The replica's time ends with the last byte read, before that byte is passed on: a slow client costs the app nothing.
void Exchange::on_reply_body(const ReplyPiece& piece) {
  s_.reply_bytes += piece.bytes();
  if (s_.is_sse) s_.line_ends = line_ends_after(piece.payload, s_.line_ends);
  if (piece.is_last) reply_ended();
  downstream_.send_body(piece);
}

void Exchange::reply_ended() {
  const bool sent_all =
      request_out_.empty() && (s_.body_is_held || s_.body_is_over) && s_.may_send_more;
  request_out_.clear();
  leave_replica(sent_all);
  free_held();
  note_end(s_.status, Ending::Replied);
  set_over();
}

void Exchange::on_reply_broke(std::string detail) {
  State& e = s_;
  if (!e.any_byte_sent) return leave_failed(std::move(detail));
  // A kept connection may end in the moment in which it is used again; that says nothing about the replica's health.
  const bool is_hang_up = upstream_->is_reused() && !e.head_is_done;
  if (!is_hang_up) suspect(model::Suspicion::BrokenReply, detail);
  e.is_failed = !is_hang_up;
  leave_replica(false);
  const model::Refusal refusal{.status = 502,
                               .code = "replica_broke_reply",
                               .sentence = "The replica of '" + app_name() + "' broke its reply: " +
                                           detail + ". 'kelvin explain " + app_name() +
                                           "' and 'kelvin logs " + app_name() + "' may say why."};
  refuse(refusal);
}

// The head is out: all that is left to say is that the body is not whole. A head that only carried comments is no answer;
// this is the answer then.
void Exchange::break_reply(const model::Refusal& refusal) {
  std::string last_words;
  if ((s_.is_sse || s_.has_said_progress) && !s_.has_length) {
    last_words = s_.line_ends >= 2 ? "data: " : "\n\ndata: ";
    last_words += openai_error(refusal);
    last_words += "\n\n";
  }
  request_out_.clear();
  free_held();
  const bool had_reply = s_.status != 0;
  note_end(had_reply ? s_.status : refusal.status, had_reply ? Ending::Broken : Ending::Answered,
           refusal.code);
  set_over();
  downstream_.break_off(last_words);
}

}  // namespace kelvin::gateway
