#include "core/control/story_test.h"
#include "core/life/life.h"

namespace kelvin::control {
namespace {

using model::State;

constexpr std::uint64_t kDeadRevision = 999;

// A process that takes over: the store's app, what the process before knew, what the cluster finds.
struct Successor {
  explicit Successor(std::uint32_t gateway_loops = 1)
      : story({.gateway_loops = gateway_loops}, /*is_recovered=*/false) {
    story.post(model::RevisionRestored{story.revision(1, 1, Story::spec("a")), true});
  }

  static model::ReplicaFound found(State state, std::uint64_t revision = 101) {
    return {.replica = kReplica,
            .revision = {revision},
            .state = state,
            .lease = {.node = {1}, .accelerators = {0}, .memory = 1_GiB},
            .slot = kSlot,
            .port = 9100,
            .pid = 4242,
            .usage_sequence = 7};
  }
  void was(State state, std::uint32_t in_flight = 0,
           model::ExitCause cause = model::ExitCause::Stopped) {
    story.post(model::ReplicaKept{{.replica = kReplica,
                                   .state = state,
                                   .generation = kGeneration,
                                   .stop_cause = cause,
                                   .reason = "as before",
                                   .ready_since = story.now - idle,
                                   .idle_since = story.now - idle}});
    story.had_word({.replica = kReplica,
                    .slot = kSlot,
                    .generation = kGeneration,
                    .in_flight = in_flight,
                    .is_closed = state != State::Ready});
  }
  void takes_over(State state, std::uint64_t revision = 101) {
    story.post(found(state, revision));
    story.post(model::RecoveryFinished{});
  }

  static constexpr ReplicaId kReplica{(std::uint64_t{1} << 39) + 1};
  static constexpr std::uint32_t kSlot = 11;
  static constexpr std::uint32_t kGeneration = 77;
  Story story;
  Duration idle{};
};

constexpr ReplicaId kReplica = Successor::kReplica;

TEST(Takeover, AReadyReplicaKeepsItsWordAndWhatRunsInIt) {
  Successor s;
  s.was(State::Ready, 2);
  s.takes_over(State::Ready);
  EXPECT_EQ(s.story.in_flight(kReplica), 2u);
  EXPECT_EQ(s.story.routes.at({1}).replicas.at(0).generation, Successor::kGeneration);
}

TEST(Takeover, AReplicaThatWasReadyNeedsNoFreshProof) {
  Successor s;
  s.was(State::Ready, 1);
  s.takes_over(State::Loading);
  EXPECT_EQ(s.story.state(kReplica), State::Ready);
  EXPECT_EQ(s.story.in_flight(kReplica), 1u);
  s.story.moved(kReplica, State::Ready);
  EXPECT_EQ(s.story.in_flight(kReplica), 1u);
}

TEST(Takeover, AReplicaThatWasBeingParkedIsOpenedAfresh) {
  Successor s;
  s.was(State::Parking);
  s.takes_over(State::Ready);
  EXPECT_TRUE(s.story.is_open(kReplica));
  EXPECT_NE(s.story.routes.at({1}).replicas.at(0).generation, Successor::kGeneration);
}

// An upgrade every hour must not keep a replica warm for ever.
TEST(Takeover, TheTimeInWhichAReplicaWasIdleCounts) {
  for (const State was : {State::Ready, State::Parked}) {
    Successor used;
    used.story.now = used.story.now + 240h;
    used.was(was);
    used.takes_over(was);
    used.story.pass(1s);
    EXPECT_EQ(used.story.state(kReplica), was);
    Successor idle;
    idle.idle = 239h;
    idle.story.now = idle.story.now + 240h;
    idle.was(was);
    idle.takes_over(was);
    idle.story.pass(1s);
    EXPECT_NE(idle.story.state(kReplica), was);
  }
}

// It may lie in the future only where the other process is mistaken.
TEST(Takeover, NobodyWasIdleInTheFuture) {
  Successor s;
  s.idle = -1000h;
  s.was(State::Ready);
  s.takes_over(State::Ready);
  s.story.pass(24h);
  EXPECT_NE(s.story.state(kReplica), State::Ready);
}

TEST(Takeover, ADrainingReplicaGoesOnDrainingAndIsStoppedWithItsLastRequest) {
  Successor s;
  s.was(State::Draining, 1);
  s.takes_over(State::Ready);
  EXPECT_EQ(s.story.state(kReplica), State::Draining);
  EXPECT_FALSE(s.story.is_routed(kReplica));
  EXPECT_TRUE(s.story.stopped.empty());
  s.story.give_back(kReplica);
  EXPECT_EQ(s.story.stopped.size(), 1u);
}

TEST(Takeover, ADrainingReplicaWithoutWorkIsStoppedAtOnce) {
  Successor s;
  s.was(State::Draining);
  s.takes_over(State::Ready);
  EXPECT_EQ(s.story.state(kReplica), State::Stopping);
}

TEST(Takeover, AnUnwellReplicaIsStillKilledWhereItDoesNotDrain) {
  Successor s;
  s.was(State::Draining, 1, model::ExitCause::Unhealthy);
  s.takes_over(State::Ready);
  s.story.pass(life::kUnwellDrainMax + 1s);
  ASSERT_EQ(s.story.stopped.size(), 1u);
  EXPECT_EQ(s.story.stopped[0].cause, model::ExitCause::Unhealthy);
}

TEST(Takeover, AStoppingReplicaIsToldAgain) {
  Successor s;
  s.was(State::Stopping);
  s.takes_over(State::Ready);
  EXPECT_EQ(s.story.state(kReplica), State::Stopping);
  EXPECT_FALSE(s.story.is_routed(kReplica));
  ASSERT_EQ(s.story.stopped.size(), 1u);
  s.story.carry_out_stops();
  EXPECT_EQ(s.story.state(kReplica), State::Gone);
}

TEST(Takeover, AReplicaOfADeletedAppIsStoppedWhenItsLastRequestHasEnded) {
  Successor s;
  s.was(State::Draining, 1);
  s.takes_over(State::Ready, kDeadRevision);
  EXPECT_TRUE(s.story.stopped.empty());
  ASSERT_EQ(s.story.hand_over().replicas.size(), 1u);
  s.story.give_back(kReplica);
  ASSERT_EQ(s.story.stopped.size(), 1u);
  EXPECT_TRUE(s.story.hand_over().replicas.empty());
}

TEST(Takeover, HandsOverEveryReplicaWithItsStateAndItsWord) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.becomes_ready(story.last_started());
  const Handed handed = story.hand_over();
  ASSERT_EQ(handed.replicas.size(), 1u);
  EXPECT_EQ(handed.replicas[0].replica, story.last_started());
  EXPECT_EQ(handed.replicas[0].state, State::Ready);
  EXPECT_EQ(handed.replicas[0].generation, story.routes.at({1}).replicas.at(0).generation);
  ASSERT_EQ(handed.lines.size(), 1u);
  EXPECT_EQ(handed.lines[0].facts.replica, story.last_started());
}

// The line of the process before goes on: no time is in no row, none is in two.
TEST(Takeover, UsageGoesOnWithoutAGapOrAnOverlap) {
  Story before;
  before.deploy(1, Story::spec("a"));
  before.request(1);
  before.becomes_ready(before.last_started(), 2s);
  before.pass(15s);
  const Handed handed = before.hand_over();
  const ReplicaId id = before.last_started();

  Story after({}, /*is_recovered=*/false);
  after.now = before.now + 300ms;
  after.post(model::RevisionRestored{after.revision(1, 1, Story::spec("a")), true});
  for (const model::KeptReplica& kept : handed.replicas) after.post(model::ReplicaKept{kept});
  for (const model::MeterLine& line : handed.lines) after.post(model::MeterLineKept{line});
  after.had_word({.replica = id, .slot = 0, .generation = 1, .in_flight = 1});
  after.post(model::ReplicaFound{.replica = id,
                                 .revision = {101},
                                 .state = State::Ready,
                                 .lease = {.node = {1}, .accelerators = {0}, .memory = 1_GiB},
                                 .slot = 0});
  after.post(model::RecoveryFinished{});
  after.pass(20s);

  std::vector<model::Usage> rows = before.usage;
  rows.insert(rows.end(), after.usage.begin(), after.usage.end());
  ASSERT_FALSE(before.usage.empty());
  ASSERT_FALSE(after.usage.empty());
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].span.from, rows[i - 1].span.to);
    EXPECT_EQ(rows[i].sequence, rows[i - 1].sequence + 1);
  }
}

