// An app's requests split over several revisions.
#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

constexpr RevisionId kFirst{101};
constexpr RevisionId kSecond{102};

// Two revisions of one slot per replica; the second is the active one.
struct Split {
  explicit Split(model::AppSpec spec = Story::spec("app1")) : story({.cpus = 8}) {
    spec.scale.concurrency = 1;
    story.deploy(1, spec);
    story.deploy(1, spec, 2);
  }
  void set(std::vector<model::RevisionShare> shares) {
    story.post(model::TrafficChanged{{1}, std::move(shares)});
  }
  void request(std::uint64_t id, RevisionId revision) { story.request(id, {.revision = revision}); }
  std::uint32_t number_of_last() const { return story.started.back().revision->number; }
  Story story;
};

TEST(Traffic, EachRevisionStartsItsOwnReplicas) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  ASSERT_EQ(s.story.started.size(), 1u);
  EXPECT_EQ(s.number_of_last(), 1u);
  s.request(2, kSecond);
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.number_of_last(), 2u);
  s.story.becomes_ready(s.story.started[1].replica);
  EXPECT_EQ(s.story.handed_over(), "2 ") << "request 1 waits for its own revision";
  s.story.becomes_ready(s.story.started[0].replica);
  EXPECT_EQ(s.story.handed_over(), "2 1 ");
}

TEST(Traffic, TheRouteNamesTheSharesAndBothRevisionsReplicas) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  s.request(2, kSecond);
  for (const auto& start : std::vector(s.story.started)) s.story.becomes_ready(start.replica);
  const model::Route& route = s.story.routes.at({1});
  ASSERT_EQ(route.shares.size(), 2u);
  EXPECT_EQ(route.shares[0], (model::RevisionShare{kFirst, 90}));
  EXPECT_EQ(route.replicas.size(), 2u);
  ASSERT_EQ(s.story.app().traffic.size(), 2u);
  EXPECT_EQ(s.story.app().traffic[1].number, 2u);
  EXPECT_EQ(s.story.app().traffic[1].percent, 10u);
}

TEST(Traffic, WhoWasDrawnForARevisionThatHasLostItsShareHasTheFreeSlotOfAnother) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  s.story.becomes_ready(s.story.last_started());
  s.story.pass(6s);
  s.story.give_back(s.story.last_started());  // nobody waits, so nobody is told
  s.set({{kFirst, 100}});
  s.request(2, kSecond);
  EXPECT_TRUE(s.story.handover_of(2));
}

TEST(Traffic, WhoComesWhileOthersWaitForAnotherRevisionHasTheFreeSlotOfItsOwn) {
  Split s;
  s.set({{kFirst, 50}, {kSecond, 50}});
  s.request(1, kFirst);
  s.request(2, kSecond);
  for (const auto& start : std::vector(s.story.started)) s.story.becomes_ready(start.replica);
  s.story.give_back(s.story.started[1].replica);  // nobody waits, so nobody is told
  s.request(3, kFirst);
  s.request(4, kSecond);
  EXPECT_FALSE(s.story.handover_of(3));
  EXPECT_TRUE(s.story.handover_of(4));
}

TEST(Traffic, WhoLosesItsShareIsDrained) {
  Split s;
  s.request(1, {});
  const ReplicaId second = s.story.last_started();
  s.story.becomes_ready(second);
  s.set({{kFirst, 100}});
  EXPECT_EQ(s.story.state(second), State::Draining);
  ASSERT_EQ(s.story.started.size(), 2u) << "the app is warm, and stays it";
  EXPECT_EQ(s.number_of_last(), 1u);
}

TEST(Traffic, ADeployTakesNothingWhileItIsSplit) {
  Split s;
  s.set({{kFirst, 50}, {kSecond, 50}});
  s.story.deploy(1, Story::spec("app1"), 3);
  EXPECT_TRUE(s.story.has_decided("traffic", "revision 3 takes no requests"));
  s.request(1, kFirst);
  EXPECT_EQ(s.number_of_last(), 1u);
  EXPECT_EQ(s.story.routes.at({1}).shares.size(), 2u);
}

TEST(Traffic, AnEndOfTheSplitHandsAllToTheLatestWithoutAGap) {
  Split s;
  s.set({{kFirst, 100}});
  s.request(1, kFirst);
  const ReplicaId first = s.story.last_started();
  s.story.becomes_ready(first);
  s.set({});
  EXPECT_EQ(s.story.state(first), State::Ready) << "serves until the latest is ready";
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.number_of_last(), 2u);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_EQ(s.story.state(first), State::Draining);
  EXPECT_TRUE(s.story.routes.at({1}).shares.empty());
}

