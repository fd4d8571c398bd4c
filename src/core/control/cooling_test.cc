#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;
using model::Temperature;

// An app with one ready replica whose request has just ended.
struct Warm {
  explicit Warm(model::AppSpec spec = Story::spec("a"), Duration start = 1s) {
    story.deploy(1, std::move(spec));
    story.request(1);
    id = story.last_started();
    story.becomes_ready(id, start);
    story.give_back(id);
    story.report_busy();
  }
  void park() {
    story.pass(2s);
    story.finish_parking(id);
  }
  Story story;
  ReplicaId id;
};

TEST(Cooling, ParksAfterTwoIdleSeconds) {
  Warm warm;
  warm.story.pass(1999ms);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  warm.story.pass(1ms);
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
  EXPECT_FALSE(warm.story.is_open(warm.id));
  EXPECT_FALSE(warm.story.is_routed(warm.id));
  EXPECT_TRUE(warm.story.has_decided("park", "idle for 2 s"));
}

TEST(Cooling, ParksOnlyWhenAllConnectionsAreClosed) {
  Warm warm;
  warm.story.pass(3s);
  EXPECT_EQ(warm.story.connections_to_close, std::vector<ReplicaId>{warm.id});
  EXPECT_TRUE(warm.story.park_ordered.empty());
  warm.story.connections_closed(warm.id);
  EXPECT_EQ(warm.story.park_ordered, std::vector<ReplicaId>{warm.id});
  warm.story.moved(warm.id, State::Parked);
  EXPECT_EQ(warm.story.state(warm.id), State::Parked);
  EXPECT_EQ(warm.story.app().condition, model::Condition::Parked);
  EXPECT_TRUE(warm.story.replica(warm.id).lease.accelerators.empty());
}

TEST(Cooling, AWakeWhileTheLastOneStopsWaitsForMax) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_max = 1;
  spec.park = model::ParkRule::Never;
  Warm warm(spec);
  warm.story.pass(600s);
  ASSERT_EQ(warm.story.state(warm.id), State::Stopping);
  warm.story.post(model::WakeAsked{{1}});
  EXPECT_EQ(warm.story.started.size(), 1u);
  EXPECT_TRUE(warm.story.has_decided("wait", "max is 1"));
  warm.story.carry_out_stops();
  EXPECT_EQ(warm.story.started.size(), 2u);
}

TEST(Cooling, AWakeOfAParkedOneWaitsForMaxToo) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_max = 2;
  spec.scale.concurrency = 1;
  spec.start.progress = 10s;
  Story story;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  const ReplicaId first = story.started[0].replica;
  story.becomes_ready(first, 8s);
  story.loads(story.started[1].replica);
  story.give_back(first, /*is_awaited=*/true);
  story.give_back(first);
  story.pass(5s);
  story.finish_parking(first);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 1});
  story.pass(6s);
  ASSERT_EQ(story.count(State::Stopping), 1u) << "its start got stuck";
  story.post(model::WakeAsked{{1}});
  EXPECT_TRUE(story.resumed.empty());
  EXPECT_TRUE(story.has_decided("wait", "max is 1"));
  story.carry_out_stops();
  EXPECT_EQ(story.resumed.size(), 1u);
}

TEST(Cooling, NeverParksAReplicaWithWork) {
  Warm warm;
  ASSERT_TRUE(warm.story.take_slot(warm.id));
  warm.story.pass(60s);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  EXPECT_TRUE(warm.story.is_open(warm.id));
  EXPECT_TRUE(warm.story.park_ordered.empty());
}

TEST(Cooling, TriesAgainTwoSecondsAfterTheLastUse) {
  Warm warm;
  warm.story.pass(1s);
  ASSERT_TRUE(warm.story.take_slot(warm.id));
  warm.story.give_back(warm.id);
  warm.story.pass(1s);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready) << "it was used a second ago";
  EXPECT_EQ(warm.story.closes_tried, 1u);
  warm.story.pass(999ms);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  warm.story.pass(1ms);
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
}

TEST(Cooling, WhoWaitsIsServedThoughNobodySaidThatASlotIsFree) {
  for (const bool may_park : {true, false}) {
    model::AppSpec spec = Story::spec("a");
    spec.scale.replicas_max = 1;
    spec.scale.concurrency = 1;
    spec.queue.wait = 1h;
    spec.park = may_park ? model::ParkRule::Auto : model::ParkRule::Never;
    Warm warm(spec);
    ASSERT_TRUE(warm.story.take_slot(warm.id));
    warm.story.request(2);
    ASSERT_FALSE(warm.story.handover_of(2));
    warm.story.give_back(warm.id);  // the word of it is lost
    warm.story.pass(10min);
    EXPECT_TRUE(warm.story.handover_of(2)) << may_park;
    EXPECT_EQ(warm.story.state(warm.id), State::Ready);
    EXPECT_TRUE(warm.story.has_decided("wake", "requests wait for its slots"));
  }
}

