// What requests may ask about their wait: priority, a deadline, a replica by name; and what keys weigh.
#include "core/control/story_test.h"
#include "model/ids.h"

namespace kelvin::control {
namespace {

using model::Priority;
using model::State;

constexpr auto kLow = Priority::Low;

model::AppSpec narrow(std::uint32_t most = 1) {
  model::AppSpec spec = Story::spec("app1");
  spec.scale = {.replicas_max = most, .concurrency = 1};
  return spec;
}

// One replica of one slot, parked, after request 1 was served.
struct Parked {
  explicit Parked(std::uint32_t most = 4) {
    model::AppSpec spec = narrow(most);
    spec.scale.urgency_milli = 100'000;
    story.deploy(1, spec);
    story.request(1);
    id = story.last_started();
    story.becomes_ready(id, 10s);
    story.give_back(id);
    story.post(model::ParkAsked{{1}});
    story.finish_parking(id);
    EXPECT_EQ(story.state(id), State::Parked);
  }
  Story story;
  ReplicaId id;
};

// --- low priority ------------------------------------------------------------------------------------

TEST(LowPriority, StartsNothing) {
  Story story;
  story.deploy(1);
  story.request(7, {.priority = kLow});
  EXPECT_TRUE(story.started.empty());
  EXPECT_EQ(story.app().waiting, 1u);
  EXPECT_EQ(story.app().waiting_low, 1u);
  EXPECT_EQ(story.app().waits_for, "nothing runs, and low priority starts nothing");
  EXPECT_TRUE(story.has_decided("queue", "low priority, for which nothing is started"));
}

TEST(LowPriority, ResumesNothing) {
  Parked s;
  s.story.request(7, {.priority = kLow, .wanted_replica = s.id});
  s.story.pass(1s);
  EXPECT_TRUE(s.story.resumed.empty());
  EXPECT_EQ(s.story.started.size(), 1u);
}

TEST(LowPriority, IsRefusedWithItsReasonAfterQueueWait) {
  Story story;
  model::AppSpec spec = Story::spec("app1");
  spec.queue.wait = 30s;
  story.deploy(1, spec);
  story.request(7, {.priority = kLow});
  story.pass(31s);
  ASSERT_TRUE(story.refusal_of(7));
  EXPECT_EQ(story.refusal_of(7)->refusal.status, 503);
  EXPECT_EQ(story.refusal_of(7)->refusal.code, "queue_wait_over");
  EXPECT_NE(story.refusal_of(7)->refusal.sentence.find("low priority"), std::string::npos);
  EXPECT_TRUE(story.started.empty());
}

TEST(LowPriority, IsServedAfterEverybodyElseByWhatRunsForOthers) {
  Story story;
  story.deploy(1, narrow());
  story.request(1, {.priority = kLow});
  story.request(2);
  story.request(3);
  story.becomes_ready(story.last_started());
  story.give_back(story.last_started(), true);
  story.give_back(story.last_started(), true);
  EXPECT_EQ(story.handed_over(), "2 3 1 ");
}

TEST(LowPriority, IsNotCountedWhenMoreReplicasAreStarted) {
  Story story;
  story.deploy(1, narrow(4));
  story.request(1);
  for (std::uint64_t id = 2; id < 6; ++id) story.request(id, {.priority = kLow});
  EXPECT_EQ(story.started.size(), 1u);
  story.becomes_ready(story.last_started());
  EXPECT_EQ(story.started.size(), 1u);
}

TEST(LowPriority, DoesNotHoldAPlanThatOnlyOthersWanted) {
  Story story({.cpus = 1});
  story.deploy(1, narrow());
  story.deploy(2, Story::spec("app2"));
  story.request(1, 2);
  story.becomes_ready(story.last_started());
  story.request(5);
  story.request(6, {.priority = kLow});
  ASSERT_EQ(story.app().condition, model::Condition::Starting) << "waits for the only slot";
  story.post(model::RequestLeft{{5}});
  EXPECT_EQ(story.app().condition, model::Condition::Cold);
  EXPECT_EQ(story.app().waiting, 1u);
}

TEST(LowPriority, ItsWorkCallsForNoFloor) {
  Story story;
  story.deploy(1, narrow(4));
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id);
  const auto report = [&](Duration low) {
    const Instant from = story.now;
    story.pass(60s);
    story.post(model::BusyMeasured{.complete_up_to = story.now,
                                   .entries = {{.replica = id,
                                                .spans = {{from, story.now}},
                                                .request_time = 180s,
                                                .low_time = low,
                                                .answered = 3}}});
  };
  report(180s);
  EXPECT_EQ(story.started.size(), 1u);
  report(0s);
  EXPECT_GT(story.started.size(), 1u) << "others' work does";
}

// --- high priority and weights -----------------------------------------------------------------------

TEST(HighPriority, GoesFirstWithinItsKey) {
  Story story;
  story.deploy(1, narrow());
  story.request(1, {.key = {1}});
  story.request(2, {.key = {1}, .priority = Priority::High});
  story.becomes_ready(story.last_started());
  story.give_back(story.last_started(), true);
  EXPECT_EQ(story.handed_over(), "2 1 ");
}

TEST(Weights, GiveTurnsToKeys) {
  Story story;
  story.deploy(1, narrow());
  for (std::uint64_t id = 1; id <= 4; ++id) story.request(id, {.key = {1}, .key_weight = 3});
  for (std::uint64_t id = 11; id <= 14; ++id) story.request(id, {.key = {2}});
  story.becomes_ready(story.last_started());
  for (int i = 0; i < 7; ++i) story.give_back(story.last_started(), true);
  EXPECT_EQ(story.handed_over(), "1 11 2 3 4 12 13 14 ");
}

// --- deadlines ---------------------------------------------------------------------------------------

TEST(Deadline, EndsTheWaitEarlierThanQueueWait) {
  Story story;
  story.deploy(1);
  story.request(7, {.deadline = story.now + 5s});
  story.pass(4s);
  EXPECT_FALSE(story.refusal_of(7));
  story.pass(1s);
  ASSERT_TRUE(story.refusal_of(7));
  const model::Refusal& refusal = story.refusal_of(7)->refusal;
  EXPECT_EQ(refusal.status, 504);
  EXPECT_EQ(refusal.code, "deadline_over");
  EXPECT_GT(refusal.retry_after, Duration(0s));
}

TEST(Deadline, DoesNotStretchQueueWait) {
  Story story;
  story.deploy(1);
  story.request(7, {.deadline = story.now + 3600s});
  story.pass(600s);
  ASSERT_TRUE(story.refusal_of(7));
  EXPECT_EQ(story.refusal_of(7)->refusal.code, "queue_wait_over");
}

TEST(Deadline, OneThatHasPassedIsRefusedAtOnce) {
  Story story;
  story.deploy(1);
  story.pass(10s);
  story.request(7, {.deadline = story.now - 1s});
  story.pass(1ms);
  ASSERT_TRUE(story.refusal_of(7));
  EXPECT_EQ(story.refusal_of(7)->refusal.code, "deadline_over");
}

TEST(RetryAfter, IsTheRestOfTheStart) {
  Story story;
  model::AppSpec spec = Story::spec("app1");
  spec.queue.requests_max = 1;
  story.deploy(1, spec);
  story.request(1);
  story.becomes_ready(story.last_started(), 40s);
  story.give_back(story.last_started());
  story.post(model::ReplicaMoved{.replica = story.last_started(),
                                 .to = State::Gone,
                                 .exit = model::Exit{.cause = model::ExitCause::NodeLost}});
  story.request(2);
  story.pass(15s);
  story.request(3);
  ASSERT_TRUE(story.refusal_of(3));
  EXPECT_EQ(story.refusal_of(3)->refusal.status, 429);
  EXPECT_EQ(story.refusal_of(3)->refusal.retry_after, Duration(25s));
}

// --- a replica by name -------------------------------------------------------------------------------

TEST(WantedReplica, ThatIsParkedIsTheOneThatWakes) {
  Story story({.cpus = 4});
  story.deploy(1, narrow(4));
  story.request(1);
  story.request(2);
  const ReplicaId first = story.started[0].replica;
  const ReplicaId second = story.started[1].replica;
  for (const ReplicaId id : {first, second}) story.becomes_ready(id, 10s);
  for (const ReplicaId id : {first, second}) {
    story.give_back(id);
    story.pass(5ms);
    story.post(model::ParkAsked{{1}});
    story.finish_parking(id);
  }
  story.request(3, {.wanted_replica = first});
  EXPECT_EQ(story.resumed, std::vector<ReplicaId>{first}) << "though the other was used later";
  story.pass(1ms);
  story.moved(first, State::Ready);
  ASSERT_TRUE(story.handover_of(3));
  EXPECT_EQ(story.handover_of(3)->replica.id, first);
  EXPECT_EQ(story.handover_of(3)->woke_from, model::Temperature::Parked);
}

TEST(WantedReplica, WakesThoughAnotherIsReadyWithRoom) {
  Parked s;
  s.story.request(2);
  s.story.post(model::RequestLeft{{2}});
  s.story.moved(s.id, State::Ready);
  s.story.post(model::ParkAsked{{1}});
  s.story.finish_parking(s.id);
  s.story.resumed.clear();
  s.story.request(3, {.wanted_replica = s.id});
  s.story.request(4);
  ASSERT_EQ(s.story.started.size(), 2u) << "its own slot is promised to request 3";
  s.story.becomes_ready(s.story.last_started());
  EXPECT_EQ(s.story.handed_over(), "1 4 ") << "request 3 waits for its replica";
  s.story.moved(s.id, State::Ready);
  EXPECT_EQ(s.story.handed_over(), "1 4 3 ");
}

TEST(WantedReplica, ThatIsGoneIsReplacedByAny) {
  Story story;
  story.deploy(1);
  story.request(7, {.wanted_replica = {12345}});
  ASSERT_EQ(story.started.size(), 1u);
  story.becomes_ready(story.last_started());
  EXPECT_TRUE(story.handover_of(7));
}

TEST(WantedReplica, ThatCannotBeResumedIsReplacedByAny) {
  Parked s;
  s.story.request(3, {.wanted_replica = s.id});
  ASSERT_EQ(s.story.resumed.size(), 1u);
  s.story.post(model::MoveFailed{.replica = s.id, .tried = State::Ready, .what = "broken"});
  ASSERT_EQ(s.story.started.size(), 2u);
  s.story.becomes_ready(s.story.last_started());
  ASSERT_TRUE(s.story.handover_of(3));
  EXPECT_EQ(s.story.handover_of(3)->replica.id, s.story.last_started());
}

TEST(WantedReplica, DiesWhileItIsAwaited) {
  Parked s;
  s.story.request(3, {.wanted_replica = s.id});
  s.story.gone(s.id, {.cause = model::ExitCause::Killed, .code = 9});
  ASSERT_EQ(s.story.started.size(), 2u);
  s.story.becomes_ready(s.story.last_started());
  EXPECT_TRUE(s.story.handover_of(3));
}

TEST(WantedReplica, ThatIsReadyIsPreferred) {
  Story story({.cpus = 4});
  model::AppSpec spec = narrow(4);
  spec.scale = {.replicas_min = 2, .replicas_max = 4, .concurrency = 2};
  story.deploy(1, spec);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  story.request(1, {.wanted_replica = story.started[1].replica});
  story.request(2, {.wanted_replica = story.started[1].replica});
  for (const model::Handover& handover : story.handovers)
    EXPECT_EQ(handover.replica.id, story.started[1].replica);
  story.request(3, {.wanted_replica = story.started[1].replica});
  ASSERT_TRUE(story.handover_of(3));
  EXPECT_EQ(story.handover_of(3)->replica.id, story.started[0].replica) << "it is full";
}

TEST(WantedReplica, IsNamedByTheRouteWhileItCanBeHadBack) {
  Parked s;
  EXPECT_EQ(s.story.routes.at({1}).parked, std::vector<ReplicaId>{s.id});
  s.story.gone(s.id, {.cause = model::ExitCause::Killed, .code = 9});
  EXPECT_TRUE(s.story.routes.at({1}).parked.empty());
}

TEST(WantedReplica, ThatIsGoneIsReplacedByOneThatOnlySeemedFull) {
  Story story;
  story.deploy(1, narrow());
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id);
  story.request(2);
  story.post(model::RequestLeft{{2}});
  story.give_back(id);
  story.request(3, {.wanted_replica = {12345}});
  EXPECT_TRUE(story.handover_of(3)) << "though nobody said that the slot was given back";
}

