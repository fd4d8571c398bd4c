// system: the surroundings of a real run: this process's environment, streams, terminal and clocks.
#pragma once

#include "cli/session.h"

namespace kelvin::cli {

// Writing to a closed pipe ends the process as SIGPIPE does; any other failure to write stdout ends it with exit code 1,
// so that a full disk is never taken for success.
[[nodiscard]] Surroundings system_surroundings();

}  // namespace kelvin::cli
