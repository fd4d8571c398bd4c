// world: everything control knows. A value without behaviour; steps.h says what changes it.
//
// Truth about work in flight is not here but in the slot words, which the gateway changes without
// asking. What stands here about it (`free_believed`, `idle_since`, `is_serving`) is belief: good
// enough to decide what to try, and always checked by the slot word when it is tried.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/control/control.h"
#include "core/control/timers.h"
#include "core/life/life.h"
#include "core/life/trial.h"
#include "core/meter/meter.h"
#include "core/place/place.h"
#include "core/place/pressure.h"
#include "core/queue/outlook.h"
#include "core/queue/queue.h"
#include "core/scale/scale.h"
#include "core/warmth/warmth.h"
#include "model/effect.h"
#include "model/event.h"
#include "model/kept.h"
#include "model/replica.h"
#include "model/view.h"

namespace kelvin::control {

// Why a replica was wanted. One that nobody wants any more before it has a lease is given up again.
enum class Purpose : std::uint8_t {
  Demand,   // requests wait
  Minimum,  // `min` replicas stay warm
  Wake,     // somebody asked for one
  Floor,    // the average load calls for it; takes only what is free anyway
  Rollout,  // the first of a revision that takes over from one that serves
};

// What a CloseSlots that was sent with ClosePurpose::Park is for.
enum class Closing : std::uint8_t {
  None,
  Cool,    // its next step down is due
  Asked,   // somebody asked to park it
  Relief,  // somebody else waits for what it holds
};

// A state and when it was entered: where the waiting of its requests went.
struct Milestone {
  model::State state = model::State::Planned;
  Instant at;
};

// A node whose accelerators are kept free, as they become so, for one that waits for many at once.
struct Reservation {
  NodeId node;
  Instant since;
};

// A replica from its plan to its death. Owned by World::replicas.
struct Replica {
  ReplicaId id;
  AppId app;
  std::shared_ptr<const model::Revision> revision;
  Purpose purpose = Purpose::Demand;
  model::State state = model::State::Planned;
  model::Lease
      lease;  // accelerators are empty while none are held, node is 0 before the first lease
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // of its slot word, while Ready
  std::uint16_t port = 0;
  std::int32_t pid = 0;
  Instant created;
  Instant state_since;
  std::string reason;  // of the last move, or what it waits for
  bool is_adopted = false;
  bool is_metered = false;

  // On the way up.
  std::optional<std::uint64_t>
      lease_turn;         // it waits for accelerators; its place in World::lease_queue
  Instant in_line_since;  // with a turn
  std::optional<Reservation> reservation;
  bool is_ordered = false;  // StartReplica was sent
  Instant ordered_at;       // when StartReplica or ResumeReplica was sent
  life::StartClock start_clock;
  std::vector<Milestone> way;
  model::Temperature woke_from = model::Temperature::Cold;

  // Ready.
  bool was_ready = false;
  Instant ready_since;
  Instant idle_since;               // last known use
  std::uint32_t free_believed = 0;  // slots
  bool is_serving = false;          // it had work at the end of the last report
  bool is_spare = false;            // as published in the route; see spares.cc
  bool is_proven = false;  // it has answered, was ready for a minute, or cooled in good order
  bool may_park = true;    // false after a park that failed
  life::Health health;

  // On the way down.
  Closing closing = Closing::None;  // a CloseSlots is under way
  warmth::Tier cool_to = warmth::Tier::Parked;
  bool is_relief = false;                 // it goes because somebody else waits
  std::uint32_t connections_closing = 0;  // CloseConnections that are not answered yet
  bool is_park_ordered = false;           // ParkReplica was sent
  bool wakes_again = false;               // a request came while it was being parked
  model::ExitCause stop_cause = model::ExitCause::Stopped;
};

// The most requests in flight at once that the last report of work told of.
struct Peak {
  std::uint64_t requests = 0;
  Instant at;
};

// What is learned about a revision.
struct RevisionRecord {
  std::shared_ptr<const model::Revision> revision;
  life::FailureBudget budget;
  warmth::WakeEstimates wake_cold{10s};
  warmth::WakeEstimates wake_parked{50ms};
  warmth::Levels levels;
  warmth::Waiters waiters;
  Peak peak;
};

// How the present step of a rollout goes.
struct StepTrial {
  life::Tally fresh;
  life::Tally old;
  Instant began;
};

// An app. `active` takes new requests, but while `fallback` is set that older revision still does,
// because the active one has not had a ready replica yet.
struct App {
  App(AppId app_id, const model::Revision& first)
      : id(app_id),
        workspace(first.workspace),
        name(first.spec.name),
        replicas_min(first.spec.scale.replicas_min),
        replicas_max(first.spec.scale.replicas_max),
        queue(first.spec.queue.requests_max) {}

