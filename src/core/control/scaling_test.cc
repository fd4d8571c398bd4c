#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

model::AppSpec spec_with(model::ScaleRule scale) {
  model::AppSpec spec = Story::spec("a");
  spec.scale = scale;
  return spec;
}

TEST(Scaling, CountsStartingReplicasAsPromises) {
  Story story({.cpus = 16});
  story.deploy(1, spec_with({.replicas_max = 10, .concurrency = 4}));
  for (std::uint64_t id = 1; id <= 10; ++id) story.request(id);
  EXPECT_EQ(story.started.size(), 3u);
}

TEST(Scaling, AddsReplicasUpToMaxWhenAllSlotsAreTaken) {
  Story story({.cpus = 16});
  story.deploy(1, spec_with({.replicas_max = 2, .concurrency = 1}));
  for (std::uint64_t id = 1; id <= 5; ++id) story.request(id);
  EXPECT_EQ(story.started.size(), 2u);
  story.becomes_ready(story.started[0].replica);
  story.becomes_ready(story.started[1].replica);
  EXPECT_EQ(story.handovers.size(), 2u);
  EXPECT_EQ(story.started.size(), 2u);
}

TEST(Scaling, AddsOneForARequestThatFoundNoSlot) {
  Story story({.cpus = 16});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 1}));
  story.request(1);
  story.becomes_ready(story.last_started());
  story.request(2);
  EXPECT_EQ(story.started.size(), 2u);
  EXPECT_NE(story.last_sentence("start").find("1 request waiting, 0 slots promised"),
            std::string::npos)
      << story.last_sentence("start");
}

TEST(Scaling, ServesAWaiterWithTheSlotThatComesFreeFirst) {
  Story story({.cpus = 16});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 1}));
  story.request(1);
  const ReplicaId first = story.last_started();
  story.becomes_ready(first);
  story.request(2);
  story.give_back(first, true);
  EXPECT_EQ(story.handover_of(2)->replica.id, first);
}

TEST(Scaling, TheAverageLoadStartsOneAheadOfTheQueue) {
  Story story({.cpus = 16});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 4}));
  story.request(1);
  const ReplicaId first = story.last_started();
  story.becomes_ready(first);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(story.take_slot(first));
  for (int second = 0; second < 150; ++second) {
    story.pass(1s);
    story.report_busy();
  }
  // e = 4 * (1 - exp(-150 / 120)) = 2.85: ceil((2.85 + 1.69) / 4) = 2.
  EXPECT_EQ(story.started.size(), 2u);
  EXPECT_NE(story.last_sentence("start").find("call for 2 replicas, 1 live"), std::string::npos)
      << story.last_sentence("start");
}

TEST(Scaling, TheAverageLoadTakesOnlyWhatIsFree) {
  Story story({.cpus = 1});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 4}));
  story.request(1);
  const ReplicaId first = story.last_started();
  story.becomes_ready(first);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(story.take_slot(first));
  for (int second = 0; second < 150; ++second) {
    story.pass(1s);
    story.report_busy();
  }
  EXPECT_EQ(story.started.size(), 1u);
  EXPECT_EQ(story.replicas().size(), 1u);
}

TEST(Scaling, MinReplicasStartWithTheDeployAndStayWarm) {
  Story story({.cpus = 4});
  story.deploy(1, spec_with({.replicas_min = 2, .replicas_max = 4}));
  ASSERT_EQ(story.started.size(), 2u);
  story.becomes_ready(story.started[0].replica);
  story.becomes_ready(story.started[1].replica);
  story.pass(7200s);
  EXPECT_EQ(story.count(State::Ready), 2u);
  EXPECT_TRUE(story.park_ordered.empty());
}

