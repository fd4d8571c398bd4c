// tcp: stream sockets to listen on and to connect with, by numeric addresses.
#include "os/tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include "os/system_error.h"

namespace kelvin::os {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

tl::unexpected<Error> not_an_address(std::string_view text) {
  return fail(
      Code::Invalid, Blame::Client, Retry::Never,
      "\"" + std::string(text) + "\" is not an address such as 127.0.0.1:27315 or [::1]:27315");
}

Result<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_an_address(text);
  std::uint16_t port = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return not_an_address(text);
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";

  Address address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six.sin6_addr) != 1)
      return not_an_address(text);
    std::memcpy(&address.storage, &six, sizeof six);
    address.size = sizeof six;
    return address;
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) return not_an_address(text);
  std::memcpy(&address.storage, &four, sizeof four);
  address.size = sizeof four;
  return address;
}

}  // namespace

Result<Fd> listen_tcp(std::string_view text, int backlog) {
  KELVIN_TRY(const Address address, parse_address(text));
  Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return fail_errno("make socket", errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) !=
      0) {
    return fail_errno("listen on " + std::string(text), errno);
  }
  if (::listen(socket.get(), backlog) != 0)
    return fail_errno("listen on " + std::string(text), errno);
  return socket;
}

Result<std::uint16_t> local_port(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0)
    return fail_errno("getsockname", errno);
  // Both families keep the port at the same place.
  sockaddr_in four{};
  std::memcpy(&four, &storage, sizeof four);
  return ntohs(four.sin_port);
}

Result<Fd> begin_connect_loopback(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return fail_errno("make socket", errno);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    return fail_errno("connect to port " + std::to_string(port), errno);
  }
  return socket;
}

int connect_outcome(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace kelvin::os