TEST(Cooling, FollowsTheEnvelopeFromParkedToCold) {
  Warm warm;
  warm.park();
  // w_parked = 1.05 * 0.05 * 21, w_cold = 1.05 * 1 * 21: parked -> cold after 418.9 s idle.
  warm.story.pass(416s);
  EXPECT_EQ(warm.story.state(warm.id), State::Parked);
  warm.story.pass(2s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
  warm.story.carry_out_stops();
  EXPECT_EQ(warm.story.app().condition, model::Condition::Cold);
  EXPECT_TRUE(warm.story.is_at_rest());
}

TEST(Cooling, HoldsABatchAppOnlyShortly) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.urgency_milli = 1'000;
  Warm warm(spec);
  warm.park();
  // 1.05 * 0.95 * 2 / 0.05 = 39.9 s
  warm.story.pass(37s);
  EXPECT_EQ(warm.story.state(warm.id), State::Parked);
  warm.story.pass(2s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
}

TEST(Cooling, AParkedReplicaCostsOneTimerAndNoTicks) {
  Warm warm;
  warm.park();
  const std::size_t decisions = warm.story.decisions.size();
  const std::size_t asked = warm.story.busy_asked;
  warm.story.pass(300s);
  EXPECT_EQ(warm.story.decisions.size(), decisions);
  EXPECT_LE(warm.story.busy_asked, asked + 1);
}

TEST(Cooling, WakesFromParkedForARequest) {
  Warm warm;
  warm.park();
  warm.story.request(2);
  EXPECT_EQ(warm.story.resumed, std::vector<ReplicaId>{warm.id});
  EXPECT_EQ(warm.story.state(warm.id), State::Resuming);
  EXPECT_EQ(warm.story.replica(warm.id).lease.accelerators.size(), 1u);
  warm.story.pass(3ms);
  warm.story.moved(warm.id, State::Ready);
  ASSERT_TRUE(warm.story.handover_of(2));
  EXPECT_EQ(warm.story.handover_of(2)->woke_from, Temperature::Parked);
  ASSERT_EQ(warm.story.handover_of(2)->stages.size(), 2u);
  EXPECT_EQ(warm.story.handover_of(2)->stages[1].phase, model::Phase::Resume);
  EXPECT_EQ(warm.story.handover_of(2)->stages[1].time, 3ms);
  EXPECT_EQ(warm.story.started.size(), 1u) << "nothing is started beside it";
}

TEST(Cooling, ARequestCallsOffAParkThatHasNotBegun) {
  Warm warm;
  warm.story.pass(2s);
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
  warm.story.request(2);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  EXPECT_TRUE(warm.story.handover_of(2));
  EXPECT_EQ(warm.story.handover_of(2)->woke_from, Temperature::Warm);
  warm.story.connections_closed(warm.id);
  EXPECT_TRUE(warm.story.park_ordered.empty());
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
}

TEST(Cooling, WaitsForBothAnswersWhenItParksAgainSoon) {
  Warm warm;
  warm.story.pass(2s);
  warm.story.request(2);
  warm.story.give_back(warm.id);
  warm.story.pass(3s);
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
  warm.story.connections_closed(warm.id);
  EXPECT_TRUE(warm.story.park_ordered.empty()) << "that answered the first CloseConnections";
  warm.story.connections_closed(warm.id);
  EXPECT_EQ(warm.story.park_ordered.size(), 1u);
}

TEST(Cooling, LetsAParkThroughAndResumesAtOnce) {
  Warm warm;
  warm.story.pass(2s);
  warm.story.connections_closed(warm.id);
  warm.story.request(2);
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
  EXPECT_EQ(warm.story.started.size(), 1u);
  warm.story.moved(warm.id, State::Parked);
  EXPECT_EQ(warm.story.state(warm.id), State::Resuming);
  warm.story.moved(warm.id, State::Ready);
  EXPECT_TRUE(warm.story.handover_of(2));
}

TEST(Cooling, ResumesTheOnlyReplicaThatMaxAllowsForARequestThatCameWhileItParked) {
  Warm warm;
  warm.story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 1});
  warm.story.post(model::ParkAsked{{1}});
  warm.story.connections_closed(warm.id);
  warm.story.request(2);
  EXPECT_TRUE(warm.story.resumed.empty());
  warm.story.moved(warm.id, State::Parked);
  ASSERT_EQ(warm.story.resumed.size(), 1u);
  warm.story.moved(warm.id, State::Ready);
  EXPECT_TRUE(warm.story.handover_of(2));
}

