// downstream: the client's side of one exchange, whichever protocol it speaks.
//
// Any call may find that the client has gone; then Exchange::client_left() has been called when it returns, and the
// exchange is over.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gateway/heads.h"
#include "gateway/pipe.h"
#include "gateway/problem.h"
#include "http/message.h"

namespace kelvin::gateway {

// What has come of a request's body.
struct BodyPiece {
  enum class Kind : std::uint8_t {
    NotYet,
    Bytes,   // `payload`, perhaps empty; with `is_last` the body's end
    Broken,  // its framing is broken: `why`
    Left,    // the client has gone
  };
  Kind kind = Kind::NotYet;
  std::string_view payload;
  bool is_last = false;
  std::span<const http::Field> trailers;  // with is_last
  std::string_view why;                   // with Broken: a sentence
};

// A piece of a reply's body.
struct ReplyPiece {
  std::string_view payload;
  SplicePipe* pipe = nullptr;  // not null: it holds the payload, and is to be emptied
  bool is_last = false;
  std::span<const http::Field> trailers;  // with is_last

  std::size_t bytes() const { return pipe != nullptr ? pipe->bytes() : payload.size(); }
};

// What an exchange waits for from its client.
enum class Awaited : std::uint8_t {
  Nothing,
  Body,        // at any rate: it may be a conversation
  BodyInTime,  // at the rate that the limits ask for
};

class Downstream {
 public:
  virtual ~Downstream() = default;

  virtual bool is_gone() const = 0;
  virtual std::string_view address() const = 0;
  virtual bool is_secure() const = 0;  // came over TLS
  virtual bool is_h2() const = 0;

  // --- the request ---
  // The head as HTTP/1.1 text that parse_request reads; `head` is the one that began the exchange.
  virtual std::string text_of(const http::RequestHead& head) const = 0;
  // Waits for nothing. The payload stays as it is until body_taken(), which must follow every piece of bytes.
  virtual BodyPiece read_body() = 0;
  virtual void body_taken() = 0;
  // Gives the whole connection to management, at this request; false where that cannot be.
  virtual bool hand_to_management() = 0;
  // The client may send its body now.
  virtual void send_continue() = 0;

  // --- the reply: interim heads, one head, pieces up to the last; or one reply of the gateway's own ---
  virtual void send_interim(const http::ResponseHead& head) = 0;
  // Goes out with the first piece.
  virtual void send_head(const http::ResponseHead& head, const ReplyNotes& notes) = 0;
  virtual void send_body(const ReplyPiece& piece) = 0;
  virtual void send_own(const OwnReply& reply) = 0;
  // The body ends here, and is not whole. `last_words` belong to it, and may be empty.
  virtual void break_off(std::string_view last_words) = 0;
  // Whether a piece can be sent: nothing waits for the client to take it. Tries first to send what does.
  virtual bool has_room() = 0;
  // How many bytes the next piece may have, so that what the client does not take at once stays small.
  virtual std::size_t piece_bytes_max() const = 0;
  // Whether the next piece may lie in a pipe: the reply goes out as it came in.
  virtual bool takes_pipe() const = 0;

  // --- turns ---
  // Does all that can be done without waiting. To be called after every change from outside.
  virtual void advance() = 0;
  // Minds the client's own deadlines: it must take its reply, and go on with its body where that is awaited.
  virtual void watch(Awaited awaited) = 0;
  // No further request is taken from this client once this one is answered.
  virtual void close_after() = 0;
  // The client has gone, or is given up.
  virtual void abandon() = 0;

  bool is_in_again = false;  // the loop's own note
};

}  // namespace kelvin::gateway
