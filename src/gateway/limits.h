// limits: every bound of the data plane, with what happens when it is reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"
#include "gateway/rate_watch.h"
#include "http/h2_session.h"
#include "http/message.h"

namespace kelvin::gateway {

struct GatewayLimits {
  http::Limits head;  // 431 or 414, and the connection closes
  Duration head_time =
      10s;  // from a request's first byte to the end of its head: 408; of TLS also the handshake
  Duration idle_time = 75s;        // a kept connection without a request: closed
  Duration body_idle_time = 60s;   // no byte of a body that is being read: 408
  Duration write_idle_time = 60s;  // the client takes no byte of its reply: closed
  Duration tunnel_idle_time = 1h;  // no byte either way through an upgraded connection: closed
  Duration linger_time = 2s;  // reading on after the last reply, so that the client gets to see it
  std::uint32_t connections_max =
      8192;  // all loops together; beyond, connections wait in the kernel's backlog
  std::size_t held_body_max = 32ULL << 20U;    // one body under /v1: 413
  std::size_t held_total_max = 256ULL << 20U;  // all of them: 503
  // To a replica: another is tried, then 502. A program whose backlog is full lets the kernel try again after 1 s and
  // 3 s; a burst must outlast that, and one that is gone refuses at once.
  Duration connect_time = 5s;
  std::uint32_t tries_max = 3;  // replicas tried for one request, as long as no byte was sent
  Duration upstream_idle_time =
      2s;  // of a kept connection to a replica; less where the replica says so
  std::uint32_t upstream_idle_max =
      1024;  // kept connections per replica and loop: the oldest is closed
  // Of comments about a wait, where a client asks for them: the first, which a shorter wait never sees, and the next.
  Duration progress_after = 1s;
  Duration progress_every = 2s;
  // Of HTTP/2 in front; its `head` is the one above. The outbox holds two buffers, so that one fits while the other leaves.
  http::H2Limits h2{.outbox_bytes_max = 128 * 1024};
  // Of h2c to replicas: they are trusted with wider windows, as one connection carries many requests.
  http::H2Limits h2_upstream{.streams_max = 1024,
                             .stream_window_bytes = 256 * 1024,
                             .connection_window_bytes = 8 * 1024 * 1024,
                             .outbox_bytes_max = 384 * 1024};
  // At least, between two BusyMeasured of a loop that nobody asked for: how late control knows that slots run out.
  Duration busy_interval = 250ms;
  std::size_t burst_bytes =
      256 * 1024;  // moved for one connection before the others have their turn
  std::uint32_t connections_per_address_max =
      1024;  // see addresses.h: closed at once; 0: any number
  // Of a body whose length is declared, or that is held: 408. A body of unknown length may be a conversation, for which
  // body_idle_time has to do.
  RateRule body_rate{.bytes_per_second_min = 240, .window = 10s};
};

// How a limit's value is written: "10s", "32KiB", "128", "240B/s".
enum class LimitUnit : std::uint8_t { Time, Size, Count, Rate };

// Where a limit's value lies.
using LimitPlace = std::variant<Duration*, std::uint32_t*, std::size_t*>;

// One limit that can be set. What is set, printed and documented is made from these rows alone.
struct LimitRow {
  std::string_view name;  // "header-time"
  LimitUnit unit = LimitUnit::Count;
  std::uint64_t least = 0;  // nanoseconds, bytes or a number, as `most`
  std::uint64_t most = 0;
  std::string_view covers;  // what it bounds
  std::string_view answer;  // what happens beyond it
  LimitPlace (*place)(GatewayLimits& limits) = nullptr;
};

[[nodiscard]] std::span<const LimitRow> limit_rows();
// Null when there is no such limit.
[[nodiscard]] const LimitRow* find_limit(std::string_view name);
[[nodiscard]] std::uint64_t value_of(const LimitRow& row, const GatewayLimits& limits);
// `value` lies between the row's least and most.
void set_value(const LimitRow& row, std::uint64_t value, GatewayLimits& limits);
// Which two limits cannot hold together, as a sentence; empty when all can.
[[nodiscard]] std::string contradiction_of(const GatewayLimits& limits);

}  // namespace kelvin::gateway
