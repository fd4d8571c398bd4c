#include "sim/scenario.h"

namespace kelvin::sim {

namespace {

model::Node draw_node(Ground& ground, std::uint64_t number) {
  model::Node node{.id = {number}, .name = "n" + std::to_string(number)};
  node.memory = {ground.count(48, 256) << 30U};
  node.pools.push_back({.kind = "cpu", .count = static_cast<std::uint32_t>(ground.count(4, 12))});
  // Every seed has an H100 node and an A100 node, so that no app is without a place.
  if (number == 1 || ground.one_in(4)) {
    node.pools.push_back({.kind = "h100",
                          .count = static_cast<std::uint32_t>(ground.count(2, 6)),
                          .memory_each = 80_GiB});
  }
  if (number == 2 || ground.one_in(5)) {
    node.pools.push_back({.kind = "a100",
                          .count = static_cast<std::uint32_t>(ground.count(1, 4)),
                          .memory_each = 40_GiB});
  }
  return node;
}

std::vector<model::AcceleratorNeed> draw_needs(Ground& ground) {
  switch (ground.random.below(10)) {
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

Program draw_program(Ground& ground) {
  return {.launch = ground.skewed(1ms, 300ms),
          .load = ground.skewed(10ms, 8s),
          .progress_every = ground.between(200ms, 2s),
          .park = ground.skewed(200us, 800ms),
          .resume = ground.skewed(500us, 2s),
          .stop = ground.skewed(1ms, 4s),
          .service_most = ground.one_in(3) ? Duration(2ms) : Duration(ground.between(100ms, 15s)),
          .fetch_one_in = ground.one_in(3) ? ground.count(2, 6) : 0,
          .fails_one_in = ground.one_in(3) ? ground.count(3, 12) : 0,
          .stalls_one_in = ground.one_in(6) ? ground.count(4, 12) : 0};
}

AppPlan draw_app(Ground& ground, std::uint64_t number) {
  constexpr std::uint32_t kUrgencies[] = {1'000, 5'000, 20'000, 20'000};
  AppPlan app{.program = draw_program(ground)};
  app.spec.name = "app" + std::to_string(number);
  app.spec.command = {"program"};
  app.spec.needs = draw_needs(ground);
  app.spec.memory = {ground.count(1, 8) << 30U};
  app.spec.scale.replicas_min = may_have_minimum(app.spec) && ground.one_in(4) ? 1 : 0;
  app.spec.scale.replicas_max = static_cast<std::uint32_t>(ground.count(1, 4));
  app.spec.scale.concurrency = static_cast<std::uint32_t>(ground.count(1, 6));
  app.spec.scale.urgency_milli = kUrgencies[ground.random.below(4)];
  app.spec.park = ground.one_in(5) ? model::ParkRule::Never : model::ParkRule::Auto;
  app.spec.start.progress = ground.between(5s, 20s);
  app.spec.start.attempts = static_cast<std::uint32_t>(ground.count(1, 4));
  app.spec.queue.requests_max =
      static_cast<std::uint32_t>(ground.one_in(4) ? ground.count(1, 8) : 1000);
  app.spec.queue.wait = ground.between(20s, 300s);
  app.spec.timeout = ground.between(20s, 60s);
  return app;
}

}  // namespace

bool may_have_minimum(const model::AppSpec& spec) { return spec.needs[0].kind == "cpu"; }

Scenario draw_scenario(Ground& ground) {
  Scenario scenario;
  for (std::uint64_t n = ground.count(5, 7), i = 1; i <= n; ++i)
    scenario.nodes.push_back(draw_node(ground, i));
  for (std::uint64_t n = ground.count(20, 24), i = 1; i <= n; ++i)
    scenario.apps.push_back(draw_app(ground, i));
  scenario.apps[0].program.is_broken = true;
  scenario.apps[1].program.stalls_one_in = 1;
  for (std::size_t i = 0; i < kAppsOfNoMinimum; ++i) scenario.apps[i].spec.scale.replicas_min = 0;
  scenario.apps[kLowApp].is_low = true;
  for (std::size_t i = kAppsOfNoMinimum; i < scenario.apps.size(); ++i) {
    AppPlan& app = scenario.apps[i];
    app.has_sticky = i % 4 == 1;
    app.has_split = i % 4 == 2;
    if (i % 3 == 0) app.spec.affinity = {.by = model::AffinityBy::Header, .name = "x-session"};
  }
  scenario.requests = static_cast<std::uint32_t>(ground.count(1000, 1300));
  scenario.faults = static_cast<std::uint32_t>(ground.count(10, 20));
  scenario.loops = static_cast<std::uint32_t>(ground.count(1, 4));
  scenario.traffic = ground.between(300s, 1200s);
  return scenario;
}

}  // namespace kelvin::sim
