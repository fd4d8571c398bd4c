// route: in which order to try an app's ready replicas.
//
// Small limits (at most kSmallLimit slots): first with room, in the order given. Requests pack onto
// the first replicas and the last ones go idle, which is what lets them cool. Larger limits: two
// replicas with room are drawn at random and the one that is less full, relative to its limit, is
// tried first (the power of two choices, Mitzenmacher 1996: the fullest replica stays within log
// log n of the mean, without every loop choosing the same one). The others with room follow, so
// that a lost race for a slot costs one more try and not a wait.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/random.h"

namespace kelvin::route {

// What the slot word of a replica says at this moment.
struct ReplicaLoad {
  std::uint32_t in_flight = 0;
  std::uint32_t slots = 1;  // its limit
  bool is_open = true;      // false: closed, or its word is of another generation
};

constexpr std::uint32_t kSmallLimit = 3;
// Losing this many races in a row means that the app is full; the request then queues.
constexpr std::size_t kTriesMax = 8;

// Indices into the loads given to pick, best first; empty when none has room.
class Order {
 public:
  void add(std::uint32_t index) {
    if (size_ < kTriesMax) indices_[size_++] = index;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t operator[](std::size_t i) const { return indices_[i]; }
  [[nodiscard]] const std::uint32_t* begin() const { return indices_.data(); }
  [[nodiscard]] const std::uint32_t* end() const { return indices_.data() + size_; }

 private:
  std::array<std::uint32_t, kTriesMax> indices_{};
  std::size_t size_ = 0;
};

// `loads` in the order of the route's replicas, which is by id. Allocates nothing; takes time
// linear in `loads`.
[[nodiscard]] Order pick(std::span<const ReplicaLoad> loads, Random& random) noexcept;

}  // namespace kelvin::route