  AppId id;
  std::string workspace;
  std::string name;
  std::map<RevisionId, RevisionRecord> revisions;
  RevisionId active;
  RevisionId fallback;         // 0: none
  bool is_deleted = false;     // it is forgotten when its last replica is gone
  std::uint32_t replicas_min;  // of the app file, until `kelvin scale` says otherwise
  std::uint32_t replicas_max;
  queue::WaitQueue queue;
  // How requests are split, by hand or by the present step of `rollout`; empty: the active revision, or its fallback,
  // takes all. While it is not empty there is no fallback.
  std::vector<model::RevisionShare> shares;
  std::optional<model::Rollout> rollout;      // by steps, also one that was rolled back
  StepTrial trial;                            // of its present step
  std::vector<model::ScheduleRule> followed;  // by the last FollowSchedule
  model::ScheduledFloor scheduled;
  queue::ServiceTime service;
  scale::LoadAverage load;        // for the floor: what is usual
  scale::LoadAverage recent{2s};  // for headroom: what is now
  scale::RemovalWindow removals;
  std::set<ReplicaId> replicas;  // all that are not gone
  std::string trouble;           // why it cannot start at all; empty: it can
};

struct SlotKey {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
};

// A replica of an earlier platform start whose revision nobody knows: it only still holds things
// until it is gone.
struct Stray {
  model::Lease lease;
  std::optional<std::uint32_t> slot;
  std::optional<SlotKey> word;  // requests of an earlier process may run there: it is stopped later
  std::string reason;
};

// A Handover whose outcome is not certain before the next event from outside.
struct Offered {
  AppId app;
  queue::Waiting waiting;
};

// A wish that `open` has no room for, as the first in the line found out. Those behind it who wish
// for the same are spared the search, because what is open only shrinks while the picture is kept.
struct Refused {
  std::vector<model::AcceleratorNeed> needs;
  Bytes memory;
  NodeId only;
  std::string why;
  NodeId claimed;  // the node where the last of them has a claim; 0: none
};

// The nodes as the line sees them; see leases.cc.
struct Picture {
  place::Nodes open;
  place::Nodes future;
  // What may be cooled, by node; looked for when somebody asks. One that has changed since stays.
  std::optional<std::vector<place::Candidate>> candidates;
  std::vector<Refused> refused;
  std::size_t reserved = 0;  // nodes that are kept free for somebody
  Instant look_again = Instant::never();
};

struct World {
  explicit World(const Settings& from)
      : settings(from),
        next_generation(from.first_generation),
        meter(meter::Settings{.loops = from.gateway_loops}) {
    for (std::uint32_t slot = 0; slot < from.slots_max; ++slot) slots_free.insert(slot);
  }

  Settings settings;
  std::map<AppId, App> apps;
  std::map<RevisionId, AppId> app_of_revision;
  std::map<model::AppName, AppId> app_of_name;  // those that are not deleted
  std::map<ReplicaId, Replica> replicas;
  std::map<ReplicaId, Stray> strays;
  std::map<ReplicaId, model::KeptReplica> kept;  // until RecoveryFinished
  place::Nodes nodes;

  std::map<RequestId, AppId> waiting;  // every request that stands in some queue
  std::map<RequestId, Offered> offered;
  std::map<std::uint64_t, ReplicaId> lease_queue;  // who waits for accelerators, by turn
  std::uint64_t lease_turns = 0;
  std::uint64_t turns_settled = 0;  // those before it were looked at since something moved
  bool leases_moved = false;        // all of them are to be looked at afresh
  std::optional<Picture> picture;   // while somebody waits and nothing has moved
  std::set<ReplicaId> going;  // those whose lease is on its way back; some may not be any more
  std::map<std::string, scale::TokenBucket> start_buckets;  // by workspace

  Timers timers;
  std::set<std::uint32_t> slots_free;
  std::uint64_t replicas_made = 0;
  std::uint32_t next_generation = 1;
  meter::Meter meter;
  bool is_recovering = true;  // until RecoveryFinished nothing is started
  bool is_shutting_down = false;
};

}  // namespace kelvin::control
