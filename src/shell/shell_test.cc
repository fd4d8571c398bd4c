#include "shell/shell.h"

#include <gtest/gtest.h>

#include <array>

#include "shell/doubles_test.h"

namespace kelvin::shell {
namespace {

std::shared_ptr<const model::Revision> revision_of(AppId app) {
  model::Revision revision;
  revision.id = {app.value};
  revision.app = app;
  revision.spec.name = "echo";
  revision.spec.command = {"echo"};
  return std::make_shared<const model::Revision>(std::move(revision));
}

class ShellTest : public testing::Test {
 protected:
  ShellTest() {
    model::Node node{.id = {1}, .name = "here", .memory = 8_GiB, .pools = {{"cpu", 4, {}}}};
    cluster.found.push_back(model::NodeChanged{node});
    data_plane.control = &shell;
    data_plane.clock = &clock;
  }

  void start() {
    const Status started = shell.start({.clock = clock,
                                        .cluster = cluster,
                                        .data_plane = data_plane,
                                        .store = store,
                                        .slots = slots,
                                        .decisions = decisions,
                                        .log = log});
    ASSERT_TRUE(started) << started.error().what;
  }
  void demand(std::uint64_t request) {
    shell.post(model::Demand{.request = {request}, .app = app, .arrived = clock.now()});
  }

  const AppId app{7};
  FakeClock clock;
  FakeCluster cluster;
  FakeDataPlane data_plane;
  FakeStore store;
  std::array<os::SlotEntry, 16> memory;
  os::SlotTable slots{memory};
  obs::DecisionLog decisions;
  obs::Log log = obs::Log::silent();
  Shell shell{control::Settings{.slots_max = 16}};
};

TEST_F(ShellTest, StartsAReplicaForADemandAndHandsItOverWithASlotTaken) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  demand(1);
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 1; }));
  const model::RouteReplica replica = data_plane.handovers[0].replica;
  EXPECT_EQ(data_plane.handovers[0].request, RequestId{1});
  EXPECT_EQ(data_plane.handovers[0].woke_from, model::Temperature::Cold);
  EXPECT_EQ(slots.read(replica.slot).in_flight, 1u);
  EXPECT_FALSE(slots.read(replica.slot).is_closed);
}

TEST_F(ShellTest, FeedsARefusedHandoverBackSoThatTheRequestWaitsForTheNextFreeSlot) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  for (std::uint64_t i = 1; i <= 40; ++i) demand(i);
  // 4 replicas of 4 slots at most: the rest waits.
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 16; }));
  const model::RouteReplica replica = data_plane.handovers[0].replica;
  (void)slots.give_back({.slot = replica.slot, .generation = replica.generation}, clock.now());
  shell.post(model::SlotFree{replica.id});
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 17; }));
}

TEST_F(ShellTest, AViewAfterAPostShowsWhatThePostDid) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  const std::vector<model::AppView> apps = shell.apps();
  ASSERT_EQ(apps.size(), 1u);
  EXPECT_EQ(apps[0].revision.spec.name, "echo");
}

TEST_F(ShellTest, AdoptsWhatRunsAndGoesOnCountingItsUsage) {
  store.stored.push_back({.revision = *revision_of(app), .is_active = true});
  store.first_free_sequence = 42;
  cluster.found.push_back(model::ReplicaFound{.replica = {99},
                                              .revision = {app.value},
                                              .state = model::State::Ready,
                                              .lease = {.node = {1}, .accelerators = {0}},
                                              .slot = 3,
                                              .port = 9001,
                                              .pid = 5});
  start();
  ASSERT_EQ(shell.replicas(app).size(), 1u);
  EXPECT_TRUE(shell.replicas(app)[0].is_adopted);
  EXPECT_FALSE(slots.read(3).is_closed);
  EXPECT_TRUE(shell.shut_down(10s));
  ASSERT_FALSE(store.rows.empty());
  EXPECT_EQ(store.rows[0].sequence, 42u);
}

TEST_F(ShellTest, KnowsAtItsStartHowTrafficWasSplit) {
  store.stored.push_back({.revision = *revision_of(app), .is_active = true});
  store.shares.push_back({.app = app, .shares = {{.revision = {app.value}, .percent = 100}}});
  start();
  ASSERT_EQ(shell.apps().size(), 1u);
  ASSERT_EQ(shell.apps()[0].traffic.size(), 1u);
  EXPECT_EQ(shell.apps()[0].traffic[0].percent, 100u);
}

