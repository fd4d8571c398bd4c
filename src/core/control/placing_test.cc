// placing_test: stories about where replicas go.
#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

model::AppSpec wants(std::string name, std::vector<model::AcceleratorNeed> needs) {
  model::AppSpec spec = Story::spec(std::move(name));
  spec.needs = std::move(needs);
  spec.scale.urgency_milli = 100'000;
  return spec;
}

model::Node gpus(std::uint64_t id, std::string kind, std::uint32_t count) {
  return {.id = {id},
          .name = "g" + std::to_string(id),
          .memory = 64_GiB,
          .pools = {{.kind = std::move(kind), .count = count, .memory_each = 80_GiB}}};
}

// The first replica of the app, ready after `start`.
ReplicaId warm_up(Story& story, std::uint64_t app, Duration start = 1s) {
  story.request(1000 + app, app);
  const ReplicaId id = story.last_started();
  story.becomes_ready(id, start);
  return id;
}

TEST(Placing, SaysWhyANodeWasChosen) {
  Story story;
  story.post(model::NodeChanged{gpus(2, "h100", 8)});
  story.post(model::NodeChanged{gpus(3, "h100", 2)});
  story.deploy(1, wants("one", {{.kind = "h100"}}));
  story.request(1);
  EXPECT_EQ(story.started[0].lease.node, NodeId{3});
  EXPECT_EQ(story.last_sentence("place"),
            "placed on g3, h100 0: the best of 2 nodes that fit: the fullest of them");
  story.deploy(2, wants("two", {{}}));
  story.request(2, 2);
  EXPECT_EQ(story.last_sentence("place"), "placed on n1, cpu 0: the only node that fits");
}

TEST(Placing, FallsBackToTheNextKindInTheOrderThatTheAppGives) {
  Story story;
  story.post(model::NodeChanged{gpus(2, "a100", 1)});
  story.post(model::NodeChanged{gpus(3, "h100", 1)});
  const std::vector<model::AcceleratorNeed> either{{.kind = "h100"}, {.kind = "a100"}};
  for (std::uint64_t app : {1U, 2U}) {
    story.deploy(app, wants("app" + std::to_string(app), either));
    story.request(app, app);
  }
  ASSERT_EQ(story.started.size(), 2u);
  EXPECT_EQ(story.started[0].lease.kind, "h100");
  EXPECT_EQ(story.started[1].lease.kind, "a100");
}

TEST(Placing, GivesAnyAcceleratorWithEnoughMemory) {
  Story story;
  model::Node small = gpus(2, "l4", 4);
  small.pools[0].memory_each = 24_GiB;
  story.post(model::NodeChanged{small});
  story.post(model::NodeChanged{gpus(3, "h100", 4)});
  story.deploy(1, wants("one", {{.kind = "any", .count = 2, .memory_each = 40_GiB}}));
  story.request(1);
  ASSERT_EQ(story.started.size(), 1u);
  EXPECT_EQ(story.started[0].lease.kind, "h100");
  EXPECT_EQ(story.started[0].lease.accelerators, (std::vector<std::uint32_t>{0, 1}));
}

TEST(Placing, GoesWhereItHasStartedFaster) {
  Story story({.cpus = 1});
  model::Node other = Story::node({.cpus = 1});
  other.id = {2};
  other.name = "n2";
  story.post(model::NodeChanged{other});
  model::AppSpec spec = Story::spec("one");
  spec.scale.concurrency = 1;
  spec.park = model::ParkRule::Never;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  ASSERT_EQ(story.started.size(), 2u);
  story.loads(story.started[0].replica);
  story.loads(story.started[1].replica);
  story.pass(2s);
  story.moved(story.started[1].replica, State::Ready);
  story.pass(7s);
  story.moved(story.started[0].replica, State::Ready);
  for (const model::StartReplica& start : std::vector(story.started)) {
    story.give_back(start.replica);
    story.gone(start.replica, {.cause = model::ExitCause::NodeLost});
  }
  story.request(3);
  ASSERT_EQ(story.started.size(), 3u);
  EXPECT_EQ(story.started[2].lease.node, story.started[1].lease.node);
  EXPECT_NE(story.last_sentence("place").find("starts in about 2 s (measured there)"),
            std::string::npos)
      << story.last_sentence("place");
}

TEST(Placing, GoesWhereItsContentLies) {
  Story story({.cpus = 1});
  model::Node other = Story::node({.cpus = 1});
  other.id = {2};
  other.name = "n2";
  other.contents = {{"/content/weights", model::Nearness::Memory}};
  story.post(model::NodeChanged{other});
  auto revision = std::make_shared<model::Revision>(*story.revision(1, 1, Story::spec("one")));
  revision->model_path = "/content/weights";
  story.post(model::RevisionDeployed{revision});
  story.request(1);
  EXPECT_EQ(story.last_sentence("place"),
            "placed on n2, cpu 0: the best of 2 nodes that fit: starts in about 5 s (holds what it "
            "reads in memory)");
}

