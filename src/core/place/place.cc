#include "core/place/place.h"

#include <algorithm>

#include "base/check.h"
#include "core/words.h"

namespace kelvin::place {

namespace {

// A refusal names so many nodes; the rest are counted.
constexpr std::size_t kNodesNamedMax = 4;

const model::AcceleratorPool* find_pool(const model::Node& node, std::string_view kind) {
  const auto has_kind = [&](const model::AcceleratorPool& pool) { return pool.kind == kind; };
  const auto found = std::find_if(node.pools.begin(), node.pools.end(), has_kind);
  return found == node.pools.end() ? nullptr : &*found;
}

const Taken* find_taken(const NodeLoad& load, std::string_view kind) {
  const auto found = std::ranges::find(load.taken, kind, &Taken::kind);
  return found == load.taken.end() ? nullptr : &*found;
}

Taken& ensure_taken(NodeLoad& load, const std::string& kind) {
  const auto found = std::ranges::find(load.taken, kind, &Taken::kind);
  if (found != load.taken.end()) return *found;
  return load.taken.emplace_back(Taken{.kind = kind});
}

constexpr std::uint32_t kWordBits = 64;

bool is_taken(const Taken& taken, std::uint32_t index) {
  const std::size_t word = index / kWordBits;
  return word < taken.bits.size() && (taken.bits[word] >> (index % kWordBits) & 1U) != 0;
}

// False where it is so already.
bool set_taken(Taken& taken, std::uint32_t index, bool is_to_be) {
  if (is_taken(taken, index) == is_to_be) return false;
  const std::size_t word = index / kWordBits;
  if (word >= taken.bits.size()) taken.bits.resize(word + 1);
  taken.bits[word] ^= std::uint64_t{1} << (index % kWordBits);
  taken.count += is_to_be ? 1 : -1U;
  return true;
}

// "any" asks for memory, which the cores' slots do not have.
bool is_of_kind(const model::AcceleratorPool& pool, const model::AcceleratorNeed& need) {
  const bool is_wanted = need.kind == "any" ? pool.kind != "cpu" : pool.kind == need.kind;
  return is_wanted && pool.memory_each >= need.memory_each;
}

std::string words_of(const model::AcceleratorNeed& need) {
  std::string words =
      std::to_string(need.count) + " " + (need.kind == "any" ? "accelerators" : need.kind);
  if (need.memory_each.count > 0) words += " of at least " + to_words(need.memory_each);
  return words;
}

bool has_memory(const NodeLoad& load, Bytes wanted) {
  return wanted.count == 0 || load.claimed + wanted <= load.node.memory;
}

// The pool of this node that takes `need`: the one with the fewest free that are enough, then the
// first. Null where a filter refuses.
const model::AcceleratorPool* find_room(const NodeLoad& load, const model::AcceleratorNeed& need,
                                        Bytes memory) {
  const model::AcceleratorPool* best = nullptr;
  std::uint32_t best_free = 0;
  if (!load.node.is_up || !has_memory(load, memory)) return best;
  for (const model::AcceleratorPool& pool : load.node.pools) {
    if (!is_of_kind(pool, need)) continue;
    const std::uint32_t free = free_count(load, pool);
    if (free < need.count || (best != nullptr && free >= best_free)) continue;
    best = &pool;
    best_free = free;
  }
  return best;
}

// The name of the filter that refuses, with its numbers; empty where none does. It speaks of what
// find_room decides.
std::string refusal_of(const NodeLoad& load, const model::AcceleratorNeed& need, Bytes memory) {
  if (!load.node.is_up) return "node is down";
  std::uint32_t free = 0;
  std::uint32_t count = 0;
  for (const model::AcceleratorPool& pool : load.node.pools) {
    if (!is_of_kind(pool, need)) continue;
    free = std::max(free, free_count(load, pool));
    count = std::max(count, pool.count);
  }
  if (count == 0) return "no such accelerator kind (" + words_of(need) + " wanted)";
  if (free < need.count) {
    return "not enough free accelerators (" + std::to_string(free) + " of " +
           std::to_string(count) + " free, " + words_of(need) + " wanted)";
  }
  if (!has_memory(load, memory)) {
    return "not enough host memory (" + to_words(load.claimed) + " of " +
           to_words(load.node.memory) + " claimed, " + to_words(memory) + " wanted)";
  }
  return {};
}

model::Lease lease_on(const NodeLoad& load, const model::AcceleratorPool& pool,
                      const model::AcceleratorNeed& need, Bytes memory) {
  model::Lease lease{.node = load.node.id, .kind = pool.kind, .accelerators = {}, .memory = memory};
  lease.accelerators.reserve(need.count);
  const Taken* taken = find_taken(load, pool.kind);
  for (std::uint32_t index = 0; lease.accelerators.size() < need.count; ++index) {
    KELVIN_CHECK(index < pool.count);
    if (taken == nullptr || !is_taken(*taken, index)) lease.accelerators.push_back(index);
  }
  return lease;
}

std::optional<model::Lease> best_lease(const Nodes& nodes, const Wish& wish,
                                       const model::AcceleratorNeed& need) {
  const NodeLoad* best = nullptr;
  const model::AcceleratorPool* best_pool = nullptr;
  std::uint32_t best_free = 0;
  for (const auto& [id, load] : nodes) {
    if (wish.only && id != wish.only) continue;
    const model::AcceleratorPool* pool = find_room(load, need, wish.memory);
    if (pool == nullptr) continue;
    const std::uint32_t free = free_count(load, *pool);
    if (best != nullptr && free >= best_free) continue;
    best = &load;
    best_pool = pool;
    best_free = free;
  }
  if (best == nullptr) return std::nullopt;
  return lease_on(*best, *best_pool, need, wish.memory);
}

bool could_hold(const model::Node& node, const Wish& wish) {
  if (wish.memory > node.memory) return false;
  return std::ranges::any_of(wish.needs, [&](const model::AcceleratorNeed& need) {
    return std::ranges::any_of(node.pools, [&](const model::AcceleratorPool& pool) {
      return is_of_kind(pool, need) && pool.count >= need.count;
    });
  });
}

// "a: node is down; b: not enough host memory (...); and 3 more nodes".
class RefusalText {
 public:
  void add(std::string_view subject, const std::string& reason) {
    named_ += 1;
    if (named_ > kNodesNamedMax) return;
    if (!text_.empty()) text_ += "; ";
    text_ += std::string(subject) + ": " + reason;
  }
  std::string take() {
    if (named_ > kNodesNamedMax)
      text_ += "; and " + count_words(named_ - kNodesNamedMax, "more node");
    return text_.empty() ? "no node has joined" : text_;
  }

