// kelvin_sim: runs seeds through the simulator; prints each seed whose promises break.
//
//   kelvin_sim --seed 17 --trace       one seed, with everything that happens
//   kelvin_sim --seed 1 --seeds 100    a hundred seeds from 1 on
//   kelvin_sim --saved sim/seeds.txt   the seeds that once failed, one per line; '#' begins a comment
//
// Exit code: 0 when every promise held, 1 when one broke, 2 for wrong arguments.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/simulation.h"

namespace {

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 0;
  std::string saved;
  bool is_traced = false;
  bool is_chatty = false;
};

std::uint64_t seed_running = 0;

// A failed check inside the core aborts; the seed must be known even then.
extern "C" void name_the_seed(int) {
  std::fprintf(stderr, "seed %llu aborted\n", static_cast<unsigned long long>(seed_running));
  std::_Exit(1);
}

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool has_value = i + 1 < count;
    if (word == "--trace") {
      arguments.is_traced = true;
    } else if (word == "--verbose") {
      arguments.is_chatty = true;
    } else if (word == "--seed" && has_value) {
      arguments.seed = std::strtoull(words[++i], nullptr, 10);
      if (arguments.seeds == 0) arguments.seeds = 1;
    } else if (word == "--seeds" && has_value) {
      arguments.seeds = std::strtoull(words[++i], nullptr, 10);
    } else if (word == "--saved" && has_value) {
      arguments.saved = words[++i];
    } else {
      return std::nullopt;
    }
  }
  if (arguments.seeds == 0 && arguments.saved.empty()) arguments.seeds = 1;
  return arguments;
}

bool run_seed(std::uint64_t seed, const Arguments& arguments) {
  seed_running = seed;
  kelvin::sim::Simulation simulation({.seed = seed, .is_traced = arguments.is_traced});
  try {
    simulation.run();
  } catch (const kelvin::sim::Violation& violation) {
    std::printf("seed %llu: %s\n  %s\n", static_cast<unsigned long long>(seed), violation.what(),
                simulation.summary().c_str());
    return false;
  }
  if (arguments.is_chatty || arguments.is_traced) {
    std::printf("seed %llu holds: %s\n", static_cast<unsigned long long>(seed),
                simulation.summary().c_str());
  }
  return true;
}

std::vector<std::uint64_t> read_saved(const std::string& path) {
  std::vector<std::uint64_t> seeds;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') seeds.push_back(std::strtoull(line.c_str(), nullptr, 10));
  }
  return seeds;
}

}  // namespace

int main(int count, char** words) {
  const std::optional<Arguments> arguments = parse(count, words);
  if (!arguments) {
    std::fprintf(
        stderr,
        "usage: kelvin_sim [--seed N] [--seeds COUNT] [--saved FILE] [--trace] [--verbose]\n");
    return 2;
  }
  // Lines come out as they are printed, so that a sanitizer that ends the program takes none with it.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGABRT, name_the_seed);
  std::vector<std::uint64_t> seeds = read_saved(arguments->saved);
  for (std::uint64_t i = 0; i < arguments->seeds; ++i) seeds.push_back(arguments->seed + i);
  std::size_t failed = 0;
  for (const std::uint64_t seed : seeds) failed += run_seed(seed, *arguments) ? 0 : 1;
  std::printf("%zu of %zu seeds hold every promise\n", seeds.size() - failed, seeds.size());
  return failed == 0 ? 0 : 1;
}
