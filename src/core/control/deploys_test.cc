#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::Exit;
using model::ExitCause;
using model::State;

const Exit kExited{.cause = ExitCause::Exited, .code = 1};

// Revision 1 serves one request.
struct Serving {
  explicit Serving(model::AppSpec spec = Story::spec("a")) {
    story.deploy(1, std::move(spec));
    story.request(1);
    old = story.last_started();
    story.becomes_ready(old, 1s);
  }
  Story story;
  ReplicaId old;
};

TEST(Deploy, SwitchesAtOnceWhenTheAppIsCold) {
  Story story;
  story.deploy(1);
  story.deploy(1, Story::spec("app1"), 2);
  EXPECT_EQ(story.app().revision.number, 2u);
  EXPECT_TRUE(story.started.empty());
  story.request(1);
  EXPECT_EQ(story.started[0].revision->number, 2u);
}

TEST(Deploy, StartsTheNewWhileTheOldGoesOnServing) {
  Serving s;
  s.story.deploy(1, Story::spec("a"), 2);
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.story.started[1].revision->number, 2u);
  EXPECT_EQ(s.story.state(s.old), State::Ready);
  EXPECT_TRUE(s.story.is_routed(s.old));
}

TEST(Deploy, DrainsTheOldWhenTheNewIsReady) {
  Serving s;
  s.story.deploy(1, Story::spec("a"), 2);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_EQ(s.story.state(s.old), State::Draining);
  EXPECT_FALSE(s.story.is_routed(s.old));
  EXPECT_TRUE(s.story.is_routed(s.story.last_started()));
  EXPECT_TRUE(s.story.stopped.empty()) << "it has work";
  s.story.pass(600s);
  EXPECT_EQ(s.story.state(s.old), State::Draining) << "a drain has no limit";
  s.story.give_back(s.old);
  EXPECT_EQ(s.story.state(s.old), State::Stopping);
}

TEST(Deploy, KeepsTheOldWhenTheNewCannotStart) {
  Serving s;
  s.story.deploy(1, Story::spec("a"), 2);
  for (int i = 0; i < 3; ++i) {
    s.story.loads(s.story.last_started());
    s.story.gone(s.story.last_started(), kExited);
    s.story.pass(5s);
  }
  EXPECT_EQ(s.story.started.size(), 4u);
  EXPECT_EQ(s.story.app().condition, model::Condition::Failing);
  EXPECT_NE(s.story.app().reason.find("revision 1 goes on serving"), std::string::npos);
  EXPECT_TRUE(s.story.is_routed(s.old));
  s.story.give_back(s.old);
  s.story.request(2);
  s.story.post(model::SlotFree{s.old});
  EXPECT_TRUE(s.story.handover_of(2));
}

TEST(Deploy, TriesTheNewAgainAfterBackOffWhenThereIsTraffic) {
  Serving s;
  s.story.deploy(1, Story::spec("a"), 2);
  for (int i = 0; i < 3; ++i) {
    s.story.gone(s.story.last_started(), kExited);
    s.story.pass(5s);
  }
  s.story.pass(30s);
  s.story.report_busy();
  EXPECT_EQ(s.story.started.size(), 5u);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_EQ(s.story.state(s.old), State::Draining);
}

TEST(Deploy, StopsParkedReplicasOfOlderRevisions) {
  Serving s;
  s.story.give_back(s.old);
  s.story.pass(2s);
  s.story.finish_parking(s.old);
  s.story.deploy(1, Story::spec("a"), 2);
  EXPECT_EQ(s.story.state(s.old), State::Stopping);
  EXPECT_EQ(s.story.started.size(), 1u) << "nobody waits, so nothing is started";
}

TEST(Deploy, ReplacesAStartThatIsUnderWay) {
  Story story;
  story.deploy(1);
  story.request(1);
  const ReplicaId old = story.last_started();
  story.loads(old);
  story.deploy(1, Story::spec("app1"), 2);
  EXPECT_EQ(story.state(old), State::Stopping);
  ASSERT_EQ(story.started.size(), 2u);
  story.becomes_ready(story.last_started());
  EXPECT_TRUE(story.handover_of(1));
  story.carry_out_stops();
  EXPECT_EQ(story.app().condition, model::Condition::Ready);
}

TEST(Deploy, RollbackToTheRevisionThatStillServesEndsTheRollout) {
  Serving s;
  s.story.deploy(1, Story::spec("a"), 2);
  const ReplicaId fresh = s.story.last_started();
  s.story.post(model::RevisionActivated{{1}, {101}});
  EXPECT_EQ(s.story.app().revision.number, 1u);
  EXPECT_EQ(s.story.state(fresh), State::Stopping);
  EXPECT_EQ(s.story.state(s.old), State::Ready);
  EXPECT_EQ(s.story.started.size(), 2u);
}

TEST(Deploy, ScalesTheOldWhileTheNewStarts) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  Story story({.cpus = 4});
  story.deploy(1, spec);
  story.request(1);
  story.becomes_ready(story.last_started());
  story.deploy(1, spec, 2);
  story.request(2);
  ASSERT_EQ(story.started.size(), 3u);
  EXPECT_EQ(story.started[2].revision->number, 1u);
}

