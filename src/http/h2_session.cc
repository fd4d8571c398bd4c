// h2_session: nghttp2 behind the face of h2_session.h.
//
// nghttp2 decodes, checks the form of messages and keeps windows and states; what stands here is
// what it leaves to its user: the storage of heads and outboxes, the budgets against floods, and
// the order of events. It must not be entered again from its own callbacks and may not be used
// after a fatal error, so a breach found in a callback is noted, the call is left with an error,
// and the last GOAWAY is written by hand.
#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/h2_head.h"
#include "http/h2_stream.h"

namespace kelvin::http {
namespace {

constexpr std::size_t kFrameHeadBytes = 9;
// Of the PING whose answer says that every request sent before the notice of shutdown has arrived.
constexpr std::array<std::uint8_t, 8> kDrainPing = {'k', 'e', 'l', 'v', 'd', 'r', 'a', 'i'};

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  // The library copies both and lower-cases the name; it takes no const.
  nghttp2_nv pair{};
  pair.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  pair.namelen = name.size();
  pair.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  pair.valuelen = value.size();
  return pair;
}

void append_big_endian(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xffU);
}

using Stream = H2StreamState;

struct SessionEnds {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

}  // namespace

class H2Session::Wire {
 public:
  enum class Side : std::uint8_t { Server, Client };
  Wire(Side side, const H2Limits& limits, H2Events& events);

  Status receive(std::string_view bytes);
  void produce(std::string& out, std::size_t at_most);
  bool wants_write() const;
  bool is_over() const;
  void lost();
  std::optional<H2Stream> submit_request(const RequestHead& head, Ends ends);
  void submit_response(H2Stream id, const H2Answer& answer, Ends ends);
  void submit_interim(H2Stream id, const H2Answer& answer);
  std::size_t send_body(H2Stream id, std::string_view piece);
  std::size_t room(H2Stream id) const;
  void finish(H2Stream id, std::span<const Field> trailers);
  void consume(H2Stream id, std::size_t bytes);
  void discard(H2Stream id);
  void reset(H2Stream id, H2Code code);
  void go_away();
  bool may_receive_body() const {
    return nghttp2_session_get_local_window_size(session_.get()) > 0;
  }
  std::size_t streams_open() const { return streams_.size(); }
  std::size_t streams_max_of_peer() const;
  std::string_view failure() const { return failure_; }

 private:
  void open_session();
  void send_first_settings();
  static void set_receiving(nghttp2_session_callbacks* callbacks);
  static void set_sending(nghttp2_session_callbacks* callbacks);

  Stream* find(H2Stream id) const { return streams_.find(id); }
  // Notes why the connection ends; the first reason counts.
  void breach(H2Code code, std::string_view why);
  // What is received was paid for in receive(), so it counts twice: once for itself, once for its
  // neighbours.
  void note_work(std::size_t bytes) { idle_credit_ += static_cast<std::int64_t>(bytes); }
  void check_budgets();
  void charge_reset();
  void fail_streams();
  void end_stream(std::unique_ptr<Stream> stream, H2Reset reset);
  void resume(Stream& stream);
  void fire_rooms();
  void submit_stored_trailers(Stream& stream);
  void fill_fields(std::span<const Field> fields);
  nghttp2_data_provider provider_of(Stream& stream);

  static Wire& of(void* user) { return *static_cast<Wire*>(user); }
  int begin_headers(const nghttp2_frame& frame);
  int add_header(std::string_view name, std::string_view value);
  int refuse_header(H2Stream id);
  int frame_received(const nghttp2_frame& frame);
  int headers_received(const nghttp2_frame& frame);
  void request_received(Stream& stream, Ends ends);
  void response_received(Stream& stream, Ends ends);
  void trailers_received(Stream& stream);
  int body_received(H2Stream id, std::string_view piece);
  int frame_sent(const nghttp2_frame& frame);
  int frame_not_sent(const nghttp2_frame& frame);
  int stream_closed(H2Stream id, std::uint32_t code);
  ssize_t read_outbox(Stream& stream, std::size_t length, std::uint32_t& flags);
  int write_body(Stream& stream, std::string_view frame_head, std::size_t length);

