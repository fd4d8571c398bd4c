#include <gtest/gtest.h>

#include "model/ids.h"
#include "model/replica.h"

namespace kelvin::model {
namespace {

TEST(Ids, ReadBackAsTheyAreWritten) {
  const ReplicaId replica = make_replica_id(3, 17);
  EXPECT_EQ(to_text(replica), "r3-17");
  EXPECT_EQ(parse_replica_id("r3-17"), replica);
  const RequestId request = make_request_id(3, 1, 902);
  EXPECT_EQ(to_text(request), "q3-1-902");
  EXPECT_EQ(parse_request_id("q3-1-902"), request);
}

TEST(Ids, RefuseAnythingElse) {
  for (const char* text :
       {"", "r", "r3", "r-", "r3-", "r-1", "r3-17x", "q3-1-902", "r99999999999-1", "r3--1"}) {
    EXPECT_FALSE(parse_replica_id(text).has_value()) << text;
  }
  for (const char* text : {"", "q3-1", "q3-16-1", "r3-17", "q3-1-", "q-1-1", "q3-1-1-1"}) {
    EXPECT_FALSE(parse_request_id(text).has_value()) << text;
  }
}

TEST(Life, EveryLiveStateMayDieAndDeathIsFinal) {
  for (const State from : kStates) {
    EXPECT_EQ(can_move(from, State::Gone), from != State::Gone) << to_text(from);
    EXPECT_FALSE(can_move(State::Gone, from)) << to_text(from);
  }
}

TEST(Life, OnlyReadyIsParkedAndOnlyByWayOfParking) {
  for (const State from : kStates) {
    EXPECT_EQ(can_move(from, State::Parking), from == State::Ready) << to_text(from);
    const bool to_parked = from == State::Parking || from == State::Resuming;
    EXPECT_EQ(can_move(from, State::Parked), to_parked) << to_text(from);
  }
}

TEST(Life, NoLeaseWhileParked) {
  EXPECT_FALSE(holds_lease(State::Parked));
  EXPECT_TRUE(holds_lease(State::Resuming));
  EXPECT_TRUE(holds_lease(State::Stopping)) << "given back only when the process is dead";
}

}  // namespace
}  // namespace kelvin::model