TEST(Cooling, StaysWarmWhenParkingFails) {
  Warm warm;
  warm.story.pass(2s);
  warm.story.connections_closed(warm.id);
  warm.story.post(model::MoveFailed{
      .replica = warm.id, .tried = State::Parked, .what = "the freezer is stuck"});
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  EXPECT_TRUE(warm.story.is_open(warm.id));
  EXPECT_TRUE(warm.story.is_routed(warm.id));
  EXPECT_TRUE(warm.story.has_decided("park", "the freezer is stuck"));
  warm.story.pass(10s);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready) << "it is not parked again";
  warm.story.pass(20s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping) << "warm -> cold after 21 s";
}

TEST(Cooling, StartsAFreshOneWhenResumingFails) {
  Warm warm;
  warm.park();
  warm.story.request(2);
  warm.story.post(
      model::MoveFailed{.replica = warm.id, .tried = State::Ready, .what = "checkpoint lost"});
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
  ASSERT_EQ(warm.story.started.size(), 2u);
  warm.story.becomes_ready(warm.story.last_started());
  EXPECT_TRUE(warm.story.handover_of(2));
}

TEST(Cooling, ParkNeverGoesFromWarmToCold) {
  model::AppSpec spec = Story::spec("a");
  spec.park = model::ParkRule::Never;
  Warm warm(spec);
  warm.story.pass(20s);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  warm.story.pass(2s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
  EXPECT_TRUE(warm.story.park_ordered.empty());
  EXPECT_FALSE(warm.story.is_routed(warm.id));
}

TEST(Cooling, ParksAtOnceWhenAsked) {
  Warm warm;
  warm.story.post(model::ParkAsked{{1}});
  EXPECT_EQ(warm.story.state(warm.id), State::Parking);
}

TEST(Cooling, SaysWhyItDoesNotParkWhenAsked) {
  Warm warm;
  ASSERT_TRUE(warm.story.take_slot(warm.id));
  warm.story.post(model::ParkAsked{{1}});
  EXPECT_EQ(warm.story.state(warm.id), State::Ready);
  EXPECT_TRUE(warm.story.has_decided("park", "1 request in flight"));
}

TEST(Cooling, LearnsHowLongWakingTakes) {
  model::AppSpec spec = Story::spec("a");
  spec.park = model::ParkRule::Never;
  Warm warm(spec, 3s);
  warm.story.pass(60s);
  EXPECT_EQ(warm.story.state(warm.id), State::Ready) << "waking takes 3 s, so it is held for 63 s";
  warm.story.pass(4s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
}

TEST(Cooling, KeepsWhatTheAverageLoadCallsForFromGoingCold) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.urgency_milli = 0;
  Warm warm(spec);
  // 12 s of work in two minutes: e = 0.1 keeps one replica for 120 s * ln 2 = 83 s.
  ASSERT_TRUE(warm.story.take_slot(warm.id));
  warm.story.pass(12s);
  warm.story.give_back(warm.id);
  warm.story.report_busy();
  warm.park();
  warm.story.pass(70s);
  EXPECT_EQ(warm.story.state(warm.id), State::Parked);
  warm.story.pass(20s);
  EXPECT_EQ(warm.story.state(warm.id), State::Stopping);
}

TEST(Cooling, ASuspendedStopIsRepeated) {
  Warm warm;
  warm.park();
  warm.story.pass(420s);
  ASSERT_EQ(warm.story.stopped.size(), 1u);
  warm.story.pass(71s);
  ASSERT_EQ(warm.story.stopped.size(), 2u);
  EXPECT_EQ(warm.story.stopped[1].grace, 0s);
}

TEST(Usage, RowsCoverTheWholeLifeInPiecesOfTenSeconds) {
  Warm warm;
  ASSERT_TRUE(warm.story.take_slot(warm.id));
  warm.story.pass(25s);
  warm.story.give_back(warm.id);
  warm.story.report_busy();
  warm.park();
  warm.story.pass(420s);
  warm.story.carry_out_stops();
  std::int64_t busy = 0;
  std::uint64_t sequence = 0;
  Instant end = warm.story.usage.front().span.from;
  for (const model::Usage& row : warm.story.usage) {
    EXPECT_EQ(row.sequence, sequence++);
    EXPECT_EQ(row.span.from, end);
    EXPECT_LE(row.span.to - row.span.from, 10s);
    end = row.span.to;
    busy += row.busy_ms;
  }
  EXPECT_EQ(busy, 25'000);
  EXPECT_EQ(end, warm.story.now);
}

TEST(Usage, AsksTheGatewayAboutEveryTenSecondsWhileReady) {
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_min = 1;
  Warm warm(spec);
  warm.story.busy_asked = 0;
  warm.story.pass(100s);
  EXPECT_GE(warm.story.busy_asked, 9u);
  EXPECT_LE(warm.story.busy_asked, 12u);
}

}  // namespace
}  // namespace kelvin::control
