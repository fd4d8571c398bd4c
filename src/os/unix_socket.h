// unix_socket: datagrams with descriptors between processes of one machine (SOCK_SEQPACKET).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

constexpr std::size_t kDatagramBytesMax = 64 * 1024;
constexpr std::size_t kDatagramFdsMax = 64;

struct Datagram {
  std::string bytes;
  std::vector<Fd> fds;
};

// Waits for connections on `path`, which must be shorter than 108 bytes; a socket file that lies
// there is replaced, so take a lock first. The file gets `mode`. The descriptor does not block.
Result<Fd> listen_unix(const std::string& path, mode_t mode = 0600);
// Unavailable or NotFound when nobody listens. The descriptor does not block.
Result<Fd> connect_unix(const std::string& path);
// Absent when nobody waits to be accepted. The descriptor does not block.
Result<std::optional<Fd>> accept_unix(int listener);
Result<std::pair<Fd, Fd>> unix_pair();
// User id of the process at the other end, as it was when it connected.
Result<uid_t> peer_uid(int socket);

// Exhausted when the other end reads too slowly (try again when writable), Invalid over
// kDatagramBytesMax or kDatagramFdsMax. Descriptors stay the caller's.
Status send_datagram(int socket, std::string_view bytes, std::span<const int> fds = {});
// Absent when nothing has come yet; a datagram without bytes means that the other end has closed.
// Received descriptors are closed on exec.
Result<std::optional<Datagram>> receive_datagram(int socket);

}  // namespace kelvin::os
