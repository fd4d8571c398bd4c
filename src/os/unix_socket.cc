// unix_socket: datagrams with descriptors between processes of one machine (SOCK_SEQPACKET).
#include "os/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/system_error.h"

namespace kelvin::os {
namespace {

constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kDatagramFdsMax);

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::Invalid, Blame::Client, Retry::Never,
                "socket path " + path + " is longer than 107 bytes; choose a shorter data folder");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<Fd> make_socket() {
  Fd socket(::socket(AF_UNIX, kType, 0));
  if (!socket.is_open()) return fail_errno("make unix socket", errno);
  return socket;
}

std::vector<Fd> take_fds(msghdr& message) {
  std::vector<Fd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(part) + i * sizeof(int), sizeof raw);
      fds.emplace_back(raw);
    }
  }
  return fds;
}

}  // namespace

Result<Fd> listen_unix(const std::string& path, mode_t mode) {
  KELVIN_TRY(const sockaddr_un address, address_of(path));
  KELVIN_TRY(Fd socket, make_socket());
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("bind " + path, errno);
  }
  if (::chmod(path.c_str(), mode) != 0) return fail_errno("set mode of " + path, errno);
  if (::listen(socket.get(), 16) != 0) return fail_errno("listen on " + path, errno);
  return socket;
}

Result<Fd> connect_unix(const std::string& path) {
  KELVIN_TRY(const sockaddr_un address, address_of(path));
  KELVIN_TRY(Fd socket, make_socket());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("connect to " + path, errno);
  }
  return socket;
}

Result<std::optional<Fd>> accept_unix(int listener) {
  Fd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.is_open()) return std::optional<Fd>(std::move(socket));
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return std::optional<Fd>{};
  return fail_errno("accept", errno);
}

Result<std::pair<Fd, Fd>> unix_pair() {
  int raw[2] = {-1, -1};
  if (::socketpair(AF_UNIX, kType, 0, raw) != 0) return fail_errno("socketpair", errno);
  return std::pair(Fd(raw[0]), Fd(raw[1]));
}

Result<uid_t> peer_uid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail_errno("SO_PEERCRED", errno);
  return peer.uid;
}

Status send_datagram(int socket, std::string_view bytes, std::span<const int> fds) {
  if (bytes.empty() || bytes.size() > kDatagramBytesMax || fds.size() > kDatagramFdsMax) {
    return fail(Code::Invalid, Blame::Platform, Retry::Never,
                "a message of " + std::to_string(bytes.size()) + " bytes and " +
                    std::to_string(fds.size()) + " descriptors cannot be sent");
  }
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[kControlBytes] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) {
      return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay,
                  "the other end reads too slowly");
    }
    return fail_errno("send", errno);
  }
  return {};
}

Result<std::optional<Datagram>> receive_datagram(int socket) {
  Datagram datagram;
  datagram.bytes.resize(kDatagramBytesMax);
  iovec part{.iov_base = datagram.bytes.data(), .iov_len = datagram.bytes.size()};
  alignas(cmsghdr) char control[kControlBytes] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return std::optional<Datagram>{};
  if (got < 0 && errno != ECONNRESET) return fail_errno("receive", errno);
  datagram.fds = take_fds(message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return fail(Code::Invalid, Blame::Platform, Retry::Never,
                "a message longer than 64 KiB was received");
  }
  datagram.bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return std::optional<Datagram>(std::move(datagram));
}

}  // namespace kelvin::os