TEST(Traffic, ARollbackEndsTheSplit) {
  Split s;
  s.set({{kFirst, 50}, {kSecond, 50}});
  s.story.post(model::RevisionActivated{{1}, kFirst});
  EXPECT_TRUE(s.story.app().traffic.empty());
  s.request(1, {});
  EXPECT_EQ(s.number_of_last(), 1u);
}

TEST(Traffic, WhoWaitsForARevisionThatLosesItsShareIsServedByTheLargest) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kSecond);
  s.set({{kFirst, 100}});
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.number_of_last(), 1u);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_TRUE(s.story.handover_of(1));
}

TEST(Traffic, WhoLosesItsRevisionHasTheFreeSlotOfAnother) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  s.story.becomes_ready(s.story.last_started());
  s.story.give_back(s.story.last_started());  // nobody waits, so nobody is told
  s.request(2, kSecond);
  s.set({{kFirst, 100}});
  EXPECT_TRUE(s.story.handover_of(2));
}

TEST(Traffic, WhoWaitsWhenTheSplitEndsIsServedByTheActiveOne) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  s.set({});
  ASSERT_EQ(s.story.started.size(), 2u);
  EXPECT_EQ(s.number_of_last(), 2u);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_TRUE(s.story.handover_of(1));
}

TEST(Traffic, ARequestWithoutARevisionGoesToTheLargestShare) {
  Split s;
  s.set({{kFirst, 10}, {kSecond, 90}});
  s.request(1, {});
  EXPECT_EQ(s.number_of_last(), 2u);
}

TEST(Traffic, MinimumAndMaximumAreOfEachRevision) {
  model::AppSpec spec = Story::spec("app1");
  spec.scale = {.replicas_min = 1, .replicas_max = 1};
  Split s(spec);
  s.story.carry_out_stops();
  s.story.started.clear();
  s.set({{kFirst, 50}, {kSecond, 50}});
  for (const auto& start : std::vector(s.story.started)) s.story.becomes_ready(start.replica);
  std::set<RevisionId> kept;
  for (const model::RouteReplica& one : s.story.routes.at({1}).replicas) kept.insert(one.revision);
  EXPECT_TRUE(kept.contains(kFirst));
  s.request(1, kFirst);
  s.request(2, kFirst);
  EXPECT_EQ(s.story.app().replicas_live, 2u);
}

TEST(Traffic, OneRevisionThatFailsRefusesOnlyItsOwn) {
  Split s;
  s.set({{kFirst, 90}, {kSecond, 10}});
  s.request(1, kFirst);
  s.request(2, kSecond);
  for (int i = 0; i < 3; ++i) {
    for (const auto& start : std::exchange(s.story.started, {})) {
      if (start.revision->number == 2)
        s.story.gone(start.replica, {.cause = model::ExitCause::Exited, .code = 1});
    }
    s.story.pass(60s);
  }
  EXPECT_TRUE(s.story.refusal_of(2));
  EXPECT_FALSE(s.story.refusal_of(1));
  EXPECT_EQ(s.story.app().condition, model::Condition::Failing);
  EXPECT_NE(s.story.app().reason.find("of revision 2"), std::string::npos);
}

TEST(Traffic, AnUnknownRevisionChangesNothing) {
  Split s;
  s.set({{kFirst, 50}, {{999}, 50}});
  EXPECT_TRUE(s.story.app().traffic.empty());
}

TEST(Traffic, IsKnownAgainAfterARestart) {
  Story story({.cpus = 8}, /*is_recovered=*/false);
  story.post(model::RevisionRestored{story.revision(1, 1, Story::spec("app1")), false});
  story.post(model::RevisionRestored{story.revision(1, 2, Story::spec("app1")), true});
  story.post(model::TrafficChanged{{1}, {{kFirst, 30}, {kSecond, 70}}});
  story.post(model::RecoveryFinished{});
  EXPECT_EQ(story.routes.at({1}).shares.size(), 2u);
  story.request(1, {.revision = kFirst});
  ASSERT_EQ(story.started.size(), 1u);
  EXPECT_EQ(story.started[0].revision->number, 1u);
}

}  // namespace
}  // namespace kelvin::control
