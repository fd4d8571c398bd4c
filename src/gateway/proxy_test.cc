// Tests of bytes both ways: real sockets, scripted replicas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "gateway/testbed.h"
#include "os/thread.h"

namespace kelvin::gateway::testbed {
namespace {

TEST(Proxy, KeepsConnectionsOnBothSides) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/a?b=c", "Echo.localhost:1234",
                  "X-Forwarded-For: 6.6.6.6\r\nx_forwarded_proto: https\r\nConnection: "
                  "x-hop\r\nX-Hop: 1\r\nAuthorization: Bearer theirs\r\n"));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.starts_with("GET /a?b=c HTTP/1.1\r\nHost: Echo.localhost:1234\r\n"))
      << request;
  EXPECT_NE(request.find("X-Forwarded-For: 127.0.0.1\r\n"), std::string::npos);
  EXPECT_NE(request.find("Forwarded: for=127.0.0.1;host=\"Echo.localhost:1234\";proto=http\r\n"),
            std::string::npos);
  EXPECT_NE(request.find("Authorization: Bearer theirs\r\n"), std::string::npos)
      << "not a key of ours";
  EXPECT_EQ(request.find("6.6.6.6"), std::string::npos);
  EXPECT_EQ(request.find("x_forwarded_proto"), std::string::npos);
  EXPECT_EQ(request.find("X-Hop"), std::string::npos);
  upstream.send(ok("one", "X-From: replica\r\nKelvin-Request-Id: forged\r\n"));
  const Reply first = client.read_reply();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "one");
  EXPECT_EQ(first.field("X-From"), "replica");
  EXPECT_EQ(first.field("Kelvin-Request-Id"), "q3-0-1");
  EXPECT_EQ(shape_of(first.field("Server-Timing")), "ttfb;dur=#.#");
  EXPECT_EQ(first.field("Kelvin-Cold-Start"), "");
  client.send(get("/second"));
  EXPECT_TRUE(upstream.read_request().starts_with("GET /second "));
  upstream.send(ok("two"));
  EXPECT_EQ(client.read_reply().body, "two");
  bed.settle();
  const MetricsSnapshot metrics = bed.gateway->metrics();
  EXPECT_EQ(metrics.requests_by_class[2], 2u);
  EXPECT_EQ(metrics.upstream_connects, 1u);
  EXPECT_EQ(metrics.upstream_reuses, 1u);
  EXPECT_EQ(metrics.requests_in_flight, 0u);
}

TEST(Proxy, OutlastsAFullBacklog) {
  Testbed bed;
  ScriptedReplica replica;
  replica.shorten_backlog();
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  std::vector<Wire> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(bed.connect());
  for (Wire& client : clients) client.send(get("/"));
  bed.wait_for_in_flight(1, 3);
  for (int i = 0; i < 3; ++i) {
    Wire upstream = replica.accept();
    upstream.read_request();
    upstream.send(ok("here"));
    upstream.close();
  }
  for (Wire& client : clients) EXPECT_EQ(client.read_reply().body, "here");
  EXPECT_EQ(bed.control.count<model::ReplicaSuspected>(), 0u);
}

TEST(Proxy, FindsAppsByPathToo) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/apps/echo/x/y?z", "localhost:80"));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.starts_with("GET /x/y?z HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("X-Forwarded-Prefix: /apps/echo\r\n"), std::string::npos);
  upstream.send(ok(""));
  EXPECT_EQ(client.read_reply().status, 200);
  client.send(get("/apps/echo?q", "127.0.0.1"));
  EXPECT_TRUE(upstream.read_request().starts_with("GET /?q HTTP/1.1\r\n"));
  upstream.send(ok(""));
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(Proxy, AnswersPipelinedRequestsInOrder) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/1") + post("/2", "body") + get("/nowhere", "localhost") + get("/3"));
  Wire upstream = replica.accept();
  for (const std::string path : {"/1", "/2", "/3"}) {
    const std::string request = upstream.read_request();
    EXPECT_NE(request.find(" " + path + " "), std::string::npos) << request;
    upstream.send(ok("reply to " + path));
  }
  EXPECT_EQ(client.read_reply().body, "reply to /1");
  EXPECT_EQ(client.read_reply().body, "reply to /2");
  EXPECT_EQ(client.read_reply().status, 404);
  EXPECT_EQ(client.read_reply().body, "reply to /3");
}

