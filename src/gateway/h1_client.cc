// h1_client: reads requests from a client's HTTP/1 connection and writes its replies.
#include "gateway/h1_client.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "http/write.h"

namespace kelvin::gateway {
namespace {

// Requests answered for one connection before the others have their turn: pipelined ones need no event.
constexpr int kRequestsInATurn = 32;
// Pieces of a reply's body.
constexpr std::size_t kPieceBytesMin = 64 * 1024;
constexpr std::size_t kPieceBytesFirst = 128 * 1024;
constexpr std::size_t kPieceBytesMax = 256 * 1024;
// What an HTTP/2 client says first, over TLS and with prior knowledge alike (RFC 9113 3.4).
constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

H1Client::H1Client(Loop& loop, Transport transport, std::string address)
    : ClientConnection(loop, std::move(transport), std::move(address)),
      exchange_(loop, *this),
      piece_bytes_max_(kPieceBytesFirst) {
  step_timer_.owner = static_cast<ClientConnection*>(this);
  step_timer_.kind = static_cast<std::uint8_t>(TimerKind::ClientStep);
}

void H1Client::begin(std::string_view received) {
  in_.keep(received);
  // A handshake must come as soon as a head.
  set_step(Step::ReadingHead, is_secure() ? loop_.limits().head_time : loop_.limits().idle_time);
  advance();
}

void H1Client::set_step(Step step, Duration at_most) {
  step_ = step;
  if (at_most == Duration::zero())
    step_timer_.drop();
  else
    loop_.timers().set(step_timer_, loop_.now() + at_most);
}

void H1Client::on_events(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return abandon();
  if ((events & EPOLLIN) != 0) may_read_ = true;
  if ((events & EPOLLOUT) != 0) may_write_ = true;
  // A handshake may have more to say than the socket took.
  if (may_write_ && transport_.has_unsent() && out_.empty()) send({});
  if (is_discarded()) return;
  if ((events & EPOLLRDHUP) != 0) saw_end_ = may_read_ = true;
  // A client that sends no more has left, unless its reply is on the way already or it has a tunnel, which closes one
  // way at a time.
  const bool may_end = step_ == Step::Flushing || step_ == Step::Lingering ||
                       (step_ == Step::Serving && exchange_.is_tunnel());
  if (saw_end_ && !may_end) return abandon();
  advance();
}

void H1Client::advance() {
  for (int requests = 0; !is_discarded();) {
    const Step before = step_;
    if (!take_step()) break;
    if (before == Step::ReadingHead && ++requests == kRequestsInATurn) {
      loop_.call_again(*this);
      break;
    }
  }
  if (!is_discarded()) in_.stash();
}

bool H1Client::take_step() {
  switch (step_) {
    case Step::ReadingHead:
      return read_head();
    case Step::Serving:
      exchange_.advance();
      if (is_discarded() || !exchange_.is_over()) return false;
      if (step_ == Step::Serving) set_step(Step::Flushing, Duration::zero());
      return true;
    case Step::Flushing:
      return flush();
    case Step::Lingering:
      linger();
      return false;
  }
  return false;
}

// --- requests ----------------------------------------------------------------------------------

bool H1Client::read_more() {
  if (!may_read_) return false;
  in_.stash();
  const std::span<char> buffer = loop_.client_buffer();
  const Received received = transport_.receive(buffer);
  switch (received.io) {
    case Io::Done:
      // Less than asked for: the socket is empty, and the next byte is a new event. An end that is announced already
      // is not.
      if (!transport_.may_hold_more(received.bytes, buffer.size()) && !saw_end_) may_read_ = false;
      in_.lend(buffer.first(received.bytes));
      has_moved_ = true;
      return true;
    case Io::Blocked:
      may_read_ = false;
      return false;
    case Io::Broken:
      transport_.answer_plain_http();
      [[fallthrough]];
    case Io::Ended:
      may_read_ = false;
      saw_end_ = true;
      return false;
  }
  return false;
}

bool H1Client::read_head() {
  const bool has_more = head_has_begun_ ? read_line_end() : !in_.empty() || read_more();
  if (saw_end_) abandon();
  if (!has_more || is_discarded()) return false;
  const bool may_be_h2 =
      is_first_ && kH2Preface.starts_with(in_.view().substr(0, kH2Preface.size()));
  if (may_be_h2 && in_.view().size() >= kH2Preface.size()) {
    step_timer_.drop();
    loop_.switch_to_h2(*this, in_.view());
    return false;
  }
  http::RequestHead& head = loop_.request_head();
  const http::Outcome outcome =
      may_be_h2 ? http::Outcome{} : http::parse_request(in_.view(), loop_.limits().head, head);
  if (outcome.parsed == http::Parsed::NeedMore) {
    if (!std::exchange(head_has_begun_, true))
      loop_.timers().set(step_timer_, loop_.now() + loop_.limits().head_time);
    return true;
  }
  head_has_begun_ = is_first_ = false;
  exchange_.start();
  if (outcome.parsed == http::Parsed::Done) {
    serve(head);
    return true;
  }
  closes_ = true;
  body_ = {};
  set_step(Step::Flushing, Duration::zero());
  exchange_.refuse({.status = outcome.status,
                    .code = "malformed_request",
                    .sentence = std::string(outcome.why)});
  return true;
}

// A byte at a time must not cost a parse each: only a line end changes anything before the limit.
bool H1Client::read_line_end() {
  while (true) {
    const std::size_t before = in_.view().size();
    if (!read_more()) return false;
    const std::string_view all = in_.view();
    const bool is_long = all.size() >= loop_.limits().head.head_bytes_max;
    if (is_long || all.find('\n', before) != std::string_view::npos) return true;
  }
}

void H1Client::serve(const http::RequestHead& head) {
  is_old_ = head.minor_version == 0;
  keeps_alive_ = head.keeps_alive;
  closes_ = false;
  const http::Framing framing = http::framing_of(head);
  body_ = BodyReader(framing, head.content_length.value_or(0));
  in_hand_ = head.bytes;
  body_rate_ = {};
  set_step(Step::Serving, Duration::zero());
  exchange_.begin(head, {.exists = framing != http::Framing::None, .length = head.content_length});
  if (!is_discarded()) body_taken();
}

std::string H1Client::text_of(const http::RequestHead& head) const {
  return std::string(in_.view().substr(0, head.bytes));
}

BodyPiece H1Client::read_body() {
  if (in_.empty() && !read_more()) {
    if (!saw_end_) return {.kind = BodyPiece::Kind::NotYet};
    if (!exchange_.is_tunnel()) return {.kind = BodyPiece::Kind::Left};
    return {.kind = BodyPiece::Kind::Bytes, .is_last = true};
  }
  const auto piece = body_.read(in_.bytes());
  if (piece.is_refused) return {.kind = BodyPiece::Kind::Broken, .why = piece.why};
  in_hand_ = piece.consumed;
  body_rate_.note(piece.payload.size());
  return {.kind = BodyPiece::Kind::Bytes,
          .payload = piece.payload,
          .is_last = body_.is_done(),
          .trailers = piece.trailers};
}

void H1Client::body_taken() { in_.consume(std::exchange(in_hand_, 0)); }

bool H1Client::hand_to_management() {
  if (transport_.is_secure()) return false;
  std::string received(in_.view());
  const int fd = transport_.release();
  step_timer_.drop();
  loop_.hand_to_management(*this, fd, std::move(received));
  return true;
}

void H1Client::send_continue() {
  if (!body_is_here()) send({"HTTP/1.1 100 Continue\r\n\r\n"});
}

// --- replies -----------------------------------------------------------------------------------

void H1Client::send(std::initializer_list<std::string_view> parts) {
  note(out_.send(transport_, parts));
}

void H1Client::note(const Sent& sent) {
  if (sent.bytes > 0) has_moved_ = true;
  if (sent.io == Io::Broken) return abandon();
  if (sent.io == Io::Blocked) may_write_ = false;
}

bool H1Client::has_room() {
  if (is_flushed()) return true;
  if (may_write_) send({});
  return !is_discarded() && is_flushed();
}

void H1Client::send_interim(const http::ResponseHead& head) {
  if (is_old_) return;
  std::string& text = loop_.scratch();
  text.clear();
  append_interim_head(text, head);
  send({text});
}

void H1Client::send_head(const http::ResponseHead& head, const ReplyNotes& notes) {
  const bool is_tunnel = head.status == 101;
  const bool is_measured =
      notes.body.framing == http::Framing::None || notes.body.framing == http::Framing::Length;
  reply_form_ = notes.body;
  if (!is_measured) {
    reply_form_.framing = is_old_ || is_tunnel ? http::Framing::UntilClose : http::Framing::Chunked;
  }
  // A body that is still coming in cannot be told from the next request once the reply has ended.
  closes_ = closes_ || !keeps_alive_ || is_drained_ || is_retired_ || !body_.is_done() ||
            reply_form_.framing == http::Framing::UntilClose;
  if (is_tunnel) body_ = BodyReader(http::Framing::UntilClose, 0);
  ReplyNotes ours = notes;
  ours.body = reply_form_;
  ours.closes = closes_ && !is_tunnel;
  ours.says_keep_alive = is_old_;
  std::string& text = loop_.scratch();
  text.clear();
  append_reply_head(text, head, ours);
  out_.keep(text);
}

bool H1Client::takes_pipe() const {
  return out_.empty() && !transport_.is_secure() && reply_form_.framing == http::Framing::Length;
}

void H1Client::send_body(const ReplyPiece& piece) {
  const std::size_t bytes = piece.bytes();
  if (piece.pipe != nullptr) {
    note(out_.send_from(*piece.pipe, transport_));
  } else if (reply_form_.framing == http::Framing::Chunked) {
    std::string& text = loop_.scratch();
    text.clear();
    if (!piece.payload.empty()) http::append_chunk_size(text, piece.payload.size());
    const std::string_view after = piece.payload.empty() ? std::string_view() : http::kChunkEnd;
    std::string last;
    if (piece.is_last) http::append_last_chunk(last, piece.trailers);
    send({text, piece.payload, after, last});
  } else {
    send({piece.payload});
  }
  learn_piece_size(bytes);
}

// Large pieces save system calls, and are for a client that takes them whole: what it leaves is kept here.
void H1Client::learn_piece_size(std::size_t bytes) {
  if (!out_.empty())
    piece_bytes_max_ = kPieceBytesMin;
  else if (bytes * 2 > piece_bytes_max_)
    piece_bytes_max_ = std::min(piece_bytes_max_ * 2, kPieceBytesMax);
}

void H1Client::send_own(const OwnReply& reply) {
  // An HTTP/1.0 client reads to the end unless it is told otherwise, which own replies do not.
  if (!keeps_alive_ || is_old_ || is_drained_ || is_retired_ || !body_is_here()) closes_ = true;
  OwnReply ours = reply;
  ours.closes = closes_;
  std::string& text = loop_.scratch();
  text.clear();
  append_own_reply(text, ours);
  out_.keep(text);
}

void H1Client::break_off(std::string_view last_words) {
  closes_ = true;
  if (last_words.empty()) return;
  const bool is_chunked = reply_form_.framing == http::Framing::Chunked;
  if (is_chunked) {
    std::string size_line;
    http::append_chunk_size(size_line, last_words.size());
    out_.keep(size_line);
  }
  out_.keep(last_words);
  if (is_chunked) out_.keep(http::kChunkEnd);
}

bool H1Client::flush() {
  if (!has_room()) {
    if (!is_discarded()) watch(Awaited::Nothing);
    return false;
  }
  next_request();
  return !is_discarded();
}

void H1Client::next_request() {
  if (saw_end_) return loop_.discard(*this);
  if (closes_ || is_drained_) return begin_linger();
  if (!body_.is_done()) in_.consume(body_.read(in_.bytes()).consumed);
  // What is left of a body must never be read as a request.
  if (!body_.is_done()) return begin_linger();
  head_has_begun_ = false;
  set_step(Step::ReadingHead, loop_.limits().idle_time);
}

void H1Client::begin_linger() {
  transport_.finish_sending();
  in_.clear();
  set_step(Step::Lingering, loop_.limits().linger_time);
}

// What still comes is read and thrown away for as long as the limit says, whatever its amount: a connection that is closed
// with bytes unread is reset, and its client would not get to see the reply.
void H1Client::linger() {
  std::size_t bytes = 0;
  while (may_read_) {
    const Received received = transport_.receive(loop_.client_buffer());
    if (received.io == Io::Blocked) {
      may_read_ = false;
      return;
    }
    if (received.io != Io::Done) return loop_.discard(*this);
    bytes += received.bytes;
    if (bytes > loop_.limits().burst_bytes) return loop_.call_again(*this);
  }
}

// --- deadlines and the end ---------------------------------------------------------------------

void H1Client::watch(Awaited awaited) {
  const GatewayLimits& limits = loop_.limits();
  const Instant now = loop_.now();
  if (awaited == Awaited::BodyInTime)
    body_rate_.resume(now);
  else
    body_rate_.pause(now);
  const bool is_fresh = std::exchange(has_moved_, false) || !step_timer_.is_set();
  if (!exchange_.is_tunnel() && is_flushed() && awaited == Awaited::Nothing)
    return step_timer_.drop();
  if (is_fresh && exchange_.is_tunnel())
    silent_until_ = now + limits.tunnel_idle_time;
  else if (is_fresh)
    silent_until_ = now + (is_flushed() ? limits.body_idle_time : limits.write_idle_time);
  set_step_timer();
}

void H1Client::set_step_timer() {
  const Instant window_end = body_rate_.deadline(loop_.limits().body_rate);
  loop_.timers().set(step_timer_, std::min(silent_until_, window_end));
}

void H1Client::on_step_timeout() {
  switch (step_) {
    case Step::ReadingHead:
      if (!head_has_begun_) return abandon();
      exchange_.start();
      closes_ = true;
      body_ = {};
      set_step(Step::Flushing, Duration::zero());
      exchange_.refuse({.status = 408,
                        .code = "head_too_slow",
                        .sentence = "The request's head did not arrive in time."});
      return advance();
    case Step::Serving: {
      const bool is_silent = loop_.now() >= silent_until_;
      if (!is_silent && !body_rate_.is_too_slow(loop_.limits().body_rate, loop_.now()))
        return set_step_timer();
      if (!is_flushed() || exchange_.has_sent_head()) return abandon();
      return is_silent ? exchange_.body_stalled() : exchange_.body_too_slow();
    }
    case Step::Flushing:
    case Step::Lingering:
      return abandon();
  }
}

void H1Client::on_drain() {
  is_drained_ = true;
  if (step_ == Step::ReadingHead && !head_has_begun_ && in_.empty()) abandon();
}

void H1Client::abandon() {
  if (is_discarded()) return;
  exchange_.client_left();
  step_timer_.drop();
  loop_.discard(*this);
}

}  // namespace kelvin::gateway
