// view: what people and programs are shown of the world; values copied out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/app.h"
#include "model/node.h"
#include "model/replica.h"

namespace kelvin::model {

enum class Condition : std::uint8_t {
  Cold,      // no replica; the next request starts one
  Starting,  // at least one is on its way, none is ready
  Ready,     // at least one is ready
  Parked,    // none is ready, at least one is parked
  Failing,   // starts keep failing; `reason` says why and `retry_at` when the next is tried
};
std::string_view to_text(Condition c);

struct ReplicaView {
  ReplicaId id;
  AppId app;
  std::string app_name;
  std::string workspace;
  RevisionId revision;
  std::uint32_t revision_number = 0;
  State state = State::Planned;
  Temperature temperature = Temperature::Cold;
  Lease lease;
  std::uint32_t slot = 0;
  std::uint16_t port = 0;
  std::int32_t pid = 0;
  Instant created;
  Instant state_since;
  std::string reason;  // of the last move, in plain English
  bool is_adopted = false;
};

struct AppView {
  AppId id;
  std::string workspace;
  Revision revision;  // the one that takes new requests
  std::uint32_t revisions = 1;
  Condition condition = Condition::Cold;
  std::string reason;               // of the condition; empty when there is nothing to say
  std::optional<Instant> retry_at;  // Failing: next try
  std::uint32_t replicas_live = 0;  // Planned .. Draining
  std::uint32_t replicas_ready = 0;
  std::uint32_t replicas_parked = 0;
  std::uint32_t waiting = 0;  // requests in the queue
};

// One entry of the decision log: what was decided, about whom, with the numbers it used in the sentence.
struct Decision {
  Instant at;
  AppId app;
  ReplicaId replica;  // 0: about the app
  RequestId request;  // 0: about no single request
  std::string verb;   // "start", "park", "refuse", ...: one word, for filters
  std::string sentence;
};

struct DecisionFilter {
  AppId app;               // 0: any
  ReplicaId replica;       // 0: any
  RequestId request;       // 0: any
  std::size_t most = 100;  // the last so many
};

}  // namespace kelvin::model
