// steps: what one step of control costs, by what happened.
//
//   steps [--apps N] [--idle N] [--nodes N] [--cpus N] [--crowded | --places | --memory]
//
// --memory deploys the idle apps and nothing else, and prints {"kind", "bytes"}: what one of them holds. Otherwise it
// prints one JSON object a line: {"kind", "steps", "ns", "allocations", "bytes"}, the last three per step. Under
// callgrind it writes one profile per batch, named by its kind, which holds the batch's steps and nothing else.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "allocations.h"
#include "course.h"
#include "profiler.h"

namespace {

using bench::Batch;
using bench::Terms;

void measure(const Batch& batch) {
  const bench::Allocations before = bench::allocations();
  const auto began = std::chrono::steady_clock::now();
  bench::profiled(batch.kind, batch.run);
  const auto ended = std::chrono::steady_clock::now();
  const bench::Allocations made = bench::allocations() - before;
  const auto steps = static_cast<double>(batch.steps);
  std::printf(
      "{\"kind\": \"%s\", \"steps\": %zu, \"ns\": %.0f, \"allocations\": %.2f, \"bytes\": %.0f}\n",
      std::string(batch.kind).c_str(), batch.steps,
      static_cast<double>((ended - began).count()) / steps, static_cast<double>(made.count) / steps,
      static_cast<double>(made.bytes) / steps);
}

void measure_memory(const Terms& terms) {
  const bench::Allocations before = bench::allocations();
  const kelvin::control::WorldPtr none = bench::deployed_world({.apps = 0, .nodes = terms.nodes});
  const bench::Allocations of_nodes = bench::allocations() - before;
  const kelvin::control::WorldPtr all =
      bench::deployed_world({.apps = 0, .idle = terms.idle, .nodes = terms.nodes});
  const bench::Allocations of_all = bench::allocations() - before - of_nodes;
  std::printf("{\"kind\": \"idle app\", \"bytes\": %.0f}\n",
              static_cast<double>(of_all.live_bytes - of_nodes.live_bytes) / terms.idle);
}

struct Options {
  Terms terms;
  void (*course)(const Terms&, const bench::Measure&) = bench::run_roomy;
};

// Exits where it does not understand.
Options read(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto number = [&](const char* name, std::uint32_t& value) {
      if (std::strcmp(argv[i], name) != 0 || i + 1 == argc) return false;
      value = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10));
      return true;
    };
    if (std::strcmp(argv[i], "--crowded") == 0) {
      options.course = bench::run_crowded;
    } else if (std::strcmp(argv[i], "--places") == 0) {
      options.course = bench::run_places;
    } else if (std::strcmp(argv[i], "--memory") == 0) {
      options.course = [](const Terms& terms, const bench::Measure& /*measure*/) {
        measure_memory(terms);
      };
    } else if (!number("--apps", options.terms.apps) && !number("--idle", options.terms.idle) &&
               !number("--nodes", options.terms.nodes) && !number("--cpus", options.terms.cpus)) {
      std::fprintf(stderr, "steps: %s is not understood; see the top of steps.cc\n", argv[i]);
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read(argc, argv);
  options.course(options.terms, measure);
  return 0;
}
