#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::Exit;
using model::ExitCause;
using model::Progress;
using model::State;

const Exit kExited{.cause = ExitCause::Exited, .code = 3};
const Exit kOutOfMemory{.cause = ExitCause::OutOfMemory};

// Lets the start under way fail, and those after it, until the budget is spent.
void spend_budget(Story& story, const Exit& exit) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    story.loads(story.last_started());
    story.gone(story.last_started(), exit);
    if (attempt < 2) story.pass(5s);
  }
}

TEST(FailedStart, IsTriedAgainAfterBackOff) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.loads(story.last_started());
  story.gone(story.last_started(), kExited);
  EXPECT_FALSE(story.refusal_of(1));
  EXPECT_EQ(story.started.size(), 1u);
  EXPECT_TRUE(story.has_decided("retry", "start 1 of 3 failed"));
  story.pass(999ms);
  EXPECT_EQ(story.started.size(), 1u);
  story.pass(1ms);
  EXPECT_EQ(story.started.size(), 2u);
  story.gone(story.last_started(), kExited);
  story.pass(1999ms);
  EXPECT_EQ(story.started.size(), 2u);
  story.pass(1ms);
  EXPECT_EQ(story.started.size(), 3u);
  story.becomes_ready(story.last_started());
  EXPECT_TRUE(story.handover_of(1));
}

TEST(FailedStart, SpendsTheBudgetAndRefusesWithTheCause) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.request(2);
  spend_budget(story, kOutOfMemory);
  for (std::uint64_t id : {1U, 2U}) {
    ASSERT_TRUE(story.refusal_of(id));
    EXPECT_EQ(story.refusal_of(id)->refusal.status, 503);
    EXPECT_EQ(story.refusal_of(id)->refusal.code, "app_failing");
    EXPECT_NE(story.refusal_of(id)->refusal.sentence.find("out of memory"), std::string::npos);
    EXPECT_EQ(story.refusal_of(id)->refusal.retry_after, 30s);
  }
  EXPECT_EQ(story.app().condition, model::Condition::Failing);
  EXPECT_NE(story.app().reason.find("out of memory"), std::string::npos);
  EXPECT_EQ(story.app().retry_at, story.now + 30s);
  EXPECT_TRUE(story.replicas().empty());
}

TEST(FailedStart, AFailingAppRefusesAtOnceAndCostsNothing) {
  Story story;
  story.deploy(1);
  story.request(1);
  spend_budget(story, kExited);
  story.pass(20s);
  EXPECT_TRUE(story.is_at_rest());
  story.request(2);
  ASSERT_TRUE(story.refusal_of(2));
  EXPECT_EQ(story.refusal_of(2)->refusal.code, "app_failing");
  EXPECT_EQ(story.refusal_of(2)->refusal.retry_after, 10s);
  EXPECT_EQ(story.started.size(), 3u);
}

TEST(FailedStart, ProbesWithOneStartAfterBackOff) {
  Story story;
  story.deploy(1);
  story.request(1);
  spend_budget(story, kExited);
  story.pass(31s);
  EXPECT_EQ(story.started.size(), 3u) << "nothing starts without a request";
  for (std::uint64_t id = 10; id < 20; ++id) story.request(id);
  EXPECT_EQ(story.started.size(), 4u) << "one probe, whatever waits";
  EXPECT_EQ(story.app().waiting, 10u);
  story.loads(story.last_started());
  story.gone(story.last_started(), kExited);
  EXPECT_TRUE(story.refusal_of(10));
  EXPECT_EQ(story.app().retry_at, story.now + 60s) << "the probe failed: twice as long";
}

TEST(FailedStart, HealsWhenTheProbeSucceeds) {
  Story story;
  story.deploy(1);
  story.request(1);
  spend_budget(story, kExited);
  story.pass(31s);
  story.request(2);
  story.becomes_ready(story.last_started());
  EXPECT_TRUE(story.handover_of(2));
  EXPECT_EQ(story.app().condition, model::Condition::Ready);
}

