// Tests of Kelvin-Progress: comments about a wait, in front of an event stream.
#include <gtest/gtest.h>

#include "gateway/testbed.h"

namespace kelvin::gateway::testbed {
namespace {

constexpr std::string_view kAsks = "Accept: text/html, text/event-stream;q=0.9\r\n";
constexpr std::string_view kEvents =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "9\r\ndata: 1\n\n\r\n";
constexpr std::string_view kLastEvent = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

GatewayLimits eager() {
  GatewayLimits limits;
  limits.progress_after = 1ms;
  limits.progress_every = 10ms;
  return limits;
}

std::string asking(std::string_view path = "/", std::string_view fields = kAsks) {
  return get(path, "echo.localhost", "Kelvin-Progress: 1\r\n" + std::string(fields));
}

std::string chat(std::string_view body, std::string_view fields = "") {
  return post("/v1/chat/completions", body, "localhost",
              "Content-Type: application/json\r\nKelvin-Progress: 1\r\n" + std::string(fields));
}

// A client that waits for an app with no replica, and is told things by the test.
struct Wait {
  explicit Wait(std::string_view request = asking(), const GatewayLimits& limits = eager())
      : bed(BedSetup{.limits = limits}) {
    bed.set_app("echo", {});
    client = bed.connect();
    client.send(request);
    demand = bed.control.next<model::Demand>();
  }
  void tell(std::string sentence) {
    EXPECT_EQ(bed.control.next<model::ProgressAsked>().request, demand.request);
    bed.gateway->tell_progress(
        {.request = demand.request, .loop = demand.loop, .sentence = std::move(sentence)});
  }
  Wire hand_over(const std::vector<model::StageTime>& stages = {}) {
    bed.hand_over(demand, bed.open_replica(1, replica.port()), model::Temperature::Cold, stages);
    Wire upstream = replica.accept();
    request = upstream.read_request();
    return upstream;
  }
  void refuse() {
    bed.gateway->refuse({.request = demand.request,
                         .loop = demand.loop,
                         .refusal = {.status = 503, .code = "app_failing", .sentence = "No."}});
  }
  std::uint64_t finished(std::size_t status_class) {
    return bed.gateway->metrics().requests_by_class.at(status_class);
  }

