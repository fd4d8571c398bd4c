#include "takeover/planes.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace kelvin::takeover {
namespace {

constexpr std::uint32_t kLocalLoops = 2;
constexpr AppId kApp{8};
constexpr ReplicaId kReplica{7};
constexpr os::SlotTable::Key kSlot{.slot = 3, .generation = 5};

class StillClock final : public ports::Clock {
 public:
  Instant now() const override { return {100}; }
  std::int64_t unix_ns(Instant at) const override { return at.ns; }
};

class LocalPlane final : public ports::DataPlane {
 public:
  void change_route(const model::Route&) override { calls += "route "; }
  void change_keys(std::shared_ptr<const std::vector<model::Key>>) override { calls += "keys "; }
  void hand_over(const model::Handover&) override { calls += "handover "; }
  void refuse(const model::RefuseRequest&) override { calls += "refuse "; }
  void tell_progress(const model::TellProgress&) override { calls += "tell "; }
  void close_connections(ReplicaId) override { calls += "close "; }
  void ask_busy() override { calls += "ask "; }
  std::string calls;
};

class PlanesTest : public testing::Test {
 protected:
  PlanesTest() {
    slots.open(kSlot);
    planes.set_local({.plane = &local, .loops = kLocalLoops, .tell_every_slot = [this](bool is_on) {
                        tells_every_slot = is_on;
                      }});
  }
  void join() {
    planes.join(
        {.loops = 1, .send = [this](Message message) { sent.push_back(std::move(message)); }});
  }
  void know_the_route() {
    planes.change_route({.app = kApp, .replicas = {replica()}});
    sent.clear();
  }
  static model::RouteReplica replica() {
    return {.id = kReplica, .slot = kSlot.slot, .generation = kSlot.generation, .slots = 1};
  }
  static model::Handover handover(std::uint32_t loop) {
    return {.request = {1}, .loop = loop, .replica = replica()};
  }
  template <class Kind>
  std::size_t count() const {
    std::size_t found = 0;
    for (const model::Event& event : events) found += std::holds_alternative<Kind>(event);
    return found;
  }

