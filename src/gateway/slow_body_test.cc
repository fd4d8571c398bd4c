// Tests of bodies that come too slowly, on made-up time: 240 bytes a second over windows of ten seconds.
#include <gtest/gtest.h>

#include "gateway/testbed.h"

namespace kelvin::gateway::testbed {
namespace {

constexpr Duration kWindow = 10s;

struct SlowBed {
  SlowBed() {
    bed.clock.stop();
    bed.set_app("echo", {bed.open_replica(1, replica.port())});
  }
  // Sends this to the app and waits until its replica has it.
  void begin(std::string_view fields, const std::string& body) {
    client = bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: echo.localhost\r\n" + std::string(fields) + "\r\n" +
                body);
    upstream = replica.accept();
    upstream.read_until("\r\n\r\n" + body);
  }
  void send(const std::string& more) {
    client.send(more);
    EXPECT_EQ(upstream.read_exactly(more.size()), more);
  }

  Testbed bed;
  ScriptedReplica replica;
  Wire client;
  Wire upstream;
};

void expect_too_slow(Wire& client) {
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 408);
  EXPECT_NE(reply.body.find("body_too_slow"), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("less than 240 bytes a second for 10000 ms"), std::string::npos);
  EXPECT_EQ(reply.field("Connection"), "close");
  EXPECT_TRUE(client.has_ended());
}

TEST(SlowBody, IsRefusedAfterOneWindow) {
  SlowBed slow;
  slow.begin("Content-Length: 100000\r\n", "some");
  slow.bed.pass(kWindow);
  expect_too_slow(slow.client);
  EXPECT_TRUE(slow.upstream.has_ended()) << "the replica is not kept by it";
}

TEST(SlowBody, HasToBringEnoughInEachWindow) {
  SlowBed slow;
  slow.begin("Content-Length: 100000\r\n", std::string(50'000, 'x'));
  slow.bed.pass(kWindow);
  slow.send(std::string(2500, 'y'));
  slow.bed.pass(kWindow);
  slow.send(std::string(2000, 'z'));
  slow.bed.pass(kWindow);
  expect_too_slow(slow.client);
}

TEST(SlowBody, IsServedWhileItKeepsUp) {
  SlowBed slow;
  slow.begin("Content-Length: 10000\r\n", std::string(2500, 'x'));
  for (int i = 0; i < 3; ++i) {
    slow.bed.pass(kWindow);
    slow.send(std::string(2500, 'y'));
  }
  slow.bed.pass(kWindow);
  slow.upstream.send(ok("all there"));
  EXPECT_EQ(slow.client.read_reply().body, "all there") << "nothing is awaited any more";
}

TEST(SlowBody, MayBeAConversationWhereItsLengthIsNotKnown) {
  SlowBed slow;
  slow.begin("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n");
  slow.bed.pass(50s);
  slow.send("1\r\ny\r\n");
  slow.bed.pass(50s);
  slow.send("0\r\n\r\n");
  slow.upstream.send(ok("bye"));
  EXPECT_EQ(slow.client.read_reply().body, "bye");
}

TEST(SlowBody, IsRefusedWhereItIsHeldWhateverItsLength) {
  SlowBed slow;
  Wire client = slow.bed.connect();
  client.send(
      "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n");
  // It has been read, because whoever came later has been served.
  Wire later = slow.bed.connect();
  later.send(get("/nowhere", "localhost"));
  EXPECT_EQ(later.read_reply().status, 404);
  slow.bed.pass(kWindow);
  expect_too_slow(client);
}

TEST(SlowBody, IsNotToBlameForAReplicaThatDoesNotTakeIt) {
  SlowBed slow;
  slow.begin("Content-Length: 1000000000\r\n", "some");
  const std::string piece(1 << 20U, 'x');
  std::size_t sent = 0;
  for (std::size_t more = 1; more > 0; sent += more) {
    more = slow.client.send_without_waiting(piece);
    slow.bed.settle();
  }
  for (int i = 0; i < 3; ++i) slow.bed.pass(kWindow);
  EXPECT_EQ(slow.upstream.read_exactly(sent).size(), sent);
  slow.send("more");
  for (int i = 0; i < 2; ++i) slow.bed.pass(kWindow);
  expect_too_slow(slow.client);
}

TEST(SlowBody, IsNotMeasuredBeforeTheReplicaAsksForIt) {
  SlowBed slow;
  slow.begin("Content-Length: 1000\r\nExpect: 100-continue\r\n", "");
  slow.bed.pass(3 * kWindow);
  slow.upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(slow.client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  slow.bed.pass(kWindow);
  expect_too_slow(slow.client);
}

TEST(SlowBody, BreaksOffAReplyThatHasBegun) {
  SlowBed slow;
  slow.begin("Content-Length: 1000\r\n", "some");
  slow.upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
  slow.client.read_until("begin");
  slow.bed.pass(kWindow);
  EXPECT_TRUE(slow.client.has_ended());
  EXPECT_TRUE(slow.upstream.has_ended());
}

TEST(SlowBody, IsOverWhenItIsThereHoweverLongItsRequestWaits) {
  Testbed bed;
  bed.clock.stop();
  bed.set_app("gemma", {});
  Wire client = bed.connect();
  client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{");
  bed.settle();
  client.send("\"model\":\"gemma\"}");
  const auto demand = bed.control.next<model::Demand>();
  bed.pass(10min);
  ScriptedReplica replica;
  bed.hand_over(demand, bed.open_replica(1, replica.port()));
  Wire upstream = replica.accept();
  EXPECT_TRUE(upstream.read_request().ends_with("{\"model\":\"gemma\"}"));
  upstream.send(ok("at last"));
  EXPECT_EQ(client.read_reply().body, "at last");
}

}  // namespace
}  // namespace kelvin::gateway::testbed