TEST(WantedReplica, OfAnotherAppIsNobody) {
  Parked s;
  s.story.deploy(2, Story::spec("app2"));
  s.story.post(
      model::Demand{.request = {9}, .app = {2}, .arrived = s.story.now, .wanted_replica = s.id});
  EXPECT_TRUE(s.story.resumed.empty());
  EXPECT_EQ(s.story.last_started(), s.story.started[1].replica);
}

TEST(WantedReplica, MoreThanItsSlotsAreServedByOthersToo) {
  Parked s(4);
  for (std::uint64_t id = 2; id < 5; ++id) s.story.request(id, {.wanted_replica = s.id});
  EXPECT_EQ(s.story.resumed.size(), 1u);
  s.story.moved(s.id, State::Ready);
  EXPECT_EQ(s.story.handed_over(), "1 2 ");
  s.story.give_back(s.id, true);
  s.story.give_back(s.id, true);
  EXPECT_EQ(s.story.handed_over(), "1 2 3 4 ");
}

TEST(WantedReplica, ThatIsJustBeingParkedIsCalledBack) {
  Story story;
  story.deploy(1, narrow(4));
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id, 10s);
  story.give_back(id);
  story.post(model::ParkAsked{{1}});
  ASSERT_EQ(story.state(id), State::Parking);
  story.request(2, {.wanted_replica = id});
  ASSERT_TRUE(story.handover_of(2));
  EXPECT_EQ(story.handover_of(2)->replica.id, id);
  EXPECT_EQ(story.handover_of(2)->woke_from, model::Temperature::Warm);
}