TEST(Scaling, OnlyWhatIsAboveMinCools) {
  Story story({.cpus = 4});
  story.deploy(1, spec_with({.replicas_min = 1, .replicas_max = 4, .concurrency = 1}));
  story.becomes_ready(story.last_started(), 1s);
  ASSERT_TRUE(story.take_slot(story.last_started()));
  story.request(1);
  story.becomes_ready(story.last_started(), 1s);
  story.give_back(story.started[0].replica);
  story.give_back(story.started[1].replica);
  story.pass(10s);
  EXPECT_EQ(story.count(State::Ready), 1u);
  EXPECT_EQ(story.count(State::Parking), 1u);
}

TEST(Scaling, ReplacesAMinReplicaThatDied) {
  Story story;
  story.deploy(1, spec_with({.replicas_min = 1}));
  story.becomes_ready(story.last_started());
  story.gone(story.last_started(), {.cause = model::ExitCause::Killed, .code = 9});
  story.pass(1s);
  EXPECT_EQ(story.started.size(), 2u);
}

TEST(Scaling, AFailingAppWithMinIsRetriedWithoutARequest) {
  Story story;
  story.deploy(1, spec_with({.replicas_min = 1}));
  for (int i = 0; i < 3; ++i) {
    story.gone(story.last_started(), {.cause = model::ExitCause::Exited, .code = 1});
    story.pass(5s);
  }
  EXPECT_EQ(story.started.size(), 3u);
  story.pass(30s);
  EXPECT_EQ(story.started.size(), 4u);
}

TEST(Scaling, RaisingMinStartsAtOnceAndLoweringLetsCool) {
  Story story;
  story.deploy(1);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 1, .replicas_max = 2});
  ASSERT_EQ(story.started.size(), 1u);
  EXPECT_EQ(story.app().revision.spec.scale.replicas_min, 1u);
  story.becomes_ready(story.last_started(), 1s);
  story.pass(100s);
  EXPECT_EQ(story.count(State::Ready), 1u);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 2});
  story.pass(3s);
  EXPECT_EQ(story.count(State::Parking), 1u);
}

TEST(Scaling, LoweringMaxDrainsTheOneUsedLongestAgo) {
  Story story({.cpus = 4});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 1}));
  story.request(1);
  story.request(2);
  const ReplicaId first = story.started[0].replica;
  const ReplicaId second = story.started[1].replica;
  story.becomes_ready(first);
  story.pass(1s);
  story.becomes_ready(second);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 1});
  EXPECT_EQ(story.state(first), State::Draining);
  EXPECT_EQ(story.state(second), State::Ready);
}

TEST(Scaling, MaxZeroRefusesByName) {
  Story story;
  story.deploy(1);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 0});
  story.request(1);
  ASSERT_TRUE(story.refusal_of(1));
  EXPECT_EQ(story.refusal_of(1)->refusal.code, "max_is_zero");
}

TEST(Scaling, AStormOfStartsIsSpreadOverTime) {
  Story story({.cpus = 200, .slots_max = 300});
  story.deploy(1, spec_with({.replicas_max = 200, .concurrency = 1}));
  for (std::uint64_t id = 1; id <= 100; ++id) story.request(id);
  EXPECT_EQ(story.started.size(), 64u);
  EXPECT_TRUE(story.has_decided("wait", "burst of 64 starts, 16 a second follow"));
  story.pass(1s);
  EXPECT_EQ(story.started.size(), 80u);
  story.pass(2s);
  EXPECT_EQ(story.started.size(), 100u);
}

TEST(Scaling, WhoComesWhileAReplicaIsNewHasItsFreeSlot) {
  Story story;
  story.deploy(1, spec_with({.replicas_max = 1, .concurrency = 1}));
  story.request(1);
  story.becomes_ready(story.last_started());
  story.give_back(story.last_started());  // nobody waits, so nobody is told
  story.request(2);                       // by a loop that has not heard of the replica
  EXPECT_TRUE(story.handover_of(2));
}

