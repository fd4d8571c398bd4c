// management: who answers /api, /metrics, /healthz, /readyz and /ui.
#pragma once

#include <string>

namespace kelvin::ports {

class Management {
 public:
  virtual ~Management() = default;
  // Takes over a connection whose next request is for management. `fd` is a non-blocking socket that the callee owns
  // from here on, `received` the bytes already read from it, beginning with the request's head. Any thread; returns at once.
  virtual void take(int fd, std::string received) = 0;
};

}  // namespace kelvin::ports
