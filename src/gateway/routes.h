// routes: what one loop knows about apps.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/id.h"
#include "model/route.h"

namespace kelvin::gateway {

class AppSeries;

// What all loops share about one app. `waiting` counts its requests without a slot, whichever loop holds them: who
// gives a slot back while it is positive tells control, and who arrives then queues too.
struct AppGate {
  std::atomic<std::uint32_t> waiting{0};
};

// Immutable; one copy for all loops.
struct AppRoute {
  model::Route route;
  std::shared_ptr<AppGate> gate;
  std::shared_ptr<AppSeries> series;
  std::int64_t created_unix_s = 0;  // when the gateway first heard of the app
};

struct IdHash {
  template <class Tag>
  std::size_t operator()(Id<Tag> id) const {
    return std::hash<std::uint64_t>()(id.value);
  }
};

// A loop's own table.
class RouteTable {
 public:
  // Returns the entry that it replaces or removes; null when there was none.
  std::shared_ptr<const AppRoute> change(std::shared_ptr<const AppRoute> entry);

  // An empty workspace is the default one.
  std::shared_ptr<const AppRoute> find(std::string_view workspace, std::string_view name) const;

  // Ordered by nothing in particular.
  using ById = std::unordered_map<AppId, std::shared_ptr<const AppRoute>, IdHash>;
  const ById& all() const { return by_id_; }

 private:
  ById by_id_;
  std::unordered_map<std::string, std::shared_ptr<const AppRoute>> by_name_;  // "workspace/name"
};

}  // namespace kelvin::gateway
