// system_error: what the kernel refused, as an Error.
#include "os/system_error.h"

#include <cerrno>
#include <system_error>

namespace kelvin::os {
namespace {

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
      return Code::NotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::Refused;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
    case EADDRINUSE:
      return Code::Conflict;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Code::Exhausted;
    case ETIMEDOUT:
      return Code::TimedOut;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::Invalid;
    default:
      return Code::Unavailable;
  }
}

Retry retry_of(Code code) {
  switch (code) {
    case Code::Exhausted:
    case Code::Unavailable:
    case Code::TimedOut:
      return Retry::AfterDelay;
    case Code::Invalid:
    case Code::NotFound:
    case Code::Conflict:
    case Code::Refused:
    case Code::Internal:
      return Retry::Never;
  }
  return Retry::Never;
}

}  // namespace

std::string errno_text(int error) { return std::generic_category().message(error); }

tl::unexpected<Error> fail_errno(std::string_view what, int error) {
  const Code code = code_of(error);
  return fail(code, Blame::Host, retry_of(code), std::string(what) + ": " + errno_text(error));
}

}  // namespace kelvin::os