TEST(Scaling, WhatTheLoadDoesNotCallForIsASpare) {
  Story story({.cpus = 8});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 1}));
  story.request(1);
  story.request(2);
  const ReplicaId first = story.started[0].replica;
  const ReplicaId second = story.started[1].replica;
  story.becomes_ready(first);
  story.becomes_ready(second);
  EXPECT_FALSE(story.is_spare(first));
  EXPECT_TRUE(story.is_spare(second)) << "a burst is no load yet";
  for (int second_of = 0; second_of < 240; ++second_of) {
    story.pass(1s);
    story.report_busy();
  }
  EXPECT_FALSE(story.is_spare(second)) << "two in flight for minutes call for both";
}

TEST(Scaling, AParkedCopyIsResumedBeforeSomebodyWaits) {
  Story story({.cpus = 8});
  story.deploy(1, spec_with({.replicas_max = 4, .concurrency = 2, .urgency_milli = 20'000}));
  for (std::uint64_t id = 1; id <= 4; ++id) story.request(id);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica, 1s);
  for (const auto& start : story.started) {
    for (int i = 0; i < 2; ++i) story.give_back(start.replica);
  }
  story.post(model::ParkAsked{.app = {1}});
  for (const auto& start : story.started) story.finish_parking(start.replica);
  ASSERT_EQ(story.count(State::Parked), 2u);
  story.request(5);
  ASSERT_EQ(story.resumed.size(), 1u);
  story.moved(story.resumed[0], State::Ready);
  ASSERT_TRUE(story.take_slot(story.resumed[0]));
  for (int i = 0; i < 5; ++i) {
    story.pass(1s);
    story.report_busy();
  }
  EXPECT_EQ(story.resumed.size(), 2u) << "both slots are taken, though nobody waits yet";
}

// Levels 1 and 2 are called at 0 s and 20 s, level 3 at 0 s alone; the alarms of all three replicas ring together.
TEST(Scaling, OnlyTheReplicaThatIsNotCalledForCoolsWhenAllAreIdle) {
  Story story({.cpus = 8});
  model::AppSpec spec = spec_with({.replicas_max = 3, .concurrency = 1, .urgency_milli = 20'000});
  spec.park = model::ParkRule::Never;
  story.deploy(1, spec);
  for (std::uint64_t id = 1; id <= 3; ++id) story.request(id);
  const auto started = std::vector(story.started);
  ASSERT_EQ(started.size(), 3u);
  for (const auto& start : started) story.becomes_ready(start.replica, 1s);
  story.pass(1s);
  for (const auto& start : started) story.give_back(start.replica);
  story.pass(1s);
  story.report_busy();
  story.pass(20s);
  ASSERT_TRUE(story.take_slot(started[0].replica));
  ASSERT_TRUE(story.take_slot(started[1].replica));
  story.pass(1s);
  story.give_back(started[0].replica);
  story.give_back(started[1].replica);
  story.pass(1s);
  story.report_busy();
  const Instant last = story.now;
  while (story.count(State::Ready) == 3 && story.now < last + 1h) story.pass(1s);
  EXPECT_EQ(story.count(State::Ready), 2u);
  EXPECT_EQ(story.state(started[0].replica), State::Ready);
  EXPECT_LT(story.now - last, 30s);
}

TEST(Scaling, RemovesAtMostHalfPerMinute) {
  Story story({.cpus = 8});
  model::AppSpec spec = spec_with({.replicas_max = 8, .concurrency = 1, .urgency_milli = 0});
  spec.park = model::ParkRule::Never;
  story.deploy(1, spec);
  for (std::uint64_t id = 1; id <= 8; ++id) story.request(id);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  for (const auto& start : std::vector(story.started)) story.give_back(start.replica);
  story.pass(30s);
  EXPECT_EQ(story.count(State::Ready), 4u);
  story.carry_out_stops();
  story.pass(40s);
  EXPECT_EQ(story.count(State::Ready), 2u);
}

}  // namespace
}  // namespace kelvin::control
