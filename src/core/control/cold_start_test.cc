#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::Phase;
using model::State;
using model::Temperature;

Duration stage(const model::Handover& handover, Phase phase) {
  Duration time = 0s;
  for (const model::StageTime& stage : handover.stages)
    time += stage.phase == phase ? stage.time : 0s;
  return time;
}

TEST(ColdStart, BeginsWithTheFirstRequestWithoutATick) {
  Story story;
  story.deploy(1);
  EXPECT_TRUE(story.started.empty());
  story.request(7);
  ASSERT_EQ(story.started.size(), 1u);
  EXPECT_EQ(story.started[0].lease.node.value, 1u);
  EXPECT_EQ(story.started[0].lease.accelerators, std::vector<std::uint32_t>{0});
  EXPECT_EQ(story.app().condition, model::Condition::Starting);
  EXPECT_EQ(story.app().waiting, 1u);
}

TEST(ColdStart, HandsTheRequestOverWhenTheReplicaIsReady) {
  Story story;
  story.deploy(1);
  story.request(7);
  story.becomes_ready(story.last_started(), 2s);
  ASSERT_TRUE(story.handover_of(7));
  EXPECT_EQ(story.handover_of(7)->woke_from, Temperature::Cold);
  EXPECT_TRUE(story.is_routed(story.last_started()));
  EXPECT_EQ(story.in_flight(story.last_started()), 1u);
  EXPECT_EQ(story.app().condition, model::Condition::Ready);
  EXPECT_EQ(story.app().waiting, 0u);
}

TEST(ColdStart, OpensSlotsBeforeTheRouteAndTheRouteBeforeTheHandover) {
  WorldPtr world = make_world({});
  Instant now{1'000'000'000};
  const auto post = [&](const model::Event& event) { return step(*world, event, now); };
  (void)post(model::NodeChanged{Story::node({})});
  (void)post(model::RecoveryFinished{});
  model::Revision revision{.id = {1}, .app = {1}, .spec = Story::spec("a")};
  (void)post(model::RevisionDeployed{std::make_shared<model::Revision>(revision)});
  (void)post(model::Demand{.request = {1}, .app = {1}, .arrived = now});
  const ReplicaId id = view_replicas(*world, {1})[0].id;
  std::vector<std::string> order;
  for (const auto& effect : post(model::ReplicaMoved{.replica = id, .to = State::Ready})) {
    if (std::holds_alternative<model::OpenSlots>(effect)) order.push_back("open");
    if (std::holds_alternative<model::RouteChanged>(effect)) order.push_back("route");
    if (std::holds_alternative<model::Handover>(effect)) order.push_back("handover");
  }
  EXPECT_EQ(order, (std::vector<std::string>{"open", "route", "handover"}));
}

TEST(ColdStart, SaysWhereTheWaitingWent) {
  Story story;
  story.deploy(1);
  story.request(7);
  const ReplicaId id = story.last_started();
  story.pass(100ms);
  story.moved(id, State::Fetching);
  story.pass(300ms);
  story.moved(id, State::Starting);
  story.pass(20ms);
  story.moved(id, State::Loading);
  story.pass(500ms);
  story.request(8);
  story.pass(500ms);
  story.moved(id, State::Ready);

  const model::Handover& first = *story.handover_of(7);
  EXPECT_EQ(stage(first, Phase::Queue), 100ms);
  EXPECT_EQ(stage(first, Phase::Fetch), 300ms);
  EXPECT_EQ(stage(first, Phase::Start), 20ms);
  EXPECT_EQ(stage(first, Phase::Load), 1s);
  const model::Handover& late = *story.handover_of(8);
  EXPECT_EQ(stage(late, Phase::Load), 500ms);
  EXPECT_EQ(stage(late, Phase::Queue), 0s);
  EXPECT_EQ(late.woke_from, Temperature::Cold);
}

TEST(ColdStart, CountsWaitingForASlotAsQueueing) {
  Story story({.cpus = 1});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id, 1s);
  story.pass(3s);
  story.give_back(id, true);
  const model::Handover& second = *story.handover_of(2);
  EXPECT_EQ(stage(second, Phase::Load), 1s);
  EXPECT_EQ(stage(second, Phase::Queue), 3s);
}

TEST(ColdStart, UnderstandsAReplicaThatSkipsStates) {
  Story story;
  story.deploy(1);
  story.request(7);
  story.moved(story.last_started(), State::Ready);
  EXPECT_TRUE(story.handover_of(7));
  story.moved(story.last_started(), State::Starting);
  EXPECT_EQ(story.state(story.last_started()), State::Ready);
}

TEST(ColdStart, IgnoresMessagesAboutReplicasNobodyKnows) {
  Story story;
  story.deploy(1);
  const ReplicaId unknown{999};
  story.moved(unknown, State::Ready);
  story.gone(unknown, {});
  story.post(model::SlotFree{unknown});
  story.post(model::SlotsDrained{unknown});
  story.post(model::ConnectionsClosed{unknown});
  story.post(model::MoveFailed{.replica = unknown});
  story.post(model::ReplicaSuspected{.replica = unknown});
  story.post(model::RequestLeft{{5}});
  story.post(model::HandoverRefused{.request = {5}, .replica = unknown});
  EXPECT_TRUE(story.is_at_rest());
}

TEST(Queueing, ServesKeysInTurn) {
  Story story({.cpus = 1});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  for (std::uint64_t id : {1U, 2U, 3U}) story.request(id, 1, 5);
  story.request(4, 1, 6);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id);
  for (int i = 0; i < 3; ++i) story.give_back(id, true);
  EXPECT_EQ(story.handed_over(), "1 4 2 3 ");
}

