#include "core/control/story_test.h"
#include "model/ids.h"

namespace kelvin::control {
namespace {

using model::State;

model::ReplicaFound found(std::uint64_t counter, State state, std::uint32_t accelerator,
                          std::uint64_t revision = 101) {
  return {.replica = ReplicaId{(std::uint64_t{1} << 39) + counter},
          .revision = {revision},
          .state = state,
          .lease = {.node = {1}, .accelerators = {accelerator}, .memory = 1_GiB},
          .slot = static_cast<std::uint32_t>(10 + counter),
          .port = 9100,
          .pid = 4242,
          .usage_sequence = 7};
}

struct Restart {
  explicit Restart(model::AppSpec spec = Story::spec("a"))
      : story(StoryOptions{}, /*is_recovered=*/false) {
    story.post(model::RevisionRestored{story.revision(1, 1, spec), true});
  }
  Story story;
};

TEST(Adoption, AReadyReplicaServesOn) {
  Restart r;
  r.story.post(found(1, State::Ready, 0));
  r.story.post(model::RecoveryFinished{});
  const ReplicaId id = found(1, State::Ready, 0).replica;
  EXPECT_TRUE(r.story.is_open(id));
  EXPECT_TRUE(r.story.is_routed(id));
  EXPECT_TRUE(r.story.replica(id).is_adopted);
  EXPECT_TRUE(r.story.started.empty());
  EXPECT_TRUE(r.story.take_slot(id));
}

TEST(Adoption, ALoadingReplicaIsWaitedFor) {
  Restart r;
  r.story.post(found(1, State::Loading, 0));
  r.story.post(model::RecoveryFinished{});
  r.story.request(1);
  EXPECT_TRUE(r.story.started.empty());
  r.story.moved(found(1, State::Loading, 0).replica, State::Ready);
  EXPECT_TRUE(r.story.handover_of(1));
}

TEST(Adoption, AParkedReplicaIsResumedForARequest) {
  Restart r;
  r.story.post(found(1, State::Parked, 0));
  r.story.post(model::RecoveryFinished{});
  EXPECT_EQ(r.story.app().condition, model::Condition::Parked);
  r.story.request(1);
  EXPECT_EQ(r.story.resumed.size(), 1u);
}

TEST(Adoption, ParkedCopiesAreAllKeptAsIfTheyHadJustBeenCalledFor) {
  Restart r;
  r.story.post(found(1, State::Parked, 0));
  r.story.post(found(2, State::Parked, 0));
  r.story.post(model::RecoveryFinished{});
  r.story.pass(30s);
  EXPECT_EQ(r.story.count(State::Parked), 2u) << r.story.last_sentence("stop");
  r.story.pass(1h);
  EXPECT_EQ(r.story.count(State::Parked), 0u);
}

TEST(Adoption, HoldsTheLeaseThatWasFound) {
  Restart r;
  r.story.post(found(1, State::Ready, 1));
  r.story.deploy(2);
  r.story.post(model::RecoveryFinished{});
  r.story.request(1, 2);
  ASSERT_EQ(r.story.started.size(), 1u);
  EXPECT_EQ(r.story.started[0].lease.accelerators, std::vector<std::uint32_t>{0});
}

TEST(Adoption, AnUnknownRevisionIsStoppedAndHoldsItsThingsUntilItIsGone) {
  Restart r;
  r.story.post(found(1, State::Ready, 0, 999));
  r.story.post(model::RecoveryFinished{});
  ASSERT_EQ(r.story.stopped.size(), 1u);
  EXPECT_EQ(r.story.stopped[0].replica, found(1, State::Ready, 0).replica);
  r.story.request(1);
  ASSERT_EQ(r.story.started.size(), 1u);
  EXPECT_EQ(r.story.started[0].lease.accelerators, std::vector<std::uint32_t>{1});
  r.story.carry_out_stops();
  r.story.deploy(2);
  r.story.request(2, 2);
  EXPECT_EQ(r.story.started[1].lease.accelerators, std::vector<std::uint32_t>{0});
}

TEST(Adoption, OverlappingLeasesAreNotBelieved) {
  Restart r;
  r.story.post(found(1, State::Ready, 0));
  r.story.post(found(2, State::Ready, 0));
  r.story.post(model::RecoveryFinished{});
  ASSERT_EQ(r.story.stopped.size(), 1u);
  EXPECT_EQ(r.story.stopped[0].replica, found(2, State::Ready, 0).replica);
}

TEST(Adoption, AnUnknownParkedReplicaHoldsNoAccelerators) {
  Restart r;
  r.story.post(found(1, State::Parked, 0, 999));
  r.story.post(found(2, State::Ready, 0));
  r.story.post(model::RecoveryFinished{});
  ASSERT_EQ(r.story.stopped.size(), 1u);
  EXPECT_EQ(r.story.stopped[0].replica, found(1, State::Parked, 0).replica);
  EXPECT_TRUE(r.story.is_routed(found(2, State::Ready, 0).replica));
}

TEST(Adoption, UsageGoesOnWithTheNextSequence) {
  Restart r;
  r.story.post(found(1, State::Ready, 0));
  r.story.post(model::RecoveryFinished{});
  r.story.pass(1s);
  r.story.gone(found(1, State::Ready, 0).replica, {.cause = model::ExitCause::Killed, .code = 9});
  r.story.pass(1s);
  ASSERT_FALSE(r.story.usage.empty());
  EXPECT_EQ(r.story.usage[0].sequence, 7u);
}

TEST(Adoption, AnOlderRevisionServesUntilTheActiveOneIsReady) {
  Restart r;
  r.story.post(model::RevisionRestored{r.story.revision(1, 2, Story::spec("a")), true});
  r.story.post(found(1, State::Ready, 0, 101));
  r.story.post(model::RecoveryFinished{});
  const ReplicaId old = found(1, State::Ready, 0).replica;
  EXPECT_TRUE(r.story.is_routed(old));
  ASSERT_EQ(r.story.started.size(), 1u);
  EXPECT_EQ(r.story.started[0].revision->number, 2u);
  r.story.becomes_ready(r.story.last_started());
  EXPECT_EQ(r.story.state(old), State::Stopping);
}

TEST(Recovery, NamesEveryAppToTheGatewayAndStartsMinReplicas) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_min = 1;
  Restart r(spec);
  r.story.post(model::RevisionRestored{r.story.revision(2, 1, Story::spec("b")), true});
  EXPECT_TRUE(r.story.started.empty());
  r.story.post(model::RecoveryFinished{});
  EXPECT_EQ(r.story.routes.size(), 2u);
  EXPECT_EQ(r.story.started.size(), 1u);
  EXPECT_EQ(r.story.app(2).condition, model::Condition::Cold);
}

TEST(Recovery, RequestsThatComeEarlyWait) {
  Restart r;
  r.story.request(1);
  EXPECT_TRUE(r.story.started.empty());
  r.story.post(model::RecoveryFinished{});
  EXPECT_EQ(r.story.started.size(), 1u);
}

TEST(Recovery, ANewIdIsNeverAnOldOne) {
  WorldPtr world = make_world({.epoch = 3});
  const Instant now{1'000'000'000};
  (void)step(*world, model::NodeChanged{Story::node({})}, now);
  (void)step(*world, model::RecoveryFinished{}, now);
  model::Revision revision{.id = {1}, .app = {1}, .spec = Story::spec("a")};
  (void)step(*world, model::RevisionDeployed{std::make_shared<model::Revision>(revision)}, now);
  (void)step(*world, model::WakeAsked{{1}}, now);
  EXPECT_EQ(model::to_text(view_replicas(*world, {1})[0].id), "r3-1");
}

}  // namespace
}  // namespace kelvin::control
