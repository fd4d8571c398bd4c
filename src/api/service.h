// service: what the routes share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/access.h"
#include "api/api.h"
#include "api/collector.h"
#include "api/reply.h"

namespace kelvin::api {

// Lives as long as the threads that answer.
struct Service {
  Service(ApiOptions given, const ApiPorts& outside)
      : options(std::move(given)),
        ports(outside),
        keys(options.admin_token),
        collector(ports, options.limits.collect_again_after) {}

  std::int64_t unix_ms(Instant at) const { return ports.clock.unix_ns(at) / 1'000'000; }
  std::int64_t unix_ms_now() const { return unix_ms(ports.clock.now()); }

  const ApiOptions options;
  const ApiPorts ports;
  KeyRing keys;
  Collector collector;
  // Held from reading an app or key to storing and posting its change, so that store, control and gateway see changes
  // in one order.
  std::mutex changes;
  std::atomic<std::uint32_t> followers{0};
  std::atomic<std::uint64_t> connections_turned_away{0};
};

// 404 when there is none.
[[nodiscard]] OrProblem<model::AppView> find_app(Service& service, std::string_view name);

}  // namespace kelvin::api
