// follow: lets a rule run the fleets of a whole trace.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plan/outcome.h"
#include "plan/rivals/fleet.h"

namespace kelvin::plan {

// Makes the rule of the app with this index: rules remember, so each app has its own.
using MakeRule = std::function<std::unique_ptr<Rule>(std::uint32_t app)>;

[[nodiscard]] Outcome follow(std::string policy, const Trace& trace, const Terms& terms,
                             const MakeRule& make_rule);

}  // namespace kelvin::plan