TEST(Deploy, MakesTheOldGiveWayWhereThereIsNoRoomForBoth) {
  Story story({.cpus = 1});
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_min = 1;
  story.deploy(1, spec);
  const ReplicaId old = story.last_started();
  story.becomes_ready(old, 1s);
  ASSERT_TRUE(story.take_slot(old));
  story.deploy(1, spec, 2);
  EXPECT_EQ(story.state(old), State::Draining);
  EXPECT_TRUE(story.has_decided("drain", "has no room beside revision 1"));
  story.request(1);
  EXPECT_EQ(story.started.size(), 1u);
  story.give_back(old);
  story.carry_out_stops();
  ASSERT_EQ(story.started.size(), 2u);
  EXPECT_EQ(story.started[1].revision->number, 2u);
  story.becomes_ready(story.last_started());
  EXPECT_TRUE(story.handover_of(1));
  EXPECT_EQ(story.replicas().size(), 1u);
}

TEST(Deploy, KeepsServingWhereOnlyAnotherAppStandsInTheWay) {
  Story story({.cpus = 2});
  model::AppSpec two = Story::spec("two");
  two.needs = {{.kind = "cpu", .count = 2}};
  story.deploy(1);
  story.deploy(2);
  for (std::uint64_t app : {1U, 2U}) {
    story.request(app, app);
    story.becomes_ready(story.last_started(), 1s);
  }
  const ReplicaId old = story.started[0].replica;
  story.deploy(1, two, 2);
  EXPECT_EQ(story.state(old), State::Ready) << "draining it would not be enough: app 2 has work";
}

TEST(Deploy, WithAFixedPortStopsTheOldFirst) {
  model::AppSpec spec = Story::spec("a");
  spec.fixed_port = 8080;
  Serving s(spec);
  s.story.deploy(1, spec, 2);
  EXPECT_EQ(s.story.state(s.old), State::Draining);
  EXPECT_EQ(s.story.started.size(), 1u);
  s.story.give_back(s.old);
  EXPECT_EQ(s.story.started.size(), 1u) << "the port is not free yet";
  s.story.carry_out_stops();
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.story.started[1].revision->number, 2u);
}

TEST(Deploy, AFixedPortMeansOneReplica) {
  model::AppSpec spec = Story::spec("a");
  spec.fixed_port = 8080;
  spec.scale.concurrency = 1;
  Serving s(spec);
  for (std::uint64_t id : {2U, 3U, 4U}) s.story.request(id);
  EXPECT_EQ(s.story.started.size(), 1u);
}

TEST(Delete, RefusesWaitersAndStopsEverything) {
  Story story({.cpus = 4});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  story.request(1);
  const ReplicaId serving = story.last_started();
  story.becomes_ready(serving);
  story.request(2);
  const ReplicaId loading = story.last_started();
  story.loads(loading);
  story.post(model::AppDeleted{{1}});
  ASSERT_TRUE(story.refusal_of(2));
  EXPECT_EQ(story.refusal_of(2)->refusal.status, 404);
  EXPECT_EQ(story.refusal_of(2)->refusal.code, "app_deleted");
  EXPECT_TRUE(story.routes.at({1}).is_gone);
  EXPECT_EQ(story.state(serving), State::Draining) << "it has work";
  EXPECT_EQ(story.state(loading), State::Stopping);
  story.give_back(serving);
  story.carry_out_stops();
  EXPECT_TRUE(story.replicas().empty());
  story.request(3);
  EXPECT_EQ(story.refusal_of(3)->refusal.status, 404);
  EXPECT_TRUE(story.is_at_rest());
}

TEST(Delete, OfAColdAppForgetsItAtOnce) {
  Story story;
  story.deploy(1);
  story.post(model::AppDeleted{{1}});
  EXPECT_TRUE(story.routes.at({1}).is_gone);
  story.post(model::AppDeleted{{1}});
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 1, .replicas_max = 1});
  story.post(model::WakeAsked{{1}});
  EXPECT_TRUE(story.started.empty());
}

TEST(Wake, StartsOneWithoutARequest) {
  Story story;
  story.deploy(1);
  story.post(model::WakeAsked{{1}});
  ASSERT_EQ(story.started.size(), 1u);
  story.becomes_ready(story.last_started());
  story.post(model::WakeAsked{{1}});
  EXPECT_EQ(story.started.size(), 1u);
  EXPECT_TRUE(story.has_decided("wake", "nothing to wake"));
}

TEST(Shutdown, RefusesWhatWaitsAndEndsEverything) {
  Story story({.cpus = 4});
  model::AppSpec spec = Story::spec("a");
  spec.scale.concurrency = 1;
  spec.scale.replicas_min = 1;
  story.deploy(1, spec);
  const ReplicaId serving = story.last_started();
  story.becomes_ready(serving);
  ASSERT_TRUE(story.take_slot(serving));
  story.request(1);
  story.request(2);
  story.post(model::ShutdownAsked{});
  story.request(3);
  EXPECT_EQ(story.refusal_of(2)->refusal.code, "shutting_down");
  EXPECT_EQ(story.refusal_of(3)->refusal.code, "shutting_down");
  EXPECT_EQ(story.state(serving), State::Draining);
  story.give_back(serving);
  story.carry_out_stops();
  EXPECT_TRUE(story.replicas().empty());
  EXPECT_TRUE(story.is_at_rest());
}

}  // namespace
}  // namespace kelvin::control
