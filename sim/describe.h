// describe: events and effects in one line, for the trace.
#pragma once

#include <string>

#include "model/effect.h"
#include "model/event.h"

namespace kelvin::sim {

[[nodiscard]] std::string describe(const model::Event& event);
[[nodiscard]] std::string describe(const model::Effect& effect);

}  // namespace kelvin::sim
