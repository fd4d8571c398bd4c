#include "sim/plan.h"

#include <algorithm>
#include <iterator>

namespace kelvin::sim {

namespace {

// What happens most in reality is played most.
constexpr Fault kFaults[] = {
    Fault::CrashProcess,
    Fault::CrashProcess,
    Fault::CrashProcess,
    Fault::HangProcess,
    Fault::LoseNode,
    Fault::LoseKeeper,
    Fault::CrashPlatform,
    Fault::CrashPlatform,
    Fault::SlowMessages,
    Fault::FailStore,
    Fault::CrashPlatformAndKeeper,
    Fault::RepeatEvents,
    Fault::SlowStarts,
    Fault::FailStarts,
    Fault::JumpClock,
    Fault::StallPlatform,
};

Client draw_client(Chance& chance, const AppPlan& app, std::size_t index, Duration at) {
  Client client{.app = index,
                .arrives = Instant{} + at,
                .service = chance.skewed(20us, app.program.service_most)};
  if (chance.one_in(12)) client.patience = chance.skewed(1ms, 20s);
  client.key = {chance.random.below(std::size(kKeyWeights) + 1)};
  if (chance.one_in(10)) client.priority = model::Priority::High;
  if (chance.one_in(6) || app.is_low) client.priority = model::Priority::Low;
  if (chance.one_in(10)) client.deadline = chance.skewed(100ms, 60s);
  client.wants_last = app.has_sticky && chance.one_in(2);
  if (app.spec.affinity.by != model::AffinityBy::None) client.affinity = chance.random.below(6);
  return client;
}

// A few apps are popular; half of the requests come in bursts.
std::vector<Client> draw_clients(Chance& chance, const Scenario& scenario) {
  std::vector<Client> clients;
  const std::size_t apps = scenario.apps.size();
  while (clients.size() < scenario.requests) {
    const std::size_t app = std::min(chance.random.below(apps), chance.random.below(apps));
    const Duration at = chance.between(0s, scenario.traffic);
    for (std::uint64_t burst = chance.one_in(8) ? chance.count(2, 25) : 1; burst > 0; --burst) {
      clients.push_back(
          draw_client(chance, scenario.apps[app], app, at + chance.skewed(0ms, 300ms)));
    }
  }
  return clients;
}

std::vector<PlannedTurn> draw_turns(Chance& chance, const Scenario& scenario) {
  std::vector<PlannedTurn> turns;
  for (std::size_t app = 0; app < scenario.apps.size(); ++app) {
    if (!scenario.apps[app].has_schedule) continue;
    for (std::uint64_t n = chance.count(2, 8); n > 0; --n) {
      const Duration at = chance.between(0s, scenario.traffic);
      turns.push_back({at, app, static_cast<std::uint32_t>(chance.count(0, 2))});
    }
  }
  return turns;
}

template <class Item>
void keep(std::vector<Item>& items, const std::optional<Numbers>& numbers) {
  if (!numbers) return;
  std::vector<Item> kept;
  for (const std::uint32_t number : *numbers) {
    if (number < items.size()) kept.push_back(std::move(items[number]));
  }
  items = std::move(kept);
}

}  // namespace

const char* to_text(Fault fault) {
  switch (fault) {
    case Fault::CrashProcess:
      return "a process crashes";
    case Fault::HangProcess:
      return "a process hangs";
    case Fault::LoseNode:
      return "a node is lost and returns empty";
    case Fault::LoseKeeper:
      return "the keeper is away";
    case Fault::CrashPlatform:
      return "the platform crashes before an effect";
    case Fault::CrashPlatformAndKeeper:
      return "the platform and its keeper crash before an effect";
    case Fault::SlowMessages:
      return "messages are late and out of order";
    case Fault::FailStore:
      return "the store fails";
    case Fault::RepeatEvents:
      return "events come twice";
    case Fault::SlowStarts:
      return "starts are slow";
    case Fault::FailStarts:
      return "starts fail";
    case Fault::JumpClock:
      return "the clock jumps";
    case Fault::StallPlatform:
      return "the platform is stalled";
  }
  return "";
}

Plan draw_plan(const Scenario& scenario, std::uint64_t seed) {
  Plan plan;
  Chance chance{{seed}};
  plan.clients = draw_clients(chance, scenario);
  for (std::uint32_t i = 0; i < scenario.faults; ++i) {
    const Fault fault = kFaults[chance.random.below(std::size(kFaults))];
    const Duration at = chance.between(0s, scenario.traffic);
    plan.faults.push_back({fault, at, {{chance.random.next()}}});
  }
  for (std::uint32_t i = 0; i < scenario.acts; ++i) {
    const Duration at = chance.between(0s, scenario.traffic);
    plan.acts.push_back({at, {{chance.random.next()}}});
  }
  plan.turns = draw_turns(chance, scenario);
  return plan;
}

Plan cut(Plan plan, const Part& part) {
  keep(plan.faults, part.faults);
  keep(plan.acts, part.acts);
  keep(plan.clients, part.requests);
  return plan;
}

}  // namespace kelvin::sim