 private:
  std::string text_;
  std::size_t named_ = 0;
};

}  // namespace

std::uint32_t free_count(const NodeLoad& load, const model::AcceleratorPool& pool) {
  const Taken* taken = find_taken(load, pool.kind);
  const std::uint32_t used = taken == nullptr ? 0 : taken->count;
  return used >= pool.count ? 0 : pool.count - used;
}

bool can_take(const NodeLoad& load, const model::Lease& lease) {
  const model::AcceleratorPool* pool = find_pool(load.node, lease.kind);
  const Taken* taken = find_taken(load, lease.kind);
  return std::ranges::all_of(lease.accelerators, [&](std::uint32_t index) {
    return pool != nullptr && index < pool->count && (taken == nullptr || !is_taken(*taken, index));
  });
}

void take(NodeLoad& load, const model::Lease& lease) {
  for (const std::uint32_t index : lease.accelerators) {
    const bool is_new = set_taken(ensure_taken(load, lease.kind), index, true);
    KELVIN_CHECK(is_new);
  }
  load.claimed = load.claimed + lease.memory;
}

void give_back(NodeLoad& load, const model::Lease& lease) {
  for (const std::uint32_t index : lease.accelerators) {
    const bool was_taken = set_taken(ensure_taken(load, lease.kind), index, false);
    KELVIN_CHECK(was_taken);
  }
  KELVIN_CHECK(load.claimed >= lease.memory);
  load.claimed = {load.claimed.count - lease.memory.count};
}

void mark_taken(NodeLoad& load, const model::Lease& lease) {
  for (const std::uint32_t index : lease.accelerators)
    (void)set_taken(ensure_taken(load, lease.kind), index, true);
  load.claimed = load.claimed + lease.memory;
}

std::optional<model::Lease> pick_place(const Nodes& nodes, const Wish& wish) {
  KELVIN_CHECK(!wish.needs.empty());
  for (const model::AcceleratorNeed& need : wish.needs) {
    if (std::optional<model::Lease> lease = best_lease(nodes, wish, need)) return lease;
  }
  return std::nullopt;
}

std::string why_refused(const Nodes& nodes, const Wish& wish) {
  RefusalText text;
  for (const auto& [id, load] : nodes) {
    if (wish.only && id != wish.only) continue;
    std::string reasons;
    for (const model::AcceleratorNeed& need : wish.needs) {
      if (!reasons.empty()) reasons += ", ";
      reasons += refusal_of(load, need, wish.memory);
    }
    text.add(load.node.name, reasons);
  }
  return text.take();
}

std::optional<std::string> why_never(const Nodes& nodes, const Wish& wish) {
  const auto could = [&](const auto& entry) {
    return (!wish.only || entry.first == wish.only) && could_hold(entry.second.node, wish);
  };
  if (std::ranges::any_of(nodes, could)) return std::nullopt;
  Nodes empty;
  for (const auto& [id, load] : nodes) {
    NodeLoad& copy = empty.emplace(id, NodeLoad{.node = load.node}).first->second;
    copy.node.is_up = true;
  }
  return why_refused(empty, wish);
}

}  // namespace kelvin::place