TEST(Proxy, PassesChunksBothWays) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: echo.localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5;ext=1\r\nhello\r\n");
  Wire upstream = replica.accept();
  const std::string head = upstream.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(upstream.read_exactly(10), "5\r\nhello\r\n")
      << "without the extension, before the body is complete";
  client.send("3\r\nyou\r\n0\r\nX-Trailer: t\r\n\r\n");
  EXPECT_EQ(upstream.read_until("t\r\n\r\n"), "3\r\nyou\r\n0\r\nX-Trailer: t\r\n\r\n");
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n");
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.body, "wiki");
  EXPECT_TRUE(reply.is_whole);
  client.send(get("/again"));
  EXPECT_TRUE(upstream.read_request().starts_with("GET /again "));
  upstream.send(ok("yes"));
  EXPECT_EQ(client.read_reply().body, "yes");
}

TEST(Proxy, PassesEventsOneByOne) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.read_until("\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    upstream.send("9\r\n" + event + "\r\n");
    EXPECT_EQ(client.read_until("\n\n\r\n"), "9\r\n" + event + "\r\n")
        << "the replica says nothing more before this";
  }
  upstream.send("0\r\n\r\n");
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
}

TEST(Proxy, HoldsBackAFastClientAndLosesNothing) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  constexpr std::size_t total = 96ULL << 20U;
  Wire client = bed.connect();
  client.send("PUT / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: " + std::to_string(total) +
              "\r\n\r\n");
  Wire upstream = replica.accept();
  upstream.read_until("\r\n\r\n");
  // The replica does not read: the client must come to a stop long before the end.
  const std::string block(1 << 20U, 'x');
  std::size_t sent = 0;
  for (int idle_rounds = 0; idle_rounds < 3 && sent < total;) {
    const std::size_t now = client.send_without_waiting(
        std::string_view(block).substr(0, std::min(block.size(), total - sent)));
    sent += now;
    idle_rounds = now == 0 ? idle_rounds + 1 : 0;
    if (now == 0) bed.settle();
  }
  EXPECT_LT(sent, total / 2);
  os::Thread sender("sender", [&] {
    for (std::size_t at = sent; at < total; at += std::min(block.size(), total - at))
      client.send(std::string_view(block).substr(0, std::min(block.size(), total - at)));
  });
  std::size_t got = 0;
  while (got < total) {
    const std::string more = upstream.read_some();
    ASSERT_FALSE(more.empty());
    ASSERT_EQ(more.find_first_not_of('x'), std::string::npos);
    got += more.size();
  }
  EXPECT_EQ(got, total);
  sender.join();
  upstream.send(ok("done"));
  EXPECT_EQ(client.read_reply().body, "done");
}

TEST(Proxy, HoldsBackAFastReplicaAndLosesNothing) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  constexpr std::size_t total = 96ULL << 20U;
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(total) + "\r\n\r\n");
  const std::string block(1 << 20U, 'y');
  std::size_t sent = 0;
  for (int idle_rounds = 0; idle_rounds < 3 && sent < total;) {
    const std::size_t now = upstream.send_without_waiting(
        std::string_view(block).substr(0, std::min(block.size(), total - sent)));
    sent += now;
    idle_rounds = now == 0 ? idle_rounds + 1 : 0;
    if (now == 0) bed.settle();
  }
  EXPECT_LT(sent, total / 2);
  os::Thread sender("sender", [&] {
    for (std::size_t at = sent; at < total; at += std::min(block.size(), total - at))
      upstream.send(std::string_view(block).substr(0, std::min(block.size(), total - at)));
  });
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.body.size(), total);
  EXPECT_TRUE(reply.is_whole);
}

