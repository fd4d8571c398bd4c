// scenario: what a seed is made of: nodes, apps and how their programs behave.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/app.h"
#include "model/node.h"
#include "sim/ground.h"
#include "sim/shape.h"

namespace kelvin::sim {

// How the program of an app behaves, whatever Kelvin does.
struct Program {
  Duration launch{};          // from the order to a process
  Duration load{};            // from the process to ready
  Duration progress_every{};  // of strong progress while it loads
  Duration park{};
  Duration resume{};
  Duration stop{};                  // from SIGTERM to its end
  Duration service_most{};          // of one request
  std::uint64_t fetch_one_in = 0;   // 0: content is always there
  std::uint64_t fails_one_in = 0;   // starts that end before ready; 0: none
  std::uint64_t stalls_one_in = 0;  // starts that stop moving; 0: none
  bool is_broken = false;           // exits at once, every time, for ever
};

struct AppPlan {
  model::AppSpec spec;
  Program program;
  bool has_sticky = false;  // some of its clients ask for the replica that served last
  bool has_split = false;   // operators split its traffic now and then
  bool has_schedule = false;
  bool has_rollout = false;  // its revisions take over by steps, and some of their replies are 5xx
  bool is_low = false;       // until the faults stop nobody but clients of low priority calls it
};

// What the keys of clients weigh; a client's key is its place in here plus 1.
constexpr std::uint32_t kKeyWeights[] = {1, 1, 3, 10};

// The first two never get ready; the third is called by clients of low priority only.
constexpr std::size_t kLowApp = 2;
constexpr std::size_t kAppsOfNoMinimum = 3;

struct Scenario {
  std::vector<model::Node> nodes;
  std::vector<AppPlan> apps;
  std::uint32_t requests = 0;
  std::uint32_t faults = 0;
  std::uint32_t acts = 0;  // of operators
  std::uint32_t loops = 0;
  std::uint32_t slots = 0;   // entries of the slot table
  std::uint64_t probed = 0;  // so many apps are asked in the end whether they have healed
  Duration traffic{};        // requests, faults and operators come within this time
};

// Whether an app may keep a replica warm for ever. On GPUs it may not: there are so few that others would starve.
[[nodiscard]] bool may_have_minimum(const model::AppSpec& spec);

[[nodiscard]] Scenario draw_scenario(Chance& chance, const Shape& shape);

}  // namespace kelvin::sim
