// Tests of upgraded connections (WebSocket and whatever else an app agrees on with its clients).
#include <gtest/gtest.h>

#include "gateway/testbed.h"

namespace kelvin::gateway::testbed {
namespace {

constexpr std::string_view kWish =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
constexpr std::string_view kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: y\r\n\r\n";

struct Tunnel {
  Wire client;
  Wire upstream;
  Reply reply;
};

Tunnel open_tunnel(Testbed& bed, ScriptedReplica& replica) {
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Tunnel tunnel{.client = bed.connect()};
  tunnel.client.send(get("/socket", "echo.localhost", kWish));
  tunnel.upstream = replica.accept();
  const std::string request = tunnel.upstream.read_request();
  EXPECT_NE(request.find("Connection: upgrade\r\nUpgrade: websocket\r\n"), std::string::npos)
      << request;
  tunnel.upstream.send(kSwitch);
  tunnel.reply = tunnel.client.read_reply("HEAD");
  return tunnel;
}

TEST(Tunnel, CarriesBytesBothWays) {
  Testbed bed;
  ScriptedReplica replica;
  Tunnel tunnel = open_tunnel(bed, replica);
  EXPECT_EQ(tunnel.reply.status, 101);
  EXPECT_EQ(tunnel.reply.field("Upgrade"), "websocket");
  EXPECT_EQ(tunnel.reply.field("Connection"), "upgrade");
  EXPECT_EQ(tunnel.reply.field("Sec-WebSocket-Accept"), "y");
  EXPECT_EQ(tunnel.reply.field("Transfer-Encoding"), "");
  tunnel.client.send(std::string("\x81\x05hello\0\r\n\r\n", 12));
  EXPECT_EQ(tunnel.upstream.read_exactly(12), std::string("\x81\x05hello\0\r\n\r\n", 12));
  tunnel.upstream.send("back");
  EXPECT_EQ(tunnel.client.read_exactly(4), "back");
  tunnel.client.send("again");
  EXPECT_EQ(tunnel.upstream.read_exactly(5), "again");
}

TEST(Tunnel, ClosesOneWayAtATime) {
  Testbed bed;
  ScriptedReplica replica;
  Tunnel tunnel = open_tunnel(bed, replica);
  tunnel.client.send("last words");
  tunnel.client.finish_sending();
  EXPECT_EQ(tunnel.upstream.read_to_end(), "last words");
  tunnel.upstream.send("the answer to them");
  tunnel.upstream.close();
  EXPECT_EQ(tunnel.client.read_to_end(), "the answer to them");
  bed.wait_for_in_flight(1, 0);
}

TEST(Tunnel, KeepsItsSlotUntilItEnds) {
  Testbed bed;
  ScriptedReplica replica;
  Tunnel tunnel = open_tunnel(bed, replica);
  EXPECT_EQ(bed.word_of(1).in_flight, 1u);
  tunnel.client.reset();
  tunnel.client.close();
  EXPECT_TRUE(tunnel.upstream.has_ended());
  bed.wait_for_in_flight(1, 0);
}

TEST(Tunnel, OutlivesTheAppsTimeout) {
  Testbed bed;
  ScriptedReplica replica;
  model::Route route{.app = AppId{1}, .name = "echo", .timeout = 50ms};
  route.replicas = {bed.open_replica(1, replica.port())};
  bed.set_route(route);
  Wire client = bed.connect();
  client.send(get("/socket", "echo.localhost", kWish));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(kSwitch);
  EXPECT_EQ(client.read_reply("HEAD").status, 101);
  // A second request that is never answered runs into the timeout, by which the tunnel's has passed too.
  Wire late = bed.connect();
  late.send(get("/late"));
  Wire silent = replica.accept();
  silent.read_request();
  EXPECT_EQ(late.read_reply().status, 504);
  client.send("still");
  EXPECT_EQ(upstream.read_exactly(5), "still");
}

TEST(Tunnel, IsThereOnlyWhenTheReplicaAgrees) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/socket", "echo.localhost", kWish));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("no"));
  EXPECT_EQ(client.read_reply().body, "no");
  client.send(get("/plain"));
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.starts_with("GET /plain ")) << request;
  upstream.send(kSwitch);
  EXPECT_EQ(client.read_reply().status, 502) << "nobody asked for it";
}

TEST(Tunnel, IsOfferedToAppsOnlyAndOtherVersionsAreIgnored) {
  Testbed bed;
  bed.set_app("echo", {});
  Wire refused = bed.connect();
  refused.send(post("/socket", "body", "echo.localhost", kWish));
  EXPECT_EQ(refused.read_reply().status, 501);
  EXPECT_TRUE(refused.has_ended());
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost",
                  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"));
  bed.control.next<model::Demand>();
}

}  // namespace
}  // namespace kelvin::gateway::testbed
