// body: follows one message body by its framing, whichever it is.
#include "gateway/body.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace kelvin::gateway {

BodyReader::BodyReader(http::Framing framing, std::uint64_t length)
    : framing_(framing), left_(length), is_done_(framing == http::Framing::None) {}

BodyReader::Piece BodyReader::read(std::span<char> bytes) {
  if (is_done_ || bytes.empty()) return {};
  const std::string_view all(bytes.data(), bytes.size());
  switch (framing_) {
    case http::Framing::None:
      return {};
    case http::Framing::UntilClose:
      return {.payload = all, .consumed = all.size()};
    case http::Framing::Chunked:
      return read_chunks(bytes);
    case http::Framing::Length: {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, all.size()));
      left_ -= taken;
      is_done_ = left_ == 0;
      return {.payload = all.substr(0, taken), .consumed = taken};
    }
  }
  return {};
}

void BodyReader::skip(std::uint64_t bytes) {
  KELVIN_CHECK(bytes <= length_left());
  left_ -= bytes;
  is_done_ = left_ == 0;
}

BodyReader::Piece BodyReader::read_chunks(std::span<char> bytes) {
  Piece piece;
  std::size_t payload_bytes = 0;
  for (;;) {
    const std::string_view rest(bytes.data() + piece.consumed, bytes.size() - piece.consumed);
    const auto step = chunks_.feed(rest);
    if (step.parsed == http::Parsed::Refused) {
      piece.is_refused = true;
      piece.why = step.why;
      break;
    }
    if (!step.payload.empty()) {
      std::memmove(bytes.data() + payload_bytes, step.payload.data(), step.payload.size());
      payload_bytes += step.payload.size();
    }
    piece.consumed += step.consumed;
    is_done_ = step.parsed == http::Parsed::Done;
    if (is_done_ || step.consumed == 0) break;
  }
  piece.payload = {bytes.data(), payload_bytes};
  if (is_done_) piece.trailers = chunks_.trailers();
  return piece;
}

}  // namespace kelvin::gateway
