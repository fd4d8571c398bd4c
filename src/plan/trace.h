// trace: requests as they came, whoever served them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace kelvin::plan {

struct Arrival {
  Duration at{};          // since the first moment of the trace; never negative
  std::uint32_t app = 0;  // index into Trace::apps
  Duration service{};     // for how long it holds a slot; never negative
};

struct Trace {
  std::vector<std::string> apps;  // their names
  std::vector<Arrival> arrivals;  // by `at`
};

}  // namespace kelvin::plan
