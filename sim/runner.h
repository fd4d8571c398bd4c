// runner: many seeds in several processes, one simulation at a time in each; nothing is shared but the next number.
//
// Processes and not threads, because a check inside the core ends the program: the runner notes the seed as failed and
// goes on with another process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace kelvin::sim {

struct Verdict {
  std::uint64_t seed = 0;
  Checker checker = Checker::None;  // None: every promise held
  std::string what;
  std::string summary;  // counts of what was simulated, where it came to that
  [[nodiscard]] bool holds() const { return checker == Checker::None; }
};

// In this process.
[[nodiscard]] Verdict judge(const Course& course);
// In a process of its own, so that a check inside the core is a verdict too.
[[nodiscard]] Verdict judge_apart(const Course& course);

struct Progress {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t all = 0;
  Duration elapsed{};
};

struct Batch {
  std::vector<std::uint64_t> seeds;
  Course course;      // all but the seed
  unsigned jobs = 1;  // processes
  std::function<void(const Verdict&)> on_failure;
  std::function<void(const Progress&)> on_progress = nullptr;  // every few seconds
  std::size_t failures_most = ~std::size_t{0};                 // it ends when so many have failed
};

[[nodiscard]] Progress run(const Batch& batch);

}  // namespace kelvin::sim
