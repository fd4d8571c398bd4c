// system_error: what the kernel refused, as an Error.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kelvin::os {

// "No such file or directory" and the like; safe to call from any thread.
std::string errno_text(int error);

// An Error that reads "WHAT: text of errno". Code by errno: NotFound, Refused, Conflict, Exhausted,
// TimedOut, Invalid, else Unavailable. The blame is the host's; trying again helps only where the
// cause may pass.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what, int error);

}  // namespace kelvin::os
