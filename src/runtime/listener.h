// listener: whose socket answers on a port of this machine.
//
// A port that accepts is no proof that the replica does: another program may have been there first. The kernel tells the
// inodes of listening sockets (sock_diag(7), else /proc/net/tcp), and each process's descriptors name the inode they are.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace kelvin::runtime {

enum class Listening : std::uint8_t {
  Nobody,    // no socket on that port takes connections to 127.0.0.1
  Ours,      // one of the processes asked about holds it
  Stranger,  // another process does
};

struct Listener {
  Listening who = Listening::Nobody;
  pid_t pid = 0;     // of a stranger; 0 when this user may not see whose it is
  std::string name;  // of a stranger
};

// Looks for sockets that take connections to 127.0.0.1:port. `pids` are the replica's processes.
Listener find_listener(std::uint16_t port, const std::vector<pid_t>& pids);

// "port 8080 is in use by another program (pid 12, nginx)".
std::string in_use_text(std::uint16_t port, const Listener& stranger);

// Ports handed out to replicas, each at most once at a time.
//
// They are taken from below the range that the kernel gives to outgoing connections, so that no connection of the
// gateway or of another program sits on a port between its choice and the replica's bind.
class Ports {
 public:
  // `start` spreads the choices of different platforms on one machine; any number.
  explicit Ports(std::uint32_t start);
  // Exhausted when none is free.
  Result<std::uint16_t> take();
  // Marks a port that is in use already.
  void mark(std::uint16_t port);
  void give_back(std::uint16_t port);

 private:
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;
  std::vector<bool> taken_;
};

}  // namespace kelvin::runtime
