// body: follows one message body by its framing, whichever it is.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/message.h"

namespace kelvin::gateway {

class BodyReader {
 public:
  BodyReader() = default;
  BodyReader(http::Framing framing, std::uint64_t length);

  struct Piece {
    std::string_view payload;  // what the body holds among the bytes given
    std::size_t consumed =
        0;  // bytes that belong to the body; what lies behind belongs to the next message
    std::span<const http::Field> trailers;  // with the body's end
    bool is_refused = false;                // the framing is broken
    std::string_view why;                   // with is_refused: a sentence
  };
  // Reads `bytes` in place: the payload of several chunks is moved together at the front. Takes all there is, up to the
  // body's end.
  Piece read(std::span<char> bytes);

  bool is_done() const { return is_done_; }
  // Bytes still to come of a body that says its length.
  std::uint64_t length_left() const { return framing_ == http::Framing::Length ? left_ : 0; }
  // So many of them went another way.
  void skip(std::uint64_t bytes);
  // Whether the whole rest of the body is among `there` bytes that have come in; chunks are not looked at.
  bool fits(std::size_t there) const {
    return is_done_ || (framing_ == http::Framing::Length && left_ <= there);
  }
  bool ends_with_connection() const { return framing_ == http::Framing::UntilClose; }
  // The end of the connection is the body's end.
  void finish_at_close() { is_done_ = true; }

 private:
  Piece read_chunks(std::span<char> bytes);

  http::Framing framing_ = http::Framing::None;
  std::uint64_t left_ = 0;
  bool is_done_ = true;
  http::ChunkReader chunks_;
};

}  // namespace kelvin::gateway