TEST(Placing, AWholeNodeIsWorthMoreThanKeepingWorkspacesApart) {
  Story story({.cpus = 2});
  model::Node other = Story::node({.cpus = 2});
  other.id = {2};
  other.name = "n2";
  story.post(model::NodeChanged{other});
  story.deploy(1);
  story.request(1);
  auto foreign = std::make_shared<model::Revision>(*story.revision(2, 1, Story::spec("two")));
  foreign->workspace = "other";
  story.post(model::RevisionDeployed{foreign});
  story.request(2, 2);
  ASSERT_EQ(story.started.size(), 2u);
  EXPECT_EQ(story.started[0].lease.node, NodeId{1});
  EXPECT_EQ(story.started[1].lease.node, NodeId{1}) << "a node kept whole is worth more";
  story.deploy(3, wants("three", {{.kind = "cpu", .count = 2}}));
  story.request(3, 3);
  EXPECT_EQ(story.started.back().lease.node, NodeId{2});
}

TEST(Placing, ComesBackToItsParkedCopy) {
  Story story;
  story.deploy(1);
  const ReplicaId id = warm_up(story, 1);
  story.give_back(id);
  story.report_busy();
  story.pass(3s);
  ASSERT_EQ(story.state(id), State::Parking);
  story.finish_parking(id);
  story.request(2);
  EXPECT_EQ(story.last_sentence("place"), "placed on n1, cpu 0: its parked copy is there");
}

// Eight accelerators, a stream of small apps that never leaves four of them free at once.
TEST(Placing, ALargeWishIsNotStarvedByAStreamOfSmallOnes) {
  Story story;
  story.post(model::NodeChanged{gpus(2, "h100", 8)});
  for (std::uint64_t app = 1; app <= 200; ++app)
    story.deploy(app, wants("small" + std::to_string(app), {{.kind = "h100"}}));
  story.deploy(300, wants("large", {{.kind = "h100", .count = 4}}));
  std::deque<ReplicaId> running;
  std::uint64_t next = 1;
  std::size_t seen = 0;
  const auto take_in = [&] {
    for (; seen < story.started.size(); ++seen) {
      if (story.started[seen].lease.accelerators.size() == 4) continue;
      story.becomes_ready(story.started[seen].replica);
      running.push_back(story.started[seen].replica);
    }
  };
  for (; next <= 10; ++next) story.request(next, next);
  take_in();
  story.request(300, 300);
  const Instant since = story.now;
  const auto is_large_started = [&] {
    return std::ranges::any_of(story.started, [](const model::StartReplica& start) {
      return start.lease.accelerators.size() == 4;
    });
  };
  // Every 5 s one is done and dies, and another small one has come long before.
  while (!is_large_started() && next <= 200) {
    story.pass(5s);
    story.request(next, next);
    next += 1;
    const ReplicaId done = running.front();
    running.pop_front();
    story.give_back(done);
    story.gone(done, {.cause = model::ExitCause::NodeLost});
    take_in();
  }
  ASSERT_TRUE(is_large_started());
  EXPECT_LE(story.now - since, 30s + 4 * 5s + 5s);
  EXPECT_TRUE(story.has_decided("reserve", "g2 is kept free for it: 4 h100 were not free at once"));
}

// One core that two apps want, whose replicas cannot be parked; the first has just become ready.
struct Turns {
  explicit Turns(Duration start) : story({.cpus = 1}) {
    for (std::uint64_t app : {1U, 2U}) {
      model::AppSpec spec = wants("app" + std::to_string(app), {{}});
      spec.park = model::ParkRule::Never;
      story.deploy(app, spec);
    }
    holder = warm_up(story, 1, start);
    story.give_back(holder);
    story.report_busy();
    story.request(2, 2);
  }
  Story story;
  ReplicaId holder;
};

TEST(Placing, WhatIsSlowToWakeKeepsItsAcceleratorForAsLong) {
  Turns turns(12s);
  turns.story.pass(11s);
  EXPECT_EQ(turns.story.state(turns.holder), State::Ready) << "waking takes 12 s";
  turns.story.pass(1s);
  EXPECT_EQ(turns.story.state(turns.holder), State::Stopping);
}

TEST(Placing, NobodyWaitsForAnIdleAcceleratorForMoreThanHalfAMinute) {
  Turns turns(50s);
  turns.story.pass(29s);
  EXPECT_EQ(turns.story.state(turns.holder), State::Ready);
  turns.story.pass(1s);
  EXPECT_EQ(turns.story.state(turns.holder), State::Stopping);
}

}  // namespace
}  // namespace kelvin::control
