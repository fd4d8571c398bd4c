#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::RolloutStage;
using model::RolloutWish;
using model::State;

constexpr RevisionId kOld{101};
constexpr RevisionId kNew{102};

model::AppSpec by_steps(std::vector<std::uint32_t> steps = {5, 25, 100}) {
  model::AppSpec spec = Story::spec("a");
  spec.rollout = {.steps = std::move(steps), .every = 2min};
  return spec;
}

class ShiftsTest : public testing::Test {
 protected:
  // Revision 1 is ready, revision 2 has been deployed.
  void deploy_two(const model::AppSpec& spec = by_steps()) {
    story.deploy(1, spec);
    story.request(1);
    old_one = story.last_started();
    story.becomes_ready(old_one);
    story.deploy(1, spec, 2);
    fresh = story.last_started();
  }
  void begin_first_step(const model::AppSpec& spec = by_steps()) {
    deploy_two(spec);
    ASSERT_NE(fresh, old_one);
    story.becomes_ready(fresh);
  }
  void report(ReplicaId id, std::uint32_t answered, std::uint32_t failed) {
    story.post(model::BusyMeasured{.loop = 0,
                                   .complete_up_to = story.now,
                                   .entries = {{.replica = id,
                                                .spans = {{story.now - 1ms, story.now}},
                                                .answered = answered,
                                                .failed = failed}}});
  }
  std::string shares() const {
    std::string words;
    for (const model::TrafficView& share : story.app().traffic) {
      words += std::to_string(share.number) + "=" + std::to_string(share.percent) + " ";
    }
    return words;
  }
  void ask(RolloutWish wish) { story.post(model::RolloutAsked{{1}, wish}); }

  Story story{{.cpus = 16, .memory = 64_GiB}};
  ReplicaId old_one;
  ReplicaId fresh;
};

TEST_F(ShiftsTest, TheOldRevisionServesUntilTheNewOneIsReady) {
  deploy_two();
  EXPECT_EQ(story.app().rollout->rollout.stage, RolloutStage::Starting);
  EXPECT_EQ(shares(), "");
  EXPECT_TRUE(story.is_routed(old_one));
  story.becomes_ready(fresh);
  EXPECT_EQ(shares(), "1=95 2=5 ");
  EXPECT_EQ(story.routes[{1}].shares.size(), 2U);
  EXPECT_EQ(story.kept_rollouts[{1}]->stage, RolloutStage::Shifting);
  EXPECT_TRUE(story.has_decided(
      "rollout", "revision 2 takes 5 % of the requests and revision 1 the rest, step 1 of 3"));
}

TEST_F(ShiftsTest, WhoWaitsBeforeTheFirstStepStaysWithTheOldRevision) {
  model::AppSpec spec = by_steps({60, 100});
  spec.scale.concurrency = 1;
  spec.scale.replicas_max = 1;
  deploy_two(spec);
  story.request(2);
  story.becomes_ready(fresh);
  EXPECT_EQ(shares(), "1=40 2=60 ");
  EXPECT_FALSE(story.handover_of(2));
  story.give_back(old_one, /*is_awaited=*/true);
  ASSERT_TRUE(story.handover_of(2));
  EXPECT_EQ(story.handover_of(2)->replica.id, old_one);
}

TEST_F(ShiftsTest, GoesOnStepByStepWhileAllIsWell) {
  begin_first_step();
  report(old_one, 380, 0);
  report(fresh, 20, 0);
  story.pass(119s);
  EXPECT_EQ(shares(), "1=95 2=5 ");
  story.pass(1s);
  EXPECT_EQ(shares(), "1=75 2=25 ");
  EXPECT_EQ(story.kept_rollouts[{1}]->step, 1U);
  EXPECT_EQ(story.app().rollout->answered, 0U) << "each step is judged by itself";
  report(old_one, 300, 0);
  report(fresh, 100, 0);
  story.pass(2min);
  EXPECT_EQ(shares(), "");
  EXPECT_FALSE(story.app().rollout);
  EXPECT_FALSE(story.kept_rollouts[{1}]);
  EXPECT_EQ(story.app().revision.id, kNew);
  EXPECT_TRUE(story.has_decided("switch", "revision 2 takes all requests from revision 1"));
}

