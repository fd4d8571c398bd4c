// route: first with room for small limits, two choices for larger ones, rendezvous with an affinity.
#include "core/route/route.h"

#include <algorithm>

namespace kelvin::route {

namespace {

// Replicas that this request may go to at all.
class Field {
 public:
  Field(std::span<const ReplicaLoad> loads, RevisionId revision)
      : loads_(loads), revision_(revision) {}

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(loads_.size()); }
  [[nodiscard]] const ReplicaLoad& operator[](std::uint32_t i) const { return loads_[i]; }
  [[nodiscard]] bool is_open(std::uint32_t i) const {
    return loads_[i].is_open && (!revision_ || loads_[i].revision == revision_);
  }
  [[nodiscard]] bool has_room(std::uint32_t i) const {
    return is_open(i) && loads_[i].in_flight < loads_[i].slots;
  }
  [[nodiscard]] bool is_called_for(std::uint32_t i) const {
    return has_room(i) && !loads_[i].is_spare;
  }

 private:
  std::span<const ReplicaLoad> loads_;
  RevisionId revision_;
};

// in_flight / slots of a is smaller, without dividing.
bool is_less_full(const ReplicaLoad& a, const ReplicaLoad& b) {
  return std::uint64_t{a.in_flight} * b.slots < std::uint64_t{b.in_flight} * a.slots;
}

// Of those that are no spares.
struct Room {
  std::uint32_t count = 0;
  std::uint32_t largest_limit = 0;
};

Room count_room(const Field& field) {
  Room room;
  for (std::uint32_t i = 0; i < field.size(); ++i) {
    if (!field.is_called_for(i)) continue;
    ++room.count;
    room.largest_limit = std::max(room.largest_limit, field[i].slots);
  }
  return room;
}

// Index of the nth replica with room that is no spare; there are more than n.
std::uint32_t nth_with_room(const Field& field, std::uint64_t n) {
  std::uint32_t index = 0;
  while (!field.is_called_for(index) || n-- > 0) ++index;
  return index;
}

std::uint64_t weight_of(std::uint64_t affinity, ReplicaId id) {
  Random first{id.value};
  Random second{affinity ^ first.next()};
  return second.next();
}

// All requests in flight with this one, and all slots, of replicas that are open.
struct Total {
  std::uint64_t requests = 1;
  std::uint64_t slots = 0;
};

Total sum_of(const Field& field) {
  Total total;
  for (std::uint32_t i = 0; i < field.size(); ++i) {
    if (!field.is_open(i)) continue;
    total.requests += field[i].in_flight;
    total.slots += field[i].slots;
  }
  return total;
}

// in_flight + 1 <= ceil(1.25 * requests * its slots / all slots).
bool is_within_bound(const ReplicaLoad& load, const Total& total) {
  const std::uint64_t part = 5 * total.requests * load.slots;
  const std::uint64_t whole = 4 * total.slots;
  return load.in_flight < (part + whole - 1) / whole;
}

// The best kTriesMax so far: within the bound before beyond it, heavier before lighter.
class Best {
 public:
  struct Entry {
    std::uint32_t index = 0;
    bool is_within = false;
    std::uint64_t weight = 0;
    ReplicaId id;
    [[nodiscard]] bool goes_before(const Entry& other) const {
      if (is_within != other.is_within) return is_within;
      if (weight != other.weight) return weight > other.weight;
      return id < other.id;
    }
  };

  void offer(const Entry& entry) {
    std::size_t at = size_;
    while (at > 0 && entry.goes_before(entries_[at - 1])) --at;
    if (at == kTriesMax) return;
    size_ = std::min(size_ + 1, kTriesMax);
    for (std::size_t i = size_ - 1; i > at; --i) entries_[i] = entries_[i - 1];
    entries_[at] = entry;
  }
  [[nodiscard]] const Entry* begin() const { return entries_.data(); }
  [[nodiscard]] const Entry* end() const { return entries_.data() + size_; }

 private:
  std::array<Entry, kTriesMax> entries_{};
  std::size_t size_ = 0;
};

void add_by_affinity(Order& order, const Field& field, std::uint64_t affinity) {
  const Total total = sum_of(field);
  Best best;
  for (std::uint32_t i = 0; i < field.size(); ++i) {
    if (!field.has_room(i)) continue;
    best.offer({.index = i,
                .is_within = is_within_bound(field[i], total),
                .weight = weight_of(affinity, field[i].id),
                .id = field[i].id});
  }
  for (const Best::Entry& entry : best) order.add_once(entry.index);
}

void add_by_load(Order& order, const Field& field, Random& random) {
  const Room room = count_room(field);
  if (room.count > 1 && room.largest_limit > kSmallLimit) {
    const std::uint64_t one = random.below(room.count);
    const std::uint64_t step = 1 + random.below(room.count - 1);
    std::uint32_t best = nth_with_room(field, one);
    std::uint32_t second = nth_with_room(field, (one + step) % room.count);
    if (is_less_full(field[second], field[best])) std::swap(best, second);
    order.add_once(best);
    order.add_once(second);
  }
  for (const bool is_spare : {false, true}) {
    for (std::uint32_t i = 0; i < field.size() && order.size() < kTriesMax; ++i) {
      if (field.has_room(i) && field[i].is_spare == is_spare) order.add_once(i);
    }
  }
}

}  // namespace

void Order::add_once(std::uint32_t index) {
  if (std::find(begin(), end(), index) == end()) add(index);
}

Order pick(std::span<const ReplicaLoad> loads, const Wish& wish, Random& random) noexcept {
  Order order;
  // A replica that was asked for by name may be of any revision.
  const Field all(loads, {});
  for (std::uint32_t i = 0; wish.wanted && i < all.size(); ++i) {
    if (all[i].id == wish.wanted && all.has_room(i)) order.add(i);
  }
  const Field field(loads, wish.revision);
  if (wish.affinity) {
    add_by_affinity(order, field, *wish.affinity);
  } else {
    add_by_load(order, field, random);
  }
  return order;
}

Order pick(std::span<const ReplicaLoad> loads, Random& random) noexcept {
  return pick(loads, Wish{}, random);
}

bool comes_first(std::uint64_t affinity, ReplicaId a, ReplicaId b) noexcept {
  const std::uint64_t one = weight_of(affinity, a);
  const std::uint64_t other = weight_of(affinity, b);
  return one != other ? one > other : a < b;
}

RevisionId draw_revision(std::span<const model::RevisionShare> shares,
                         std::optional<std::uint64_t> affinity, Random& random) noexcept {
  if (shares.empty()) return {};
  // Mixed once more, so that the revision says nothing about the order of replicas.
  Random of_hash{affinity.value_or(0) ^ 0x5bf0'3635'dcf5'9ab1ULL};
  std::uint64_t left = affinity ? of_hash.below(100) : random.below(100);
  for (const model::RevisionShare& share : shares) {
    if (left < share.percent) return share.revision;
    left -= share.percent;
  }
  return shares.back().revision;
}

}  // namespace kelvin::route
