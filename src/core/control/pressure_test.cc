#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

// One core; app 1 has a warm replica that has just become idle; app 2 is cold. Both are strict, so
// that nothing cools by itself during the story.
struct OneCore {
  explicit OneCore(model::AppSpec first = strict("one"), const StoryOptions& options = {.cpus = 1})
      : story(options) {
    story.deploy(1, std::move(first));
    story.deploy(2, strict("two"));
    story.request(1, 1);
    holder = story.last_started();
    story.becomes_ready(holder, 1s);
    story.give_back(holder);
    story.report_busy();
  }
  static model::AppSpec strict(std::string name) {
    model::AppSpec spec = Story::spec(std::move(name));
    spec.scale.urgency_milli = 100'000;
    return spec;
  }
  Story story;
  ReplicaId holder;
};

TEST(Pressure, ParksAnIdleReplicaOfAnotherAppSoThatAWaitingOneStarts) {
  OneCore core;
  core.story.pass(3s);
  core.story.request(2, 2);
  EXPECT_EQ(core.story.state(core.holder), State::Parking);
  EXPECT_TRUE(core.story.has_decided("evict", "two waits for what it holds"));
  EXPECT_EQ(core.story.started.size(), 1u);
  core.story.finish_parking(core.holder);
  ASSERT_EQ(core.story.started.size(), 2u);
  core.story.becomes_ready(core.story.last_started());
  EXPECT_TRUE(core.story.handover_of(2));
}

TEST(Pressure, LeavesAnIdleReplicaItsTwoSeconds) {
  OneCore core;
  core.story.pass(500ms);
  core.story.request(2, 2);
  EXPECT_EQ(core.story.state(core.holder), State::Ready);
  core.story.pass(1499ms);
  EXPECT_EQ(core.story.state(core.holder), State::Ready);
  core.story.pass(1ms);
  EXPECT_EQ(core.story.state(core.holder), State::Parking);
}

TEST(Pressure, NeverTakesFromAReplicaWithWork) {
  OneCore core;
  core.story.pass(3s);
  ASSERT_TRUE(core.story.take_slot(core.holder));
  core.story.request(2, 2);
  for (int second = 0; second < 60; ++second) {
    core.story.pass(1s);
    core.story.report_busy();
    ASSERT_EQ(core.story.state(core.holder), State::Ready);
  }
  core.story.give_back(core.holder);
  core.story.report_busy();
  core.story.pass(2s);
  EXPECT_EQ(core.story.state(core.holder), State::Parking);
}

TEST(Pressure, FindsOutWhenABusyReplicaIsIdleEvenWithoutReports) {
  OneCore core;
  ASSERT_TRUE(core.story.take_slot(core.holder));
  core.story.request(2, 2);
  core.story.pass(5s);
  core.story.give_back(core.holder);
  core.story.pass(5s);
  EXPECT_EQ(core.story.state(core.holder), State::Parking);
}

TEST(Pressure, DoesNotTakeWhatMinKeepsWarm) {
  model::AppSpec first = OneCore::strict("one");
  first.scale.replicas_min = 1;
  OneCore core(first);
  core.story.pass(3s);
  core.story.request(2, 2);
  core.story.pass(60s);
  EXPECT_EQ(core.story.state(core.holder), State::Ready);
  EXPECT_NE(core.story.app(2).reason.find("waits for accelerators"), std::string::npos);
}

TEST(Pressure, StopsWhatMayNotPark) {
  model::AppSpec first = OneCore::strict("one");
  first.park = model::ParkRule::Never;
  OneCore core(first);
  core.story.pass(3s);
  core.story.request(2, 2);
  EXPECT_EQ(core.story.state(core.holder), State::Stopping);
  core.story.carry_out_stops();
  EXPECT_EQ(core.story.started.size(), 2u);
}

TEST(Pressure, StopsAParkedReplicaWhenHostMemoryIsShort) {
  model::AppSpec first = OneCore::strict("one");
  first.memory = 6_GiB;
  OneCore core(first, {.cpus = 1, .memory = 8_GiB});
  core.story.pass(3s);
  core.story.post(model::ParkAsked{{1}});
  core.story.finish_parking(core.holder);
  model::AppSpec large = OneCore::strict("large");
  large.memory = 4_GiB;
  core.story.deploy(3, large);
  core.story.request(3, 3);
  EXPECT_EQ(core.story.state(core.holder), State::Stopping);
  core.story.carry_out_stops();
  EXPECT_EQ(core.story.started.size(), 2u);
}

