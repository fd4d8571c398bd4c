// supervisor: what whoever started this process is told of it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kelvin::os {

// Sends lines such as "READY=1\nMAINPID=77" to the socket that systemd names in NOTIFY_SOCKET: a path, or a name after
// "@". Nothing is sent where `socket` is empty.
Status tell_supervisor(const std::string& socket, std::string_view lines);

}  // namespace kelvin::os
