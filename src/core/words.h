// words: numbers as people read them, for the sentences of decisions and refusals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"

namespace kelvin {

// "0.4 ms", "350 ms", "2.5 s", "75 s", "20 min": three digits at most.
std::string to_words(Duration time);
// "512 MiB", "2.5 GiB".
std::string to_words(Bytes bytes);
// "1 request", "3 requests".
std::string count_words(std::uint64_t count, std::string_view noun);
// 12'345 thousandths are "12.35"; at most two digits after the point, none when they are zero.
std::string milli_words(std::int64_t milli);

}  // namespace kelvin