// --- affinity, and looking ---------------------------------------------------------------------------

TEST(Affinity, HoldsForRequestsThatWaitedToo) {
  Story story({.cpus = 4});
  model::AppSpec spec = narrow(4);
  spec.scale.concurrency = 8;
  spec.scale.replicas_min = 4;
  story.deploy(1, spec);
  ASSERT_EQ(story.started.size(), 4u);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  for (std::uint64_t id = 1; id <= 5; ++id) story.request(id, {.affinity = 77});
  for (const model::Handover& handover : story.handovers)
    EXPECT_EQ(handover.replica.id, story.handovers[0].replica.id);
}

TEST(Look, AWaitingRequestHasAPlaceAndAReason) {
  Story story;
  story.deploy(1, narrow());
  story.request(1, {.key = {1}});
  story.request(2, {.key = {1}});
  story.request(3, {.key = {2}, .priority = kLow, .deadline = story.now + 7s});
  const auto view = story.waiting_request(3);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->place, 3u);
  EXPECT_EQ(view->waiting, 3u);
  EXPECT_EQ(view->app_name, "app1");
  EXPECT_EQ(view->priority, kLow);
  EXPECT_EQ(view->deadline, story.now + 7s);
  EXPECT_NE(view->waits_for.find("is planned"), std::string::npos) << view->waits_for;
  EXPECT_EQ(story.app().waiting_keys, 2u);
  EXPECT_FALSE(story.waiting_request(99));
}

