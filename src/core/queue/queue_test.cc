#include "core/queue/queue.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kelvin::queue {
namespace {

constexpr Instant at(Duration d) { return Instant{} + d; }

Waiting request(std::uint64_t id, std::uint64_t key, Duration wait = 600s) {
  return {.request = {id}, .key = {key}, .arrived = at(1s), .deadline = at(1s + wait)};
}

std::string drain(WaitQueue& queue) {
  std::string order;
  while (const auto waiting = queue.pop()) order += std::to_string(waiting->request.value) + " ";
  return order;
}

WaitQueue filled(std::initializer_list<Waiting> requests) {
  WaitQueue queue(100);
  for (const Waiting& waiting : requests) EXPECT_TRUE(queue.try_push(waiting));
  return queue;
}

TEST(Queue, IsFirstComeFirstServedWithinAKey) {
  WaitQueue queue = filled({request(3, 1), request(1, 1), request(2, 1)});
  EXPECT_EQ(drain(queue), "3 1 2 ");
}

TEST(Queue, TakesTurnsBetweenKeys) {
  WaitQueue queue =
      filled({request(1, 7), request(2, 7), request(3, 7), request(4, 9), request(5, 0)});
  EXPECT_EQ(drain(queue), "5 1 4 2 3 ");
}

TEST(Queue, GoesOnWithTheNextKeyAfterAPause) {
  WaitQueue queue = filled({request(1, 1), request(2, 2)});
  EXPECT_EQ(queue.pop()->request.value, 1u);
  ASSERT_TRUE(queue.try_push(request(3, 1)));
  EXPECT_EQ(drain(queue), "2 3 ");
}

TEST(Queue, RefusesBeyondItsLimit) {
  WaitQueue queue(2);
  EXPECT_TRUE(queue.try_push(request(1, 0)));
  EXPECT_TRUE(queue.try_push(request(2, 0)));
  EXPECT_FALSE(queue.try_push(request(3, 0)));
  EXPECT_EQ(queue.size(), 2u);
}

TEST(Queue, PutsBackAtItsPlaceEvenWhenFull) {
  WaitQueue queue(3);
  for (std::uint64_t id : {1U, 2U, 3U}) ASSERT_TRUE(queue.try_push(request(id, 0)));
  const Waiting first = *queue.pop();
  ASSERT_TRUE(queue.try_push(request(4, 0)));
  queue.put_back(first);
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(drain(queue), "1 2 3 4 ");
}

TEST(Queue, PutsSeveralBackInTheOrderTheyLeft) {
  WaitQueue queue = filled({request(1, 1), request(2, 1), request(3, 2)});
  const Waiting a = *queue.pop();
  const Waiting x = *queue.pop();
  queue.put_back(a);
  queue.put_back(x);
  EXPECT_EQ(drain(queue), "1 3 2 ");

  queue.put_back(x);
  queue.put_back(a);
  EXPECT_EQ(drain(queue), "1 3 ");
}

TEST(Queue, KeepsThePlaceThroughTwoRaces) {
  WaitQueue queue = filled({request(1, 1), request(2, 1)});
  queue.put_back(*queue.pop());
  queue.put_back(*queue.pop());
  EXPECT_EQ(drain(queue), "1 2 ");
}

TEST(Queue, ForgetsThoseWhoLeave) {
  WaitQueue queue = filled({request(1, 1), request(2, 1), request(3, 2)});
  EXPECT_TRUE(queue.remove({1}));
  EXPECT_FALSE(queue.remove({1}));
  EXPECT_FALSE(queue.remove({99}));
  EXPECT_TRUE(queue.remove({3}));
  EXPECT_EQ(drain(queue), "2 ");
  EXPECT_EQ(queue.next_deadline(), Instant::never());
}

TEST(Queue, ForgetsAReturnedOneWhoLeaves) {
  WaitQueue queue = filled({request(1, 1), request(2, 1)});
  queue.put_back(*queue.pop());
  EXPECT_TRUE(queue.remove({1}));
  EXPECT_EQ(drain(queue), "2 ");
}

TEST(Queue, GivesOutThoseWhoseDeadlineHasCome) {
  WaitQueue queue = filled({request(1, 1, 9s), request(2, 2, 4s), request(3, 1, 5s)});
  EXPECT_EQ(queue.next_deadline(), at(5s));
  EXPECT_TRUE(queue.take_expired(at(4s)).empty());
  const auto expired = queue.take_expired(at(6s));
  ASSERT_EQ(expired.size(), 2u);
  EXPECT_EQ(expired[0].request.value, 2u);
  EXPECT_EQ(expired[1].request.value, 3u);
  EXPECT_EQ(queue.next_deadline(), at(10s));
}

TEST(Queue, EmptiesInDispatchOrder) {
  WaitQueue queue = filled({request(1, 1), request(2, 1), request(3, 2)});
  const auto all = queue.take_all();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].request.value, 3u);
  EXPECT_TRUE(queue.is_empty());
}

