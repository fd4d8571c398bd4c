// arguments: what kelvin_sim is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace kelvin::sim {

struct Arguments {
  std::vector<std::uint64_t> seeds;
  Course course;  // all but the seed
  unsigned jobs = 1;
  std::string save;  // a file to which failing seeds are added
  bool is_chatty = false;
  bool shows_progress = false;
  bool shrinks = false;
  std::string problem;  // not empty: what is wrong with the arguments
};

[[nodiscard]] Arguments parse_arguments(int count, char** words);
[[nodiscard]] const char* usage();

}  // namespace kelvin::sim