  Testbed bed;
  ScriptedReplica replica;
  Wire client;
  model::Demand demand;
  std::string request;  // as the replica gets it
};

TEST(Progress, IsSaidInFrontOfTheReplicasEvents) {
  Wait wait(asking("/", "Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n"));
  wait.tell("place 1 of 1; replica r1-1 has been starting for 2 s");
  const std::string head = wait.client.read_until("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
  EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos) << head;
  EXPECT_NE(head.find("Kelvin-Request-Id: "), std::string::npos) << head;
  EXPECT_NE(head.find("Server-Timing: queue;dur="), std::string::npos) << head;
  EXPECT_EQ(wait.client.read_until("\n\n\r\n"),
            "38\r\n: place 1 of 1; replica r1-1 has been starting for 2 s\n\n\r\n");
  wait.tell("nearly");
  EXPECT_EQ(wait.client.read_until("\n\n\r\n"), "a\r\n: nearly\n\n\r\n");
  Wire upstream = wait.hand_over({{model::Phase::Queue, 1ms}, {model::Phase::Start, 2s}});
  EXPECT_EQ(wait.request.find("Kelvin-Progress"), std::string::npos) << wait.request;
  EXPECT_EQ(wait.request.find("Accept-Encoding"), std::string::npos) << wait.request;
  EXPECT_NE(wait.request.find("Accept: text/event-stream"), std::string::npos) << wait.request;
  const std::string served = wait.client.read_until("\n\n\r\n");
  EXPECT_TRUE(served.ends_with(" (cold); queue;dur=1.000, start;dur=2000.000\n\n\r\n")) << served;
  upstream.send(kEvents);
  EXPECT_EQ(wait.client.read_until("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  upstream.send(kLastEvent);
  EXPECT_EQ(wait.client.read_until("0\r\n\r\n"), kLastEvent);
  // The connection goes on, and the next request is one like any other.
  wait.client.send(get("/next"));
  wait.bed.control.next<model::Demand>();
  EXPECT_EQ(wait.finished(2), 1u);
  EXPECT_EQ(wait.bed.control.count<model::RequestLeft>(), 0u);
}

TEST(Progress, IsForABodyUnderV1ThatAsksForAStream) {
  Wait wait(chat(R"({"model":"echo","stream":true})"));
  wait.tell("soon");
  wait.client.read_until(": soon\n\n\r\n");
  Wire upstream = wait.hand_over();
  EXPECT_TRUE(wait.request.ends_with(R"({"model":"echo","stream":true})"));
  upstream.send(kEvents);
  upstream.send(kLastEvent);
  EXPECT_NE(wait.client.read_until("0\r\n\r\n").find("data: 1\n\n"), std::string::npos);
}

TEST(Progress, IsForNobodyElse) {
  GatewayLimits limits = eager();
  limits.progress_every = 1h;
  Testbed bed(BedSetup{.limits = limits});
  bed.set_app("echo", {});
  std::string head = asking();
  head.replace(0, 3, "HEAD");
  const std::vector<std::string> others = {
      chat(R"({"model":"echo"})"),
      chat(R"({"model":"echo","stream":false})"),
      asking("/", "Accept: application/json\r\n"),
      get("/", "echo.localhost", kAsks),
      get("/", "echo.localhost", "Kelvin-Progress: 0\r\n" + std::string(kAsks)),
      head,
      "PUT / HTTP/1.1\r\nHost: echo.localhost\r\nKelvin-Progress: 1\r\nExpect: 100-continue\r\n"
      "Content-Length: 4\r\n" +
          std::string(kAsks) + "\r\n",
      asking("/", std::string(kAsks) + "Connection: upgrade\r\nUpgrade: websocket\r\n"),
  };
  std::vector<Wire> clients;
  for (const std::string& request : others) {
    clients.push_back(bed.connect());
    clients.back().send(request);
    bed.control.next<model::Demand>();
  }
  Wire last = bed.connect();
  last.send(asking());
  const auto demand = bed.control.next<model::Demand>();
  EXPECT_EQ(bed.control.next<model::ProgressAsked>().request, demand.request);
  EXPECT_EQ(bed.control.count<model::ProgressAsked>(), 0u) << "timers of those before came first";
  Wire odd = bed.connect();
  odd.send(get("/", "echo.localhost", "Kelvin-Progress: perhaps\r\n"));
  EXPECT_EQ(odd.read_reply().status, 400);
}

TEST(Progress, DoesNotTouchTheReplyOfAWarmReplica) {
  Testbed bed(BedSetup{.limits = eager()});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(asking());
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send("HTTP/1.1 404 Not Found\r\nX-Why: none\r\nContent-Length: 4\r\n\r\ngone");
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.field("X-Why"), "none");
  EXPECT_EQ(reply.body, "gone");
}

TEST(Progress, DoesNotTouchTheReplyAfterAShortWait) {
  GatewayLimits limits;
  limits.progress_after = 1h;
  Wait wait(asking(), limits);
  Wire upstream = wait.hand_over();
  upstream.send(ok("plain"));
  const Reply reply = wait.client.read_reply();
  EXPECT_EQ(reply.field("Kelvin-Cold-Start"), "cold");
  EXPECT_EQ(reply.body, "plain");
  EXPECT_EQ(wait.bed.control.count<model::ProgressAsked>(), 0u);
}

TEST(Progress, ARefusalIsSaidInTheStreamAndCountedAsWhatItIs) {
  Wait wait;
  wait.tell("soon");
  wait.client.read_until(": soon\n\n\r\n");
  wait.refuse();
  const std::string rest = wait.client.read_to_end();
  EXPECT_NE(
      rest.find("\r\ndata: {\"error\":{\"message\":\"No.\",\"type\":\"server_error\",\"param\""
                ":null,\"code\":\"app_failing\"}}\n\n\r\n"),
      std::string::npos)
      << rest;
  EXPECT_FALSE(rest.ends_with("0\r\n\r\n")) << "the stream is not whole";
  EXPECT_EQ(wait.finished(5), 1u);
  EXPECT_EQ(wait.finished(2), 0u);
  EXPECT_EQ(wait.bed.gateway->metrics().requests_waiting, 0u);
}

TEST(Progress, AReplyThatIsNoEventStreamIsSaidInTheStream) {
  const std::vector<std::pair<std::string, std::size_t>> replies = {
      {"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 2\r\n\r\n{}", 4},
      {"HTTP/1.1 500 Oh\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n", 5},
      {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 5},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
       "Content-Length: 2\r\n\r\nxx",
       5}};
  for (const auto& [reply, status_class] : replies) {
    Wait wait;
    wait.tell("soon");
    wait.client.read_until(": soon\n\n\r\n");
    Wire upstream = wait.hand_over();
    upstream.send(reply);
    const std::string rest = wait.client.read_to_end();
    EXPECT_NE(
        rest.find("data: {\"error\":{\"message\":\"The replica of 'echo' answered with status " +
                  reply.substr(9, 3)),
        std::string::npos)
        << rest;
    EXPECT_NE(rest.find("no_event_stream"), std::string::npos) << rest;
    EXPECT_TRUE(upstream.has_ended());
    wait.bed.wait_for_in_flight(1, 0);
    EXPECT_EQ(wait.finished(status_class), 1u) << reply;
    EXPECT_EQ(wait.finished(2), 0u);
  }
}

TEST(Progress, AStreamThatBreaksIsCountedByItsOwnStatus) {
  Wait wait;
  wait.tell("soon");
  Wire upstream = wait.hand_over();
  upstream.send(kEvents);
  wait.client.read_until("data: 1\n\n\r\n");
  upstream.close();
  EXPECT_NE(wait.client.read_to_end().find("\r\ndata: {\"error\":"), std::string::npos);
  EXPECT_EQ(wait.finished(2), 1u);
}

TEST(Progress, AReplicaThatBreaksBeforeItsHeadIsSaidInTheStream) {
  Wait wait;
  wait.tell("soon");
  Wire upstream = wait.hand_over();
  upstream.close();
  EXPECT_NE(wait.client.read_to_end().find("replica_broke_reply"), std::string::npos);
  EXPECT_EQ(wait.finished(5), 1u);
}

TEST(Progress, EndsWithTheClient) {
  Wait wait;
  wait.tell("soon");
  wait.client.read_until(": soon\n\n\r\n");
  wait.client.close();
  EXPECT_EQ(wait.bed.control.next<model::RequestLeft>().request, wait.demand.request);
  wait.bed.settle();
  EXPECT_EQ(wait.finished(0), 1u) << "it was never answered";
  // What was on its way finds nobody.
  wait.bed.gateway->tell_progress(
      {.request = wait.demand.request, .loop = wait.demand.loop, .sentence = "too late"});
  wait.bed.hand_over(wait.demand, wait.bed.open_replica(1, wait.replica.port()));
  EXPECT_EQ(wait.bed.control.next<model::HandoverRefused>().request, wait.demand.request);
}

TEST(Progress, CommentsAreOneLineOfPlainText) {
  Wait wait;
  wait.tell(
      "a\ndata: b\r\xe2\x80\xa8"
      "c\x7f");
  EXPECT_NE(wait.client.read_until("\n\n\r\n").find("\r\n: a?data: b????c?\n\n\r\n"),
            std::string::npos);
}

TEST(Progress, InterimRepliesCannotFollowIt) {
  Wait wait;
  wait.tell("soon");
  Wire upstream = wait.hand_over();
  upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  upstream.send(kEvents);
  upstream.send(kLastEvent);
  const Reply reply = wait.client.read_reply();
  EXPECT_TRUE(reply.is_whole);
  EXPECT_TRUE(reply.body.ends_with("data: 1\n\ndata: [DONE]\n\n")) << reply.body;
  EXPECT_EQ(reply.body.find("103"), std::string::npos) << reply.body;
}

TEST(Progress, OldClientsReadToTheEnd) {
  Wait wait("GET / HTTP/1.0\r\nHost: echo.localhost\r\nKelvin-Progress: 1\r\n" +
            std::string(kAsks) + "\r\n");
  wait.tell("soon");
  Wire upstream = wait.hand_over();
  upstream.send(kEvents);
  upstream.send(kLastEvent);
  const std::string all = wait.client.read_to_end();
  EXPECT_NE(all.find("\r\n\r\n: soon\n\n: served by"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("\n\ndata: 1\n\ndata: [DONE]\n\n")) << all;
}

TEST(Progress, AClientThatReadsNothingGetsFewerComments) {
  constexpr std::size_t kRounds = 100;
  constexpr std::size_t kComments = 100;
  constexpr std::size_t kBytes = 4096;
  Wait wait;
  for (std::size_t i = 0; i < kRounds; ++i) {
    for (std::size_t j = 0; j < kComments; ++j) {
      wait.bed.gateway->tell_progress({.request = wait.demand.request,
                                       .loop = wait.demand.loop,
                                       .sentence = std::string(kBytes, 'x')});
    }
    wait.bed.settle();
  }
  wait.refuse();
  const std::string all = wait.client.read_to_end();
  EXPECT_LT(all.size(), kRounds * kComments * kBytes / 2);
  EXPECT_NE(all.find("\r\ndata: {\"error\":"), std::string::npos);
}

}  // namespace
}  // namespace kelvin::gateway::testbed
