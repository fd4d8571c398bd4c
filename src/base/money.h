// money: integer nano-units of one currency; never a float.
#pragma once

#include <compare>
#include <cstdint>

namespace kelvin {

struct Money {
  std::int64_t nano = 0;
  auto operator<=>(const Money&) const = default;
};

constexpr Money operator+(Money a, Money b) { return {a.nano + b.nano}; }
constexpr Money operator-(Money a, Money b) { return {a.nano - b.nano}; }
constexpr Money operator-(Money a) { return {-a.nano}; }
constexpr Money operator*(Money a, std::int64_t n) { return {a.nano * n}; }

}  // namespace kelvin
