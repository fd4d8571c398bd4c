// codec: messages as bytes.
//
// A frame is the length of what follows (4 bytes), the message's place in the variant (1 byte), and its fields in the
// order of their declaration. Numbers are little-endian and as wide as their type; a text or list has its count (4
// bytes) in front, what may be absent a bool; a bool is 0 or 1; an enumerator is its number. Nothing may follow.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "takeover/message.h"

namespace kelvin::takeover {

constexpr std::size_t kFrameHeadBytes = 4;
// Of one message; 65,536 busy spans of a replica and 100,000 keys fit.
constexpr std::size_t kMessageBytesMax = 32U << 20U;

// The whole frame. Exhausted when the message is longer than kMessageBytesMax.
[[nodiscard]] Result<std::string> encode(Message message);

// Bytes of the first frame with its head; absent while fewer than kFrameHeadBytes are there. Invalid when it would be
// empty or too long.
[[nodiscard]] Result<std::optional<std::size_t>> frame_bytes(std::string_view received);

// `frame` is a whole one with its head. Invalid when a byte is missing, left over, or out of range.
[[nodiscard]] Result<Message> decode(std::string_view frame);

}  // namespace kelvin::takeover