TEST(Takeover, AReplicaThatDiedInBetweenIsBilledUntilThen) {
  Story before;
  before.deploy(1, Story::spec("a"));
  before.request(1);
  before.becomes_ready(before.last_started());
  const Handed handed = before.hand_over();
  Successor s;
  s.story.now = before.now + 1s;
  for (const model::MeterLine& line : handed.lines) s.story.post(model::MeterLineKept{line});
  s.story.post(model::RecoveryFinished{});
  s.story.pass(2s);
  EXPECT_FALSE(s.story.usage.empty());
  EXPECT_TRUE(s.story.hand_over().lines.empty());
}

TEST(DataPlaneLeaves, UsageWaitsForItsLoopsUntilThen) {
  Successor s(2);
  s.was(State::Ready, 1);
  s.takes_over(State::Ready);
  s.story.pass(20s);
  EXPECT_TRUE(s.story.usage.empty());
  s.story.post(model::DataPlaneLeft{.first_loop = 1, .loops = 1});
  s.story.pass(2s);
  EXPECT_FALSE(s.story.usage.empty());
}

TEST(DataPlaneLeaves, WhatItHeldServesThoseWhoWait) {
  Successor s(2);
  s.was(State::Ready, 4);
  s.takes_over(State::Ready);
  s.story.request(1);
  EXPECT_FALSE(s.story.handover_of(1));
  s.story.lose_work(kReplica);
  s.story.post(model::DataPlaneLeft{.first_loop = 1, .loops = 1});
  EXPECT_TRUE(s.story.handover_of(1));
}

TEST(DataPlaneLeaves, WhatItHeldNoLongerKeepsADrainingReplica) {
  Successor s(2);
  s.was(State::Draining, 1);
  s.takes_over(State::Ready);
  EXPECT_EQ(s.story.state(kReplica), State::Draining);
  s.story.lose_work(kReplica);
  s.story.post(model::DataPlaneLeft{.first_loop = 1, .loops = 1});
  EXPECT_EQ(s.story.state(kReplica), State::Stopping);
}

}  // namespace
}  // namespace kelvin::control