TEST_F(ShiftsTest, RollsBackAtOnceWhenTheNewRevisionFailsMore) {
  begin_first_step();
  report(old_one, 380, 0);
  report(fresh, 20, 3);
  EXPECT_EQ(shares(), "");
  const model::AppView app = story.app();
  EXPECT_EQ(app.revision.id, kOld);
  EXPECT_EQ(app.rollout->rollout.stage, RolloutStage::RolledBack);
  EXPECT_NE(app.rollout->rollout.why.find("3 of 20 (15 %)"), std::string::npos);
  EXPECT_EQ(story.kept_rollouts[{1}]->stage, RolloutStage::RolledBack);
  EXPECT_TRUE(story.has_decided(
      "rollback", "revision 2 is rolled back, revision 1 takes all requests again: 3 of 20"));
  EXPECT_TRUE(story.is_routed(old_one));
  EXPECT_FALSE(story.is_routed(fresh));
}

TEST_F(ShiftsTest, ForgivesWhatTheOldRevisionDoesToo) {
  begin_first_step();
  report(old_one, 400, 60);
  report(fresh, 40, 6);
  story.pass(2min);
  EXPECT_EQ(shares(), "1=75 2=25 ");
}

TEST_F(ShiftsTest, WaitsForMoreRepliesThanFew) {
  begin_first_step();
  report(fresh, 10, 0);
  story.pass(19min);
  EXPECT_EQ(shares(), "1=95 2=5 ");
  story.pass(2min);
  EXPECT_EQ(shares(), "1=75 2=25 ") << "ten times the step's time";
}

TEST_F(ShiftsTest, RollsBackWhenStartsSpendTheBudgetAndItsWaitersAreServed) {
  model::AppSpec spec = by_steps();
  spec.start.attempts = 1;
  spec.scale.concurrency = 1;
  begin_first_step(spec);
  ASSERT_TRUE(story.take_slot(fresh));
  story.request(7, model::Demand{.revision = kNew});
  const ReplicaId second = story.last_started();
  ASSERT_NE(second, fresh);
  story.loads(second);
  story.gone(second, {.cause = model::ExitCause::Exited, .code = 1});
  EXPECT_EQ(story.app().rollout->rollout.stage, RolloutStage::RolledBack);
  EXPECT_FALSE(story.refusal_of(7));
  story.give_back(old_one, true);
  EXPECT_EQ(story.handover_of(7)->replica.id, old_one);
}

TEST_F(ShiftsTest, RollsBackWhenReplicasOfItBreakDown) {
  begin_first_step();
  story.gone(fresh, {.cause = model::ExitCause::OutOfMemory});
  EXPECT_EQ(shares(), "1=95 2=5 ") << "one may be bad luck";
  story.request(8, model::Demand{.revision = kNew});
  story.pass(2s);
  const ReplicaId again = story.last_started();
  story.becomes_ready(again);
  story.gone(again, {.cause = model::ExitCause::OutOfMemory});
  EXPECT_EQ(story.app().rollout->rollout.stage, RolloutStage::RolledBack);
  EXPECT_TRUE(story.has_decided("rollback", "2 replicas of it died"));
}

TEST_F(ShiftsTest, ARevisionThatCannotStartTakesNothing) {
  model::AppSpec spec = by_steps();
  spec.start.attempts = 1;
  deploy_two(spec);
  story.gone(fresh, {.cause = model::ExitCause::Exited, .code = 1});
  EXPECT_EQ(story.app().rollout->rollout.stage, RolloutStage::Starting);
  EXPECT_EQ(story.app().condition, model::Condition::Failing);
  EXPECT_NE(story.app().reason.find("revision 1 goes on serving"), std::string::npos);
  EXPECT_TRUE(story.is_routed(old_one));
}

