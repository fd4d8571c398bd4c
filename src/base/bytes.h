// bytes: amounts of memory and storage.
#pragma once

#include <compare>
#include <cstdint>

namespace kelvin {

struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

constexpr Bytes operator""_KiB(unsigned long long n) { return {n << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {n << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {n << 30}; }
constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }

}  // namespace kelvin
