// upstream: one connection to a replica.
#pragma once

#include <cstdint>
#include <string>

#include "base/id.h"
#include "gateway/loop.h"
#include "gateway/timers.h"
#include "os/fd.h"

namespace kelvin::gateway {

// Idle in its loop's pool, or bound to one client for one request. Owned by the loop.
class Upstream : public Endpoint {
 public:
  Upstream(ReplicaId to, os::Fd socket)
      : Endpoint{EndpointKind::Upstream}, replica(to), fd(std::move(socket)) {}

  bool is_idle() const { return client == nullptr; }

  ReplicaId replica;
  os::Fd fd;  // closed: discarded, waiting to be freed
  Client* client = nullptr;
  bool is_connecting = false;
  bool is_reused = false;  // it has carried a request before
  bool may_read = false;
  bool may_write = false;
  bool saw_end = false;    // its end has been announced; data may still lie before it
  Timer timer;             // of connecting, or of being idle
  std::string head_bytes;  // of a reply's head that has not come whole
};

}  // namespace kelvin::gateway
