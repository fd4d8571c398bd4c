#include "os/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "os/fd.h"
#include "os/system_error.h"

namespace kelvin::os {

Status tell_supervisor(const std::string& socket, std::string_view lines) {
  if (socket.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) {
    return fail(Code::Invalid, Blame::Host, Retry::Never,
                "NOTIFY_SOCKET is longer than 107 bytes: " + socket);
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (socket[0] == '@') address.sun_path[0] = '\0';
  const Fd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!sender.is_open()) return fail_errno("make unix socket", errno);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  if (::sendto(sender.get(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return fail_errno("tell the supervisor at " + socket, errno);
  return {};
}

}  // namespace kelvin::os
