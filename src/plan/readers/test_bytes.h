// test_bytes: text as the bytes of a file. For tests and fuzzing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "plan/readers/readers.h"

namespace kelvin::plan {

// At most `chunk` bytes at once. The text outlives what is returned, which reads it once.
inline ReadBytes bytes_of(std::string_view text, std::size_t chunk = std::size_t{1} << 20) {
  return [text, chunk](std::span<char> into) mutable -> tl::expected<std::size_t, std::string> {
    const std::size_t count = std::min({into.size(), text.size(), chunk});
    std::copy_n(text.data(), count, into.data());
    text.remove_prefix(count);
    return count;
  };
}

}  // namespace kelvin::plan
