// h1_upstream: writes requests to a replica and reads its replies.
#include "gateway/h1_upstream.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/exchange.h"
#include "http/write.h"

namespace kelvin::gateway {
namespace {

// A replica that says more than this before it answers never will.
constexpr std::uint32_t kInterimHeadsMax = 32;
// A head, and small replies whole; what follows it of a large one is left for the pipe.
constexpr std::size_t kFirstBytes = 16 * 1024;
// For less, copying costs no more than the calls that it saves.
constexpr std::uint64_t kPipeBytesMin = 32 * 1024;

// Half of the replica's "Keep-Alive: timeout=N", so that it rarely closes just as a request is on its way.
Duration kept_for(const http::ResponseHead& head, Duration at_most) {
  const http::Field* field = head.find("Keep-Alive");
  if (field == nullptr) return at_most;
  const std::size_t at = field->value.find("timeout=");
  if (at == std::string_view::npos) return at_most;
  std::int64_t seconds = 0;
  for (const char c : field->value.substr(at + 8, 6)) {
    if (c < '0' || c > '9') break;
    seconds = seconds * 10 + (c - '0');
  }
  return std::min<Duration>(at_most, std::chrono::milliseconds(seconds * 500));
}

}  // namespace

H1Upstream::H1Upstream(Loop& loop, ReplicaId to, os::Fd socket, bool connected)
    : Endpoint{EndpointKind::H1Upstream},
      loop_(loop),
      replica_(to),
      transport_(std::move(socket)),
      is_connected_(connected),
      may_write_(connected) {
  timer_.owner = this;
}

void H1Upstream::bind(Exchange& exchange, BodyOut form) {
  exchange_ = &exchange;
  form_ = form;
  head_is_done_ = is_tunnel_ = stays_ = end_is_said_ = false;
  interim_heads_ = 0;
  body_ = {};
}

void H1Upstream::become_idle() {
  exchange_ = nullptr;
  is_reused_ = true;
}

void H1Upstream::close() {
  exchange_ = nullptr;
  timer_.drop();
  transport_.close();
}

void H1Upstream::on_events(std::uint32_t events) {
  Exchange& exchange = *exchange_;
  if (!is_connected_) {
    const int error = connect_error(transport_.fd());
    if (error != 0) {
      return exchange.connect_failed("connecting to it failed: " +
                                     std::string(::strerrordesc_np(error)));
    }
    if ((events & EPOLLOUT) == 0) return;
    is_connected_ = true;
    timer_.drop();
    exchange.on_connected();
  }
  if ((events & EPOLLOUT) != 0) may_write_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) may_read_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) saw_end_ = true;
  exchange.downstream().advance();
}

void H1Upstream::on_connect_timeout() {
  exchange_->connect_failed("it did not accept a connection in time");
}

Sent H1Upstream::send(Outbox& kept, const Outgoing& outgoing) {
  const Sent sent = outgoing.is_held ? kept.send_beside(transport_, outgoing.payload)
                                     : send_framed(kept, outgoing);
  if (sent.io != Io::Done) may_write_ = false;
  // It may have answered before it stopped reading; what it said is still to be read.
  if (sent.io == Io::Broken) may_read_ = true;
  if (outgoing.is_last) end_is_said_ = true;
  if (is_tunnel_ && end_is_said_ && kept.empty()) transport_.finish_sending();
  return sent;
}

Sent H1Upstream::send_framed(Outbox& kept, const Outgoing& outgoing) {
  if (form_.framing != http::Framing::Chunked) return kept.send(transport_, {outgoing.payload});
  std::string& text = loop_.scratch();
  text.clear();
  if (!outgoing.payload.empty()) http::append_chunk_size(text, outgoing.payload.size());
  const std::string_view after = outgoing.payload.empty() ? std::string_view() : http::kChunkEnd;
  std::string last;
  if (outgoing.is_last) http::append_last_chunk(last, outgoing.trailers);
  return kept.send(transport_, {text, outgoing.payload, after, last});
}

void H1Upstream::read_reply() {
  std::size_t moved = 0;
  while (exchange_ != nullptr) {
    Downstream& downstream = exchange_->downstream();
    if (!downstream.has_room() || exchange_ == nullptr || !may_read_) return;
    const std::size_t bytes =
        goes_by_pipe(downstream) ? read_by_pipe(downstream) : read_piece(downstream);
    if (bytes == 0) return;
    moved += bytes;
    if (moved > loop_.limits().burst_bytes && exchange_ != nullptr)
      return loop_.call_again(downstream);
  }
}

