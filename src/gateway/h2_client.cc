// h2_client: reads requests from a client's HTTP/2 connection and writes its replies.
#include "gateway/h2_client.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/write.h"

namespace kelvin::gateway {
namespace {

constexpr std::size_t kProduceBytes = 64 * 1024;
// Of a reply's body; the outbox holds two.
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kSpareBytes = 4096;

void empty(std::string& text) {
  if (text.capacity() > kSpareBytes)
    std::string().swap(text);
  else
    text.clear();
}

// "Name: value\r\n" lines of our own making as fields.
void append_lines(std::vector<http::Field>& fields, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(": ");
    fields.push_back({line.substr(0, colon), line.substr(colon + 2)});
    lines.remove_prefix(end + 2);
  }
}

}  // namespace

// --- a stream ----------------------------------------------------------------------------------

H2ClientStream::H2ClientStream(H2Client& connection, http::H2Stream number)
    : connection_(connection), number_(number), exchange_(connection.loop(), *this) {
  step_timer_.owner = this;
  step_timer_.kind = static_cast<std::uint8_t>(TimerKind::StreamStep);
}

std::string_view H2ClientStream::address() const { return connection_.address_text(); }
bool H2ClientStream::is_secure() const { return connection_.is_secure(); }

void H2ClientStream::add_trailers(std::span<const http::Field> fields) {
  for (const http::Field& field : fields) trailers_.emplace_back(field.name, field.value);
}

std::string H2ClientStream::text_of(const http::RequestHead& head) const {
  std::string text;
  http::append_request_line(text, head.method, head.path);
  for (const http::Field& field : head.fields) http::append_field(text, field.name, field.value);
  text += "\r\n";
  return text;
}

BodyPiece H2ClientStream::read_body() {
  if (in_.empty() && (!has_all_ || gave_all_)) return {.kind = BodyPiece::Kind::NotYet};
  gave_all_ = has_all_;
  if (has_all_) {
    trailer_views_.clear();
    for (const auto& [name, value] : trailers_) trailer_views_.push_back({name, value});
  }
  return {.kind = BodyPiece::Kind::Bytes,
          .payload = in_,
          .is_last = has_all_,
          .trailers = trailer_views_};
}

void H2ClientStream::body_taken() {
  if (in_.empty()) return;
  has_moved_ = true;
  body_rate_.note(in_.size());
  if (!is_gone_) connection_.session().consume(number_, in_.size());
  empty(in_);
}

void H2ClientStream::send_continue() {
  if (!has_all_) connection_.session().submit_interim(number_, {.status = 100});
}

void H2ClientStream::send_interim(const http::ResponseHead& head) {
  connection_.session().submit_interim(number_, {.status = head.status, .fields = head.fields});
}

void H2ClientStream::send_head(const http::ResponseHead& head, const ReplyNotes& notes) {
  std::vector<http::Field>& fields = connection_.loop().scratch_fields();
  fields.clear();
  std::string length;
  append_reply_fields(fields, length, head, notes);
  const bool ends = notes.body.framing == http::Framing::None;
  is_ended_ = ends;
  connection_.session().submit_response(number_, {.status = head.status, .fields = fields},
                                        ends ? http::Ends::Yes : http::Ends::No);
}

// has_room() has said yes, so that a piece of piece_bytes_max() fits.
void H2ClientStream::send_body(const ReplyPiece& piece) {
  if (is_gone_) return;
  rest_.append(piece.payload.substr(connection_.session().send_body(number_, piece.payload)));
  if (!piece.is_last) return;
  // A head without a body has ended it already.
  if (!is_ended_) {
    KELVIN_CHECK(rest_.empty());
    is_ended_ = true;
    connection_.session().finish(number_, piece.trailers);
  }
  finish();
}

// What is still coming of the request has nobody to go to.
void H2ClientStream::finish() {
  step_timer_.drop();
  if (!has_all_) connection_.session().discard(number_);
}

void H2ClientStream::send_own(const OwnReply& reply) {
  std::vector<http::Field>& fields = connection_.loop().scratch_fields();
  fields.clear();
  const std::string length = std::to_string(reply.body.size());
  std::string date;
  append_http_date(date, reply.unix_seconds);
  fields.push_back({"date", date});
  if (!reply.body.empty()) fields.push_back({"content-type", reply.content_type});
  if (reply.status != 204) fields.push_back({"content-length", length});
  fields.push_back({"kelvin-request-id", reply.request_id});
  fields.push_back({"server-timing", reply.server_timing});
  append_lines(fields, reply.extra_fields);
  const bool has_body = !reply.is_head && !reply.body.empty();
  connection_.session().submit_response(number_, {.status = reply.status, .fields = fields},
                                        has_body ? http::Ends::No : http::Ends::Yes);
  if (has_body) {
    rest_ = reply.body;
    static_cast<void>(has_room());
  } else {
    is_ended_ = true;
    finish();
  }
}

