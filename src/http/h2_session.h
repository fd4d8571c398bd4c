// h2_session: HTTP/2 as bytes in, bytes out and streams. No sockets, no clock, no threads.
//
// One session is one connection, of either side. Bytes from the peer go into receive(), which calls
// the listener; bytes for the peer come out of produce(). In between stand the streams, each with
// an own bounded outbox and with credit that only consume() gives back, so that a slow reader at
// one end slows down the writer at the other and nothing in between grows:
//
//   peer --receive()--> on_body --> (who reads) --consume()--> WINDOW_UPDATE
//   peer <--produce()-- outbox of the stream <--send_body()-- (who writes) <-- on_room
//
// The listener may call every function of the session but receive(), produce() and lost() from
// inside an event, and may not destroy the session there.
//
// What RFC 9113 calls malformed (order of pseudo fields, fields that belong to a connection,
// upper-case names, bytes that may not stand in a value, a body that disagrees with its
// content-length) resets the stream before the listener hears of it. A request that is well formed
// but not acceptable comes as on_refused with the status to answer. Floods end the connection with
// ENHANCE_YOUR_CALM; each has a number in H2Limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace kelvin::http {

using H2Stream = std::int32_t;  // odd and rising within a session; 0 is none

// RFC 9113 section 7. A peer may send numbers beyond.
enum class H2Code : std::uint32_t {
  NoError = 0,
  ProtocolError = 1,
  InternalError = 2,
  FlowControlError = 3,
  SettingsTimeout = 4,
  StreamClosed = 5,
  FrameSizeError = 6,
  RefusedStream = 7,
  Cancel = 8,
  CompressionError = 9,
  ConnectError = 10,
  EnhanceYourCalm = 11,
  InadequateSecurity = 12,
  Http11Required = 13
};

// The number first, then what happens beyond it. "Calm": the connection ends with
// ENHANCE_YOUR_CALM.
struct H2Limits {
  // Of a head: 431, and 414 for the target. Of trailers: the stream is reset.
  Limits head;
  // Open at once: REFUSED_STREAM, or the end of the connection once the peer knows the number.
  std::uint32_t streams_max = 100;
  // Body bytes not yet consumed, of one stream and of all together: FLOW_CONTROL_ERROR.
  std::uint32_t stream_window_bytes = 64 * 1024;
  std::uint32_t connection_window_bytes = 1024 * 1024;
  // Of one stream: send_body takes less.
  std::size_t outbox_bytes_max = 64 * 1024;
  // Decoded bytes of one head, which is refused long before: calm. HPACK makes four KiB of one
  // byte.
  std::size_t header_block_bytes_max = 256 * 1024;
  // CONTINUATION frames of one head: the connection ends.
  std::size_t continuations_max = 8;
  // Streams that ended by a reset before their answer began: calm. One that ends in order gives one
  // back.
  std::uint32_t resets_max = 1000;
  // Bytes received in frames that move nothing (PING, SETTINGS, PRIORITY, empty DATA, padding):
  // calm. A byte of a head or a body, in either direction, gives one back.
  std::int64_t idle_bytes_max = 1024 * 1024;
  // Answers to PING and SETTINGS, and frames of every kind but DATA, not yet produced: calm.
  std::size_t acks_waiting_max = 256;
  std::size_t frames_waiting_max = 2048;
  // Entries of one SETTINGS frame: the connection ends.
  std::size_t settings_max = 32;
};

// Whether the side of the stream that says this is complete with it.
enum class Ends : bool { No, Yes };

// Why a stream is gone.
struct H2Reset {
  H2Code code = H2Code::NoError;
  // The peer has certainly not acted on the request (REFUSED_STREAM, above the last stream of a
  // GOAWAY, or it never left): it may be sent again elsewhere. Client sessions only.
  bool is_unprocessed = false;
};

// Called from inside receive(), produce() and lost(). Views and heads live until the call returns.
class H2Events {
 public:
  virtual ~H2Events() = default;