  Side side_;
  H2Limits limits_;
  H2Events& events_;
  std::unique_ptr<nghttp2_session, SessionEnds> session_;

  H2StreamTable streams_;
  std::vector<H2Stream> with_room_;

  H2Head block_;  // the header block that comes in; there is one at a time
  RequestHead request_;
  ResponseHead response_;
  std::vector<Field> trailers_;
  std::vector<nghttp2_nv> pairs_;

  std::string* out_ = nullptr;  // of the produce() that runs
  std::size_t out_end_ = 0;     // its size at which no further body is begun

  std::string failure_;     // why the connection ends; empty while it lives
  std::string last_words_;  // the GOAWAY that the library cannot write any more
  H2Code failure_code_ = H2Code::NoError;
  bool is_ending_ = false;  // the library's own GOAWAY with an error is being produced
  bool is_fatal_ = false;   // the library may not be asked any more
  std::int64_t idle_credit_;
  std::uint32_t reset_credit_;
  bool is_settled_ = false;
  bool goes_away_ = false;
};

H2Session::Wire::Wire(Side side, const H2Limits& limits, H2Events& events)
    : side_(side),
      limits_(limits),
      events_(events),
      idle_credit_(limits.idle_bytes_max),
      reset_credit_(limits.resets_max) {
  open_session();
  send_first_settings();
}

void H2Session::Wire::set_receiving(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
        return of(user).begin_headers(*frame);
      });
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
        return of(user).add_header(view_of(name, name_size), view_of(value, value_size));
      });
  nghttp2_session_callbacks_set_on_invalid_header_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                    const std::uint8_t*, std::size_t, std::uint8_t,
                    void* user) { return of(user).refuse_header(frame->hd.stream_id); });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
        return of(user).frame_received(*frame);
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                    std::size_t size,
                    void* user) { return of(user).body_received(id, view_of(bytes, size)); });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
        return of(user).stream_closed(id, code);
      });
}

void H2Session::Wire::set_sending(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_frame_send_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
        return of(user).frame_sent(*frame);
      });
  nghttp2_session_callbacks_set_on_frame_not_send_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
        return of(user).frame_not_sent(*frame);
      });
  nghttp2_session_callbacks_set_send_data_callback(
      callbacks, [](nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head,
                    std::size_t length, nghttp2_data_source* source, void* user) {
        return of(user).write_body(*static_cast<Stream*>(source->ptr),
                                   view_of(frame_head, kFrameHeadBytes), length);
      });
}

void H2Session::Wire::open_session() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  KELVIN_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  KELVIN_CHECK(nghttp2_option_new(&option) == 0);
  set_receiving(callbacks);
  set_sending(callbacks);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, limits_.acks_waiting_max);
  nghttp2_option_set_max_settings(option, limits_.settings_max);
  nghttp2_option_set_max_continuations(option, limits_.continuations_max);
  // The library's own budget of resets reads a clock; ours counts finished work instead.
  nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
  nghttp2_session* session = nullptr;
  const int made = side_ == Side::Server
                       ? nghttp2_session_server_new2(&session, callbacks, this, option)
                       : nghttp2_session_client_new2(&session, callbacks, this, option);
  KELVIN_CHECK(made == 0);
  session_.reset(session);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
}

void H2Session::Wire::send_first_settings() {
  std::vector<nghttp2_settings_entry> entries = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(limits_.head.head_bytes_max)},
  };
  if (side_ == Side::Server) {
    entries.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max});
    // Streams are served in turn; no tree of priorities is kept.
    entries.push_back({NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1});
  } else {
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  KELVIN_CHECK(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, entries.data(),
                                       entries.size()) == 0);
  KELVIN_CHECK(nghttp2_session_set_local_window_size(
                   session_.get(), NGHTTP2_FLAG_NONE, 0,
                   static_cast<std::int32_t>(limits_.connection_window_bytes)) == 0);
}

void H2Session::Wire::breach(H2Code code, std::string_view why) {
  if (!failure_.empty()) return;
  failure_ = why;
  failure_code_ = code;
  is_fatal_ = true;
  // RFC 9113 6.8: length, type, flags, the connection, last stream, code.
  last_words_.assign({0, 0, 8, NGHTTP2_GOAWAY, 0});
  append_big_endian(last_words_, 0);
  append_big_endian(last_words_, static_cast<std::uint32_t>(
                                     nghttp2_session_get_last_proc_stream_id(session_.get())));
  append_big_endian(last_words_, static_cast<std::uint32_t>(code));
}