void H2ClientStream::break_off(std::string_view last_words) {
  if (is_gone_) return;
  rest_ += last_words;
  is_broken_ = true;
  static_cast<void>(has_room());
  connection_.reset_once_sent(number_);
}

std::size_t H2ClientStream::piece_bytes_max() const { return kPieceBytes; }

// Pours what is left of an own reply or of last words first.
bool H2ClientStream::has_room() {
  if (is_gone_) return false;
  http::H2Session& session = connection_.session();
  if (!rest_.empty()) {
    rest_.erase(0, session.send_body(number_, rest_));
    if (!rest_.empty()) return false;
    if (exchange_.is_over() && !is_broken_ && !is_ended_) {
      is_ended_ = true;
      session.finish(number_);
      finish();
    }
  }
  return session.room(number_) >= kPieceBytes;
}

void H2ClientStream::advance() {
  exchange_.advance();
  if (!is_gone_ && exchange_.is_over() && !is_ended_) static_cast<void>(has_room());
  connection_.flush();
}

void H2ClientStream::watch(Awaited awaited) {
  const std::size_t room = is_gone_ ? 0 : connection_.session().room(number_);
  const bool is_full = room < kPieceBytes || !rest_.empty();
  const bool moved = std::exchange(has_moved_, false) || room > room_;
  room_ = room;
  const GatewayLimits& limits = connection_.loop().limits();
  const Instant now = connection_.loop().now();
  if (awaited == Awaited::BodyInTime)
    body_rate_.resume(now);
  else
    body_rate_.pause(now);
  if (!is_full && awaited == Awaited::Nothing) return step_timer_.drop();
  if (moved || !step_timer_.is_set())
    silent_until_ = now + (is_full ? limits.write_idle_time : limits.body_idle_time);
  set_step_timer();
}

void H2ClientStream::set_step_timer() {
  Loop& loop = connection_.loop();
  const Instant window_end = body_rate_.deadline(loop.limits().body_rate);
  loop.timers().set(step_timer_, std::min(silent_until_, window_end));
}

// Bodies that the replicas of other streams do not take may leave this one no window: then it is not the client's fault.
bool H2ClientStream::body_is_too_slow() {
  const Instant now = connection_.loop().now();
  if (!body_rate_.is_too_slow(connection_.loop().limits().body_rate, now)) return false;
  if (connection_.session().may_receive_body()) return true;
  body_rate_ = {};
  body_rate_.resume(now);
  return false;
}

void H2ClientStream::on_step_timeout() {
  const bool is_silent = connection_.loop().now() >= silent_until_;
  if (!is_silent && !body_is_too_slow()) return set_step_timer();
  if (exchange_.is_over() || exchange_.has_sent_head()) {
    abandon();
    return connection_.flush();
  }
  if (is_silent)
    exchange_.body_stalled();
  else
    exchange_.body_too_slow();
}

void H2ClientStream::go() {
  is_gone_ = true;
  step_timer_.drop();
  exchange_.client_left();
}

void H2ClientStream::abandon() {
  if (is_gone_) return;
  connection_.session().reset(number_, http::H2Code::Cancel);
  connection_.drop(number_);
}

// --- the connection ----------------------------------------------------------------------------

H2Client::H2Client(Loop& loop, Transport transport, std::string address)
    : ClientConnection(loop, std::move(transport), std::move(address)),
      session_(http::H2Session::server(loop.limits().h2, *this)) {
  step_timer_.owner = static_cast<ClientConnection*>(this);
  step_timer_.kind = static_cast<std::uint8_t>(TimerKind::ClientStep);
}

void H2Client::begin(std::string_view received) {
  mind_idleness();
  if (!received.empty()) take(received);
  if (!is_discarded()) read_some();
}

void H2Client::on_events(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return give_up();
  if ((events & EPOLLRDHUP) != 0) saw_end_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) may_read_ = true;
  if ((events & EPOLLOUT) != 0) may_write_ = true;
  flush();
  if (!is_discarded()) read_some();
}

// While output waits for the client nothing more is read from it: frames that ask for answers cannot pile up.
void H2Client::read_some() {
  while (may_read_ && is_flushed() && !is_closing_) {
    const std::span<char> buffer = loop_.client_buffer();
    const Received received = transport_.receive(buffer);
    if (received.io == Io::Blocked) may_read_ = false;
    if (received.io == Io::Ended || received.io == Io::Broken) return give_up();
    if (received.io != Io::Done) return;
    if (!transport_.may_hold_more(received.bytes, buffer.size()) && !saw_end_) may_read_ = false;
    take({buffer.data(), received.bytes});
    if (is_discarded()) return;
  }
}

void H2Client::take(std::string_view bytes) {
  is_in_session_ = true;
  const Status taken = session_.receive(bytes);
  is_in_session_ = false;
  if (!taken) is_closing_ = true;
  // One flush for all that the bytes have caused.
  holds_output_ = true;
  give_turns();
  holds_output_ = false;
  flush();
}

