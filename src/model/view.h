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
#include "model/request.h"

namespace kelvin::model {

enum class Condition : std::uint8_t {
  Cold,      // no replica; the next request starts one
  Starting,  // at least one is on its way, none is ready
  Ready,     // at least one is ready
  Parked,    // none is ready, at least one is parked
  Failing,   // starts keep failing; `reason` says why and `retry_at` when the next is tried
};
std::string_view to_text(Condition c);
std::string_view to_text(RolloutStage s);

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
  // What happens to it next by itself, "then" being `next_at`; filled in where one app's replicas are asked for.
  std::string next;
  Instant next_at = Instant::never();  // never(): no moment is known
};

// How people call an app. One that was deleted has no name, even while its replicas end.
struct AppName {
  std::string workspace = "default";
  std::string name;
  auto operator<=>(const AppName&) const = default;
};

// A revision that takes a part of the app's requests.
struct TrafficView {
  RevisionId revision;
  std::uint32_t number = 0;
  std::uint32_t percent = 0;
};

// A rollout by steps, and how its present step goes.
struct RolloutView {
  Rollout rollout;
  std::uint32_t from_number = 0;
  std::uint32_t to_number = 0;
  std::uint32_t percent = 0;  // that `to` takes
  std::uint32_t steps = 0;
  Instant step_since;
  std::uint64_t answered = 0;  // replies of `to` in this step, the failed ones among them
  std::uint64_t failed = 0;
  std::uint64_t old_answered = 0;  // of `from`
  std::uint64_t old_failed = 0;
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
  std::string keeps;  // what keeps replicas warm, with its numbers: min, schedule, average load
  std::uint32_t waiting = 0;          // requests in the queue
  std::uint32_t waiting_low = 0;      // those of them that have low priority
  std::uint32_t waiting_keys = 0;     // whose requests they are
  std::uint32_t replicas_coming = 0;  // on their way to being ready
  std::vector<TrafficView> traffic;   // by hand or a rollout; empty: `revision` takes all requests
  std::optional<RolloutView> rollout;
  std::string waits_for;     // what the waiting requests wait for; empty: nobody waits
  ScheduledFloor scheduled;  // without words: the app has no schedule
};

// A request that waits.
struct RequestView {
  RequestId id;
  AppId app;
  std::string app_name;
  Priority priority = Priority::Normal;
  Instant arrived;
  Instant deadline;         // when it is refused
  std::uint32_t place = 1;  // in the order in which slots are given out, as things stand; 1 is next
  std::uint32_t waiting = 1;  // requests of the app that wait
  std::string waits_for;
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