TEST(Queueing, KeepsThePlaceOfARequestThatLostARace) {
  Story story({.cpus = 1});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  const ReplicaId id = story.last_started();
  story.race_next_handover();
  story.becomes_ready(id);
  EXPECT_EQ(story.app().waiting, 2u);
  EXPECT_TRUE(story.has_decided("queue", "goes back to its place"));
  story.post(model::SlotFree{id});
  EXPECT_EQ(story.handed_over(), "1 ");
}

TEST(Queueing, PassesASlotOnWhenTheClientHasLeft) {
  Story story({.cpus = 1});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id);
  story.give_back(id);
  story.post(model::HandoverRefused{
      .request = {1}, .replica = id, .problem = model::HandoverProblem::ClientLeft});
  EXPECT_EQ(story.handed_over(), "1 2 ");
}

TEST(Queueing, ForgetsARequestWhoseClientLeft) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.request(2);
  story.post(model::RequestLeft{{1}});
  story.becomes_ready(story.last_started());
  EXPECT_EQ(story.handed_over(), "2 ");
}

TEST(Queueing, CountsARequestOnceHoweverOftenItIsAnnounced) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.request(1);
  EXPECT_EQ(story.app().waiting, 1u);
  EXPECT_TRUE(story.refusals.empty());
}

TEST(Queueing, RefusesWith429BeyondItsLimit) {
  Story story;
  model::AppSpec spec = Story::spec("a");
  spec.queue.requests_max = 2;
  story.deploy(1, spec);
  for (std::uint64_t id : {1U, 2U, 3U}) story.request(id);
  ASSERT_TRUE(story.refusal_of(3));
  EXPECT_EQ(story.refusal_of(3)->refusal.status, 429);
  EXPECT_EQ(story.refusal_of(3)->refusal.code, "queue_full");
  EXPECT_GT(story.refusal_of(3)->refusal.retry_after, 0s);
}

TEST(Queueing, EndsTheWaitWith503ButNotTheStart) {
  Story story;
  model::AppSpec spec = Story::spec("a");
  spec.queue.wait = 30s;
  story.deploy(1, spec);
  story.request(1);
  const ReplicaId id = story.last_started();
  story.loads(id);
  story.pass(29s);
  EXPECT_FALSE(story.refusal_of(1));
  story.pass(1s);
  ASSERT_TRUE(story.refusal_of(1));
  EXPECT_EQ(story.refusal_of(1)->refusal.status, 503);
  EXPECT_GT(story.refusal_of(1)->refusal.retry_after, 0s);
  EXPECT_NE(story.refusal_of(1)->refusal.sentence.find("loading"), std::string::npos);
  EXPECT_EQ(story.state(id), State::Loading);
  EXPECT_TRUE(story.stopped.empty());
  story.moved(id, State::Ready);
  EXPECT_EQ(story.state(id), State::Ready);
}

TEST(Queueing, RefusesRequestsForAppsThatDoNotExist) {
  Story story;
  story.request(1, 77);
  ASSERT_TRUE(story.refusal_of(1));
  EXPECT_EQ(story.refusal_of(1)->refusal.status, 404);
}

TEST(Placement, RefusesAtOnceWhatNoNodeCouldEverHold) {
  Story story;
  model::AppSpec spec = Story::spec("a");
  spec.needs = {{.kind = "h100"}};
  story.deploy(1, spec);
  story.request(1);
  ASSERT_TRUE(story.refusal_of(1));
  EXPECT_EQ(story.refusal_of(1)->refusal.status, 503);
  EXPECT_EQ(story.refusal_of(1)->refusal.code, "no_accelerator");
  EXPECT_NE(
      story.refusal_of(1)->refusal.sentence.find("n1: no such accelerator kind (1 h100 wanted)"),
      std::string::npos);
  EXPECT_TRUE(story.replicas().empty());
  EXPECT_NE(story.app().reason.find("h100"), std::string::npos);
}

TEST(Placement, WaitsForABusyAcceleratorAndSaysSo) {
  Story story({.cpus = 1});
  story.deploy(1);
  story.deploy(2);
  story.request(1, 1);
  const ReplicaId first = story.last_started();
  story.becomes_ready(first);
  story.request(2, 2);
  EXPECT_EQ(story.started.size(), 1u);
  EXPECT_FALSE(story.refusal_of(2));
  EXPECT_EQ(story.app(2).condition, model::Condition::Starting);
  EXPECT_NE(story.app(2).reason.find("0 of 1 free"), std::string::npos) << story.app(2).reason;
}

TEST(Placement, GivesUpAPlanThatNobodyWaitsForAnyMore) {
  Story story({.cpus = 1});
  story.deploy(1);
  story.deploy(2);
  story.request(1, 1);
  story.becomes_ready(story.last_started());
  story.request(2, 2);
  EXPECT_EQ(story.replicas(2).size(), 1u);
  story.post(model::RequestLeft{{2}});
  EXPECT_TRUE(story.replicas(2).empty());
  EXPECT_EQ(story.app(2).condition, model::Condition::Cold);
}

TEST(Placement, RefusesByNameWhenTheSlotTableIsFull) {
  Story story({.cpus = 4, .slots_max = 1});
  story.deploy(1);
  story.deploy(2);
  story.request(1, 1);
  story.request(2, 2);
  ASSERT_TRUE(story.refusal_of(2));
  EXPECT_EQ(story.refusal_of(2)->refusal.code, "too_many_replicas");
}

TEST(Idle, AColdPlatformAsksForNoTicks) {
  Story story;
  for (std::uint64_t app = 1; app <= 100; ++app) story.deploy(app);
  EXPECT_TRUE(story.is_at_rest());
}

}  // namespace
}  // namespace kelvin::control
