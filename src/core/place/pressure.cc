#include "core/place/pressure.h"

#include <algorithm>
#include <map>

namespace kelvin::place {

namespace {

struct Shortage {
  NodeId node;
  std::string kind;
  std::uint32_t accelerators = 0;
  Bytes memory;
};

struct Plan {
  std::map<ReplicaId, Relief> victims;
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

// Takes options from the cheapest on until `missing` is freed; false where all together are too
// few.
bool take_cheapest(std::vector<Option> options, std::uint64_t missing, Plan& plan) {
  std::sort(options.begin(), options.end(), is_cheaper);
  for (const Option& option : options) {
    if (missing == 0) break;
    plan.victims[option.candidate->replica] = option.relief;
    plan.loss += option.loss;
    missing -= std::min(missing, option.freed);
  }
  return missing == 0;
}

std::vector<Option> accelerator_options(const Shortage& shortage,
                                        const std::vector<Candidate>& candidates) {
  std::vector<Option> options;
  for (const Candidate& c : candidates) {
    if (c.node != shortage.node || c.kind != shortage.kind || c.accelerators == 0) continue;
    const Relief relief = c.may_park ? Relief::Park : Relief::Stop;
    const std::int64_t loss = c.may_park ? c.park_loss : c.stop_loss;
    options.push_back({.candidate = &c, .relief = relief, .loss = loss, .freed = c.accelerators});
  }
  return options;
}

// Stopping what was to be parked anyway costs only the difference; what is stopped already has
// freed its memory.
std::vector<Option> memory_options(const Shortage& shortage,
                                   const std::vector<Candidate>& candidates, const Plan& plan) {
  std::vector<Option> options;
  for (const Candidate& c : candidates) {
    if (c.node != shortage.node || c.memory.count == 0) continue;
    const auto chosen = plan.victims.find(c.replica);
    const bool is_parked_anyway = chosen != plan.victims.end();
    if (is_parked_anyway && chosen->second == Relief::Stop) continue;
    const std::int64_t loss = is_parked_anyway ? c.stop_loss - c.park_loss : c.stop_loss;
    options.push_back(
        {.candidate = &c, .relief = Relief::Stop, .loss = loss, .freed = c.memory.count});
  }
  return options;
}

std::uint64_t memory_freed(const std::vector<Candidate>& candidates, const Plan& plan) {
  std::uint64_t freed = 0;
  for (const Candidate& c : candidates) {
    const auto chosen = plan.victims.find(c.replica);
    if (chosen != plan.victims.end() && chosen->second == Relief::Stop) freed += c.memory.count;
  }
  return freed;
}

std::optional<Plan> relieve(const Shortage& shortage, const std::vector<Candidate>& candidates) {
  Plan plan;
  if (!take_cheapest(accelerator_options(shortage, candidates), shortage.accelerators, plan)) {
    return std::nullopt;
  }
  const std::uint64_t freed = memory_freed(candidates, plan);
  const std::uint64_t missing = shortage.memory.count - std::min(shortage.memory.count, freed);
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
                                   Bytes memory) {
  std::vector<Shortage> shortages;
  if (!load.node.is_up || memory > load.node.memory) return shortages;
  const Bytes wanted = load.claimed + memory;
  const std::uint64_t over =
      memory.count == 0 || wanted <= load.node.memory ? 0 : wanted.count - load.node.memory.count;
  for (const model::AcceleratorPool& pool : load.node.pools) {
    if (!takes_kind(pool, need)) continue;
    const std::uint32_t free = free_count(load, pool);
    shortages.push_back({.node = load.node.id,
                         .kind = pool.kind,
                         .accelerators = need.count > free ? need.count - free : 0,
                         .memory = {over}});
  }
  return shortages;
}

}  // namespace

std::vector<Victim> pick_victims(const Nodes& nodes, const Wish& wish,
                                 const std::vector<Candidate>& candidates) {
  std::optional<Plan> best;
  for (const model::AcceleratorNeed& need : wish.needs) {
    for (const auto& [id, load] : nodes) {
      if (wish.only && id != wish.only) continue;
      for (const Shortage& shortage : shortages_of(load, need, wish.memory)) {
        std::optional<Plan> plan = relieve(shortage, candidates);
        if (plan && (!best || plan->loss < best->loss)) best = std::move(plan);
      }
    }
    // A wish written earlier is worth more than a cheaper eviction.
    if (best) break;
  }
  std::vector<Victim> victims;
  if (!best) return victims;
  for (const auto& [replica, relief] : best->victims) victims.push_back({replica, relief});
  return victims;
}

}  // namespace kelvin::place