// --- weights and priorities --------------------------------------------------------------------------

Waiting weighted(std::uint64_t id, std::uint64_t key, std::uint32_t weight) {
  Waiting waiting = request(id, key);
  waiting.weight = weight;
  return waiting;
}

Waiting prior(std::uint64_t id, std::uint64_t key, model::Priority priority) {
  Waiting waiting = request(id, key);
  waiting.priority = priority;
  return waiting;
}

constexpr auto kHigh = model::Priority::High;
constexpr auto kLow = model::Priority::Low;

TEST(Queue, GivesTurnsInProportionToWeights) {
  WaitQueue queue = filled({weighted(1, 1, 2), weighted(2, 1, 2), weighted(3, 1, 2),
                            weighted(4, 1, 2), weighted(5, 2, 1), weighted(6, 2, 1)});
  EXPECT_EQ(drain(queue), "1 5 2 3 6 4 ");
}

TEST(Queue, TurnsOverWeightDifferByLessThanOneTurnOfEach) {
  WaitQueue queue(100'000);
  constexpr std::uint32_t kWeights[] = {1, 3, 7, 100};
  std::uint64_t id = 0;
  for (std::uint64_t key = 0; key < 4; ++key) {
    for (int i = 0; i < 3000; ++i) ASSERT_TRUE(queue.try_push(weighted(++id, key, kWeights[key])));
  }
  double turns[4] = {};
  for (int i = 0; i < 3000; ++i) {
    turns[queue.pop()->key.value] += 1;
    for (int a = 0; a < 4; ++a) {
      for (int b = 0; b < 4; ++b) {
        const double bound = 1.0 / kWeights[a] + 1.0 / kWeights[b] + 0.01;
        ASSERT_LE(turns[a] / kWeights[a] - turns[b] / kWeights[b], bound) << i;
      }
    }
  }
}

TEST(Queue, PausingEarnsNoTurns) {
  WaitQueue queue(100);
  ASSERT_TRUE(queue.try_push(request(1, 1)));
  for (std::uint64_t id = 10; id < 20; ++id) ASSERT_TRUE(queue.try_push(request(id, 2)));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(queue.pop());
  // Key 1 has paused for five turns of key 2; it is owed none of them, only its place in this one.
  for (std::uint64_t id = 2; id < 6; ++id) ASSERT_TRUE(queue.try_push(request(id, 1)));
  EXPECT_EQ(drain(queue), "2 3 15 4 16 5 17 18 19 ");
}

TEST(Queue, HighGoesBeforeTheOthersOfItsKeyOnly) {
  WaitQueue queue = filled({request(1, 1), request(2, 1), prior(3, 1, kHigh), prior(4, 1, kHigh),
                            request(5, 2), request(6, 2)});
  EXPECT_EQ(drain(queue), "3 5 4 6 1 2 ");
}

TEST(Queue, LowGoesAfterEverybodyElse) {
  WaitQueue queue = filled({prior(1, 1, kLow), prior(2, 2, kLow), request(3, 1), request(4, 2)});
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.wanting(), 2u);
  EXPECT_EQ(drain(queue), "3 4 1 2 ");
}

