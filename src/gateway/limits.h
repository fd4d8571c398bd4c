// limits: every bound of the data plane, with what happens when it is reached.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "http/h2_session.h"
#include "http/message.h"

namespace kelvin::gateway {

struct GatewayLimits {
  http::Limits head;               // 431 or 414, and the connection closes
  Duration head_time = 10s;        // from a request's first byte to the end of its head: 408
  Duration idle_time = 75s;        // a kept connection without a request: closed
  Duration body_idle_time = 60s;   // no byte of a body that is being read: 408
  Duration write_idle_time = 60s;  // the client takes no byte of its reply: closed
  Duration tunnel_idle_time = 1h;  // no byte either way through an upgraded connection: closed
  Duration linger_time = 2s;  // reading on after the last reply, so that the client gets to see it
  std::uint32_t connections_max =
      8192;  // all loops together; beyond, connections wait in the kernel's backlog
  std::size_t held_body_max = 32ULL << 20U;    // one body under /v1: 413
  std::size_t held_total_max = 256ULL << 20U;  // all of them: 503
  Duration connect_time = 500ms;  // to a replica on this machine: another is tried, then 502
  std::uint32_t tries_max = 3;    // replicas tried for one request, as long as no byte was sent
  Duration upstream_idle_time =
      2s;  // of a kept connection to a replica; less where the replica says so
  std::uint32_t upstream_idle_max =
      1024;  // kept connections per replica and loop: the oldest is closed
  // Of HTTP/2 in front. The outbox holds two buffers, so that one fits while the other leaves.
  http::H2Limits h2{.outbox_bytes_max = 128 * 1024};
  // Of h2c to replicas: they are trusted with wider windows, as one connection carries many requests.
  http::H2Limits h2_upstream{.streams_max = 1024,
                             .stream_window_bytes = 256 * 1024,
                             .connection_window_bytes = 8 * 1024 * 1024,
                             .outbox_bytes_max = 256 * 1024};
  Duration busy_interval =
      1s;  // at least, between two BusyMeasured of a loop that nobody asked for
  std::size_t burst_bytes =
      256 * 1024;  // moved for one connection before the others have their turn
  std::size_t request_log_bytes_max =
      4ULL << 20U;  // of log lines waiting for the disk: further ones are counted
};

}  // namespace kelvin::gateway
