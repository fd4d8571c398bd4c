#include "core/place/pressure.h"

#include <algorithm>
#include <ranges>

namespace kelvin::place {

namespace {

// What one node lacks, and of which app nothing is taken for it.
struct Shortage {
  AppId spared;
  std::string_view kind;
  std::uint32_t accelerators = 0;
  Bytes memory;
};

// Keeps the sum of losses within its integer.
constexpr std::uint32_t kUrgencyMilliMax = 10'000'000;

struct Plan {
  std::vector<Victim> victims;
  std::int64_t loss = 0;
};

// One thing that could be done, and what it costs and frees of what is missing.
struct Option {
  const Candidate* candidate = nullptr;
  Relief relief = Relief::Park;
  std::int64_t loss = 0;
  std::uint64_t freed = 0;
};

// Smallest loss per unit freed first; equal ones by id. Compared crosswise, in integers.
bool is_cheaper(const Option& a, const Option& b) {
  const auto left = static_cast<long double>(a.loss) * static_cast<long double>(b.freed);
  const auto right = static_cast<long double>(b.loss) * static_cast<long double>(a.freed);
  if (left < right || right < left) return left < right;
  return a.candidate->replica < b.candidate->replica;
}

// Null where it is to stay.
Victim* find_victim(Plan& plan, ReplicaId replica) {
  const auto found = std::ranges::find(plan.victims, replica, &Victim::replica);
  return found == plan.victims.end() ? nullptr : &*found;
}

// Takes options from the cheapest on until `missing` is freed; false where all together are too
// few.
bool take_cheapest(std::vector<Option> options, std::uint64_t missing, Plan& plan) {
  // Few of many are taken: a heap spares the sorting.
  const auto is_dearer = [](const Option& a, const Option& b) { return is_cheaper(b, a); };
  std::ranges::make_heap(options, is_dearer);
  while (missing > 0 && !options.empty()) {
    std::ranges::pop_heap(options, is_dearer);
    const Option option = options.back();
    options.pop_back();
    if (Victim* victim = find_victim(plan, option.candidate->replica)) {
      victim->relief = option.relief;
    } else {
      plan.victims.push_back({option.candidate->replica, option.relief});
    }
    plan.loss += option.loss;
    missing -= std::min(missing, option.freed);
  }
  return missing == 0;
}

std::vector<Option> accelerator_options(const Shortage& shortage,
                                        std::span<const Candidate> candidates) {
  std::vector<Option> options;
  options.reserve(candidates.size());
  for (const Candidate& c : candidates) {
    if (c.app == shortage.spared || c.kind != shortage.kind || c.accelerators == 0) continue;
    const Relief relief = c.may_park ? Relief::Park : Relief::Stop;
    const std::int64_t loss = c.may_park ? c.park_loss : c.stop_loss;
    options.push_back({.candidate = &c, .relief = relief, .loss = loss, .freed = c.accelerators});
  }
  return options;
}

// Stopping what was to be parked anyway costs only the difference; what is stopped already has
// freed its memory.
std::vector<Option> memory_options(const Shortage& shortage, std::span<const Candidate> candidates,
                                   Plan& plan) {
  std::vector<Option> options;
  options.reserve(candidates.size());
  for (const Candidate& c : candidates) {
    if (c.app == shortage.spared || c.memory.count == 0) continue;
    const Victim* chosen = find_victim(plan, c.replica);
    const bool is_parked_anyway = chosen != nullptr;
    if (is_parked_anyway && chosen->relief == Relief::Stop) continue;
    const std::int64_t loss = is_parked_anyway ? c.stop_loss - c.park_loss : c.stop_loss;
    options.push_back(
        {.candidate = &c, .relief = Relief::Stop, .loss = loss, .freed = c.memory.count});
  }
  return options;
}

std::uint64_t memory_freed(std::span<const Candidate> candidates, Plan& plan) {
  std::uint64_t freed = 0;
  for (const Candidate& c : candidates) {
    const Victim* chosen = find_victim(plan, c.replica);
    if (chosen != nullptr && chosen->relief == Relief::Stop) freed += c.memory.count;
  }
  return freed;
}

std::optional<Plan> relieve(const Shortage& shortage, std::span<const Candidate> candidates) {
  Plan plan;
  if (!take_cheapest(accelerator_options(shortage, candidates), shortage.accelerators, plan)) {
    return std::nullopt;
  }
  const std::uint64_t freed = memory_freed(candidates, plan);
  const std::uint64_t missing = shortage.memory.count - std::min(shortage.memory.count, freed);
  if (missing == 0) return plan;
  if (!take_cheapest(memory_options(shortage, candidates, plan), missing, plan))
    return std::nullopt;
  return plan;
}

bool takes_kind(const model::AcceleratorPool& pool, const model::AcceleratorNeed& need) {
  const bool is_wanted = need.kind == "any" ? pool.kind != "cpu" : pool.kind == need.kind;
  return is_wanted && pool.memory_each >= need.memory_each && pool.count >= need.count;
}

// What is missing on this node, pool by pool that could ever take the need.
std::vector<Shortage> shortages_of(const NodeLoad& load, const model::AcceleratorNeed& need,
                                   Bytes memory, AppId spared) {
  std::vector<Shortage> shortages;
  if (!load.node.is_up || memory > load.node.memory) return shortages;
  const Bytes wanted = load.claimed + memory;
  const std::uint64_t over =
      memory.count == 0 || wanted <= load.node.memory ? 0 : wanted.count - load.node.memory.count;
  for (const model::AcceleratorPool& pool : load.node.pools) {
    if (!takes_kind(pool, need)) continue;
    const std::uint32_t free = free_count(load, pool);
    shortages.push_back({.spared = spared,
                         .kind = pool.kind,
                         .accelerators = need.count > free ? need.count - free : 0,
                         .memory = {over}});
  }
  return shortages;
}

// What it costs that a start on this node takes as long as it does, in the unit of the losses.
std::int64_t start_loss(const NodeLoad& load, const Wish& wish) {
  const Duration start = std::min<Duration>(expected_start(load, wish), warmth::kWakeMax);
  return whole_ms(start) * (1000 + std::min(wish.urgency_milli, kUrgencyMilliMax));
}

}  // namespace

std::vector<Victim> pick_victims(const Nodes& nodes, const Wish& wish,
                                 std::span<const Candidate> candidates, AppId spared) {
  std::optional<Plan> best;
  for (const model::AcceleratorNeed& need : wish.needs) {
    for (const auto& [id, load] : nodes) {
      if (wish.only && id != wish.only) continue;
      const std::span<const Candidate> here =
          std::ranges::equal_range(candidates, id, {}, &Candidate::node);
      for (const Shortage& shortage : shortages_of(load, need, wish.memory, spared)) {
        std::optional<Plan> plan = relieve(shortage, here);
        if (plan) plan->loss += start_loss(load, wish);
        if (plan && (!best || plan->loss < best->loss)) best = std::move(plan);
      }
    }
    // A wish written earlier is worth more than a cheaper eviction.
    if (best) break;
  }
  if (!best) return {};
  std::ranges::sort(best->victims, {}, &Victim::replica);
  return std::move(best->victims);
}

}  // namespace kelvin::place
