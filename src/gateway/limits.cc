// limits: every bound of the data plane, with what happens when it is reached.
#include "gateway/limits.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "base/check.h"

namespace kelvin::gateway {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

constexpr std::uint64_t ns(Duration length) { return static_cast<std::uint64_t>(length.count()); }

constexpr LimitRow kRows[] = {
    {.name = "header-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(1h),
     .covers = "from a request's first byte to the end of its head, and from a TLS connection's "
               "start to the end of its first one",
     .answer = "408, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.head_time; }},
    {.name = "header-bytes",
     .unit = LimitUnit::Size,
     .least = 1 * kKiB,
     .most = 256 * kKiB,
     .covers = "a request's head",
     .answer = "431, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.head.head_bytes_max; }},
    {.name = "header-count",
     .unit = LimitUnit::Count,
     .least = 8,
     .most = 1024,
     .covers = "the fields of a head",
     .answer = "431, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.head.fields_max; }},
    {.name = "uri-bytes",
     .unit = LimitUnit::Size,
     .least = 256,
     .most = 64 * kKiB,
     .covers = "the target in a request line",
     .answer = "414, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.head.target_bytes_max; }},
    {.name = "idle-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(24h),
     .covers = "a kept connection without a request",
     .answer = "the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.idle_time; }},
    {.name = "body-idle-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(24h),
     .covers = "no byte of a body that is being read",
     .answer = "408, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.body_idle_time; }},
    {.name = "body-rate",
     .unit = LimitUnit::Rate,
     .least = 0,
     .most = 1 * kGiB,
     .covers = "a body under /v1, or one whose length is declared, while it is awaited",
     .answer = "408 when it comes more slowly, and the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace {
       return &limits.body_rate.bytes_per_second_min;
     }},
    {.name = "body-rate-time",
     .unit = LimitUnit::Time,
     .least = ns(1s),
     .most = ns(1h),
     .covers = "over which a body's rate is measured, again and again",
     .answer = "as body-rate",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.body_rate.window; }},
    {.name = "write-idle-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(24h),
     .covers = "the client takes no byte of its reply",
     .answer = "the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.write_idle_time; }},
    {.name = "tunnel-idle-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(168h),
     .covers = "no byte either way through an upgraded connection",
     .answer = "both sides close",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.tunnel_idle_time; }},
    {.name = "linger-time",
     .unit = LimitUnit::Time,
     .least = ns(0s),
     .most = ns(1min),
     .covers = "reading on after the last reply, so that the client gets to see it",
     .answer = "the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.linger_time; }},
    {.name = "connections",
     .unit = LimitUnit::Count,
     .least = 1,
     .most = 1'000'000,
     .covers = "open connections of clients, all together",
     .answer = "further ones wait in the kernel's backlog",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.connections_max; }},
    {.name = "connections-per-address",
     .unit = LimitUnit::Count,
     .least = 0,
     .most = 1'000'000,
     .covers = "open connections of one address, an IPv6 /64 being one and this machine not "
               "counted; 0: any number",
     .answer = "further ones are closed at once",
     .place = [](GatewayLimits& limits) -> LimitPlace {
       return &limits.connections_per_address_max;
     }},
    {.name = "held-body",
     .unit = LimitUnit::Size,
     .least = 1 * kKiB,
     .most = 1 * kGiB,
     .covers = "one body under /v1",
     .answer = "413",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.held_body_max; }},
    {.name = "held-total",
     .unit = LimitUnit::Size,
     .least = 1 * kKiB,
     .most = 64 * kGiB,
     .covers = "all bodies under /v1 that are held",
     .answer = "503 with Retry-After",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.held_total_max; }},
    {.name = "connect-time",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(1min),
     .covers = "connecting to a replica on this machine",
     .answer = "another replica is tried, then 502",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.connect_time; }},
    {.name = "tries",
     .unit = LimitUnit::Count,
     .least = 1,
     .most = 16,
     .covers = "replicas tried for one request of which no byte was sent",
     .answer = "502",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.tries_max; }},
    {.name = "upstream-idle-time",
     .unit = LimitUnit::Time,
     .least = ns(0s),
     .most = ns(1h),
     .covers = "a kept connection to a replica; less where the replica says so",
     .answer = "the connection closes",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.upstream_idle_time; }},
    {.name = "upstream-idle-connections",
     .unit = LimitUnit::Count,
     .least = 0,
     .most = 4096,
     .covers = "kept connections to one replica, each loop",
     .answer = "the oldest is closed",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.upstream_idle_max; }},
    {.name = "progress-after",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(1h),
     .covers = "waiting before the first comment of Kelvin-Progress",
     .answer = "the event stream begins",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.progress_after; }},
    {.name = "progress-every",
     .unit = LimitUnit::Time,
     .least = ns(10ms),
     .most = ns(1h),
     .covers = "from one of these comments to the next",
     .answer = "another is sent",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.progress_every; }},
    {.name = "h2-streams",
     .unit = LimitUnit::Count,
     .least = 1,
     .most = 65'536,
     .covers = "open streams of one HTTP/2 connection",
     .answer = "REFUSED_STREAM, or the end of the connection",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.h2.streams_max; }},
    {.name = "h2-stream-window",
     .unit = LimitUnit::Size,
     .least = 16 * kKiB,
     .most = 16 * kMiB,
     .covers = "body bytes of one stream that the replica has not taken",
     .answer = "FLOW_CONTROL_ERROR",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.h2.stream_window_bytes; }},
    {.name = "h2-connection-window",
     .unit = LimitUnit::Size,
     .least = 64 * kKiB,
     .most = 256 * kMiB,
     .covers = "the same of all streams of a connection",
     .answer = "FLOW_CONTROL_ERROR",
     .place = [](GatewayLimits& limits) -> LimitPlace {
       return &limits.h2.connection_window_bytes;
     }},
    {.name = "h2-outbox",
     .unit = LimitUnit::Size,
     .least = 128 * kKiB,
     .most = 16 * kMiB,
     .covers = "reply bytes of one stream that the client has not taken",
     .answer = "nothing more is read from the replica",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.h2.outbox_bytes_max; }},
    {.name = "h2-header-block",
     .unit = LimitUnit::Size,
     .least = 8 * kKiB,
     .most = 16 * kMiB,
     .covers = "decoded bytes of one head",
     .answer = "ENHANCE_YOUR_CALM, and the connection ends",
     .place = [](GatewayLimits& limits) -> LimitPlace {
       return &limits.h2.header_block_bytes_max;
     }},
    {.name = "h2-continuations",
     .unit = LimitUnit::Count,
     .least = 1,
     .most = 1024,
     .covers = "CONTINUATION frames of one head",
     .answer = "the connection ends",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.h2.continuations_max; }},
    {.name = "h2-resets",
     .unit = LimitUnit::Count,
     .least = 10,
     .most = 1'000'000,
     .covers = "streams reset before their answer began, less those that ended in order",
     .answer = "ENHANCE_YOUR_CALM, and the connection ends",
     .place = [](GatewayLimits& limits) -> LimitPlace { return &limits.h2.resets_max; }},
};

}  // namespace