  StillClock clock;
  std::array<os::SlotEntry, 8> memory;
  os::SlotTable slots{memory, os::SlotSide::Second};
  os::SlotTable theirs{memory, os::SlotSide::First};
  std::vector<model::Event> events;
  std::vector<Message> sent;
  bool tells_every_slot = false;
  LocalPlane local;
  Planes planes{{.to_control = [this](model::Event event) { events.push_back(std::move(event)); },
                 .slots = &slots,
                 .clock = &clock}};
};

TEST_F(PlanesTest, AloneItIsTheLocalPlane) {
  planes.change_route({.app = kApp});
  planes.hand_over(handover(1));
  planes.close_connections(kReplica);
  planes.ask_busy();
  EXPECT_EQ(local.calls, "route handover close ask ");
  planes.hear_local(model::ConnectionsClosed{kReplica});
  EXPECT_EQ(count<model::ConnectionsClosed>(), 1u);
  EXPECT_TRUE(sent.empty());
}

TEST_F(PlanesTest, LoopsOfTheOtherOneAreNumberedAfterTheLocalOnes) {
  join();
  ASSERT_TRUE(planes.hear_other(model::Demand{.request = {1}, .app = kApp, .loop = 0}));
  EXPECT_EQ(std::get<model::Demand>(events.at(0)).loop, kLocalLoops);
  ASSERT_TRUE(planes.hear_other(model::BusyMeasured{.loop = 0}));
  EXPECT_EQ(std::get<model::BusyMeasured>(events.at(1)).loop, kLocalLoops);
  ASSERT_TRUE(planes.hear_other(model::ProgressAsked{.request = {1}, .loop = 0}));
  EXPECT_EQ(std::get<model::ProgressAsked>(events.at(2)).loop, kLocalLoops);
  planes.hand_over(handover(kLocalLoops));
  EXPECT_EQ(std::get<model::Handover>(sent.at(0)).loop, 0u);
  planes.tell_progress({.request = {2}, .loop = kLocalLoops, .sentence = "soon"});
  EXPECT_EQ(std::get<model::TellProgress>(sent.at(1)).loop, 0u);
  EXPECT_EQ(local.calls, "");
  planes.tell_progress({.request = {3}, .loop = 1, .sentence = "soon"});
  EXPECT_EQ(local.calls, "tell ");
}

TEST_F(PlanesTest, WhatIsNoEventOfADataPlaneIsNotHeard) {
  join();
  EXPECT_FALSE(planes.hear_other(Serving{}));
  EXPECT_FALSE(planes.hear_other(model::MeterLineKept{}));
  EXPECT_TRUE(events.empty());
}

TEST_F(PlanesTest, ConnectionsAreClosedWhenBothHaveClosedThem) {
  join();
  planes.close_connections(kReplica);
  planes.hear_local(model::ConnectionsClosed{kReplica});
  EXPECT_EQ(count<model::ConnectionsClosed>(), 0u);
  planes.hear_other(model::ConnectionsClosed{kReplica});
  EXPECT_EQ(count<model::ConnectionsClosed>(), 1u);
  planes.hear_other(model::ConnectionsClosed{kReplica});  // nobody asked
  EXPECT_EQ(count<model::ConnectionsClosed>(), 1u);
}

TEST_F(PlanesTest, NobodyWaitsForTheAnswerOfOneThatHasLeft) {
  join();
  planes.close_connections(kReplica);
  planes.close_connections(kReplica);
  planes.hear_local(model::ConnectionsClosed{kReplica});
  planes.leave();
  EXPECT_EQ(count<model::ConnectionsClosed>(), 1u);
  planes.hear_local(model::ConnectionsClosed{kReplica});
  EXPECT_EQ(count<model::ConnectionsClosed>(), 2u);
}

TEST_F(PlanesTest, LoopsHereTellOfEverySlotWhileSomebodyWaitsThere) {
  join();
  know_the_route();
  planes.hear_other(model::Demand{.request = {1}, .app = kApp});
  planes.hear_other(model::Demand{.request = {2}, .app = kApp});
  EXPECT_TRUE(tells_every_slot);
  planes.hand_over(handover(kLocalLoops));
  EXPECT_TRUE(tells_every_slot);
  planes.hear_other(model::RequestLeft{{2}});
  EXPECT_FALSE(tells_every_slot);
}

// The slot may have been given back after the other process looked and before this one was told that somebody waits.
TEST_F(PlanesTest, ASlotThatIsFreeWhenADemandComesIsMentioned) {
  join();
  know_the_route();
  planes.hear_other(model::Demand{.request = {1}, .app = kApp});
  EXPECT_EQ(count<model::SlotFree>(), 1u);
  ASSERT_TRUE(slots.try_take(kSlot, 1));
  planes.hear_other(model::Demand{.request = {2}, .app = kApp});
  EXPECT_EQ(count<model::SlotFree>(), 1u);
}

TEST_F(PlanesTest, WhenItLeavesItsSlotsAreFreeAndItsRequestsHaveLeft) {
  join();
  ASSERT_TRUE(theirs.try_take(kSlot, 2));
  ASSERT_TRUE(slots.try_take(kSlot, 2));
  planes.hear_other(model::Demand{.request = {1}, .app = kApp});
  planes.leave();
  EXPECT_EQ(slots.read(kSlot.slot).in_flight, 1u);
  EXPECT_EQ(count<model::RequestLeft>(), 1u);
  const auto& left = std::get<model::DataPlaneLeft>(events.back());
  EXPECT_EQ(left.first_loop, kLocalLoops);
  EXPECT_EQ(left.loops, 1u);
  EXPECT_FALSE(tells_every_slot);
  planes.leave();
  EXPECT_EQ(count<model::DataPlaneLeft>(), 1u);
}

TEST_F(PlanesTest, AHandoverToOneThatHasLeftGivesItsSlotBack) {
  join();
  planes.leave();
  ASSERT_TRUE(slots.of_other_side().try_take(kSlot, 1));
  planes.hand_over(handover(kLocalLoops));
  EXPECT_EQ(slots.read(kSlot.slot).in_flight, 0u);
  EXPECT_EQ(count<model::HandoverRefused>(), 1u);
}

}  // namespace
}  // namespace kelvin::takeover