void H2Session::Wire::check_budgets() {
  if (idle_credit_ < 0) breach(H2Code::EnhanceYourCalm, "The peer sends frames that move nothing.");
  idle_credit_ = std::min(idle_credit_, limits_.idle_bytes_max);
  if (nghttp2_session_get_outbound_queue_size(session_.get()) > limits_.frames_waiting_max)
    breach(H2Code::EnhanceYourCalm, "The peer causes more frames than it reads.");
}

void H2Session::Wire::charge_reset() {
  if (side_ == Side::Client) return;  // a replica may refuse all it wants: we asked for it
  if (reset_credit_ == 0)
    breach(H2Code::EnhanceYourCalm, "The peer opens streams only to reset them.");
  else
    --reset_credit_;
}

Status H2Session::Wire::receive(std::string_view bytes) {
  const Blame blame = side_ == Side::Server ? Blame::Client : Blame::Upstream;
  if (failure_.empty()) {
    idle_credit_ -= static_cast<std::int64_t>(bytes.size());
    const ssize_t taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken == NGHTTP2_ERR_FLOODED) {
      breach(H2Code::EnhanceYourCalm, "The peer sends more control frames than it lets us answer.");
    } else if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
      breach(H2Code::ProtocolError, "The connection does not begin as HTTP/2 does.");
    } else if (taken < 0) {
      breach(H2Code::InternalError, nghttp2_strerror(static_cast<int>(taken)));
    } else {
      check_budgets();
    }
    if (!failure_.empty()) fail_streams();
  }
  if (failure_.empty()) return {};
  return fail(Code::Refused, blame, Retry::Never, failure_);
}

void H2Session::Wire::produce(std::string& out, std::size_t at_most) {
  if (!is_fatal_) {
    out_ = &out;
    out_end_ = out.size() + at_most;
    while (out.size() < out_end_) {
      const std::uint8_t* bytes = nullptr;
      const std::size_t before = out.size();
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size < 0) breach(H2Code::InternalError, nghttp2_strerror(static_cast<int>(size)));
      if (is_fatal_) break;
      out.append(view_of(bytes, static_cast<std::size_t>(size)));
      // After its last GOAWAY the library would go on with bodies of streams that are forgotten
      // here.
      is_fatal_ = is_ending_;
      if (is_fatal_) break;
      const bool has_rooms = !with_room_.empty();
      fire_rooms();
      if (out.size() == before && !has_rooms) break;
    }
    out_ = nullptr;
    idle_credit_ = std::min(idle_credit_, limits_.idle_bytes_max);
  }
  out += last_words_;
  last_words_.clear();
  if (!failure_.empty()) fail_streams();
}

void H2Session::Wire::fire_rooms() {
  for (std::size_t i = 0; i < with_room_.size(); ++i)
    if (const Stream* stream = find(with_room_[i]); stream != nullptr && !stream->is_silent)
      events_.on_room(with_room_[i]);
  with_room_.clear();
}

bool H2Session::Wire::wants_write() const {
  if (is_fatal_) return !last_words_.empty();
  return nghttp2_session_want_write(session_.get()) != 0;
}

bool H2Session::Wire::is_over() const {
  if (is_fatal_) return last_words_.empty();
  return nghttp2_session_want_read(session_.get()) == 0 && !wants_write();
}

void H2Session::Wire::lost() {
  if (failure_.empty()) {
    failure_ = "The connection broke off.";
    failure_code_ = H2Code::InternalError;
  }
  is_fatal_ = true;
  last_words_.clear();
  fail_streams();
}

void H2Session::Wire::fail_streams() {
  while (streams_.size() > 0) {
    std::unique_ptr<Stream> stream = streams_.take_last();
    const bool is_unprocessed = side_ == Side::Client && !stream->head_left;
    end_stream(std::move(stream), {failure_code_, is_unprocessed});
  }
}

