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
// first.
const model::AcceleratorPool* find_room(const NodeLoad& load, const model::AcceleratorNeed& need) {
  const model::AcceleratorPool* best = nullptr;
  for (const model::AcceleratorPool& pool : load.node.pools) {
    if (!is_of_kind(pool, need) || free_count(load, pool) < need.count) continue;
    if (best == nullptr || free_count(load, pool) < free_count(load, *best)) best = &pool;
  }
  return best;
}

// The name of the filter that refuses, with its numbers; empty where none does.
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
  const auto taken = load.taken.find(pool.kind);
  for (std::uint32_t index = 0; lease.accelerators.size() < need.count; ++index) {
    KELVIN_CHECK(index < pool.count);
    if (taken == load.taken.end() || !taken->second.contains(index))
      lease.accelerators.push_back(index);
  }
  return lease;
}

std::optional<model::Lease> best_lease(const Nodes& nodes, const Wish& wish,
                                       const model::AcceleratorNeed& need) {
  const NodeLoad* best = nullptr;
  std::uint32_t best_left = 0;
  for (const auto& [id, load] : nodes) {
    if ((wish.only && id != wish.only) || !refusal_of(load, need, wish.memory).empty()) continue;
    const std::uint32_t left = free_count(load, *find_room(load, need)) - need.count;
    if (best == nullptr || left < best_left) {
      best = &load;
      best_left = left;
    }
  }
  if (best == nullptr) return std::nullopt;
  return lease_on(*best, *find_room(*best, need), need, wish.memory);
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

std::string refusal_text(const Nodes& nodes, const Wish& wish) {
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

}  // namespace

std::uint32_t free_count(const NodeLoad& load, const model::AcceleratorPool& pool) {
  const auto taken = load.taken.find(pool.kind);
  const std::size_t used = taken == load.taken.end() ? 0 : taken->second.size();
  // A node that came back smaller may hold more than it has.
  return used >= pool.count ? 0 : pool.count - static_cast<std::uint32_t>(used);
}

bool can_take(const NodeLoad& load, const model::Lease& lease) {
  const model::AcceleratorPool* pool = find_pool(load.node, lease.kind);
  const auto taken = load.taken.find(lease.kind);
  for (const std::uint32_t index : lease.accelerators) {
    if (pool == nullptr || index >= pool->count) return false;
    if (taken != load.taken.end() && taken->second.contains(index)) return false;
  }
  return true;
}

void take(NodeLoad& load, const model::Lease& lease) {
  for (const std::uint32_t index : lease.accelerators) {
    const bool is_new = load.taken[lease.kind].insert(index).second;
    KELVIN_CHECK(is_new);
  }
  load.claimed = load.claimed + lease.memory;
}

void give_back(NodeLoad& load, const model::Lease& lease) {
  for (const std::uint32_t index : lease.accelerators) {
    const std::size_t removed = load.taken[lease.kind].erase(index);
    KELVIN_CHECK(removed == 1);
  }
  KELVIN_CHECK(load.claimed >= lease.memory);
  load.claimed = {load.claimed.count - lease.memory.count};
}

Answer pick_place(const Nodes& nodes, const Wish& wish) {
  KELVIN_CHECK(!wish.needs.empty());
  for (const model::AcceleratorNeed& need : wish.needs) {
    if (std::optional<model::Lease> lease = best_lease(nodes, wish, need))
      return {std::move(lease), {}};
  }
  return {std::nullopt, refusal_text(nodes, wish)};
}

std::optional<std::string> why_never(const Nodes& nodes, const Wish& wish) {
  Nodes empty;
  for (const auto& [id, load] : nodes) {
    NodeLoad& copy = empty.emplace(id, NodeLoad{.node = load.node}).first->second;
    copy.node.is_up = true;
  }
  Answer answer = pick_place(empty, wish);
  if (answer.lease) return std::nullopt;
  return std::move(answer.refusal);
}

}  // namespace kelvin::place
