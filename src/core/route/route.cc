// route: first with room for small limits, two choices for larger ones.
#include "core/route/route.h"

#include <algorithm>

namespace kelvin::route {

namespace {

bool has_room(const ReplicaLoad& load) { return load.is_open && load.in_flight < load.slots; }

// in_flight / slots of a is smaller, without dividing.
bool is_less_full(const ReplicaLoad& a, const ReplicaLoad& b) {
  return std::uint64_t{a.in_flight} * b.slots < std::uint64_t{b.in_flight} * a.slots;
}

struct Room {
  std::uint32_t count = 0;
  std::uint32_t largest_limit = 0;
};

Room count_room(std::span<const ReplicaLoad> loads) {
  Room room;
  for (const ReplicaLoad& load : loads) {
    if (!has_room(load)) continue;
    ++room.count;
    room.largest_limit = std::max(room.largest_limit, load.slots);
  }
  return room;
}

// Index of the nth replica with room; there are more than n.
std::uint32_t nth_with_room(std::span<const ReplicaLoad> loads, std::uint64_t n) {
  std::uint32_t index = 0;
  while (!has_room(loads[index]) || n-- > 0) ++index;
  return index;
}

}  // namespace

Order pick(std::span<const ReplicaLoad> loads, Random& random) noexcept {
  Order order;
  const Room room = count_room(loads);
  if (room.count == 0) return order;

  std::uint32_t best = static_cast<std::uint32_t>(loads.size());
  std::uint32_t second = best;
  if (room.count > 1 && room.largest_limit > kSmallLimit) {
    const std::uint64_t one = random.below(room.count);
    const std::uint64_t step = 1 + random.below(room.count - 1);
    best = nth_with_room(loads, one);
    second = nth_with_room(loads, (one + step) % room.count);
    if (is_less_full(loads[second], loads[best])) std::swap(best, second);
    order.add(best);
    order.add(second);
  }
  for (std::uint32_t i = 0; i < loads.size(); ++i) {
    if (i != best && i != second && has_room(loads[i])) order.add(i);
  }
  return order;
}

}  // namespace kelvin::route