  // Server. `head.fields` is as HTTP/1.1 would have it: lower-case names, no pseudo fields, "host"
  // present (from :authority), one "cookie" field. head.bytes is the size of the list by RFC 9113
  // 6.5.2.
  virtual void on_request(H2Stream stream, const RequestHead& head, Ends ends) = 0;
  // Server. A request that is not served: answer with `refusal.status`. The session discards its
  // body.
  virtual void on_refused(H2Stream stream, const Outcome& refusal) = 0;
  // Client. Interim heads (1xx) come first, with Ends::No.
  virtual void on_response(H2Stream stream, const ResponseHead& head, Ends ends) = 0;
  // Never empty. What is taken is told to consume(), sooner or later.
  virtual void on_body(H2Stream stream, std::string_view piece) = 0;
  // Followed by on_end.
  virtual void on_trailers(H2Stream stream, std::span<const Field> fields) = 0;
  // The peer's side is complete. Not called where its head said Ends::Yes.
  virtual void on_end(H2Stream stream) = 0;
  // Both sides are complete and every byte is produced. The last event of the stream.
  virtual void on_closed(H2Stream stream) = 0;
  // Gone before both sides were complete: by the peer, by a breach of rules, with the session, or
  // because of a GOAWAY. The last event of the stream. Not called after reset().
  virtual void on_reset(H2Stream stream, H2Reset reset) = 0;
  // The outbox has sunk below half of its limit, having been at least half full.
  virtual void on_room(H2Stream stream) = 0;
  // The peer's first SETTINGS are known: streams_max_of_peer() says what the peer says.
  virtual void on_settled() = 0;
  // The peer takes no streams above `last`. Where those of ours are lost, on_reset follows.
  virtual void on_goaway(H2Stream last, H2Code code) = 0;
};

struct H2Answer {
  int status = 200;
  // Names in any case. Fields that belong to a connection (RFC 9113 8.2.2) are left out on the way.
  std::span<const Field> fields;
};

class H2Session {
 public:
  // `events` outlives the session.
  [[nodiscard]] static H2Session server(const H2Limits& limits, H2Events& events);
  [[nodiscard]] static H2Session client(const H2Limits& limits, H2Events& events);
  H2Session(H2Session&&) noexcept;
  H2Session& operator=(H2Session&&) noexcept;
  ~H2Session();  // calls no events

  // Takes all of `bytes`. An error is the end of the connection, with a sentence for the log; open
  // streams have had on_reset, produce() still has the GOAWAY. Blame is the peer's: Client in a
  // server session, Upstream in a client session. Do not call while the previous output has not
  // left: that is the back-pressure for everything that is not a body.
  [[nodiscard]] Status receive(std::string_view bytes);
  // Appends frames to `out` until `at_most` bytes are reached; the last frame may go beyond, by at
  // most 16 KiB and 9 bytes. Call it after every receive() and after every function below, while
  // wants_write().
  void produce(std::string& out, std::size_t at_most);
  [[nodiscard]] bool wants_write() const;
  // Nothing is to be received or produced any more: close the connection.
  [[nodiscard]] bool is_over() const;
  // Why the connection ends: a sentence, empty while nothing is wrong. Where the peer breaks a rule
  // of the protocol itself it stands here after the produce() that writes the GOAWAY.
  [[nodiscard]] std::string_view failure() const;
  // The connection broke off: every open stream gets on_reset.
  void lost();

  // Client. From `head` are taken: method, path, host and the fields but "host". nullopt when no
  // stream can be opened here: streams_open() has reached a limit, a GOAWAY went either way, or
  // numbers ran out.
  [[nodiscard]] std::optional<H2Stream> submit_request(const RequestHead& head, Ends ends);
  // Server. Once per stream, and with Ends::No followed by send_body and finish.
  void submit_response(H2Stream stream, const H2Answer& answer, Ends ends);
  // Server, before submit_response: a status of 100 to 199, but not 101.
  void submit_interim(H2Stream stream, const H2Answer& answer);
  // Copies what fits and returns how much that was; the rest is for on_room. 0 for a stream that is
  // gone.
  std::size_t send_body(H2Stream stream, std::string_view piece);
  [[nodiscard]] std::size_t room(H2Stream stream) const;
  // Our side is complete once the outbox is empty. Trailers may be none.
  void finish(H2Stream stream, std::span<const Field> trailers = {});
  // `bytes` of on_body are used up, so the peer may send as many. What a stream leaves unconsumed
  // when it goes is given back to the connection by the session.
  void consume(H2Stream stream, std::size_t bytes);
  // Whether the connection's window lets the peer send a byte of any body.
  [[nodiscard]] bool may_receive_body() const;
  // What the peer still sends on this stream is dropped (no on_body, on_trailers, on_end); when our
  // side is complete before the peer's, the stream is reset with NO_ERROR. For answers that do not
  // wait for the body.
  void discard(H2Stream stream);
  // No event of this stream follows.
  void reset(H2Stream stream, H2Code code);
  // Takes no more streams and lets the open ones end; is_over() comes true then. A server says so
  // twice, with a round trip in between, so that requests on their way are still served (RFC 9113
  // 6.8).
  void go_away();

  [[nodiscard]] std::size_t streams_open() const;
  // 100 until the peer has said otherwise.
  [[nodiscard]] std::size_t streams_max_of_peer() const;

 private:
  class Wire;
  explicit H2Session(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace kelvin::http
