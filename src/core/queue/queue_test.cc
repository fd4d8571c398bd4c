#include "core/queue/queue.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kelvin::queue