// Every byte tells where it belongs.
std::string counted(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24U);
  return text;
}

TEST(Proxy, PassesLargeRepliesUnchangedOnKeptConnections) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  for (const std::size_t bytes : {40'000UL, 65'536UL, 8'388'613UL, 100UL}) {
    upstream.read_request();
    const std::string body = counted(bytes);
    // More than the sockets hold comes before the client reads any of it.
    os::Thread sender("sender", [&] {
      upstream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
      upstream.send(body);
    });
    bed.settle();
    const Reply reply = client.read_reply();
    EXPECT_TRUE(reply.is_whole && reply.body == body) << bytes;
    sender.join();
    client.send(get("/"));
  }
  upstream.read_request();
}

TEST(Proxy, CutsALargeReplyThatItsReplicaBroke) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  const std::string body = counted(500'000);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body);
  upstream.close();
  const Reply reply = client.read_reply();
  EXPECT_FALSE(reply.is_whole);
  EXPECT_EQ(reply.body, body);
  EXPECT_EQ(bed.control.next<model::ReplicaSuspected>().detail,
            "it closed the connection before the reply was complete");
}

TEST(Proxy, KnowsRepliesWithoutBodies) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send("HEAD / HTTP/1.1\r\nHost: echo.localhost\r\n\r\n");
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  const Reply head = client.read_reply("HEAD");
  EXPECT_EQ(head.field("Content-Length"), "1000");
  client.send(get("/none"));
  upstream.read_request();
  upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 204);
  client.send(get("/cached"));
  upstream.read_request();
  upstream.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 304);
  client.send(get("/last"));
  EXPECT_TRUE(upstream.read_request().starts_with("GET /last"));
  upstream.send(ok("x"));
  EXPECT_EQ(client.read_reply().body, "x");
}

TEST(Proxy, TurnsARepliesEndIntoALastChunk) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  upstream.close();
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(reply.body, "until the end");
  EXPECT_TRUE(reply.is_whole);
  client.send(get("/"));
  Wire second = replica.accept();
  second.read_request();
  second.send(ok("still here"));
  EXPECT_EQ(client.read_reply().body, "still here");
}

TEST(Proxy, SpeaksToOldClients) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send("GET / HTTP/1.0\r\nHost: echo.localhost\r\nConnection: keep-alive\r\n\r\n");
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("kept"));
  const Reply kept = client.read_reply();
  EXPECT_EQ(kept.field("Connection"), "keep-alive");
  EXPECT_EQ(kept.body, "kept");
  client.send("GET / HTTP/1.0\r\nHost: echo.localhost\r\nConnection: keep-alive\r\n\r\n");
  upstream.read_request();
  upstream.send(
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const Reply raw = client.read_reply();
  EXPECT_EQ(raw.status, 200) << "interim replies are not for HTTP/1.0";
  EXPECT_EQ(raw.field("Transfer-Encoding"), "");
  EXPECT_EQ(raw.body, "abc");
  EXPECT_TRUE(client.has_ended());
}

TEST(Proxy, PassesExpectationsAndInterimReplies) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 4\r\nExpect: "
      "100-continue\r\n\r\n");
  Wire upstream = replica.accept();
  EXPECT_NE(upstream.read_until("\r\n\r\n").find("Expect: 100-continue\r\n"), std::string::npos);
  upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_EQ(upstream.read_exactly(4), "body");
  upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  upstream.send(ok("fine"));
  EXPECT_EQ(client.read_reply().body, "fine");
}

