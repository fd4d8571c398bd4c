// readiness: waits until an app has a replica that can serve.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "cli/failure.h"
#include "cli/session.h"

namespace kelvin::cli {

constexpr Duration kReadinessTimeout = 600s;

struct ReadinessWanted {
  std::string app;
  std::uint32_t revision = 0;  // 0: any
  Duration timeout = kReadinessTimeout;
};

// Wakes the app and follows it, with notes on stderr about what it is doing. Returns the API's description of the app at
// the moment it was ready. Fails with the app's own reason when it cannot start, and TimedOut when it takes too long; the
// start itself goes on then.
[[nodiscard]] Attempt<std::string> await_readiness(Session& session, const ReadinessWanted& wanted);

}  // namespace kelvin::cli
