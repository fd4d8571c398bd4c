// h2_upstream: writes requests to a replica that speaks h2c and reads its replies.
#include "gateway/h2_upstream.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "gateway/exchange.h"

namespace kelvin::gateway {
namespace {

// A piece of a body from the client is one buffer and what was left of a head's: it must fit.
constexpr std::size_t kRoomBytes = 192 * 1024;
constexpr std::size_t kProduceBytes = 64 * 1024;
// The head that is read again is our own.
constexpr http::Limits kAnyHead{
    .head_bytes_max = 1024 * 1024, .fields_max = 4096, .target_bytes_max = 1024 * 1024};

}  // namespace

// --- a stream ----------------------------------------------------------------------------------

bool H2UpstreamStream::is_connected() const { return connection_.is_connected(); }
bool H2UpstreamStream::is_reused() const { return connection_.is_reused(); }

bool H2UpstreamStream::can_take() const {
  if (!reset_.empty() || is_finished_) return false;
  return number_ == 0 || connection_.session().room(number_) >= kRoomBytes;
}

bool H2UpstreamStream::submit(Outbox& kept, http::Ends ends) {
  http::RequestHead head;
  static_cast<void>(http::parse_request(kept.view(), kAnyHead, head));
  head.fields.push_back({"te", "trailers"});
  const auto number = connection_.session().submit_request(head, ends);
  if (!number) return false;
  number_ = *number;
  connection_.note_number(*this);
  kept.clear();
  return true;
}

// The head leaves together with what the connection has to say anyway: it counts as sent from here on.
Sent H2UpstreamStream::send(Outbox& kept, const Outgoing& outgoing) {
  const bool ends_with_head = outgoing.is_last && outgoing.payload.empty();
  std::size_t bytes = 0;
  if (number_ == 0) {
    bytes = kept.size();
    if (!submit(kept, ends_with_head ? http::Ends::Yes : http::Ends::No)) return {.io = Io::Broken};
    is_finished_ = ends_with_head;
  }
  const std::size_t taken = connection_.session().send_body(number_, outgoing.payload);
  KELVIN_CHECK(outgoing.is_held || taken == outgoing.payload.size());
  if (outgoing.is_last && taken == outgoing.payload.size() && !is_finished_) {
    is_finished_ = true;
    connection_.session().finish(number_, outgoing.trailers);
  }
  connection_.flush();
  return {.io = taken == outgoing.payload.size() ? Io::Done : Io::Blocked,
          .bytes = bytes + taken,
          .borrowed = outgoing.is_held ? taken : 0};
}

void H2UpstreamStream::take_head(const http::ResponseHead& head, http::Ends ends) {
  if (exchange_ == nullptr) return;
  if (head.status < 200) return exchange_->on_interim(head);
  head_is_done_ = true;
  has_all_ = ends == http::Ends::Yes;
  BodyOut body{.framing = http::Framing::Chunked};
  const bool has_none = has_all_ || http::framing_of(head, exchange_->is_head() ? "HEAD" : "GET") ==
                                        http::Framing::None;
  if (has_none)
    body = {};
  else if (head.content_length)
    body = {.framing = http::Framing::Length, .length = *head.content_length};
  exchange_->on_reply_head(head, body);
}

void H2UpstreamStream::add_trailers(std::span<const http::Field> fields) {
  for (const http::Field& field : fields) trailers_.emplace_back(field.name, field.value);
}

void H2UpstreamStream::read_reply() {
  while (exchange_ != nullptr) {
    if (!exchange_->downstream().has_room() || exchange_ == nullptr) return;
    if (!reset_.empty() && in_.empty()) return exchange_->on_reply_broke(reset_);
    if (!head_is_done_ || (in_.empty() && !has_all_)) return;
    const std::size_t most = exchange_->downstream().piece_bytes_max();
    const bool is_all = in_.size() <= most;
    std::string rest = is_all ? std::string() : in_.substr(most);
    in_.resize(std::min(in_.size(), most));
    const std::string body = std::exchange(in_, std::move(rest));
    pass({.payload = body, .is_last = is_all && has_all_});
  }
}

void H2UpstreamStream::pass(ReplyPiece piece) {
  std::vector<http::Field> trailers;
  if (piece.is_last)
    for (const auto& [name, value] : trailers_) trailers.push_back({name, value});
  piece.trailers = trailers;
  if (!piece.payload.empty()) connection_.session().consume(number_, piece.payload.size());
  H2Upstream& connection = connection_;
  exchange_->on_reply_body(piece);
  connection.flush();
}

void H2UpstreamStream::leave(bool keeps) {
  exchange_ = nullptr;
  const bool is_over = !reset_.empty() || (has_all_ && is_finished_ && keeps);
  if (number_ != 0 && !is_over) connection_.session().reset(number_, http::H2Code::Cancel);
  H2Upstream& connection = connection_;
  connection.drop(*this);
  connection.flush();
}

// --- the connection ----------------------------------------------------------------------------

H2Upstream::H2Upstream(Loop& loop, ReplicaId to, Connecting socket)
    : Endpoint{EndpointKind::H2Upstream},
      loop_(loop),
      replica_(to),
      transport_(std::move(socket.fd)),
      session_(http::H2Session::client(loop.limits().h2_upstream, *this)),
      is_connected_(socket.is_connected),
      may_write_(socket.is_connected) {
  timer_.owner = this;
  timer_.kind = static_cast<std::uint8_t>(TimerKind::H2Upstream);
  if (!is_connected_) loop_.timers().set(timer_, loop_.now() + loop_.limits().connect_time);
}

bool H2Upstream::has_room() const {
  const std::size_t most =
      std::min<std::size_t>(session_.streams_max_of_peer(), loop_.limits().h2_upstream.streams_max);
  return !is_going_ && !is_discarded() && streams_.size() < most;
}

H2UpstreamStream& H2Upstream::open(Exchange& exchange) {
  auto stream = std::make_unique<H2UpstreamStream>(*this, exchange);
  H2UpstreamStream& opened = *stream;
  streams_.emplace(&opened, std::move(stream));
  ++requests_;
  if (is_connected_) timer_.drop();
  return opened;
}

void H2Upstream::note_number(H2UpstreamStream& stream) { by_number_[stream.number()] = &stream; }

H2UpstreamStream* H2Upstream::find(http::H2Stream number) {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second;
}

void H2Upstream::drop(H2UpstreamStream& stream) {
  by_number_.erase(stream.number());
  const auto found = streams_.find(&stream);
  KELVIN_CHECK(found != streams_.end());
  loop_.bury(std::unique_ptr<Upstream>(std::move(found->second)));
  streams_.erase(found);
  if (!streams_.empty() || is_discarded()) return;
  // Not at once: whoever has just left may be inside a call of this connection.
  const Duration idle = is_ended_ ? Duration::zero() : loop_.limits().upstream_idle_time;
  loop_.timers().set(timer_, loop_.now() + idle);
}

void H2Upstream::on_events(std::uint32_t events) {
  if (is_ended_) return;
  if (!is_connected_) {
    const int error = connect_error(transport_.fd());
    if (error != 0)
      return fail_connect("connecting to it failed: " + std::string(::strerrordesc_np(error)));
    if ((events & EPOLLOUT) == 0) return;
    is_connected_ = may_write_ = true;
    timer_.drop();
    std::vector<Exchange*> exchanges;
    for (const auto& [stream, owned] : streams_) exchanges.push_back(stream->exchange());
    for (Exchange* exchange : exchanges) exchange->on_connected();
    for (Exchange* exchange : exchanges) exchange->downstream().advance();
  }
  if ((events & EPOLLOUT) != 0) may_write_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) may_read_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) saw_end_ = true;
  flush();
  if (!is_discarded()) read_some();
}