// The stream is out of the list already, so whatever the listener does with its number finds
// nothing.
void H2Session::Wire::end_stream(std::unique_ptr<Stream> stream, H2Reset reset) {
  if (stream->is_known && !stream->is_silent) {
    if (stream->own_side_done && stream->peer_side_done && reset.code == H2Code::NoError)
      events_.on_closed(stream->id);
    else
      events_.on_reset(stream->id, reset);
  }
  // The library may still hold the pointer of its data source after a fatal error, and asks no
  // more.
  streams_.recycle(std::move(stream));
}

void H2Session::Wire::fill_fields(std::span<const Field> fields) {
  for (const Field& field : fields) {
    if (!may_travel(field)) continue;
    pairs_.push_back(pair_of(field.name, field.value));
    if (is_secret(field.name)) pairs_.back().flags |= NGHTTP2_NV_FLAG_NO_INDEX;
  }
}

nghttp2_data_provider H2Session::Wire::provider_of(Stream& stream) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length,
                              std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    return of(user).read_outbox(*static_cast<Stream*>(source->ptr), length, *flags);
  };
  return provider;
}

std::size_t H2Session::Wire::streams_max_of_peer() const {
  constexpr std::size_t unsaid = 100;
  if (!is_settled_) return unsaid;
  return nghttp2_session_get_remote_settings(session_.get(),
                                             NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

std::optional<H2Stream> H2Session::Wire::submit_request(const RequestHead& head, Ends ends) {
  KELVIN_CHECK(side_ == Side::Client);
  if (!failure_.empty() || goes_away_) return std::nullopt;
  if (streams_.size() >= std::min<std::size_t>(limits_.streams_max, streams_max_of_peer()))
    return std::nullopt;
  if (nghttp2_session_check_request_allowed(session_.get()) == 0) return std::nullopt;
  pairs_.clear();
  pairs_.push_back(pair_of(":method", head.method));
  pairs_.push_back(pair_of(":scheme", "http"));
  pairs_.push_back(pair_of(":authority", head.host));
  pairs_.push_back(pair_of(":path", head.path));
  for (const Field& field : head.fields)
    if (!same_name(field.name, "host")) fill_fields({&field, 1});
  Stream& stream = streams_.add(0);
  const nghttp2_data_provider provider = provider_of(stream);
  const std::int32_t id =
      nghttp2_submit_request(session_.get(), nullptr, pairs_.data(), pairs_.size(),
                             ends == Ends::Yes ? nullptr : &provider, nullptr);
  if (id <= 0) {
    streams_.recycle(streams_.take(0));
    return std::nullopt;
  }
  streams_.renumber(stream, id);
  stream.is_known = true;
  stream.is_answered = true;  // what is submitted here is the final head of our side
  stream.is_finishing = ends == Ends::Yes;
  return id;
}

void H2Session::Wire::submit_response(H2Stream id, const H2Answer& answer, Ends ends) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_silent || is_fatal_) return;
  KELVIN_CHECK(side_ == Side::Server && !stream->is_answered);
  KELVIN_CHECK(answer.status >= 200 && answer.status <= 599);
  const std::string status = std::to_string(answer.status);
  pairs_.clear();
  pairs_.push_back(pair_of(":status", status));
  fill_fields(answer.fields);
  stream->is_answered = true;
  stream->is_finishing = ends == Ends::Yes;
  const nghttp2_data_provider provider = provider_of(*stream);
  KELVIN_CHECK(nghttp2_submit_response(session_.get(), id, pairs_.data(), pairs_.size(),
                                       ends == Ends::Yes ? nullptr : &provider) == 0);
}

void H2Session::Wire::submit_interim(H2Stream id, const H2Answer& answer) {
  const Stream* stream = find(id);
  if (stream == nullptr || stream->is_silent || is_fatal_) return;
  KELVIN_CHECK(side_ == Side::Server && !stream->is_answered);
  KELVIN_CHECK(answer.status >= 100 && answer.status <= 199 && answer.status != 101);
  const std::string status = std::to_string(answer.status);
  pairs_.clear();
  pairs_.push_back(pair_of(":status", status));
  fill_fields(answer.fields);
  KELVIN_CHECK(nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, id, nullptr, pairs_.data(),
                                      pairs_.size(), nullptr) == 0);
}

