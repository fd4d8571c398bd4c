// keeper: the parent of all replicas of one data folder, a process of its own that outlives the platform.
#pragma once

#include <string>

#include "keeper/log_file.h"

namespace kelvin::keeper {

struct KeeperOptions {
  std::string data;      // the data folder; its "run" is made when it is not there
  LogLimits log_limits;  // smaller only in tests
};

// The main function of `kelvin keeper --data DIR`. Writes "ready\n" to standard output once it answers on
// DIR/run/keeper.sock, then lets go of its standard streams. Returns the exit code: 0 after Quit or SIGTERM (replicas go
// on after SIGTERM, for the next keeper to adopt), 5 when another keeper runs there, 1 when it cannot start; why is said
// in one line on standard error.
int run(const KeeperOptions& options);

}  // namespace kelvin::keeper
