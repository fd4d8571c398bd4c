#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

model::AppSpec scheduled(std::uint32_t least = 0, std::uint32_t most = 4) {
  model::AppSpec spec = Story::spec("a");
  spec.scale = {.replicas_min = least, .replicas_max = most};
  spec.scale.schedule = {{.begins = "0 8 * * *", .length = 10h, .replicas_min = 2}};
  return spec;
}

void says(Story& story, std::uint32_t floor, const std::string& words = "2 replicas by `0 8`") {
  story.post(model::ScheduleChanged{{1}, {.replicas_min = floor, .words = words}});
}

TEST(Schedule, IsFollowedFromTheFirstDeploy) {
  Story story;
  story.deploy(1, scheduled());
  ASSERT_EQ(story.followed[{1}].size(), 1U);
  EXPECT_EQ(story.followed[{1}][0].begins, "0 8 * * *");
  EXPECT_TRUE(story.started.empty()) << "nothing was said yet";
}

TEST(Schedule, KeepsReplicasWarmWhileItSaysSo) {
  Story story({.cpus = 8});
  story.deploy(1, scheduled());
  says(story, 2);
  ASSERT_EQ(story.started.size(), 2U);
  EXPECT_NE(story.last_sentence("start").find("the schedule keeps 2 replicas by `0 8`; 1 ready"),
            std::string::npos)
      << story.last_sentence("start");
  for (const auto& start : story.started) story.becomes_ready(start.replica);
  story.pass(20h);
  EXPECT_EQ(story.count(State::Ready), 2U) << "nobody called, and both stay warm";
  EXPECT_EQ(story.app().scheduled.words, "2 replicas by `0 8`");
}

TEST(Schedule, WhatItKeepsWarmIsNoSpare) {
  Story story({.cpus = 8});
  model::AppSpec spec = scheduled();
  spec.scale.concurrency = 1;
  story.deploy(1, spec);
  story.request(1);
  story.request(2);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  const ReplicaId second = story.last_started();
  ASSERT_TRUE(story.is_spare(second));
  says(story, 2);
  EXPECT_FALSE(story.is_spare(second));
  says(story, 0, "none");
  EXPECT_TRUE(story.is_spare(second));
}

TEST(Schedule, LetsThemCoolWhenItsWindowCloses) {
  Story story({.cpus = 8});
  story.deploy(1, scheduled());
  says(story, 2);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  story.pass(1h);
  says(story, 0, "none until 8:00");
  story.pass(10min);
  EXPECT_EQ(story.count(State::Ready), 0U);
  EXPECT_NE(story.last_sentence("schedule").find("keeps none until 8:00; min is 0, max 4"),
            std::string::npos);
}

TEST(Schedule, AndMinHoldWhicheverIsMore) {
  Story story({.cpus = 8});
  story.deploy(1, scheduled(3));
  ASSERT_EQ(story.started.size(), 3U);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  says(story, 2);
  EXPECT_EQ(story.started.size(), 3U);
  story.pass(10h);
  EXPECT_EQ(story.count(State::Ready), 3U);
  story.post(model::ScaleChanged{.app = {1}, .replicas_min = 0, .replicas_max = 4});
  story.pass(10h);
  EXPECT_EQ(story.count(State::Ready), 2U) << "the schedule holds on";
}

TEST(Schedule, NeverExceedsMax) {
  Story story({.cpus = 8});
  story.deploy(1, scheduled(0, 1));
  says(story, 2);
  EXPECT_EQ(story.started.size(), 1U);
}

TEST(Schedule, IsThatOfTheActiveRevision) {
  Story story({.cpus = 8});
  story.deploy(1, scheduled());
  says(story, 2);
  for (const auto& start : std::vector(story.started)) story.becomes_ready(start.replica);
  story.deploy(1, Story::spec("a"), 2);
  EXPECT_TRUE(story.followed[{1}].empty());
  EXPECT_EQ(story.app().scheduled, model::ScheduledFloor{});
  says(story, 2);
  EXPECT_EQ(story.app().scheduled.replicas_min, 0U) << "a late word about a schedule that is gone";
  story.post(model::RevisionActivated{{1}, {101}});
  EXPECT_EQ(story.followed[{1}].size(), 1U);
}

TEST(Schedule, IsLetGoWithItsApp) {
  Story story;
  story.deploy(1, scheduled());
  story.post(model::AppDeleted{{1}});
  EXPECT_TRUE(story.followed[{1}].empty());
  says(story, 2);
  EXPECT_TRUE(story.started.empty());
}

TEST(Schedule, IsAskedForAnewAtAStart) {
  Story story({}, /*is_recovered=*/false);
  story.post(model::RevisionRestored{story.revision(1, 1, scheduled()), true});
  EXPECT_TRUE(story.followed.empty());
  story.post(model::RecoveryFinished{});
  EXPECT_EQ(story.followed[{1}].size(), 1U);
}

TEST(Schedule, GivesUpAPlanThatItsClosedWindowHadMade) {
  Story story({.cpus = 1});
  story.deploy(2);
  story.request(1, 2);
  story.becomes_ready(story.last_started());  // it holds the only place, and works
  story.deploy(1, scheduled());
  says(story, 1);
  ASSERT_EQ(story.count(State::Planned, 1), 1U);
  says(story, 0, "none");
  EXPECT_EQ(story.count(State::Planned, 1), 0U);
  story.give_back(story.started[0].replica);
  EXPECT_EQ(story.started.size(), 1U);
}

TEST(Schedule, TriesAgainAfterBackOffWhileItsWindowIsOpen) {
  Story story;
  model::AppSpec spec = scheduled();
  spec.start.attempts = 1;
  story.deploy(1, spec);
  says(story, 1);
  story.gone(story.last_started(), {.cause = model::ExitCause::Exited, .code = 1});
  EXPECT_EQ(story.started.size(), 1U);
  story.pass(31s);
  EXPECT_EQ(story.started.size(), 2U);
}

}  // namespace
}  // namespace kelvin::control
