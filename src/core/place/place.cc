#include "core/place/place.h"

#include <algorithm>

#include "base/check.h"
#include "core/words.h"

namespace kelvin::place {

namespace {

// A refusal names so many nodes; the rest are counted.
constexpr std::size_t kNodesNamedMax = 4;
// Of the scores, see the top of place.h.
constexpr std::int64_t kFreeMs = 2000;
constexpr std::int64_t kOthersMs = 200;

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

bool has_others(const NodeLoad& load, std::string_view workspace) {
  return std::ranges::any_of(load.tenants,
                             [&](const Tenant& tenant) { return tenant.workspace != workspace; });
}

// A node that may hold the need, and what its score is made of.
struct Fit {
  const NodeLoad* load = nullptr;
  const model::AcceleratorPool* pool = nullptr;
  Duration start{};
  std::int64_t left_ms = 0;  // for what stays free
  bool has_others = false;

  [[nodiscard]] std::int64_t score() const {
    return whole_ms(start) + left_ms + (has_others ? kOthersMs : 0);
  }
};

std::optional<Fit> find_fit(const NodeLoad& load, const Wish& wish,
                            const model::AcceleratorNeed& need) {
  const model::AcceleratorPool* pool = find_room(load, need, wish.memory);
  if (pool == nullptr) return std::nullopt;
  const std::int64_t left = free_count(load, *pool) - need.count;
  return Fit{.load = &load,
             .pool = pool,
             .start = expected_start(load, wish),
             .left_ms = kFreeMs * left / pool->count,
             .has_others = !wish.workspace.empty() && has_others(load, wish.workspace)};
}

std::optional<model::Lease> best_lease(const Nodes& nodes, const Wish& wish,
                                       const model::AcceleratorNeed& need) {
  std::optional<Fit> best;
  const auto consider = [&](const NodeLoad& load) {
    const std::optional<Fit> fit = find_fit(load, wish, need);
    if (fit && (!best || fit->score() < best->score())) best = fit;
  };
  if (wish.only) {
    if (const auto only = nodes.find(wish.only); only != nodes.end()) consider(only->second);
  } else {
    for (const auto& [id, load] : nodes) consider(load);
  }
  if (!best) return std::nullopt;
  return lease_on(*best->load, *best->pool, need, wish.memory);
}

bool could_hold(const model::Node& node, const Wish& wish) {
  if (wish.memory > node.memory) return false;
  return std::ranges::any_of(wish.needs, [&](const model::AcceleratorNeed& need) {
    return std::ranges::any_of(node.pools, [&](const model::AcceleratorPool& pool) {
      return is_of_kind(pool, need) && pool.count >= need.count;
    });
  });
}

// "starts in about 2 s (measured there)".
std::string start_words(const Fit& fit, const Wish& wish) {
  std::string words = "starts in about " + to_words(fit.start);
  if (wish.starts->find(fit.load->node.id) != nullptr) return words + " (measured there)";
  const auto held = fit.load->node.contents.find(wish.content);
  if (held == fit.load->node.contents.end()) return words;
  return words + (held->second == model::Nearness::Memory ? " (holds what it reads in memory)"
                                                          : " (holds what it reads on disk)");
}

// What sets the chosen one apart from the others that fit.
std::string choice_words(const Fit& chosen, const std::vector<Fit>& fits, const Wish& wish) {
  const auto is_any = [&](auto&& is_worse) { return std::ranges::any_of(fits, is_worse); };
  std::vector<std::string> words;
  if (is_any([&](const Fit& fit) { return fit.start > chosen.start; }))
    words.push_back(start_words(chosen, wish));
  const bool is_fullest = !is_any([&](const Fit& fit) { return fit.left_ms < chosen.left_ms; }) &&
                          is_any([&](const Fit& fit) { return fit.left_ms > chosen.left_ms; });
  if (is_fullest) words.emplace_back("the fullest of them");
  if (!chosen.has_others && is_any([](const Fit& fit) { return fit.has_others; }))
    words.emplace_back("no other workspace's replica on it");
  std::string sentence;
  for (const std::string& one : words) sentence += (sentence.empty() ? "" : ", ") + one;
  return sentence.empty() ? "all alike, the first of them" : sentence;
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

void move_in(NodeLoad& load, std::string_view workspace) {
  const auto found = std::ranges::find(load.tenants, workspace, &Tenant::workspace);
  if (found != load.tenants.end()) {
    found->replicas += 1;
  } else {
    load.tenants.push_back({std::string(workspace), 1});
  }
}

void move_out(NodeLoad& load, std::string_view workspace) {
  const auto found = std::ranges::find(load.tenants, workspace, &Tenant::workspace);
  KELVIN_CHECK(found != load.tenants.end());
  found->replicas -= 1;
  if (found->replicas == 0) load.tenants.erase(found);
}

Duration expected_start(const NodeLoad& load, const Wish& wish) {
  if (wish.starts == nullptr) return 0s;
  if (const warmth::WakeEstimate* there = wish.starts->find(load.node.id)) return there->value();
  const Duration usual = wish.starts->value();
  if (wish.content.empty() || load.node.contents.empty()) return usual;
  const auto held = load.node.contents.find(wish.content);
  if (held == load.node.contents.end()) return usual * 2;
  return held->second == model::Nearness::Memory ? usual / 2 : usual;
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

model::Lease with_open_first(model::Lease lease, const NodeLoad& open, const NodeLoad& future) {
  const model::AcceleratorPool* pool = find_pool(future.node, lease.kind);
  KELVIN_CHECK(pool != nullptr);
  const std::size_t count = lease.accelerators.size();
  lease.accelerators.clear();
  const auto add_free = [&](const NodeLoad& load) {
    const Taken* taken = find_taken(load, lease.kind);
    for (std::uint32_t index = 0; index < pool->count && lease.accelerators.size() < count;
         ++index) {
      const bool is_free = taken == nullptr || !is_taken(*taken, index);
      if (is_free && std::ranges::find(lease.accelerators, index) == lease.accelerators.end())
        lease.accelerators.push_back(index);
    }
  };
  add_free(open);
  add_free(future);
  std::ranges::sort(lease.accelerators);
  return lease;
}

std::string why_there(const Nodes& nodes, const Wish& wish, const model::Lease& lease) {
  const auto is_met = [&](const model::AcceleratorNeed& need) {
    const bool is_kind = need.kind == lease.kind || (need.kind == "any" && lease.kind != "cpu");
    return is_kind && need.count == lease.accelerators.size();
  };
  const auto need = std::ranges::find_if(wish.needs, is_met);
  KELVIN_CHECK(need != wish.needs.end());
  std::vector<Fit> fits;
  std::optional<Fit> chosen;
  for (const auto& [id, load] : nodes) {
    const std::optional<Fit> fit = find_fit(load, wish, *need);
    if (!fit) continue;
    fits.push_back(*fit);
    if (id == lease.node) chosen = fit;
  }
  if (!chosen || fits.size() == 1) return "the only node that fits";
  return "the best of " + std::to_string(fits.size()) +
         " nodes that fit: " + choice_words(*chosen, fits, wish);
}

std::optional<Reserved> pick_reservation(const Nodes& nodes, const Wish& wish) {
  for (const model::AcceleratorNeed& need : wish.needs) {
    std::optional<Reserved> best;
    std::uint32_t best_free = 0;
    for (const auto& [id, load] : nodes) {
      if ((wish.only && id != wish.only) || !load.node.is_up || wish.memory > load.node.memory)
        continue;
      for (const model::AcceleratorPool& pool : load.node.pools) {
        if (!is_of_kind(pool, need) || pool.count < need.count) continue;
        const std::uint32_t free = free_count(load, pool);
        if (best && free <= best_free) continue;
        best = {.node = id, .kind = pool.kind, .count = need.count};
        best_free = free;
      }
    }
    if (best) return best;
  }
  return std::nullopt;
}

void hold_free(NodeLoad& load, const Reserved& reserved, Bytes memory) {
  const model::AcceleratorPool* pool = find_pool(load.node, reserved.kind);
  Taken& taken = ensure_taken(load, reserved.kind);
  std::uint32_t missing = pool == nullptr ? 0 : reserved.count;
  for (std::uint32_t index = 0; missing > 0 && index < pool->count; ++index) {
    if (set_taken(taken, index, true)) missing -= 1;
  }
  const Bytes free{load.node.memory.count - std::min(load.node.memory.count, load.claimed.count)};
  load.claimed = load.claimed + std::min(free, memory);
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
