// units: numbers as people read them. Integers throughout; nothing is rounded up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/time.h"

namespace kelvin::cli {

// How long ago, in at most two units: "12s", "3m12s", "34m", "5h12m", "3d". Below a second and in the future: "0s".
[[nodiscard]] std::string age_text(std::int64_t milliseconds);
// The same between two moments; "-" when there was no first one.
[[nodiscard]] std::string age_since(std::optional<std::int64_t> then_unix_ms,
                                    std::int64_t now_unix_ms);

// How long something took, three digits or so: "0.21 ms", "84.6 ms", "1.31 s", "2 m 05 s", "3 h 02 m".
[[nodiscard]] std::string duration_text(std::int64_t microseconds);

// "812 B", "64.0 KiB", "1.4 GiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

// "1,234,567".
[[nodiscard]] std::string count_text(std::int64_t count);

// Every digit that is not a trailing zero, and at least two decimals: "$0.000012", "$3.60", "-$1.00", "CHF 0.50".
// `decimals_min` pads with zeros, so that a column of amounts lines up.
[[nodiscard]] std::string money_text(Money amount, std::string_view currency, int decimals_min = 2);
// How many decimals that takes.
[[nodiscard]] int decimals_of(Money amount);

// "2026-01-31T23:59:59Z".
[[nodiscard]] std::string time_text(std::int64_t unix_ms);
// The time of day alone, "23:59:59.123", in UTC.
[[nodiscard]] std::string clock_text(std::int64_t unix_ms);

// "250ms", "90s", "10m", "2h", "7d"; nullopt for anything else, and for what does not fit.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

// A share between 0 and 1 with at most six decimals, "0.25", in millionths; nullopt for anything else.
[[nodiscard]] std::optional<std::uint32_t> parse_share(std::string_view text);

}  // namespace kelvin::cli
