// exit_cause: why a replica is dead, from what the kernel says.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "model/replica.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

namespace kelvin::runtime {

struct Evidence {
  std::optional<os::ExitStatus> status;  // absent: nobody watched
  os::OomCounts oom;
  Bytes memory_limit{};  // 0: none
};

// Cause of an end that we did not ask for. The kernel's out of memory killer may take any process of the group; the
// replica counts as its victim when it then ended by SIGKILL or with a failure of its own.
model::Exit cause_of(const Evidence& evidence);

}  // namespace kelvin::runtime
