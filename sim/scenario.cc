#include "sim/scenario.h"

#include <algorithm>

namespace kelvin::sim {

namespace {

model::Node draw_node(Chance& chance, std::uint64_t number, std::uint64_t nodes) {
  model::Node node{.id = {number}, .name = "n" + std::to_string(number)};
  node.memory = {chance.count(48, 256) << 30U};
  node.pools.push_back({.kind = "cpu", .count = static_cast<std::uint32_t>(chance.count(4, 12))});
  // Every seed has an H100 node and an A100 node (the same one where there is only one), so that no app is without a place.
  if (number == 1 || chance.one_in(4)) {
    node.pools.push_back({.kind = "h100",
                          .count = static_cast<std::uint32_t>(chance.count(2, 6)),
                          .memory_each = 80_GiB});
  }
  if (number == std::min<std::uint64_t>(nodes, 2) || chance.one_in(5)) {
    node.pools.push_back({.kind = "a100",
                          .count = static_cast<std::uint32_t>(chance.count(1, 4)),
                          .memory_each = 40_GiB});
  }
  return node;
}

std::vector<model::AcceleratorNeed> draw_needs(Chance& chance) {
  switch (chance.random.below(10)) {
    case 0:
      return {{.kind = "cpu", .count = 2}};
    case 1:
    case 2:
      return {{.kind = "h100", .count = 1}};
    case 3:
      return {{.kind = "h100", .count = 2}};
    case 4:
      return {{.kind = "h100", .count = 1}, {.kind = "a100", .count = 1}};
    case 5:
      return {{.kind = "a100", .count = 1}};
    default:
      return {{.kind = "cpu", .count = 1}};
  }
}

Program draw_program(Chance& chance) {
  return {.launch = chance.skewed(1ms, 300ms),
          .load = chance.skewed(10ms, 8s),
          .progress_every = chance.between(200ms, 2s),
          .park = chance.skewed(200us, 800ms),
          .resume = chance.skewed(500us, 2s),
          .stop = chance.skewed(1ms, 4s),
          .service_most = chance.one_in(3) ? Duration(2ms) : Duration(chance.between(100ms, 15s)),
          .fetch_one_in = chance.one_in(3) ? chance.count(2, 6) : 0,
          .fails_one_in = chance.one_in(3) ? chance.count(3, 12) : 0,
          .stalls_one_in = chance.one_in(6) ? chance.count(4, 12) : 0};
}

AppPlan draw_app(Chance& chance, std::uint64_t number, const Shape& shape) {
  constexpr std::uint32_t kUrgencies[] = {1'000, 5'000, 20'000, 20'000};
  AppPlan app{.program = draw_program(chance)};
  app.spec.name = "app" + std::to_string(number);
  app.spec.command = {"program"};
  app.spec.needs = draw_needs(chance);
  app.spec.memory = {chance.count(1, 8) << 30U};
  app.spec.scale.replicas_min =
      may_have_minimum(app.spec) && chance.one_in(4) && number <= shape.probed ? 1 : 0;
  app.spec.scale.replicas_max = static_cast<std::uint32_t>(chance.count(1, 4));
  app.spec.scale.concurrency = static_cast<std::uint32_t>(chance.count(1, 6));
  app.spec.scale.urgency_milli = kUrgencies[chance.random.below(4)];
  app.spec.park = chance.one_in(5) ? model::ParkRule::Never : model::ParkRule::Auto;
  app.spec.start.progress = chance.between(5s, 20s);
  app.spec.start.attempts = static_cast<std::uint32_t>(chance.count(1, 4));
  app.spec.queue.requests_max =
      static_cast<std::uint32_t>(chance.one_in(4) ? chance.count(1, 8) : 1000);
  app.spec.queue.wait = chance.between(20s, 300s);
  app.spec.timeout = chance.between(20s, 60s);
  return app;
}

}  // namespace

bool may_have_minimum(const model::AppSpec& spec) { return spec.needs[0].kind == "cpu"; }

Scenario draw_scenario(Chance& chance, const Shape& shape) {
  const auto draw = [&](Range range) { return chance.count(range.least, range.most); };
  Scenario scenario;
  for (std::uint64_t n = draw(shape.nodes), i = 1; i <= n; ++i)
    scenario.nodes.push_back(draw_node(chance, i, n));
  for (std::uint64_t n = draw(shape.apps), i = 1; i <= n; ++i)
    scenario.apps.push_back(draw_app(chance, i, shape));
  scenario.apps[0].program.is_broken = true;
  scenario.apps[1].program.stalls_one_in = 1;
  for (std::size_t i = 0; i < kAppsOfNoMinimum; ++i) scenario.apps[i].spec.scale.replicas_min = 0;
  scenario.apps[kLowApp].is_low = true;
  for (std::size_t i = kAppsOfNoMinimum; i < scenario.apps.size(); ++i) {
    AppPlan& app = scenario.apps[i];
    app.has_sticky = i % 4 == 1;
    app.has_split = i % 4 == 2;
    app.has_rollout = i % 4 == 3;
    if (app.has_rollout)
      app.spec.rollout = {.steps = {10, 50}, .every = chance.between(5s, 40s), .requests = 5};
    app.has_schedule = i % 5 == 3 && i < shape.probed && may_have_minimum(app.spec);
    if (app.has_schedule) app.spec.scale.schedule = {{.begins = "* * * * *", .length = 60s}};
    if (i % 3 == 0) app.spec.affinity = {.by = model::AffinityBy::Header, .name = "x-session"};
  }
  scenario.requests = static_cast<std::uint32_t>(draw(shape.requests));
  scenario.faults = static_cast<std::uint32_t>(draw(shape.faults));
  scenario.acts = static_cast<std::uint32_t>(draw(shape.acts));
  scenario.loops = static_cast<std::uint32_t>(chance.count(1, 4));
  scenario.traffic = std::chrono::seconds(draw(shape.traffic_s));
  scenario.slots = shape.slots;
  scenario.probed = shape.probed;
  return scenario;
}

}  // namespace kelvin::sim
