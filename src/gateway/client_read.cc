// client_read: bytes from the client, up to a whole request.
#include <sys/socket.h>

#include <utility>

#include "gateway/client.h"
#include "gateway/upstream.h"
#include "http/write.h"

namespace kelvin::gateway {
namespace {

// Read and thrown away after a last reply, so that the client gets to see it before the connection is reset.
constexpr std::size_t kLingerBytesMax = 1024 * 1024;
// Requests answered for one connection before the others have their turn: pipelined ones need no event.
constexpr int kRequestsInATurn = 32;

}  // namespace

Client::Client(Loop& loop, os::Fd fd, std::string address)
    : Endpoint{EndpointKind::Client},
      loop_(loop),
      fd_(std::move(fd)),
      address_(std::move(address)) {
  step_timer_.owner = request_timer_.owner = this;
  step_timer_.kind = static_cast<std::uint8_t>(TimerKind::ClientStep);
  request_timer_.kind = static_cast<std::uint8_t>(TimerKind::RequestTimeout);
}

Client::~Client() = default;

void Client::begin() {
  set_step(Step::ReadingHead, loop_.limits().idle_time);
  advance();
}

void Client::set_step(Step step, Duration at_most) {
  step_ = step;
  if (at_most == Duration::zero())
    step_timer_.drop();
  else
    loop_.timers().set(step_timer_, loop_.now() + at_most);
}

void Client::on_events(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return client_left();
  if ((events & EPOLLIN) != 0) may_read_ = true;
  if ((events & EPOLLOUT) != 0) may_write_ = true;
  if ((events & EPOLLRDHUP) != 0) saw_end_ = true;
  // A client that sends no more has left, unless its reply is on the way already.
  const bool is_replying = step_ == Step::Replying || step_ == Step::Lingering;
  if (saw_end_ && !is_replying) return client_left();
  advance();
}

void Client::on_turn() { advance(); }

void Client::advance() {
  Went went = Went::On;
  for (int requests = 0; went == Went::On;) {
    const RequestId before = exchange_.id;
    went = take_step();
    if (went != Went::Gone && exchange_.id && exchange_.id != before &&
        ++requests == kRequestsInATurn) {
      loop_.call_again(*this);
      break;
    }
  }
  if (went != Went::Gone) in_.stash();
}

Client::Went Client::take_step() {
  switch (step_) {
    case Step::ReadingHead:
      return read_head();
    case Step::HoldingBody:
      return hold_body();
    case Step::Waiting:
    case Step::Connecting:
      return Went::Waiting;
    case Step::Proxying:
      return pump();
    case Step::Replying:
      return flush_reply();
    case Step::Lingering:
      return linger();
  }
  return Went::Waiting;
}

// Reads once; true when bytes have come.
bool Client::read_more() {
  if (!may_read_) return false;
  in_.stash();
  const std::span<char> buffer = loop_.client_buffer();
  const Received received = receive(fd_.get(), buffer);
  switch (received.io) {
    case Io::Done:
      // Less than asked for: the socket is empty, and the next byte is a new event. An end that is announced already
      // is not.
      if (received.bytes < buffer.size() && !saw_end_) may_read_ = false;
      in_.lend(buffer.first(received.bytes));
      has_moved_ = true;
      return true;
    case Io::Blocked:
      may_read_ = false;
      return false;
    case Io::Ended:
    case Io::Broken:
      may_read_ = false;
      saw_end_ = true;
      return false;
  }
  return false;
}

Client::Went Client::read_head() {
  if (saw_end_) {
    client_left();
    return Went::Gone;
  }
  if (in_.empty() && !read_more()) {
    if (!saw_end_) return Went::Waiting;
    client_left();
    return Went::Gone;
  }
  http::RequestHead& head = loop_.request_head();
  const http::Outcome outcome = http::parse_request(in_.view(), loop_.limits().head, head);
  if (outcome.parsed == http::Parsed::NeedMore) {
    if (!std::exchange(head_has_begun_, true))
      loop_.timers().set(step_timer_, loop_.now() + loop_.limits().head_time);
    // A byte at a time must not cost a parse each: only a line end changes anything before the limit.
    while (true) {
      const std::size_t before = in_.view().size();
      if (!read_more()) return saw_end_ ? Went::On : Went::Waiting;
      const std::string_view all = in_.view();
      const bool is_long = all.size() >= loop_.limits().head.head_bytes_max;
      if (is_long || all.find('\n', before) != std::string_view::npos) return Went::On;
    }
  }
  exchange_ = Exchange{};
  exchange_.id = loop_.next_request_id();
  exchange_.arrived = loop_.now();
  head_has_begun_ = false;
  if (outcome.parsed == http::Parsed::Refused) {
    exchange_.closes = true;
    refuse({.status = outcome.status,
            .code = "malformed_request",
            .sentence = std::string(outcome.why)});
    return Went::On;
  }
  in_hand_ = head.bytes;
  begin_request(head);
  if (is_discarded()) return Went::Gone;
  in_.consume(std::exchange(in_hand_, 0));
  return Went::On;
}

void Client::begin_request(const http::RequestHead& head) {
  Exchange& e = exchange_;
  e.is_head = head.method == "HEAD";
  e.is_old = head.minor_version == 0;
  e.keeps_alive = head.keeps_alive;
  e.body = BodyReader(http::framing_of(head), head.content_length.value_or(0));
  request_out_.clear();
  Destination to = find_destination(head.host, head.path, loop_.shared().own_hosts);
  e.is_openai = to.surface == Surface::OpenAi;
  if (refuse_early(head, to)) return;
  switch (to.surface) {
    case Surface::App:
      return route_to_app(head, std::move(to));
    case Surface::OpenAi:
      return begin_openai(head);
    case Surface::Management: {
      std::string received(in_.view());
      return loop_.hand_to_management(*this, fd_.release(), std::move(received));
    }
    case Surface::Nowhere:
    case Surface::ForeignHost:
      return;  // refused above
  }
}

Client::Went Client::hold_body() {
  Exchange& e = exchange_;
  std::size_t moved = 0;
  while (!e.body.is_done()) {
    if (in_.empty() && !read_more()) {
      if (!saw_end_) return Went::Waiting;
      client_left();
      return Went::Gone;
    }
    const auto piece = e.body.read(in_.bytes());
    if (piece.is_refused) {
      e.closes = true;
      refuse({.status = 400, .code = "malformed_body", .sentence = std::string(piece.why)});
      return Went::On;
    }
    in_hand_ = piece.consumed;
    const bool is_kept = keep_body(piece.payload);
    in_.consume(std::exchange(in_hand_, 0));
    if (!is_kept) return Went::On;
    moved += piece.consumed;
    loop_.timers().set(step_timer_, loop_.now() + loop_.limits().body_idle_time);
    if (moved > loop_.limits().burst_bytes && !e.body.is_done()) {
      loop_.call_again(*this);
      return Went::Waiting;
    }
  }
  step_timer_.drop();
  finish_openai();
  return is_discarded() ? Went::Gone : Went::On;
}

bool Client::keep_body(std::string_view payload) {
  Exchange& e = exchange_;
  const GatewayLimits& limits = loop_.limits();
  if (e.held.size() + payload.size() > limits.held_body_max) {
    refuse({.status = 413,
            .code = "body_too_large",
            .sentence = "The body is longer than the " + std::to_string(limits.held_body_max) +
                        " bytes that are held under /v1. Send less, or call the app by its own "
                        "address, which takes "
                        "bodies of any length."});
    return false;
  }
  auto& held = loop_.shared().held_bytes;
  if (held.fetch_add(payload.size(), std::memory_order_relaxed) + payload.size() >
      limits.held_total_max) {
    held.fetch_sub(payload.size(), std::memory_order_relaxed);
    refuse({.status = 503,
            .code = "bodies_exhausted",
            .sentence = "The memory for waiting request bodies is used up. Try again in a moment.",
            .retry_after = 1s});
    return false;
  }
  e.held += payload;
  return true;
}

Client::Went Client::flush_reply() {
  const Went went = flush_out();
  if (went != Went::On) return went;
  if (!out_.empty()) {
    watch_client();
    return Went::Waiting;
  }
  next_request();
  return is_discarded() ? Went::Gone : Went::On;
}

void Client::begin_linger() {
  ::shutdown(fd_.get(), SHUT_WR);
  in_.clear();
  set_step(Step::Lingering, loop_.limits().linger_time);
}

Client::Went Client::linger() {
  while (lingered_ < kLingerBytesMax && may_read_) {
    const Received received = receive(fd_.get(), loop_.client_buffer());
    if (received.io == Io::Blocked) {
      may_read_ = false;
      return Went::Waiting;
    }
    if (received.io != Io::Done) break;
    lingered_ += received.bytes;
  }
  if (may_read_) {
    loop_.discard(*this);
    return Went::Gone;
  }
  return Went::Waiting;
}

void Client::on_step_timeout() {
  switch (step_) {
    case Step::ReadingHead:
      if (!head_has_begun_) return client_left();
      exchange_ = Exchange{};
      exchange_.id = loop_.next_request_id();
      exchange_.arrived = loop_.now();
      exchange_.closes = true;
      refuse({.status = 408,
              .code = "head_too_slow",
              .sentence = "The request's head did not arrive in time."});
      return advance();
    case Step::HoldingBody:
    case Step::Connecting:
    case Step::Proxying:
      if (!out_.empty() || exchange_.head_is_done) return client_left();
      leave_replica(false);
      refuse({.status = 408,
              .code = "body_too_slow",
              .sentence = "The request's body stopped arriving."});
      return advance();
    case Step::Waiting:
      return;
    case Step::Replying:
    case Step::Lingering:
      return client_left();
  }
}

void Client::on_drain() {
  is_drained_ = true;
  if (step_ == Step::ReadingHead && !head_has_begun_ && in_.empty()) client_left();
}

}  // namespace kelvin::gateway