void H2Session::Wire::resume(Stream& stream) {
  if (!stream.is_deferred) return;
  stream.is_deferred = false;
  nghttp2_session_resume_data(session_.get(), stream.id);
}

std::size_t H2Session::Wire::room(H2Stream id) const {
  const Stream* stream = find(id);
  if (stream == nullptr || stream->is_silent || stream->is_finishing || is_fatal_) return 0;
  return limits_.outbox_bytes_max - std::min(limits_.outbox_bytes_max, stream->outbox.waiting());
}

std::size_t H2Session::Wire::send_body(H2Stream id, std::string_view piece) {
  const std::size_t taken = std::min(piece.size(), room(id));
  Stream* stream = find(id);
  if (stream == nullptr) return 0;
  // A refusal for want of room is an appointment, too, however small the outbox is.
  if (2 * (stream->outbox.waiting() + piece.size()) >= limits_.outbox_bytes_max)
    stream->was_half_full = true;
  if (taken == 0) return 0;
  stream->outbox.add(piece.substr(0, taken));
  resume(*stream);
  return taken;
}

void H2Session::Wire::finish(H2Stream id, std::span<const Field> trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_silent || stream->is_finishing || is_fatal_) return;
  for (const Field& field : trailers) {
    if (may_travel(field)) stream->trailers.add(field);
  }
  stream->is_finishing = true;
  resume(*stream);
}

void H2Session::Wire::submit_stored_trailers(Stream& stream) {
  pairs_.clear();
  stream.trailers.visit([this](std::string_view name, std::string_view value) {
    pairs_.push_back(pair_of(name, value));
  });
  nghttp2_submit_trailer(session_.get(), stream.id, pairs_.data(), pairs_.size());
}

void H2Session::Wire::consume(H2Stream id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || is_fatal_) return;
  const std::size_t known = std::min(bytes, stream->unconsumed);
  if (known == 0) return;
  stream->unconsumed -= known;
  nghttp2_session_consume_connection(session_.get(), known);
  if (!stream->peer_side_done) nghttp2_session_consume_stream(session_.get(), id, known);
}

void H2Session::Wire::discard(H2Stream id) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->discards || is_fatal_) return;
  stream->discards = true;
  consume(id, stream->unconsumed);
  if (stream->own_side_done && !stream->peer_side_done)
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

void H2Session::Wire::reset(H2Stream id, H2Code code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_silent || is_fatal_) return;
  stream->is_silent = true;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id,
                            static_cast<std::uint32_t>(code));
}

void H2Session::Wire::go_away() {
  if (goes_away_ || is_fatal_) return;
  goes_away_ = true;
  if (side_ == Side::Client) {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
    return;
  }
  nghttp2_submit_shutdown_notice(session_.get());
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kDrainPing.data());
}

// --- what nghttp2 calls; a value other than 0 ends its call --------------------------------------

int H2Session::Wire::begin_headers(const nghttp2_frame& frame) {
  block_.begin();
  if (side_ == Side::Server && frame.headers.cat == NGHTTP2_HCAT_REQUEST)
    streams_.add(frame.hd.stream_id);
  return 0;
}

int H2Session::Wire::add_header(std::string_view name, std::string_view value) {
  block_.add(name, value, limits_.head);
  if (block_.bytes() <= limits_.header_block_bytes_max) return 0;
  breach(H2Code::EnhanceYourCalm, "A header block goes on without end.");
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Session::Wire::refuse_header(H2Stream id) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int H2Session::Wire::frame_received(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      return headers_received(frame);
    case NGHTTP2_DATA:
      if (Stream* stream = find(frame.hd.stream_id);
          stream != nullptr && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream->peer_side_done = true;
        if (!stream->is_silent && !stream->discards) events_.on_end(stream->id);
      }
      break;
    case NGHTTP2_SETTINGS:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 || is_settled_) break;
      is_settled_ = true;
      events_.on_settled();
      break;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = find(frame.hd.stream_id); stream != nullptr) stream->peer_reset = true;
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && goes_away_ && side_ == Side::Server &&
          std::memcmp(frame.ping.opaque_data, kDrainPing.data(), kDrainPing.size()) == 0)
        nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session_.get()),
                              NGHTTP2_NO_ERROR, nullptr, 0);
      break;
    case NGHTTP2_GOAWAY:
      events_.on_goaway(frame.goaway.last_stream_id, static_cast<H2Code>(frame.goaway.error_code));
      break;
    default:
      break;
  }
  return failure_.empty() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Session::Wire::headers_received(const nghttp2_frame& frame) {
  note_work(2 * (block_.bytes() + kFrameHeadBytes));
  Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->is_silent) return 0;
  const Ends ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 ? Ends::Yes : Ends::No;
  if (ends == Ends::Yes) stream->peer_side_done = true;
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST)
    request_received(*stream, ends);
  else if (side_ == Side::Client && block_.has_status())
    response_received(*stream, ends);
  else
    trailers_received(*stream);
  return 0;
}