TEST(Queue, CountsWhoWantsAReplicaThroughEveryWayOut) {
  WaitQueue queue =
      filled({prior(1, 1, kLow), prior(2, 1, kLow), prior(3, 1, kLow), request(4, 1)});
  EXPECT_TRUE(queue.remove({1}));
  EXPECT_EQ(queue.wanting(), 1u);
  EXPECT_EQ(queue.pop()->request.value, 4u);
  EXPECT_EQ(queue.wanting(), 0u);
  const Waiting back = *queue.pop();
  queue.put_back(back);
  EXPECT_EQ(queue.wanting(), 0u);
  EXPECT_EQ(queue.wanting(Lane{}), 0u);
  EXPECT_EQ(queue.take_all().size(), 2u);
  EXPECT_EQ(queue.wanting(), 0u);
}

// --- places ------------------------------------------------------------------------------------------

TEST(Queue, SaysThePlaceThatPopKeeps) {
  WaitQueue queue(100);
  std::uint64_t id = 0;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(queue.try_push(weighted(++id, 1, 3)));
    ASSERT_TRUE(queue.try_push(weighted(++id, 2, 2)));
    ASSERT_TRUE(queue.try_push(prior(++id, 3, i % 2 == 0 ? kHigh : kLow)));
    ASSERT_TRUE(queue.try_push(prior(++id, 1, kLow)));
  }
  queue.put_back(*queue.pop());
  std::map<std::uint64_t, std::size_t> said;
  for (std::uint64_t one = 1; one <= id; ++one) said[one] = queue.place_of({one});
  EXPECT_EQ(queue.place_of({99}), 0u);
  for (std::size_t place = 1; place <= id; ++place) {
    const Waiting waiting = *queue.pop();
    EXPECT_EQ(said[waiting.request.value], place) << "request " << waiting.request.value;
  }
}

TEST(Queue, CountsTheKeysThatWait) {
  WaitQueue queue = filled({request(1, 1), prior(2, 2, kLow), request(3, 2), request(4, 3)});
  EXPECT_EQ(queue.keys(), 3u);
  queue.put_back(*queue.pop());
  EXPECT_EQ(queue.keys(), 3u);
}

// --- lanes -------------------------------------------------------------------------------------------

constexpr Lane kOfReplica{.revision = {}, .replica = {7}};

Waiting in_lane(std::uint64_t id, std::uint64_t key, Lane lane) {
  Waiting waiting = request(id, key);
  waiting.lane = lane;
  return waiting;
}

TEST(Queue, ServesEachLaneByItself) {
  WaitQueue queue = filled({request(1, 1), in_lane(2, 1, kOfReplica), request(3, 1)});
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.size(kOfReplica), 1u);
  EXPECT_EQ(queue.pop(kOfReplica)->request.value, 2u);
  EXPECT_FALSE(queue.pop(kOfReplica));
  EXPECT_EQ(drain(queue), "1 3 ");
}

TEST(Queue, TheLimitAndTheDeadlinesAreOfAllLanes) {
  WaitQueue queue(2);
  ASSERT_TRUE(queue.try_push(in_lane(1, 1, kOfReplica)));
  ASSERT_TRUE(queue.try_push(request(2, 1, 4s)));
  EXPECT_FALSE(queue.try_push(in_lane(3, 1, kOfReplica)));
  EXPECT_EQ(queue.next_deadline(), at(5s));
  EXPECT_EQ(queue.take_expired(at(700s)).size(), 2u);
  EXPECT_TRUE(queue.lanes().empty());
}

TEST(Queue, WhoChangesLanesStandsWhereItsArrivalPutsIt) {
  WaitQueue queue = filled({request(1, 1), in_lane(2, 1, kOfReplica), request(3, 1),
                            in_lane(4, 1, kOfReplica), request(5, 1)});
  const Waiting back = *queue.pop(kOfReplica);
  queue.put_back(back);
  queue.move_lane(kOfReplica, {});
  EXPECT_EQ(queue.size(kOfReplica), 0u);
  EXPECT_EQ(queue.find({4})->lane, Lane{});
  EXPECT_EQ(drain(queue), "2 1 3 4 5 ");
}

}  // namespace
}  // namespace kelvin::queue