void H2Upstream::on_timer() {
  if (!is_connected_) return fail_connect("it did not accept a connection in time");
  loop_.discard(*this);
}

void H2Upstream::fail_connect(const std::string& detail) {
  is_going_ = true;
  // Each of them leaves.
  while (!streams_.empty()) streams_.begin()->first->exchange()->connect_failed(detail);
  if (!is_discarded()) loop_.discard(*this);
}

void H2Upstream::read_some() {
  while (may_read_ && out_.empty()) {
    const std::span<char> buffer = loop_.upstream_buffer();
    const Received received = transport_.receive(buffer);
    if (received.io == Io::Blocked) may_read_ = false;
    if (received.io == Io::Ended || received.io == Io::Broken) return end();
    if (received.io != Io::Done) return;
    if (received.bytes < buffer.size() && !saw_end_) may_read_ = false;
    is_in_session_ = true;
    const Status taken = session_.receive({buffer.data(), received.bytes});
    is_in_session_ = false;
    give_turns();
    flush();
    if (!taken || session_.is_over()) return end();
    if (is_discarded()) return;
  }
}

void H2Upstream::give_turns() {
  std::vector<http::H2Stream> turns = std::exchange(turns_, {});
  std::sort(turns.begin(), turns.end());
  turns.erase(std::unique(turns.begin(), turns.end()), turns.end());
  for (const http::H2Stream number : turns) {
    H2UpstreamStream* stream = find(number);
    if (stream != nullptr && stream->exchange() != nullptr)
      stream->exchange()->downstream().advance();
  }
}

