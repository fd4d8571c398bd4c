// part: which of the faults, acts and requests of a seed are played.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kelvin::sim {

// Ascending numbers from 0.
using Numbers = std::vector<std::uint32_t>;

struct Part {
  // Absent: all of them.
  std::optional<Numbers> faults;
  std::optional<Numbers> acts;
  std::optional<Numbers> requests;
};

// "0-3,7"; "none" for no number at all.
[[nodiscard]] std::string to_text(const Numbers& numbers);
[[nodiscard]] std::optional<Numbers> parse_numbers(std::string_view text);
// " --only-faults 1,4 --only-acts none": what replays it.
[[nodiscard]] std::string to_arguments(const Part& part);

}  // namespace kelvin::sim