void H2Session::Wire::request_received(Stream& stream, Ends ends) {
  // In turn with its neighbours, whatever the client would like.
  const nghttp2_extpri in_turn{.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
  nghttp2_session_change_extpri_stream_priority(session_.get(), stream.id, &in_turn, 1);
  stream.is_known = true;
  const Outcome read = block_.read_request(limits_.head, request_);
  if (read.parsed == Parsed::Done) return events_.on_request(stream.id, request_, ends);
  stream.discards = true;
  events_.on_refused(stream.id, read);
}

void H2Session::Wire::response_received(Stream& stream, Ends ends) {
  if (stream.discards) return;
  const Outcome read = block_.read_response(response_);
  if (read.parsed == Parsed::Done) return events_.on_response(stream.id, response_, ends);
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_PROTOCOL_ERROR);
}

void H2Session::Wire::trailers_received(Stream& stream) {
  if (stream.discards) return;
  if (block_.is_too_long()) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id,
                              NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  block_.read_trailers(trailers_);
  const H2Stream id = stream.id;
  events_.on_trailers(id, trailers_);
  if (const Stream* still = find(id); still != nullptr && !still->is_silent) events_.on_end(id);
}

int H2Session::Wire::body_received(H2Stream id, std::string_view piece) {
  note_work(2 * (piece.size() + kFrameHeadBytes));
  Stream* stream = find(id);
  // The library resets a stream that outruns its window, but hands the piece on; before the peer
  // knows our window it has the one that RFC 9113 6.9.2 begins with.
  const std::size_t window = std::max<std::size_t>(limits_.stream_window_bytes, 65535);
  if (stream == nullptr || stream->is_silent || stream->discards ||
      stream->unconsumed + piece.size() > window) {
    nghttp2_session_consume(session_.get(), id, piece.size());
    return 0;
  }
  stream->unconsumed += piece.size();
  events_.on_body(id, piece);
  return 0;
}

int H2Session::Wire::frame_sent(const nghttp2_frame& frame) {
  Stream* stream = find(frame.hd.stream_id);
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      note_work(frame.hd.length + kFrameHeadBytes);
      if (stream == nullptr) break;
      stream->head_left |= stream->is_answered;
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
      stream->own_side_done = true;
      if (stream->discards && !stream->peer_side_done)
        nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
      break;
    case NGHTTP2_RST_STREAM:
      // Made by the library or by a check above because of what the peer did.
      if (frame.rst_stream.error_code != NGHTTP2_NO_ERROR &&
          (stream == nullptr || !stream->is_silent))
        charge_reset();
      break;
    case NGHTTP2_GOAWAY:
      if (frame.goaway.error_code == NGHTTP2_NO_ERROR || !failure_.empty()) break;
      failure_ = "The peer broke the rules of HTTP/2: ";
      failure_ += nghttp2_http2_strerror(frame.goaway.error_code);
      failure_code_ = static_cast<H2Code>(frame.goaway.error_code);
      is_ending_ = true;
      break;
    default:
      break;
  }
  return is_fatal_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// A head that cannot leave would keep its stream for ever.
int H2Session::Wire::frame_not_sent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS) return 0;
  Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  if (side_ == Side::Client && !stream->head_left)
    end_stream(streams_.take(stream->id), {H2Code::RefusedStream, true});
  else
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream->id,
                              NGHTTP2_INTERNAL_ERROR);
  return 0;
}