TEST(Proxy, PassesAnEarlyAnswerAndCloses) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send("POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 100000\r\n\r\nsome");
  Wire upstream = replica.accept();
  upstream.read_until("some");
  upstream.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.field("Connection"), "close");
  EXPECT_TRUE(client.has_ended());
  EXPECT_TRUE(upstream.has_ended());
}

// A reset before the client has read would take the reply away from it.
TEST(Proxy, ShowsARefusalToAClientThatSendsMebibytesFirst) {
  GatewayLimits limits;
  limits.linger_time = 60s;
  Testbed bed({.limits = limits});
  Wire client = bed.connect();
  client.send(post("/", std::string(8U << 20U, 'x'), "nobody.localhost"));
  EXPECT_EQ(client.read_reply().status, 404);
  EXPECT_TRUE(client.has_ended());
}

TEST(Proxy, SaysThatTheReplicaBrokeItsReply) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.close();
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 502);
  EXPECT_EQ(reply.field("Content-Type"), "application/problem+json");
  EXPECT_NE(reply.body.find("\"code\":\"replica_broke_reply\""), std::string::npos) << reply.body;
  EXPECT_EQ(bed.control.next<model::ReplicaSuspected>().suspicion, model::Suspicion::BrokenReply);
  client.send(get("/"));
  Wire second = replica.accept();
  second.read_request();
  second.send("nonsense\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 502);
  EXPECT_EQ(bed.control.next<model::ReplicaSuspected>().suspicion, model::Suspicion::BrokenReply);
  client.send(get("/"));
  Wire third = replica.accept();
  third.read_request();
  third.send(ok("fine"));
  EXPECT_EQ(client.read_reply().body, "fine") << "the client's connection outlives broken replies";
}

TEST(Proxy, EndsABrokenReplyWithoutItsLastChunk) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  EXPECT_TRUE(client.read_until("hello\r\n").ends_with("5\r\nhello\r\n"));
  upstream.close();
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(bed.control.next<model::ReplicaSuspected>().suspicion, model::Suspicion::BrokenReply);
}

TEST(Proxy, SaysABrokenStreamInTheStream) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: "
      "chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
  client.read_until("data: 1\n\n\r\n");
  upstream.reset();
  const std::string rest = client.read_to_end();
  const std::size_t at = rest.find("\r\n");
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(rest.substr(at + 2).starts_with(
      "data: {\"error\":{\"message\":\"The replica of 'echo' broke its reply"))
      << rest;
  EXPECT_TRUE(rest.ends_with("}}\n\n\r\n")) << rest;
}

TEST(Proxy, KeepsNoConnectionThatCarriedAnEventStream) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/events"));
  Wire stream = replica.accept();
  stream.read_request();
  stream.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: a\n\n\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_reply().body, "data: a\n\n");
  client.send(get("/"));
  Wire fresh = replica.accept();
  fresh.read_request();
  fresh.send(ok("two"));
  EXPECT_EQ(client.read_reply().body, "two");
}

TEST(Proxy, AHangUpOfAKeptConnectionIsNoSuspicion) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send(ok("one"));
  EXPECT_EQ(client.read_reply().body, "one");
  client.send(get("/"));
  upstream.read_request();
  upstream.close();
  EXPECT_EQ(client.read_reply().status, 502) << "a byte was sent, so it is not tried again";
  EXPECT_EQ(bed.control.count<model::ReplicaSuspected>(), 0u);
}

TEST(Proxy, UsesAFreshConnectionWhenTheKeptOneHasEnded) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/"));
  {
    Wire upstream = replica.accept();
    upstream.read_request();
    upstream.send(ok("one"));
    EXPECT_EQ(client.read_reply().body, "one");
  }
  client.send(get("/"));
  Wire fresh = replica.accept();
  fresh.read_request();
  fresh.send(ok("two"));
  EXPECT_EQ(client.read_reply().body, "two");
  EXPECT_EQ(bed.control.count<model::ReplicaSuspected>(), 0u);
}