void H2Upstream::end() {
  is_going_ = is_ended_ = true;
  is_in_session_ = true;
  session_.lost();
  is_in_session_ = false;
  give_turns();
  // What had not been sent yet goes elsewhere.
  while (H2UpstreamStream* stream = find_unsent())
    stream->exchange()->connect_failed("it closed the connection");
  // Streams whose client takes nothing at the moment still hold what came before the end.
  if (streams_.empty() && !is_discarded()) loop_.discard(*this);
}

H2UpstreamStream* H2Upstream::find_unsent() {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [](const auto& entry) { return entry.first->number() == 0; });
  return found == streams_.end() ? nullptr : found->first;
}

void H2Upstream::flush() {
  if (is_in_session_ || is_ended_ || is_discarded() || !is_connected_) return;
  while (may_write_) {
    std::string text;
    if (out_.empty()) {
      is_in_session_ = true;
      session_.produce(text, kProduceBytes);
      is_in_session_ = false;
      if (text.empty()) break;
    }
    const Sent sent = out_.send(transport_, {text});
    if (sent.io != Io::Done) may_write_ = false;
    // What it said before it broke off is still to be read.
    if (sent.io == Io::Broken) may_read_ = true;
  }
  for (const http::H2Stream number : std::exchange(turns_, {})) {
    H2UpstreamStream* stream = find(number);
    if (stream != nullptr && stream->exchange() != nullptr)
      loop_.call_again(stream->exchange()->downstream());
  }
}

void H2Upstream::on_response(http::H2Stream number, const http::ResponseHead& head,
                             http::Ends ends) {
  if (H2UpstreamStream* stream = find(number)) stream->take_head(head, ends);
  turns_.push_back(number);
}

void H2Upstream::on_body(http::H2Stream number, std::string_view piece) {
  H2UpstreamStream* stream = find(number);
  if (stream == nullptr) return session_.consume(number, piece.size());
  stream->add_body(piece);
  turns_.push_back(number);
}

void H2Upstream::on_trailers(http::H2Stream number, std::span<const http::Field> fields) {
  if (H2UpstreamStream* stream = find(number)) stream->add_trailers(fields);
}

void H2Upstream::on_end(http::H2Stream number) {
  if (H2UpstreamStream* stream = find(number)) stream->end_reply();
  turns_.push_back(number);
}

void H2Upstream::on_reset(http::H2Stream number, http::H2Reset reset) {
  if (H2UpstreamStream* stream = find(number)) {
    stream->note_reset("it reset the stream (HTTP/2 code " +
                       std::to_string(static_cast<std::uint32_t>(reset.code)) + ")");
  }
  turns_.push_back(number);
}

void H2Upstream::on_room(http::H2Stream number) { turns_.push_back(number); }

void H2Upstream::close() {
  timer_.drop();
  for (const auto& [stream, owned] : streams_) stream->let_go();
  transport_.close();
}

}  // namespace kelvin::gateway