void H2Client::give_turns() {
  std::vector<http::H2Stream> turns;
  turns.swap(turns_);
  std::sort(turns.begin(), turns.end());
  turns.erase(std::unique(turns.begin(), turns.end()), turns.end());
  for (const http::H2Stream number : turns)
    if (H2ClientStream* stream = find(number)) stream->advance();
}

// A connection without streams waits for the next; one whose client takes nothing is not waited for.
void H2Client::mind_idleness() {
  if (!is_flushed()) return;
  if (streams_.empty())
    loop_.timers().set(step_timer_, loop_.now() + loop_.limits().idle_time);
  else
    step_timer_.drop();
}

void H2Client::flush() {
  if (is_in_session_ || holds_output_ || is_discarded()) return;
  do {
    if (!produce_some()) return give_up();
  } while (reset_broken());
  if (is_flushed() && (is_closing_ || session_.is_over())) return give_up();
  mind_idleness();
  // Streams that have got room meanwhile.
  for (const http::H2Stream number : std::exchange(turns_, {}))
    if (H2ClientStream* stream = find(number)) loop_.call_again(*stream);
}

// False: the connection is broken.
bool H2Client::produce_some() {
  while (may_write_) {
    std::string& text = loop_.scratch();
    text.clear();
    if (out_.empty() && !transport_.has_unsent()) {
      is_in_session_ = true;
      session_.produce(text, kProduceBytes);
      is_in_session_ = false;
      if (text.empty()) return true;
    }
    const Sent sent = out_.send(transport_, {text});
    if (sent.io == Io::Broken) return false;
    if (sent.io == Io::Blocked) {
      may_write_ = false;
      loop_.timers().set(step_timer_, loop_.now() + loop_.limits().write_idle_time);
    }
  }
  return true;
}

// True: the session has more to say.
bool H2Client::reset_broken() {
  if (broken_.empty() || !is_flushed()) return false;
  bool any = false;
  for (const http::H2Stream number : std::exchange(broken_, {})) {
    if (find(number) == nullptr) continue;
    if (session_.room(number) < loop_.limits().h2.outbox_bytes_max) {
      broken_.push_back(number);
      continue;
    }
    session_.reset(number, http::H2Code::InternalError);
    drop(number);
    any = true;
  }
  return any;
}

void H2Client::reset_once_sent(http::H2Stream number) { broken_.push_back(number); }

H2ClientStream& H2Client::open(http::H2Stream number) {
  auto& stream = streams_[number];
  stream = std::make_unique<H2ClientStream>(*this, number);
  turns_.push_back(number);
  return *stream;
}

H2ClientStream* H2Client::find(http::H2Stream number) {
  const auto found = streams_.find(number);
  return found == streams_.end() ? nullptr : found->second.get();
}

void H2Client::drop(http::H2Stream number) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return;
  std::unique_ptr<H2ClientStream> stream = std::move(found->second);
  streams_.erase(found);
  stream->go();
  loop_.bury(std::move(stream));
}

void H2Client::on_request(http::H2Stream number, const http::RequestHead& head, http::Ends ends) {
  H2ClientStream& stream = open(number);
  const bool has_body = ends == http::Ends::No;
  if (!has_body) stream.end_body();
  stream.exchange().start();
  stream.exchange().begin(head, {.exists = has_body, .length = head.content_length});
}

void H2Client::on_refused(http::H2Stream number, const http::Outcome& refusal) {
  H2ClientStream& stream = open(number);
  stream.end_body();
  stream.exchange().start();
  stream.exchange().refuse({.status = refusal.status,
                            .code = "malformed_request",
                            .sentence = std::string(refusal.why)});
}

void H2Client::on_body(http::H2Stream number, std::string_view piece) {
  H2ClientStream* stream = find(number);
  if (stream == nullptr) return session_.consume(number, piece.size());
  stream->add_body(piece);
  turns_.push_back(number);
}

void H2Client::on_trailers(http::H2Stream number, std::span<const http::Field> fields) {
  if (H2ClientStream* stream = find(number)) stream->add_trailers(fields);
}

void H2Client::on_end(http::H2Stream number) {
  H2ClientStream* stream = find(number);
  if (stream == nullptr) return;
  stream->end_body();
  turns_.push_back(number);
}

void H2Client::on_closed(http::H2Stream number) { drop(number); }

void H2Client::on_reset(http::H2Stream number, http::H2Reset) { drop(number); }

void H2Client::on_room(http::H2Stream number) {
  if (find(number) != nullptr) turns_.push_back(number);
}

void H2Client::on_step_timeout() {
  if (!is_flushed() || is_closing_) return give_up();
  session_.go_away();
  is_closing_ = streams_.empty();
  flush();
}

void H2Client::on_drain() {
  session_.go_away();
  flush();
}

void H2Client::give_up() {
  if (is_discarded()) return;
  step_timer_.drop();
  while (!streams_.empty()) drop(streams_.begin()->first);
  loop_.discard(*this);
}

}  // namespace kelvin::gateway
