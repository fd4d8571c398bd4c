// members: every member of a plain struct, in the order of their declaration.
//
// Nobody lists them, so none can be forgotten: how many there are is found by trying of how many values the struct can
// be made, and a structured binding names them. It breaks the build where the two differ.
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

namespace kelvin::takeover {

namespace members {

template <class Value>
constexpr bool kIsOptional = false;
template <class Value>
constexpr bool kIsOptional<std::optional<Value>> = true;

// Stands for a member of any type. An optional makes itself of it, as it does of everything.
struct Anything {
  template <class Value>
    requires(!kIsOptional<Value>)
  operator Value() const noexcept;  // NOLINT(google-explicit-constructor): that is what it is for
};

template <class Struct, class... Given>
consteval std::size_t count() {
  if constexpr (requires { Struct{Given{}..., Anything{}}; }) {
    return count<Struct, Given..., Anything>();
  } else {
    return sizeof...(Given);
  }
}

}  // namespace members

// `call(member...)`, once.
template <class Struct, class Call>
void with_members(Struct& it, Call&& call) {
  constexpr std::size_t kCount = members::count<Struct>();
  static_assert(kCount <= 16, "one case more is needed here");
  if constexpr (kCount == 1) {
    auto& [a] = it;
    call(a);
  } else if constexpr (kCount == 2) {
    auto& [a, b] = it;
    call(a, b);
  } else if constexpr (kCount == 3) {
    auto& [a, b, c] = it;
    call(a, b, c);
  } else if constexpr (kCount == 4) {
    auto& [a, b, c, d] = it;
    call(a, b, c, d);
  } else if constexpr (kCount == 5) {
    auto& [a, b, c, d, e] = it;
    call(a, b, c, d, e);
  } else if constexpr (kCount == 6) {
    auto& [a, b, c, d, e, f] = it;
    call(a, b, c, d, e, f);
  } else if constexpr (kCount == 7) {
    auto& [a, b, c, d, e, f, g] = it;
    call(a, b, c, d, e, f, g);
  } else if constexpr (kCount == 8) {
    auto& [a, b, c, d, e, f, g, h] = it;
    call(a, b, c, d, e, f, g, h);
  } else if constexpr (kCount == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = it;
    call(a, b, c, d, e, f, g, h, i);
  } else if constexpr (kCount == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = it;
    call(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (kCount == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = it;
    call(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (kCount == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = it;
    call(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (kCount == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = it;
    call(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (kCount == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = it;
    call(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (kCount == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = it;
    call(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (kCount == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = it;
    call(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}

}  // namespace kelvin::takeover
