// policies: Kelvin and its rivals under one roof, so that whoever compares them runs the same ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/optimum.h"
#include "plan/outcome.h"
#include "plan/trace.h"

namespace kelvin::plan {

// Told now and then how many arrivals have been replayed; not every policy tells.
using ReplayProgress = std::function<void(std::size_t arrivals)>;

struct Policy {
  std::string name;
  std::optional<std::uint32_t> urgency_milli;  // of Kelvin's
  bool is_reserved = false;                    // always on, as many as the peak needs
  std::function<Outcome(const Trace&, const Terms&, const ReplayProgress&)> replay;
};

// Kelvin at each of the urgencies, in their order, then the rivals, and reserved accelerators last.
[[nodiscard]] std::vector<Policy> policies(const std::vector<std::uint32_t>& urgencies_milli);

}  // namespace kelvin::plan
