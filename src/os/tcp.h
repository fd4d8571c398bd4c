// tcp: stream sockets to listen on and to connect with, by numeric addresses.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

// Listens on "127.0.0.1:8080", "[::1]:8080" or "localhost:8080" (which is 127.0.0.1); port 0 lets the kernel choose.
// The descriptor does not block and is closed on exec. Invalid: not such an address; Conflict: in use.
Result<Fd> listen_tcp(std::string_view address, int backlog = 4096);
// The port a socket is bound to.
Result<std::uint16_t> local_port(int socket);

// Begins to connect to 127.0.0.1:port and returns at once; writable when decided, see connect_outcome.
Result<Fd> begin_connect_loopback(std::uint16_t port);
// 0 when connected, else the error number.
int connect_outcome(int socket);

}  // namespace kelvin::os