// --- progress ----------------------------------------------------------------------------------------

// What request `id` is told now; empty: nothing.
std::string told(Story& story, std::uint64_t id) {
  story.told.clear();
  story.post(model::ProgressAsked{.request = {id}, .loop = 3});
  if (story.told.empty()) return {};
  EXPECT_EQ(story.told[0].request.value, id);
  EXPECT_EQ(story.told[0].loop, 3u);
  return story.told[0].sentence;
}

TEST(ProgressAsked, TellsThePlaceTheStageAndTheTimeThatIsLeft) {
  Story story;
  story.deploy(1, narrow());
  story.request(1);
  const std::string first = model::to_text(story.last_started());
  story.loads(story.last_started());
  story.pass(4s);
  EXPECT_EQ(told(story, 1), "place 1 of 1; replica " + first + " has been loading for 4 s")
      << "nothing was measured yet";
  story.pass(6s);
  story.moved(story.last_started(), State::Ready);
  story.give_back(story.last_started());
  story.gone(story.last_started(), {.cause = model::ExitCause::NodeLost});
  story.request(2);
  story.request(3);
  story.loads(story.last_started());
  story.pass(4s);
  const std::string second = model::to_text(story.last_started());
  EXPECT_EQ(told(story, 3),
            "place 2 of 2; replica " + second + " has been loading for 4 s; about 6 s to go");
  story.pass(7s);
  EXPECT_EQ(told(story, 3), "place 2 of 2; replica " + second + " has been loading for 11 s");
}