TEST_F(ShiftsTest, IsPausedAndGoesOnByHand) {
  begin_first_step();
  ask(RolloutWish::Pause);
  EXPECT_EQ(story.kept_rollouts[{1}]->stage, RolloutStage::Paused);
  report(fresh, 30, 0);
  story.pass(1h);
  EXPECT_EQ(shares(), "1=95 2=5 ");
  ask(RolloutWish::Resume);
  EXPECT_EQ(shares(), "1=75 2=25 ") << "its time and its replies have come long ago";
}

TEST_F(ShiftsTest, RollsBackThoughItIsPaused) {
  begin_first_step();
  ask(RolloutWish::Pause);
  report(fresh, 20, 20);
  EXPECT_EQ(story.app().rollout->rollout.stage, RolloutStage::RolledBack);
}

TEST_F(ShiftsTest, IsPromotedByHand) {
  begin_first_step();
  ask(RolloutWish::Promote);
  EXPECT_EQ(shares(), "");
  EXPECT_EQ(story.app().revision.id, kNew);
  EXPECT_FALSE(story.app().rollout);
  EXPECT_FALSE(story.is_routed(old_one));
}

TEST_F(ShiftsTest, PromotedBeforeItIsReadyItTakesOverLikeWithoutSteps) {
  deploy_two();
  ask(RolloutWish::Promote);
  EXPECT_FALSE(story.app().rollout);
  EXPECT_TRUE(story.is_routed(old_one));
  story.becomes_ready(fresh);
  EXPECT_TRUE(story.is_routed(fresh));
  EXPECT_FALSE(story.is_routed(old_one));
  EXPECT_EQ(shares(), "");
}

TEST_F(ShiftsTest, IsAbortedByHandInEveryStage) {
  deploy_two();
  ask(RolloutWish::Abort);
  EXPECT_EQ(story.app().revision.id, kOld);
  EXPECT_EQ(story.state(fresh), State::Stopping);
  EXPECT_TRUE(story.is_routed(old_one));
  story.deploy(1, by_steps(), 3);
  story.becomes_ready(story.last_started());
  ask(RolloutWish::Abort);
  EXPECT_EQ(story.app().revision.id, kOld);
  EXPECT_EQ(story.app().rollout->rollout.why, "aborted by hand");
}

TEST_F(ShiftsTest, AnotherDeployStartsFromTheRevisionThatWasGood) {
  begin_first_step(by_steps({60, 80}));
  EXPECT_EQ(shares(), "1=40 2=60 ");
  story.deploy(1, by_steps(), 3);
  EXPECT_EQ(shares(), "");
  EXPECT_EQ(story.app().rollout->from_number, 1U);
  EXPECT_EQ(story.app().rollout->to_number, 3U);
  EXPECT_TRUE(story.is_routed(old_one));
  EXPECT_FALSE(story.is_routed(fresh));
}

TEST_F(ShiftsTest, ARollbackByHandEndsIt) {
  begin_first_step();
  story.post(model::RevisionActivated{{1}, kOld});
  EXPECT_FALSE(story.app().rollout);
  EXPECT_EQ(story.app().revision.id, kOld);
  EXPECT_TRUE(story.is_routed(old_one));
}

TEST_F(ShiftsTest, ASplitByHandEndsIt) {
  begin_first_step();
  story.post(model::TrafficChanged{{1}, {{kOld, 50}, {kNew, 50}}});
  EXPECT_FALSE(story.app().rollout);
  EXPECT_EQ(shares(), "1=50 2=50 ");
  report(fresh, 100, 100);
  EXPECT_EQ(shares(), "1=50 2=50 ") << "nobody judges what somebody set by hand";
}

TEST_F(ShiftsTest, AColdAppIsStartedByItsNextRequestOnly) {
  story.deploy(1, by_steps());
  story.deploy(1, by_steps(), 2);
  EXPECT_TRUE(story.started.empty());
  story.request(1);
  ASSERT_EQ(story.started.size(), 1U);
  EXPECT_EQ(story.started[0].revision->id, kOld);
  story.becomes_ready(story.started[0].replica);
  story.pass(1s);
  story.report_busy();
  ASSERT_EQ(story.started.size(), 2U) << "a sign of traffic while the old one is ready";
  EXPECT_EQ(story.started[1].revision->id, kNew);
  story.becomes_ready(story.started[1].replica);
  EXPECT_EQ(shares(), "1=95 2=5 ");
}

