// control: the one door through which the world changes.
//
// step() takes what happened and the present moment and says what to do about it. It reads no clock, waits for
// nothing and fails at nothing: the same events give the same effects, in `kelvin serve`, in the simulator and in a
// replay. World is a value owned by whoever calls step; only step and the functions declared here look inside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/id.h"
#include "base/random.h"
#include "base/time.h"
#include "core/scale/scale.h"
#include "model/effect.h"
#include "model/event.h"
#include "model/kept.h"
#include "model/view.h"

namespace kelvin::control {

struct Settings {
  std::uint64_t epoch = 1;             // of this platform start; part of every replica id
  std::uint32_t first_generation = 1;  // of slot words; larger than any in the table
  std::uint32_t slots_max =
      4096;  // entries of the slot table; at the limit starts are refused by name
  std::uint32_t gateway_loops = 1;  // how many BusyMeasured streams there are
  scale::TokenBucket::Rate starts;  // how many a workspace may have at once and a second
  Random random;
};

// Opaque outside core/control.
struct World;
struct WorldDeleter {
  void operator()(World* world) const noexcept;
};
using WorldPtr = std::unique_ptr<World, WorldDeleter>;

[[nodiscard]] WorldPtr make_world(const Settings& settings);

[[nodiscard]] model::Effects step(World& world, const model::Event& event, Instant now) noexcept;

// When the world wants a Tick; never() when nothing is due. An idle app asks for none.
[[nodiscard]] Instant next_deadline(const World& world);

// No replica lives, and every row of usage has been given out.
[[nodiscard]] bool is_at_rest(const World& world);

// --- handing it over ------------------------------------------------------------------------------------------------

// What only this world knows. Posted to another one as ReplicaKept and MeterLineKept, before what was found.
struct Handed {
  std::vector<model::KeptReplica> replicas;
  std::vector<model::MeterLine> lines;
};
[[nodiscard]] Handed hand_over(const World& world);

// --- looking at it ---------------------------------------------------------------------------------------------------

[[nodiscard]] std::vector<model::AppView> view_apps(const World& world);  // by workspace, name
[[nodiscard]] std::optional<model::AppView> view_app(const World& world, AppId app);
[[nodiscard]] std::optional<model::AppView> view_named_app(const World& world,
                                                           const model::AppName& name);
[[nodiscard]] std::vector<model::ReplicaView> view_replicas(const World& world,
                                                            AppId app);  // app 0: all; by id
// A request that waits; nothing where it does not.
[[nodiscard]] std::optional<model::RequestView> view_request(const World& world, RequestId id);
[[nodiscard]] std::vector<model::Revision> view_revisions(const World& world,
                                                          AppId app);  // by number

}  // namespace kelvin::control