TEST(Proxy, TriesAnotherReplicaWhenOneDoesNotAccept) {
  Testbed bed;
  ScriptedReplica dead;
  ScriptedReplica alive;
  dead.stop();
  // One slot each: the first with room is tried first.
  bed.set_app("echo", {bed.open_replica(1, dead.port(), 1), bed.open_replica(2, alive.port(), 1)});
  Wire client = bed.connect();
  client.send(post("/", "body"));
  Wire upstream = alive.accept();
  EXPECT_TRUE(upstream.read_request().ends_with("\r\n\r\nbody"));
  upstream.send(ok("saved"));
  EXPECT_EQ(client.read_reply().body, "saved");
  const auto suspected = bed.control.next<model::ReplicaSuspected>();
  EXPECT_EQ(suspected.replica, ReplicaId{1});
  EXPECT_EQ(suspected.suspicion, model::Suspicion::ConnectFailed);
  EXPECT_EQ(bed.gateway->metrics().retries, 1u);
}

TEST(Proxy, GivesUpAfterThreeTries) {
  Testbed bed;
  ScriptedReplica dead;
  dead.stop();
  const auto replica = bed.open_replica(1, dead.port());
  bed.set_app("echo", {replica});
  Wire client = bed.connect();
  client.send(get("/"));
  for (int i = 0; i < 2; ++i) bed.hand_over(bed.control.next<model::Demand>(), replica);
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 502);
  EXPECT_NE(reply.body.find("replica_unreachable"), std::string::npos);
  EXPECT_EQ(reply.field("Retry-After"), "1");
  for (int i = 0; i < 3; ++i) bed.control.next<model::ReplicaSuspected>();
}

TEST(Proxy, ClosesKeptConnectionsWhenAsked) {
  Testbed bed(BedSetup{.loops = 2});
  ScriptedReplica replica;
  const auto kept = bed.open_replica(1, replica.port());
  bed.set_app("echo", {kept});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("one"));
  client.read_reply();
  bed.gateway->close_connections(kept.id);
  EXPECT_EQ(bed.control.next<model::ConnectionsClosed>().replica, kept.id);
  EXPECT_TRUE(upstream.has_ended());
  client.send(get("/"));
  Wire second = replica.accept();
  second.read_request();
  second.send(ok("two"));
  client.read_reply();
  bed.set_app("echo", {});
  EXPECT_TRUE(second.has_ended()) << "a replica that left the route has no connections left";
}

TEST(Proxy, KeepsNoConnectionLongerThanTheReplicaSays) {
  GatewayLimits limits;
  limits.upstream_idle_time = 60s;
  Testbed bed(BedSetup{.limits = limits});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("one", "Keep-Alive: timeout=0, max=5\r\n"));
  client.read_reply();
  EXPECT_TRUE(upstream.has_ended());
}

TEST(Proxy, StopsTheReplicaWhenTheClientLeaves) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  EXPECT_EQ(bed.word_of(1).in_flight, 1u);
  client.finish_sending();
  EXPECT_TRUE(upstream.has_ended()) << "an end after a complete request is a client that left";
  bed.wait_for_in_flight(1, 0);
  Wire second = bed.connect();
  second.send(get("/"));
  Wire streaming = replica.accept();
  streaming.read_request();
  streaming.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  second.read_until("a\r\n");
  second.reset();
  EXPECT_TRUE(streaming.has_ended());
  bed.wait_for_in_flight(1, 0);
  bed.settle();
  EXPECT_EQ(bed.gateway->metrics().requests_by_class[0], 1u);
  EXPECT_EQ(bed.control.count<model::ReplicaSuspected>(), 0u);
}

TEST(Proxy, EndsARequestAtTheAppsTimeout) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_route({.app = {1},
                 .name = "echo",
                 .replicas = {bed.open_replica(1, replica.port())},
                 .timeout = 30ms});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 504);
  EXPECT_NE(reply.body.find("app_timeout"), std::string::npos);
  EXPECT_TRUE(upstream.has_ended());
  EXPECT_EQ(bed.control.next<model::ReplicaSuspected>().suspicion,
            model::Suspicion::FirstByteTimeout);
}

