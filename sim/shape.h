// shape: how large a simulation is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace kelvin::sim {

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

struct Shape {
  Range nodes{5, 7};
  Range apps{20, 24};
  Range requests{1000, 1300};
  Range faults{10, 20};
  Range acts{5, 15};  // of operators
  Range traffic_s{300, 1200};
  std::uint32_t slots = 4096;  // entries of the slot table
  // Apps that are asked one after another whether they have healed, and may have a minimum.
  std::uint64_t probed = 24;
};

// "small" is the default; "wide" has many nodes, "deep" many requests, "huge" many apps.
[[nodiscard]] constexpr std::optional<Shape> find_shape(std::string_view name) {
  if (name == "small") return Shape{};
  if (name == "wide")
    return Shape{
        .nodes = {1000, 1000}, .apps = {500, 500}, .requests = {20'000, 20'000}, .slots = 16'384};
  if (name == "deep") return Shape{.requests = {100'000, 100'000}, .faults = {50, 100}};
  if (name == "huge") {
    return Shape{.nodes = {1000, 1000},
                 .apps = {100'000, 100'000},
                 .requests = {200'000, 200'000},
                 .faults = {10, 20},
                 .traffic_s = {1200, 1200},
                 .slots = 65'536};
  }
  return std::nullopt;
}

}  // namespace kelvin::sim