TEST(FailedStart, HealsAtOnceWithADeploy) {
  Story story;
  story.deploy(1);
  story.request(1);
  spend_budget(story, kExited);
  story.deploy(1, Story::spec("app1"), 2);
  EXPECT_EQ(story.app().condition, model::Condition::Cold);
  story.request(2);
  EXPECT_EQ(story.started.size(), 4u);
}

TEST(FailedStart, HealsAtOnceWhenSomebodyWakesIt) {
  Story story;
  story.deploy(1);
  story.request(1);
  spend_budget(story, kExited);
  story.post(model::WakeAsked{{1}});
  EXPECT_EQ(story.started.size(), 4u);
  EXPECT_EQ(story.app().condition, model::Condition::Starting);
}

TEST(FailedStart, OfAWakeIsTriedAgainUntilTheBudgetIsSpent) {
  Story story;
  story.deploy(1);
  story.post(model::WakeAsked{.app = {1}});
  spend_budget(story, kExited);
  EXPECT_EQ(story.started.size(), 3u);
  EXPECT_EQ(story.app().condition, model::Condition::Failing);
  story.pass(600s);
  EXPECT_EQ(story.started.size(), 3u) << "nobody asks for it any more";
}

TEST(FailedStart, IsNotBilled) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.loads(story.last_started());
  story.pass(25s);
  story.gone(story.last_started(), kExited);
  ASSERT_FALSE(story.usage.empty());
  for (const model::Usage& row : story.usage) EXPECT_FALSE(row.is_billable);
}

TEST(FailedStart, OnesWithoutAProcessCountToo) {
  Story story;
  story.deploy(1);
  story.request(1);
  for (int i = 0; i < 3; ++i) {
    story.gone(story.last_started(), {.cause = ExitCause::LaunchFailed, .detail = "no such file"});
    story.pass(5s);
  }
  EXPECT_NE(story.app().reason.find("could not be launched: no such file"), std::string::npos);
}

TEST(FailedStart, ALostNodeIsNotTheAppsFault) {
  Story story;
  story.deploy(1);
  story.request(1);
  for (int i = 0; i < 5; ++i) story.gone(story.last_started(), {.cause = ExitCause::NodeLost});
  EXPECT_EQ(story.started.size(), 6u);
  EXPECT_EQ(story.app().condition, model::Condition::Starting);
}

TEST(Progress, AStartIsGivenUpWhenNothingMoves) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.loads(story.last_started());
  story.pass(59s);
  EXPECT_TRUE(story.stopped.empty());
  story.pass(1s);
  ASSERT_EQ(story.stopped.size(), 1u);
  EXPECT_EQ(story.stopped[0].cause, ExitCause::NoProgress);
  EXPECT_EQ(story.stopped[0].why, "nothing moved for 60 s while loading");
}

TEST(Progress, StrongProgressKeepsAStartAlive) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.loads(story.last_started());
  for (int i = 0; i < 100; ++i) {
    story.pass(50s);
    story.post(model::ReplicaProgressed{.replica = story.last_started(),
                                        .what = "memory grew to 212 MiB"});
  }
  EXPECT_TRUE(story.stopped.empty());
  EXPECT_EQ(story.replica(story.last_started()).reason, "memory grew to 212 MiB");
}

TEST(Progress, WeakProgressKeepsItAliveForTenTimesAsLong) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.loads(story.last_started());
  for (int i = 0; i < 11; ++i) {
    story.pass(50s);
    story.post(
        model::ReplicaProgressed{.replica = story.last_started(), .progress = Progress::Weak});
  }
  EXPECT_TRUE(story.stopped.empty());
  story.pass(50s);
  ASSERT_EQ(story.stopped.size(), 1u);
  EXPECT_NE(story.stopped[0].why.find("nothing but weak signs of life for 10 min"),
            std::string::npos);
}

TEST(Progress, WaitersOfAStartWithoutProgressGet504) {
  Story story;
  model::AppSpec spec = Story::spec("a");
  spec.start = {.progress = 10s, .attempts = 2};
  story.deploy(1, spec);
  story.request(1);
  for (int i = 0; i < 2; ++i) {
    story.loads(story.last_started());
    story.pass(10s);
    story.carry_out_stops();
    story.pass(1s);
  }
  ASSERT_TRUE(story.refusal_of(1));
  EXPECT_EQ(story.refusal_of(1)->refusal.status, 504);
  EXPECT_EQ(story.refusal_of(1)->refusal.code, "start_no_progress");
  story.request(2);
  EXPECT_EQ(story.refusal_of(2)->refusal.status, 503);
}