TEST(ProgressAsked, SaysNothingThatTheProgramSays) {
  Story story;
  story.deploy(1, narrow());
  story.request(1);
  story.loads(story.last_started());
  story.post(model::ReplicaProgressed{.replica = story.last_started(), .what = "it says: secret"});
  ASSERT_EQ(story.replica(story.last_started()).reason, "it says: secret");
  EXPECT_EQ(told(story, 1).find("secret"), std::string::npos);
}

TEST(ProgressAsked, TellsWhyNothingIsStarted) {
  Story story;
  story.deploy(1);
  story.request(7, {.priority = kLow});
  EXPECT_EQ(told(story, 7), "place 1 of 1; nothing runs, and low priority starts nothing");
}

TEST(ProgressAsked, TellsForWhatAPlanWaits) {
  Story story({.cpus = 1});
  story.deploy(1, narrow());
  story.deploy(2);
  story.request(1, 2);
  story.becomes_ready(story.last_started());
  story.request(5);
  EXPECT_EQ(told(story, 5), "place 1 of 1; " + story.app().waits_for);
}

TEST(ProgressAsked, TellsWhenASlotIsToBeExpected) {
  Story story;
  story.deploy(1, narrow());
  story.request(1);
  story.becomes_ready(story.last_started());
  story.request(2);
  story.request(3);
  EXPECT_EQ(told(story, 3), "place 2 of 2; no ready replica had a free slot");
  story.pass(3s);
  story.report_busy();
  EXPECT_EQ(told(story, 3), "place 2 of 2; no ready replica had a free slot; about 6 s to go");
}

TEST(ProgressAsked, IsNobodysWhoDoesNotWait) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.becomes_ready(story.last_started());
  EXPECT_EQ(told(story, 1), "");
  EXPECT_EQ(told(story, 99), "");
  story.request(2, {.priority = kLow});
  story.post(model::RequestLeft{{2}});
  EXPECT_EQ(told(story, 2), "");
}

TEST(ProgressAsked, CountsNoPlacesInALongQueue) {
  Story story;
  model::AppSpec spec = narrow();
  spec.queue.requests_max = 2000;
  story.deploy(1, spec);
  for (std::uint64_t id = 1; id <= 1001; ++id) story.request(id);
  EXPECT_TRUE(told(story, 7).starts_with("one of 1001 that wait; ")) << told(story, 7);
  story.post(model::RequestLeft{{1001}});
  EXPECT_TRUE(told(story, 7).starts_with("place 7 of 1000; ")) << told(story, 7);
}

}  // namespace
}  // namespace kelvin::control