std::size_t H1Upstream::read_piece(Downstream& downstream) {
  const std::span<char> whole = loop_.upstream_buffer();
  const std::size_t most = head_is_done_ ? downstream.piece_bytes_max() : kFirstBytes;
  const std::span<char> buffer = whole.first(std::min(whole.size(), most));
  const Received received = transport_.receive(buffer);
  if (received.io != Io::Done) {
    nothing_came(received.io);
    return 0;
  }
  if (received.bytes < buffer.size() && !saw_end_) may_read_ = false;
  take_reply(buffer.first(received.bytes));
  return received.bytes;
}

bool H1Upstream::goes_by_pipe(const Downstream& downstream) const {
  return head_is_done_ && body_.length_left() >= kPipeBytesMin && loop_.pipe() != nullptr &&
         downstream.takes_pipe();
}

std::size_t H1Upstream::read_by_pipe(Downstream& downstream) {
  SplicePipe& pipe = *loop_.pipe();
  const auto most = std::min<std::uint64_t>(body_.length_left(), downstream.piece_bytes_max());
  const Received received = pipe.fill(transport_.fd(), most);
  if (received.io != Io::Done) {
    nothing_came(received.io);
    return 0;
  }
  body_.skip(received.bytes);
  exchange_->on_reply_body({.pipe = &pipe, .is_last = body_.is_done()});
  return received.bytes;
}

void H1Upstream::nothing_came(Io io) {
  switch (io) {
    case Io::Done:
      return;
    case Io::Blocked:
      may_read_ = false;
      return;
    case Io::Broken:
      return exchange_->on_reply_broke("it reset the connection");
    case Io::Ended:
      if (!head_is_done_ || !body_.ends_with_connection()) {
        return exchange_->on_reply_broke("it closed the connection before the reply was complete");
      }
      return exchange_->on_reply_body({.is_last = true});
  }
}

// Interim heads are passed on one by one; the final one is followed by its body.
void H1Upstream::take_reply(std::span<char> bytes) {
  if (head_is_done_) return take_body(bytes);
  std::string whole = std::exchange(head_bytes_, {});
  if (!whole.empty()) {
    whole.append(bytes.data(), bytes.size());
    bytes = whole;
  }
  http::ResponseHead& head = loop_.response_head();
  while (true) {
    const http::Outcome outcome =
        http::parse_response({bytes.data(), bytes.size()}, loop_.limits().head, head);
    if (outcome.parsed == http::Parsed::Refused)
      return exchange_->on_reply_broke(std::string(outcome.why));
    if (outcome.parsed == http::Parsed::NeedMore) {
      head_bytes_.assign(bytes.data(), bytes.size());
      return;
    }
    bytes = bytes.subspan(head.bytes);
    if (head.status >= 200 || head.status == 101) break;
    if (++interim_heads_ > kInterimHeadsMax)
      return exchange_->on_reply_broke("it sent interim replies without end");
    exchange_->on_interim(head);
    if (exchange_ == nullptr) return;
  }
  if (head.status == 101 && !exchange_->wants_tunnel())
    return exchange_->on_reply_broke("it switched protocols without being asked");
  take_head(head);
  if (exchange_ != nullptr) take_body(bytes);
}

void H1Upstream::take_head(const http::ResponseHead& head) {
  head_is_done_ = true;
  is_tunnel_ = head.status == 101;
  const http::Framing framing = is_tunnel_
                                    ? http::Framing::UntilClose
                                    : http::framing_of(head, exchange_->is_head() ? "HEAD" : "GET");
  body_ = BodyReader(framing, head.content_length.value_or(0));
  if (is_tunnel_) {
    form_ = {.framing = http::Framing::UntilClose};
    end_is_said_ = false;
  }
  exchange_->on_reply_head(head, {.framing = framing, .length = head.content_length.value_or(0)});
  if (exchange_ == nullptr) return;
  // After an event stream cpp-httplib (in llama-server) closes without having said so, a moment after the last chunk:
  // a request sent in that moment could not be tried again. A fresh connection costs far less than a stream.
  stays_ = head.keeps_alive && framing != http::Framing::UntilClose && !exchange_->is_sse();
  idle_for_ = kept_for(head, loop_.limits().upstream_idle_time);
}

void H1Upstream::take_body(std::span<char> bytes) {
  const auto piece = body_.read(bytes);
  if (piece.is_refused) return exchange_->on_reply_broke(std::string(piece.why));
  // Bytes behind the reply are nobody's: what comes next cannot be trusted.
  if (piece.consumed < bytes.size()) stays_ = false;
  exchange_->on_reply_body(
      {.payload = piece.payload, .is_last = body_.is_done(), .trailers = piece.trailers});
}

void H1Upstream::leave(bool keeps) {
  exchange_ = nullptr;
  if (keeps && stays_ && !saw_end_ && idle_for_ > Duration::zero())
    loop_.keep_idle(*this, idle_for_);
  else
    loop_.discard(*this);
}

}  // namespace kelvin::gateway