std::span<const LimitRow> limit_rows() { return kRows; }

const LimitRow* find_limit(std::string_view name) {
  const auto at = std::ranges::find(kRows, name, &LimitRow::name);
  return at == std::end(kRows) ? nullptr : &*at;
}

std::uint64_t value_of(const LimitRow& row, const GatewayLimits& limits) {
  GatewayLimits copy = limits;
  return std::visit(
      [](auto* at) -> std::uint64_t {
        if constexpr (std::is_same_v<decltype(at), Duration*>)
          return ns(*at);
        else
          return *at;
      },
      row.place(copy));
}

void set_value(const LimitRow& row, std::uint64_t value, GatewayLimits& limits) {
  KELVIN_CHECK(row.least <= value && value <= row.most);
  std::visit(
      [value](auto* at) {
        using Value = std::remove_pointer_t<decltype(at)>;
        if constexpr (std::is_same_v<Value, Duration>)
          *at = Duration(static_cast<std::int64_t>(value));
        else
          *at = static_cast<Value>(value);
      },
      row.place(limits));
}

std::string contradiction_of(const GatewayLimits& limits) {
  if (limits.held_body_max > limits.held_total_max) return "held-body is more than held-total";
  if (limits.h2.stream_window_bytes > limits.h2.connection_window_bytes)
    return "h2-stream-window is more than h2-connection-window";
  return {};
}

}  // namespace kelvin::gateway
