// Tests of requests that wait: what control is told, and what it may answer.
#include <gtest/gtest.h>

#include "gateway/testbed.h"
#include "model/ids.h"

namespace kelvin::gateway::testbed {
namespace {

TEST(Waiting, EndsWithAHandover) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {});
  Wire client = bed.connect();
  client.send(post("/cold", "body"));
  const auto demand = bed.control.next<model::Demand>();
  EXPECT_EQ(demand.app, AppId{1});
  EXPECT_EQ(demand.loop, 0u);
  EXPECT_EQ(bed.gateway->metrics().requests_waiting, 1u);
  const auto ready = bed.open_replica(1, replica.port());
  bed.set_app("echo", {ready});
  bed.hand_over(
      demand, ready, model::Temperature::Cold,
      {{model::Phase::Queue, 210us}, {model::Phase::Start, 12ms}, {model::Phase::Load, 1500ms}});
  Wire upstream = replica.accept();
  EXPECT_TRUE(upstream.read_request().ends_with("\r\n\r\nbody"));
  upstream.send(ok("warm at last"));
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.body, "warm at last");
  EXPECT_EQ(reply.field("Kelvin-Cold-Start"), "cold");
  const std::string timing = reply.field("Server-Timing");
  EXPECT_TRUE(timing.starts_with("queue;dur=0.210, start;dur=12.000, load;dur=1500.000, ttfb;dur="))
      << timing;
  EXPECT_EQ(bed.gateway->metrics().requests_waiting, 0u);
  EXPECT_EQ(bed.gateway->metrics().cold_starts, 1u);
  client.send(get("/warm"));
  upstream.read_request();
  upstream.send(ok("x"));
  EXPECT_EQ(client.read_reply().field("Kelvin-Cold-Start"), "");
}

TEST(Waiting, IsOverWhenTheClientLeaves) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {});
  Wire client = bed.connect();
  client.send(get("/"));
  const auto demand = bed.control.next<model::Demand>();
  client.finish_sending();
  EXPECT_EQ(bed.control.next<model::RequestLeft>().request, demand.request);
  EXPECT_TRUE(client.has_ended());
  EXPECT_EQ(bed.gateway->metrics().requests_waiting, 0u);
  // The handover was already on its way.
  const auto ready = bed.open_replica(1, replica.port());
  bed.hand_over(demand, ready);
  const auto refused = bed.control.next<model::HandoverRefused>();
  EXPECT_EQ(refused.request, demand.request);
  EXPECT_EQ(refused.problem, model::HandoverProblem::ClientLeft);
  EXPECT_EQ(bed.word_of(1).in_flight, 0u);
}

TEST(Waiting, EndsWithControlsRefusal) {
  Testbed bed;
  bed.set_app("echo", {});
  Wire client = bed.connect();
  client.send(get("/"));
  const auto demand = bed.control.next<model::Demand>();
  bed.gateway->refuse({.request = demand.request,
                       .loop = demand.loop,
                       .refusal = {.status = 503,
                                   .code = "app_failing",
                                   .sentence = "It ran out of memory. Raise 'memory'.",
                                   .retry_after = 4100ms}});
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.field("Retry-After"), "5");
  EXPECT_EQ(
      reply.body,
      "{\"type\":\"about:blank\",\"title\":\"Service "
      "Unavailable\",\"status\":503,\"code\":\"app_failing\","
      "\"detail\":\"It ran out of memory. Raise 'memory'.\",\"next\":null,\"complaints\":null}\n");
  EXPECT_TRUE(reply.field("Server-Timing").starts_with("queue;dur=")) << reply.head;
  client.send(get("/"));
  bed.control.next<model::Demand>();
}

TEST(Waiting, IsRefusedWhenTheQueueIsFull) {
  Testbed bed;
  bed.set_route({.app = {1}, .name = "echo", .queue = {.requests_max = 2}});
  Wire one = bed.connect();
  one.send(get("/"));
  bed.control.next<model::Demand>();
  Wire two = bed.connect();
  two.send(get("/"));
  bed.control.next<model::Demand>();
  Wire three = bed.connect();
  three.send(get("/"));
  const Reply reply = three.read_reply();
  EXPECT_EQ(reply.status, 429);
  EXPECT_NE(reply.body.find("queue_full"), std::string::npos);
  EXPECT_NE(reply.field("Retry-After"), "");
}

TEST(Waiting, ComesFirstWhenASlotIsGivenBack) {
  Testbed bed;
  ScriptedReplica replica;
  const auto only = bed.open_replica(1, replica.port(), 1);
  bed.set_app("echo", {only});
  Wire runs = bed.connect();
  runs.send(get("/runs"));
  Wire upstream = replica.accept();
  upstream.read_request();
  Wire waits = bed.connect();
  waits.send(get("/waits"));
  const auto demand = bed.control.next<model::Demand>();
  upstream.send(ok("done"));
  runs.read_reply();
  EXPECT_EQ(bed.control.next<model::SlotFree>().replica, only.id);
  // The slot is free, but somebody waits already.
  Wire late = bed.connect();
  late.send(get("/late"));
  const auto behind = bed.control.next<model::Demand>();
  bed.hand_over(demand, only);
  EXPECT_TRUE(upstream.read_request().starts_with("GET /waits "));
  upstream.send(ok("next"));
  EXPECT_EQ(waits.read_reply().body, "next");
  bed.control.next<model::SlotFree>();
  bed.hand_over(behind, only);
  upstream.read_request();
  upstream.send(ok("last"));
  EXPECT_EQ(late.read_reply().body, "last");
  EXPECT_EQ(bed.control.count<model::SlotFree>(), 0u) << "nobody waits any more";
}

