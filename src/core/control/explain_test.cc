#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

model::ReplicaView only(const Story& story, std::uint64_t app = 1) {
  const auto all = story.replicas(app);
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? model::ReplicaView{} : all[0];
}

TEST(Explain, SaysUntilWhenAnIdleReplicaStaysWarmAndWhy) {
  Story story;
  story.deploy(1);
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id, 1s);
  story.give_back(id);
  const model::ReplicaView view = only(story);
  EXPECT_EQ(view.next,
            "it is parked then unless a request comes: waking takes 50 ms from parked and 1 s from "
            "cold, urgency 20, so holding it for longer than 2 s without a request costs more");
  EXPECT_EQ(view.next_at, story.now + 2s);
}

TEST(Explain, SaysUntilWhenAParkedOneIsKept) {
  Story story;
  story.deploy(1);
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id, 1s);
  story.give_back(id);
  story.pass(3s);
  story.finish_parking(id);
  const model::ReplicaView view = only(story);
  EXPECT_EQ(view.state, State::Parked);
  EXPECT_NE(view.next.find("it is stopped then unless a request comes"), std::string::npos);
  EXPECT_GT(view.next_at, story.now);
  EXPECT_LT(view.next_at, story.now + 1h);
}

TEST(Explain, SaysThatMinOrTheScheduleKeepsIt) {
  Story story({.cpus = 4});
  model::AppSpec spec = Story::spec("a");
  spec.scale.replicas_min = 1;
  spec.scale.schedule = {{.begins = "0 8 * * *", .length = 10h, .replicas_min = 2}};
  story.deploy(1, spec);
  story.becomes_ready(story.last_started());
  EXPECT_EQ(only(story).next, "it stays warm: min is 1");
  EXPECT_EQ(only(story).next_at, Instant::never());
  EXPECT_EQ(story.app().keeps, "min is 1");
  story.post(model::ScheduleChanged{{1}, {.replicas_min = 2, .words = "2 replicas by `0 8`"}});
  story.becomes_ready(story.last_started());
  EXPECT_EQ(story.replicas(1)[0].next, "it stays warm: the schedule keeps 2 replicas by `0 8`");
  EXPECT_EQ(story.app().keeps, "the schedule keeps 2 replicas by `0 8`");
}

TEST(Explain, SaysWhatTheAverageLoadCallsFor) {
  Story story({.cpus = 8});
  story.deploy(1);
  story.request(1);
  story.becomes_ready(story.last_started());
  story.pass(60s);
  story.report_busy();
  EXPECT_NE(story.app().keeps.find("requests in flight on average, when last measured, called for "
                                   "1 replica of revision 1"),
            std::string::npos)
      << story.app().keeps;
}

TEST(Explain, SaysWhenAStartIsGivenUp) {
  Story story;
  story.deploy(1);
  story.request(1);
  const Instant ordered = story.now;
  EXPECT_EQ(only(story).next, "it is given up then unless something moves: start.progress is 60 s");
  EXPECT_EQ(only(story).next_at, ordered + 60s);
}

TEST(Explain, SaysWhyAReplicaIsNotPlacedWithTheNamesOfTheFilters) {
  Story story({.cpus = 1});
  story.deploy(1);
  story.request(1);
  story.becomes_ready(story.last_started());
  model::AppSpec spec = Story::spec("b");
  spec.memory = 1_GiB;
  story.deploy(2, spec);
  story.request(2, 2);
  const model::ReplicaView view = only(story, 2);
  EXPECT_EQ(view.state, State::Planned);
  EXPECT_NE(view.reason.find("n1: not enough free accelerators (0 of 1 free, 1 cpu wanted)"),
            std::string::npos)
      << view.reason;
  EXPECT_EQ(view.next, "it starts once it has accelerators");
}

TEST(Explain, SaysWhenABackedOffStartMayBegin) {
  Story story;
  story.deploy(1);
  story.request(1);
  story.gone(story.last_started(), {.cause = model::ExitCause::Exited, .code = 1});
  const model::ReplicaView view = only(story);
  EXPECT_EQ(view.reason, "starts in 1 s: back-off after 1 failed start");
  EXPECT_EQ(view.next, "it may be placed then");
  EXPECT_EQ(view.next_at, story.now + 1s);
}

TEST(Explain, SaysHowADrainAndAStopEnd) {
  Story story;
  story.deploy(1);
  story.request(1);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id);
  story.post(model::AppDeleted{{1}});
  story.deploy(2);
  EXPECT_EQ(story.replica(id).state, State::Draining);
  EXPECT_EQ(only(story).next, "it stops when its last request has ended");
  story.give_back(id);
  EXPECT_EQ(only(story).next, "it is killed then if it is still there");
}

TEST(Explain, SaysSoOnlyWhereOneAppIsAskedFor) {
  Story story;
  story.deploy(1);
  story.request(1);
  EXPECT_EQ(story.replicas()[0].next, "");
}

}  // namespace
}  // namespace kelvin::control