TEST_F(ShellTest, SaysThePlaceOfARequestThatWaits) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  shell.post(model::Demand{
      .request = {1}, .app = app, .priority = model::Priority::Low, .arrived = clock.now()});
  const auto waiting = shell.find_request({1});
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->place, 1u);
  EXPECT_FALSE(shell.find_request({2}));
}

TEST_F(ShellTest, TellsTheGatewayWhatARequestWaitsFor) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  shell.post(model::Demand{
      .request = {1}, .app = app, .priority = model::Priority::Low, .arrived = clock.now()});
  shell.post(model::ProgressAsked{.request = {1}, .loop = 0});
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.told.size() == 1; }));
  EXPECT_EQ(data_plane.told[0].request, RequestId{1});
}

TEST_F(ShellTest, ShutsDownEmpty) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  shell.post(model::WakeAsked{app});
  (void)shell.apps();
  EXPECT_TRUE(shell.shut_down(10s));
  EXPECT_TRUE(shell.replicas(AppId{}).empty());
  demand(5);
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return !it.refusals.empty(); }));
  EXPECT_EQ(data_plane.refusals[0].refusal.status, 503);
}

// --- from one process to the next ------------------------------------------------------------------------------------

TEST_F(ShellTest, HandsOverWhatItKnowsAndWhatItHasNotLookedAt) {
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  demand(1);
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 1; }));
  auto left = shell.hand_over(10s);
  ASSERT_TRUE(left);
  ASSERT_EQ(left->handed.replicas.size(), 1u);
  EXPECT_EQ(left->handed.replicas[0].state, model::State::Ready);
  EXPECT_EQ(left->handed.replicas[0].generation, data_plane.handovers[0].replica.generation);
  EXPECT_EQ(left->handed.lines.size(), 1u);
}

TEST_F(ShellTest, KeepsControlWhereTheStoreDoesNotTakeTheUsage) {
  store.failures_left = 1'000'000;
  start();
  shell.post(model::RevisionDeployed{revision_of(app)});
  demand(1);
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 1; }));
  clock.ns += 20'000'000'000;
  demand(2);
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 2; }));
  (void)shell.apps();  // the usage of that moment is on its way
  EXPECT_FALSE(shell.hand_over(1ms));
  demand(3);
  EXPECT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 3; }));
  store.failures_left = 0;
}

// What the process before took stays taken, and what is handed to one of its requests counts there.
TEST_F(ShellTest, SlotsOfRequestsInAnotherProcessAreOfItsSide) {
  const ReplicaId replica{5};
  cluster.found.push_back(
      model::ReplicaFound{.replica = replica,
                          .revision = {app.value},
                          .state = model::State::Ready,
                          .lease = {.node = {1}, .accelerators = {0}, .memory = 1_GiB},
                          .slot = 3,
                          .port = 9000});
  store.stored.push_back({.revision = *revision_of(app), .is_active = true});
  slots.open({.slot = 3, .generation = 9});
  os::SlotTable theirs = slots.of_other_side();
  ASSERT_TRUE(theirs.try_take({.slot = 3, .generation = 9}, 4));
  const Status started = shell.start(
      {.clock = clock,
       .cluster = cluster,
       .data_plane = data_plane,
       .store = store,
       .slots = slots,
       .decisions = decisions,
       .log = log,
       .loops_here = 1},
      {.replicas = {{.replica = replica, .state = model::State::Ready, .generation = 8}},
       .lines = {}});
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_EQ(slots.read(3).in_flight, 1u);
  shell.post(model::Demand{.request = {1}, .app = app, .loop = 1, .arrived = clock.now()});
  ASSERT_TRUE(data_plane.wait_until([](auto& it) { return it.handovers.size() == 1; }));
  EXPECT_EQ(data_plane.handovers[0].replica.generation, 9u);
  EXPECT_EQ(slots.read(3).held_by(os::SlotSide::Second), 2u);
  EXPECT_EQ(slots.read(3).held_by(os::SlotSide::First), 0u);
}

}  // namespace
}  // namespace kelvin::shell