struct Serving {
  Serving() {
    story.deploy(1);
    story.request(1);
    id = story.last_started();
    story.becomes_ready(id, 1s);
  }
  void suspect(model::Suspicion suspicion = model::Suspicion::BrokenReply) {
    story.post(model::ReplicaSuspected{.replica = id, .suspicion = suspicion, .detail = "reset"});
  }
  Story story;
  ReplicaId id;
};

TEST(Crash, OfAReadyReplicaTakesItOffTheRoute) {
  Serving s;
  s.story.gone(s.id, kOutOfMemory);
  EXPECT_FALSE(s.story.is_routed(s.id));
  EXPECT_TRUE(s.story.has_decided("gone", "out of memory"));
  EXPECT_EQ(s.story.app().condition, model::Condition::Cold);
  s.story.pass(1s);
  s.story.request(2);
  EXPECT_EQ(s.story.started.size(), 2u);
}

TEST(Crash, LoopsAreFailuresEvenWhenEachBecomesReady) {
  Serving s;
  s.story.gone(s.id, kExited);
  for (int i = 0; i < 2; ++i) {
    s.story.pass(5s);
    s.story.request(static_cast<std::uint64_t>(10 + i));
    s.story.becomes_ready(s.story.last_started());
    s.story.gone(s.story.last_started(), kExited);
  }
  EXPECT_EQ(s.story.app().condition, model::Condition::Failing);
}

TEST(Crash, AfterAReplyIsForgiven) {
  Serving s;
  for (int i = 0; i < 5; ++i) {
    s.story.pass(1s);
    s.story.report_busy();
    s.story.gone(s.story.last_started(), kExited);
    s.story.request(static_cast<std::uint64_t>(10 + i));
    s.story.becomes_ready(s.story.last_started());
  }
  EXPECT_EQ(s.story.app().condition, model::Condition::Ready);
}

TEST(Health, ThreeSuspicionsDrainAndReplace) {
  Serving s;
  s.suspect();
  s.suspect();
  EXPECT_EQ(s.story.state(s.id), State::Ready);
  s.suspect();
  EXPECT_EQ(s.story.state(s.id), State::Draining);
  EXPECT_FALSE(s.story.is_routed(s.id));
  EXPECT_TRUE(s.story.has_decided("drain", "it broke a reply (reset)"));
  s.story.request(2);
  EXPECT_EQ(s.story.started.size(), 2u);
}

TEST(Health, AReplyBetweenThemClears) {
  Serving s;
  s.suspect();
  s.suspect();
  s.story.pass(100ms);
  s.story.report_busy();
  s.suspect();
  s.suspect();
  EXPECT_EQ(s.story.state(s.id), State::Ready);
}

TEST(Health, AnAlivePathThatFailsCountsTheSame) {
  Serving s;
  for (int i = 0; i < 3; ++i) s.suspect(model::Suspicion::AliveFailed);
  EXPECT_EQ(s.story.state(s.id), State::Draining);
}

TEST(Health, AnUnwellReplicaIsKilledAfterABoundedDrain) {
  Serving s;
  for (int i = 0; i < 3; ++i) s.suspect();
  s.story.pass(29s);
  EXPECT_EQ(s.story.state(s.id), State::Draining);
  s.story.pass(1s);
  ASSERT_EQ(s.story.stopped.size(), 1u);
  EXPECT_EQ(s.story.stopped[0].cause, ExitCause::Unhealthy);
  EXPECT_NE(s.story.stopped[0].why.find("killed with work in flight"), std::string::npos);
}

TEST(Health, AnUnwellReplicaWithoutWorkStopsAtOnce) {
  Serving s;
  s.story.give_back(s.id);
  for (int i = 0; i < 3; ++i) s.suspect();
  ASSERT_EQ(s.story.stopped.size(), 1u);
  EXPECT_EQ(s.story.stopped[0].cause, ExitCause::Unhealthy);
}

}  // namespace
}  // namespace kelvin::control