int H2Session::Wire::stream_closed(H2Stream id, std::uint32_t code) {
  std::unique_ptr<Stream> stream = streams_.take(id);
  if (stream == nullptr) return 0;
  if (stream->unconsumed > 0)
    nghttp2_session_consume_connection(session_.get(), stream->unconsumed);
  const bool in_order = stream->own_side_done && stream->peer_side_done;
  if (stream->peer_reset && !stream->head_left) charge_reset();
  if (in_order && reset_credit_ < limits_.resets_max) ++reset_credit_;
  end_stream(std::move(stream),
             {static_cast<H2Code>(code), side_ == Side::Client && code == NGHTTP2_REFUSED_STREAM});
  return is_fatal_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

ssize_t H2Session::Wire::read_outbox(Stream& stream, std::size_t length, std::uint32_t& flags) {
  if (out_->size() >= out_end_) return NGHTTP2_ERR_PAUSE;
  const std::size_t taken = std::min(stream.outbox.waiting(), length);
  if (taken == 0 && !stream.is_finishing) {
    stream.is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (stream.is_finishing && taken == stream.outbox.waiting()) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.trailers.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_stored_trailers(stream);
    }
  }
  return static_cast<ssize_t>(taken);
}

int H2Session::Wire::write_body(Stream& stream, std::string_view frame_head, std::size_t length) {
  KELVIN_CHECK(length <= stream.outbox.waiting());
  out_->append(frame_head);
  stream.outbox.move_to(*out_, length);
  if (stream.was_half_full && 2 * stream.outbox.waiting() < limits_.outbox_bytes_max) {
    stream.was_half_full = false;
    with_room_.push_back(stream.id);
  }
  return 0;
}

// --- the face ------------------------------------------------------------------------------------

H2Session::H2Session(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
H2Session::H2Session(H2Session&&) noexcept = default;
H2Session& H2Session::operator=(H2Session&&) noexcept = default;
H2Session::~H2Session() = default;

H2Session H2Session::server(const H2Limits& limits, H2Events& events) {
  return H2Session(std::make_unique<Wire>(Wire::Side::Server, limits, events));
}
H2Session H2Session::client(const H2Limits& limits, H2Events& events) {
  return H2Session(std::make_unique<Wire>(Wire::Side::Client, limits, events));
}
Status H2Session::receive(std::string_view bytes) { return wire_->receive(bytes); }
void H2Session::produce(std::string& out, std::size_t at_most) { wire_->produce(out, at_most); }
bool H2Session::wants_write() const { return wire_->wants_write(); }
bool H2Session::is_over() const { return wire_->is_over(); }
std::string_view H2Session::failure() const { return wire_->failure(); }
void H2Session::lost() { wire_->lost(); }
std::optional<H2Stream> H2Session::submit_request(const RequestHead& head, Ends ends) {
  return wire_->submit_request(head, ends);
}
void H2Session::submit_response(H2Stream stream, const H2Answer& answer, Ends ends) {
  wire_->submit_response(stream, answer, ends);
}
void H2Session::submit_interim(H2Stream stream, const H2Answer& answer) {
  wire_->submit_interim(stream, answer);
}
std::size_t H2Session::send_body(H2Stream stream, std::string_view piece) {
  return wire_->send_body(stream, piece);
}
std::size_t H2Session::room(H2Stream stream) const { return wire_->room(stream); }
void H2Session::finish(H2Stream stream, std::span<const Field> trailers) {
  wire_->finish(stream, trailers);
}
void H2Session::consume(H2Stream stream, std::size_t bytes) { wire_->consume(stream, bytes); }
void H2Session::discard(H2Stream stream) { wire_->discard(stream); }
void H2Session::reset(H2Stream stream, H2Code code) { wire_->reset(stream, code); }
void H2Session::go_away() { wire_->go_away(); }
bool H2Session::may_receive_body() const { return wire_->may_receive_body(); }
std::size_t H2Session::streams_open() const { return wire_->streams_open(); }
std::size_t H2Session::streams_max_of_peer() const { return wire_->streams_max_of_peer(); }

}  // namespace kelvin::http