TEST_F(ShiftsTest, WithoutRoomForBothItWaitsAndSaysForWhat) {
  Story tight({.cpus = 1});
  tight.deploy(1, by_steps());
  tight.request(1);
  const ReplicaId only = tight.last_started();
  tight.becomes_ready(only);
  tight.deploy(1, by_steps(), 2);
  tight.pass(1s);
  EXPECT_EQ(tight.started.size(), 1U);
  EXPECT_TRUE(tight.is_routed(only)) << "nothing makes way for what cannot be compared";
  EXPECT_EQ(tight.count(State::Planned), 1U);
}

TEST_F(ShiftsTest, ARevisionWithAFixedPortOrWithoutStepsSwitchesAtOnce) {
  model::AppSpec fixed = by_steps();
  fixed.fixed_port = 8080;
  deploy_two(fixed);
  EXPECT_FALSE(story.app().rollout);
  Story other({.cpus = 8});
  other.deploy(1, Story::spec("a"));
  other.request(1);
  other.becomes_ready(other.last_started());
  other.deploy(1, Story::spec("a"), 2);
  EXPECT_FALSE(other.app().rollout);
}

TEST_F(ShiftsTest, GoesOnWithItsStepAfterAStart) {
  Story later({.cpus = 8}, /*is_recovered=*/false);
  later.post(model::RevisionRestored{later.revision(1, 1, by_steps()), false});
  later.post(model::RevisionRestored{later.revision(1, 2, by_steps()), true});
  later.post(model::RolloutRestored{
      {1}, {.from = kOld, .to = kNew, .step = 1, .stage = RolloutStage::Shifting}});
  later.post(model::RecoveryFinished{});
  ASSERT_EQ(later.app().traffic.size(), 2U);
  EXPECT_EQ(later.app().traffic[1].percent, 25U);
  EXPECT_EQ(later.routes[{1}].shares.size(), 2U);
  later.pass(20min);
  EXPECT_FALSE(later.app().rollout)
      << "nobody came in ten times its time, and it was the last step";
  EXPECT_EQ(later.app().revision.id, kNew);
}

TEST_F(ShiftsTest, StartingBeforeAStartItStartsAfterIt) {
  Story later({.cpus = 8}, /*is_recovered=*/false);
  later.post(model::RevisionRestored{later.revision(1, 1, by_steps()), false});
  later.post(model::RevisionRestored{later.revision(1, 2, by_steps()), true});
  later.post(model::RolloutRestored{{1}, {.from = kOld, .to = kNew}});
  later.post(model::RecoveryFinished{});
  later.request(1);
  ASSERT_EQ(later.started.size(), 1U);
  EXPECT_EQ(later.started[0].revision->id, kOld) << "the last good one serves";
}

TEST_F(ShiftsTest, ARestoredOneThatDoesNotFitIsPassedOver) {
  Story later({.cpus = 8}, /*is_recovered=*/false);
  later.post(model::RevisionRestored{later.revision(1, 1, by_steps()), false});
  later.post(model::RevisionRestored{later.revision(1, 2, by_steps()), true});
  for (const model::Rollout& wrong :
       {model::Rollout{.from = kOld, .to = {999}}, model::Rollout{.from = kNew, .to = kOld},
        model::Rollout{.from = kNew, .to = kNew},
        model::Rollout{.from = kOld, .to = kNew, .step = 3, .stage = RolloutStage::Shifting}}) {
    later.post(model::RolloutRestored{{1}, wrong});
    EXPECT_FALSE(later.app().rollout);
  }
  later.post(model::RolloutRestored{{7}, {.from = kOld, .to = kNew}});
}

TEST_F(ShiftsTest, IsForgottenWithItsApp) {
  begin_first_step();
  story.post(model::AppDeleted{{1}});
  ask(RolloutWish::Promote);
  story.gone(fresh, {});
  story.gone(old_one, {});
  story.pass(1min);
  EXPECT_TRUE(story.is_at_rest());
}

}  // namespace
}  // namespace kelvin::control