TEST(Pressure, CoolsOneReplicaForOneWaiter) {
  Story story({.cpus = 2});
  for (std::uint64_t app : {1U, 2U, 3U})
    story.deploy(app, OneCore::strict("app" + std::to_string(app)));
  for (std::uint64_t app : {1U, 2U}) {
    story.request(app, app);
    story.becomes_ready(story.last_started(), 1s);
    story.give_back(story.last_started());
    story.report_busy();
    story.pass(1s);
  }
  story.pass(3s);
  story.request(3, 3);
  EXPECT_EQ(story.count(State::Parking), 1u);
  EXPECT_EQ(story.state(story.started[0].replica), State::Parking)
      << "idle for longer, so its loss is smaller";
  story.post(model::RequestLeft{{99}});
  story.pass(100ms);
  EXPECT_EQ(story.count(State::Parking), 1u);
}

TEST(Pressure, TakesTurnsBetweenTwoAppsOnOneCore) {
  OneCore core;
  ReplicaId holders[2] = {core.holder, {}};
  core.story.pass(3s);
  core.story.request(100, 2);
  core.story.finish_parking(core.holder);
  holders[1] = core.story.last_started();
  core.story.becomes_ready(holders[1], 1s);
  core.story.give_back(holders[1]);
  for (std::uint64_t turn = 0; turn < 6; ++turn) {
    const std::uint64_t wanted = turn % 2;
    core.story.report_busy();
    core.story.pass(3s);
    core.story.request(200 + turn, wanted + 1);
    ASSERT_EQ(core.story.state(holders[1 - wanted]), State::Parking) << turn;
    core.story.finish_parking(holders[1 - wanted]);
    ASSERT_EQ(core.story.state(holders[wanted]), State::Resuming) << turn;
    core.story.moved(holders[wanted], State::Ready);
    ASSERT_TRUE(core.story.handover_of(200 + turn));
    core.story.give_back(holders[wanted]);
  }
  EXPECT_EQ(core.story.started.size(), 2u);
}

TEST(Pressure, AVictimThatIsCalledWaitsItsTurn) {
  OneCore core;
  core.story.pass(3s);
  core.story.request(2, 2);
  core.story.request(3, 1);
  EXPECT_EQ(core.story.state(core.holder), State::Parking)
      << "it is not taken back from the one who waited first";
  core.story.finish_parking(core.holder);
  EXPECT_EQ(core.story.started.size(), 2u);
  EXPECT_EQ(core.story.state(core.holder), State::Parked);
  core.story.becomes_ready(core.story.last_started(), 1s);
  core.story.give_back(core.story.last_started());
  core.story.report_busy();
  core.story.pass(2s);
  core.story.finish_parking(core.story.last_started());
  EXPECT_EQ(core.story.state(core.holder), State::Resuming);
}

TEST(Pressure, AParkedReplicaWhoseNodeStaysFullIsReplacedOnAnother) {
  model::AppSpec kept = OneCore::strict("kept");
  kept.scale.replicas_min = 1;
  OneCore core;
  core.story.pass(3s);
  core.story.post(model::ParkAsked{{1}});
  core.story.finish_parking(core.holder);
  core.story.deploy(3, kept);
  core.story.becomes_ready(core.story.last_started());
  core.story.request(2, 1);
  EXPECT_EQ(core.story.started.size(), 2u) << "there is no other node to go to";
  model::Node other = Story::node({.cpus = 1});
  other.id = {2};
  other.name = "n2";
  core.story.post(model::NodeChanged{other});
  ASSERT_EQ(core.story.started.size(), 3u);
  EXPECT_EQ(core.story.started[2].lease.node, NodeId{2});
  EXPECT_EQ(core.story.state(core.holder), State::Parked);
  core.story.becomes_ready(core.story.last_started());
  EXPECT_TRUE(core.story.handover_of(2));
}

TEST(Pressure, FirstComeFirstServed) {
  Story story({.cpus = 2});
  model::AppSpec both = Story::spec("both");
  both.needs = {{.kind = "cpu", .count = 2}};
  story.deploy(1);
  story.deploy(2, both);
  story.deploy(3);
  story.request(1, 1);
  story.becomes_ready(story.last_started());
  story.request(2, 2);
  story.request(3, 3);
  EXPECT_EQ(story.started.size(), 2u) << "what nobody has a claim on goes to whoever can use it";
}

}  // namespace
}  // namespace kelvin::control