// --- busy time ---------------------------------------------------------------------------------

std::int64_t number_in(const std::string& line, const std::string& name) {
  const std::size_t at = line.find("\"" + name + "\":");
  return at == std::string::npos ? -1 : std::stoll(line.substr(at + name.size() + 3));
}

std::int64_t union_of(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end());
  std::int64_t total = 0;
  std::int64_t end = 0;
  for (const Span& span : spans) {
    total += std::max<std::int64_t>(0, span.to.ns - std::max(end, span.from.ns));
    end = std::max(end, span.to.ns);
  }
  return total;
}

TEST(Busy, AgreesWithTheAccessLogToTheNanosecond) {
  const std::string path =
      testing::TempDir() + "gateway_requests_" + std::to_string(::getpid()) + ".jsonl";
  std::remove(path.c_str());
  std::int64_t reported = 0;
  Duration request_time{};
  std::uint32_t answered = 0;
  {
    GatewayLimits limits;
    limits.busy_interval = 1ms;
    Testbed bed(BedSetup{.limits = limits, .records = {.log = {.path = path}}});
    ScriptedReplica replica;
    bed.set_app("echo", {bed.open_replica(1, replica.port(), 8)});
    for (int round = 0; round < 20; ++round) {
      // Two overlap, with reports in between; every fifth loses its client.
      Wire one = bed.connect();
      Wire two = bed.connect();
      one.send(get("/one"));
      Wire first = replica.accept();
      first.read_request();
      two.send(post("/two", "body"));
      Wire second = replica.accept();
      second.read_request();
      bed.settle();
      if (round % 5 == 0) {
        two.reset();
        EXPECT_TRUE(second.has_ended());
      } else {
        second.send(ok("2", "Connection: close\r\n"));
        two.read_reply();
      }
      first.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end");
      first.close();
      one.read_reply();
      bed.wait_for_in_flight(1, 0);
    }
    bed.gateway.reset();
    Instant last;
    for (const auto& report : bed.control.busy_reports()) {
      for (const auto& entry : report.entries) {
        EXPECT_EQ(entry.replica, ReplicaId{1});
        request_time += entry.request_time;
        answered += entry.answered;
        for (const Span& span : entry.spans) {
          EXPECT_LE(last, span.from);
          EXPECT_LT(span.from, span.to);
          EXPECT_LE(span.to, report.complete_up_to);
          last = span.to;
          reported += (span.to - span.from).count();
        }
      }
    }
  }
  std::ifstream log(path);
  std::vector<Span> spans;
  std::int64_t sum = 0;
  for (std::string line; std::getline(log, line);) {
    const Span span{{number_in(line, "t_first_byte_sent_ns")},
                    {number_in(line, "t_last_byte_read_ns")}};
    spans.push_back(span);
    sum += (span.to - span.from).count();
  }
  EXPECT_EQ(spans.size(), 40u);
  EXPECT_EQ(union_of(spans), reported);
  EXPECT_EQ(sum, request_time.count());
  EXPECT_EQ(answered, 36u);
  std::remove(path.c_str());
}

TEST(Busy, IsReportedWithoutBeingAskedAndThenNoMore) {
  GatewayLimits limits;
  limits.busy_interval = 5ms;
  Testbed bed(BedSetup{.limits = limits});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  for (int i = 0; i < 3; ++i) {
    const auto report = bed.control.next<model::BusyMeasured>();
    ASSERT_EQ(report.entries.size(), 1u);
    EXPECT_EQ(report.entries[0].spans.back().to, report.complete_up_to) << "it still runs";
  }
  upstream.send(ok("x"));
  client.read_reply();
}

}  // namespace
}  // namespace kelvin::gateway::testbed
