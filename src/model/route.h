// route: what the gateway must know about one app; replaced as a whole when anything in it changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/app.h"

namespace kelvin::model {

// A replica that may be given work. `slot` is its index in the slot table and `generation` the value its slot word
// must carry: a word of another generation belongs to another replica.
struct RouteReplica {
  ReplicaId id;
  RevisionId revision;
  std::uint32_t revision_number = 0;  // as people see it: gemma@3
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t slots = 1;              // requests at once
  std::uint16_t port = 0;               // on 127.0.0.1
  Protocol protocol = Protocol::Http1;  // of its own revision
  // The app's load does not call for it: it gets what the others have no room for, and cools when that is nothing.
  bool is_spare = false;
};

// Why the app takes no requests just now.
struct Refusal {
  std::uint16_t status = 0;  // 0: it takes requests
  std::string code;          // stable, e.g. "app_failing"
  std::string sentence;      // plain English: what happened and what to do next
  Duration retry_after{};    // 0: no Retry-After
};

struct Route {
  AppId app;
  std::string workspace = "default";
  std::string name;
  bool is_gone = false;                // deleted: forget it
  std::vector<RouteReplica> replicas;  // ready ones, by id
  // Those that can be had back, by id: a request that asks for one of them by name waits for it, even where another
  // replica has room. One of them may be gone already; then control gives it any.
  std::vector<ReplicaId> parked;
  QueueRule queue;
  Protocol protocol = Protocol::Http1;
  Duration timeout = 600s;
  std::string served_model;
  std::vector<std::string> cors;
  AffinityRule affinity;
  std::vector<RevisionShare> shares;  // sum to 100; empty: every replica takes any request
  // Both as known when the route was published, for Retry-After; 0: unknown.
  Duration wake_time{};     // until a slot is there, where nothing is ready
  Duration service_time{};  // one request holds a slot for so long, on average
};

}  // namespace kelvin::model