TEST(Waiting, LeavesTheBodyInTheSocket) {
  Testbed bed;
  bed.set_app("echo", {});
  Wire client = bed.connect();
  client.send("PUT / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 100000000\r\n\r\n");
  bed.control.next<model::Demand>();
  const std::string block(1 << 20U, 'x');
  std::size_t sent = 0;
  for (int idle_rounds = 0; idle_rounds < 3 && sent < 100'000'000;) {
    const std::size_t now = client.send_without_waiting(block);
    sent += now;
    idle_rounds = now == 0 ? idle_rounds + 1 : 0;
    if (now == 0) bed.settle();
  }
  EXPECT_LT(sent, 50'000'000u);
}

TEST(Waiting, IsNotBoundByTheTimeInWhichABodyMustCome) {
  GatewayLimits limits;
  limits.body_idle_time = 50ms;
  Testbed bed(BedSetup{.limits = limits});
  ScriptedReplica replica;
  bed.set_app("echo", {});
  const std::string head =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 16\r\n\r\n";
  Wire waits = bed.connect();
  waits.send(head);
  waits.send(R"({"model":)");
  bed.settle();
  waits.send(R"("echo"})");
  const auto demand = bed.control.next<model::Demand>();
  // Whose body stops later is refused first.
  Wire stalls = bed.connect();
  stalls.send(head);
  EXPECT_EQ(stalls.read_reply().status, 408);
  bed.hand_over(demand, bed.open_replica(1, replica.port()));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("served"));
  EXPECT_EQ(waits.read_reply().body, "served");
}

TEST(Wishes, GoWithTheDemandAndNotToTheReplica) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {});
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost",
                  "Kelvin-Priority: low\r\nKelvin-Deadline: 30s\r\nKelvin-Replica: r3-17\r\n"));
  const auto demand = bed.control.next<model::Demand>();
  EXPECT_EQ(demand.priority, model::Priority::Low);
  EXPECT_EQ(demand.deadline, demand.arrived + 30s);
  EXPECT_TRUE(demand.wanted_replica);
  bed.hand_over(demand, bed.open_replica(1, replica.port()));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_EQ(request.find("Kelvin-Priority"), std::string::npos) << request;
  EXPECT_EQ(request.find("Kelvin-Deadline"), std::string::npos) << request;
  EXPECT_EQ(request.find("Kelvin-Replica"), std::string::npos) << request;
  upstream.send(ok("done", "Kelvin-Replica: forged\r\n"));
  EXPECT_EQ(shape_of(client.read_reply().field("Kelvin-Replica")), "r#-#");
  Wire odd = bed.connect();
  odd.send(get("/", "echo.localhost", "Kelvin-Priority: urgent\r\n"));
  EXPECT_EQ(odd.read_reply().status, 400);
}

TEST(Wishes, ForAParkedReplicaAreWaitedFor) {
  Testbed bed;
  ScriptedReplica ready;
  ScriptedReplica parked;
  model::Route route{.app = AppId{1}, .name = "echo"};
  route.replicas = {bed.open_replica(1, ready.port())};
  const model::RouteReplica second = bed.open_replica(2, parked.port());
  route.parked = {second.id};
  bed.set_route(route);
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost", "Kelvin-Replica: " + model::to_text(second.id) + "\r\n"));
  const auto demand = bed.control.next<model::Demand>();
  EXPECT_EQ(demand.wanted_replica, second.id);
  bed.hand_over(demand, second, model::Temperature::Parked);
  Wire upstream = parked.accept();
  upstream.read_request();
  upstream.send(ok("woken"));
  EXPECT_EQ(client.read_reply().body, "woken");
}

TEST(SplitTraffic, GoesToTheRevisionThatIsDrawn) {
  Testbed bed;
  ScriptedReplica old_one;
  ScriptedReplica new_one;
  model::Route route{.app = AppId{1}, .name = "echo"};
  route.replicas = {bed.open_replica(1, old_one.port()), bed.open_replica(2, new_one.port())};
  route.replicas[0].revision = RevisionId{1};
  route.replicas[1].revision = RevisionId{2};
  route.shares = {{.revision = RevisionId{2}, .percent = 100}};
  bed.set_route(route);
  for (int i = 0; i < 8; ++i) {
    Wire client = bed.connect();
    client.send(get("/"));
    Wire upstream = new_one.accept();
    upstream.read_request();
    upstream.send(ok("new", "Connection: close\r\n"));
    EXPECT_EQ(client.read_reply().body, "new");
  }
}

TEST(Draining, IsToldWhenTheLastSlotComesBack) {
  Testbed bed;
  ScriptedReplica replica;
  const auto only = bed.open_replica(1, replica.port());
  bed.set_app("echo", {only});
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  EXPECT_EQ(bed.table().close({only.slot, only.generation}).in_flight, 1u);
  bed.set_app("echo", {});
  upstream.send(ok("last words"));
  EXPECT_EQ(client.read_reply().body, "last words");
  EXPECT_EQ(bed.control.next<model::SlotsDrained>().replica, only.id);
  bool is_reported = false;
  for (const auto& report : bed.control.busy_reports())
    for (const auto& entry : report.entries) is_reported |= entry.replica == only.id;
  EXPECT_TRUE(is_reported) << "busy time comes before the news that it is over";
}

TEST(Draining, LetsRequestsFinishAndTakesNoMore) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire idle = bed.connect();
  idle.send(get("/nowhere", "localhost"));
  idle.read_reply();
  Wire busy = bed.connect();
  busy.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  bed.gateway->stop_accepting();
  EXPECT_TRUE(idle.has_ended());
  EXPECT_FALSE(bed.gateway->drain(1ms)) << "one request still runs";
  upstream.send(ok("finished"));
  const Reply reply = busy.read_reply();
  EXPECT_EQ(reply.body, "finished");
  EXPECT_EQ(reply.field("Connection"), "close");
  busy.close();
  EXPECT_TRUE(bed.gateway->drain(10s));
}

TEST(Retiring, LeavesIdleConnectionsOneRequestMore) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire idle = bed.connect();
  idle.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("before"));
  EXPECT_EQ(idle.read_reply().field("Connection"), "");
  bed.gateway->retire();
  bed.settle();
  idle.send(get("/"));
  upstream.read_request();
  upstream.send(ok("after"));
  const Reply reply = idle.read_reply();
  EXPECT_EQ(reply.body, "after");
  EXPECT_EQ(reply.field("Connection"), "close");
  EXPECT_TRUE(idle.has_ended());
  idle.close();
  EXPECT_TRUE(bed.gateway->drain(10s));
}

// Its head promised that the connection stays.
TEST(Retiring, AReplyThatHasBegunIsNotTheLast) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
  client.read_until("half ");
  bed.gateway->retire();
  bed.settle();
  upstream.send("whole");
  EXPECT_EQ(client.read_exactly(5), "whole");
  client.send(get("/"));
  upstream.read_request();
  upstream.send(ok("last"));
  EXPECT_EQ(client.read_reply().field("Connection"), "close");
}

TEST(Retiring, StoppingAfterwardsClosesWhatIsIdle) {
  Testbed bed;
  Wire idle = bed.connect();
  idle.send(get("/nowhere", "localhost"));
  idle.read_reply();
  bed.gateway->retire();
  bed.settle();
  bed.gateway->stop_accepting();
  EXPECT_TRUE(idle.has_ended());
  idle.close();
  EXPECT_TRUE(bed.gateway->drain(10s));
}

TEST(Retiring, WhoWaitsIsAnnouncedAgainAndServed) {
  Testbed bed(BedSetup{.loops = 2});
  ScriptedReplica replica;
  bed.set_app("echo", {});
  Wire first = bed.connect();
  first.send(get("/1"));
  const auto demand = bed.control.next<model::Demand>();
  bed.gateway->announce_waiting();
  const auto again = bed.control.next<model::Demand>();
  EXPECT_EQ(again.request, demand.request);
  EXPECT_EQ(again.loop, demand.loop);
  EXPECT_EQ(again.arrived, demand.arrived);
  EXPECT_EQ(bed.control.count<model::Demand>(), 0u);
  const auto ready = bed.open_replica(1, replica.port());
  bed.hand_over(again, ready);
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("x"));
  EXPECT_EQ(first.read_reply().body, "x");
}

TEST(Retiring, ControlIsToldOfEverySlotWhereItAsksForThat) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  bed.gateway->tell_every_slot(true);
  Wire client = bed.connect();
  client.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("x"));
  client.read_reply();
  EXPECT_EQ(bed.control.next<model::SlotFree>().replica, ReplicaId{1});
}

TEST(Draining, GivesEverythingBackAtAnAbruptEnd) {
  Testbed bed(BedSetup{.loops = 2});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port(), 1)});
  Wire runs = bed.connect();
  runs.send(get("/"));
  Wire upstream = replica.accept();
  upstream.read_request();
  Wire waits = bed.connect();
  waits.send(get("/"));
  const auto demand = bed.control.next<model::Demand>();
  bed.gateway.reset();
  EXPECT_TRUE(runs.has_ended());
  EXPECT_TRUE(waits.has_ended());
  EXPECT_EQ(bed.control.next<model::RequestLeft>().request, demand.request);
  EXPECT_EQ(bed.word_of(1).in_flight, 0u);
}

}  // namespace
}  // namespace kelvin::gateway::testbed
