// Tests of what a gateway writes down about the requests that pass it.
#include "gateway/notary.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "gateway/testbed.h"

namespace kelvin::gateway::testbed {
namespace {

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string field_of(const std::string& request, const std::string& name) {
  const std::size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "absent";
  const std::size_t from = at + name.size() + 4;
  return request.substr(from, request.find("\r\n", from) - from);
}

// What the replica is sent for a request with these fields.
std::string sent_with(const RecordOptions& records, const std::string& fields) {
  Testbed bed(BedSetup{.records = records});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost", fields));
  Wire upstream = replica.accept();
  std::string request = upstream.read_request();
  upstream.send(ok("x"));
  client.read_reply();
  return request;
}

// A collector that nobody is.
RecordOptions traced() { return {.traces = {.endpoint = "http://127.0.0.1:9", .farewell = 1ms}}; }

TEST(Tracing, TheReplicaIsToldOurSpanAsItsParent) {
  const std::string request = sent_with(traced(), "traceparent: " + std::string(kParent) +
                                                      "\r\nTraceState: a=1\r\ntracestate: b=2\r\n");
  const auto told = parse_traceparent(field_of(request, "traceparent"));
  const auto sent = parse_traceparent(kParent);
  ASSERT_TRUE(told) << request;
  EXPECT_EQ(told->trace, sent->trace);
  EXPECT_NE(told->span, sent->span);
  EXPECT_EQ(told->flags, kTraceSampled);
  EXPECT_NE(request.find("\r\nTraceState: a=1\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\ntracestate: b=2\r\n"), std::string::npos);
}

TEST(Tracing, ATraceBeginsHereWhereThereIsNoneOrABrokenOne) {
  for (const std::string& fields :
       {std::string(), std::string("traceparent: nonsense\r\ntracestate: a=1\r\n"),
        "traceparent: " + std::string(kParent) + "\r\ntraceparent: " + std::string(kParent) +
            "\r\ntracestate: a=1\r\n"}) {
    const std::string request = sent_with(traced(), fields);
    const auto told = parse_traceparent(field_of(request, "traceparent"));
    ASSERT_TRUE(told) << request;
    EXPECT_NE(told->trace, parse_traceparent(kParent)->trace);
    EXPECT_EQ(told->flags, kTraceSampled | kTraceRandom);
    EXPECT_EQ(request.find("tracestate"), std::string::npos) << request;
    EXPECT_EQ(request.find("nonsense"), std::string::npos) << request;
  }
}

TEST(Tracing, WithoutItTheFieldsPassAsTheyCame) {
  const std::string request =
      sent_with({}, "traceparent: " + std::string(kParent) + "\r\ntracestate: a=1\r\n");
  EXPECT_EQ(field_of(request, "traceparent"), kParent);
  EXPECT_EQ(field_of(request, "tracestate"), "a=1");
}

TEST(Records, EveryRequestIsCountedForItsAppAndRoute) {
  FirstRequest first;
  auto& [bed, replica, client, upstream] = first;
  upstream.send(ok("x"));
  EXPECT_EQ(client.read_reply().status, 200);
  client.send(get("/", "nobody.localhost"));
  EXPECT_EQ(client.read_reply().status, 404);
  client.send(get("/v1/models", "localhost"));
  EXPECT_EQ(client.read_reply().status, 200);
  bed.settle();
  const auto all = bed.gateway->app_metrics();
  ASSERT_EQ(all.size(), 3u);
  const auto count = [&](std::size_t app, RouteLabel route, std::size_t by_class) {
    return all[app].routes[static_cast<std::size_t>(route)].by_class[by_class];
  };
  EXPECT_EQ(all[0].app, kNoApp);
  EXPECT_EQ(count(0, RouteLabel::Proxy, 4), 1u);
  EXPECT_EQ(count(0, RouteLabel::Models, 2), 1u);
  EXPECT_EQ(all[2].app, "echo");
  EXPECT_EQ(count(2, RouteLabel::Proxy, 2), 1u);
  EXPECT_EQ(all[2].reply_bytes, 1u);
}

TEST(Records, TheLogHasALineForEveryRequestAndNoQuery) {
  const std::string path =
      testing::TempDir() + "gateway_access_" + std::to_string(::getpid()) + ".jsonl";
  std::remove(path.c_str());
  {
    Testbed bed(BedSetup{.records = {.log = {.path = path}}});
    ScriptedReplica replica;
    bed.set_app("echo", {bed.open_replica(1, replica.port())});
    Wire client = bed.connect();
    client.send(
        get("/a?token=secret", "echo.localhost", "traceparent: " + std::string(kParent) + "\r\n"));
    Wire upstream = replica.accept();
    upstream.read_request();
    upstream.send(ok("x"));
    client.read_reply();
    client.send(get("/b", "nobody.localhost"));
    client.read_reply();
    client.send("nonsense\r\n\r\n");
    client.read_reply();
  }
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].find("\"path\":\"/a\",\"protocol\":\"HTTP/1.1\""), std::string::npos)
      << lines[0];
  EXPECT_NE(lines[0].find("\"trace\":\"0af7651916cd43dd8448eb211c80319c\""), std::string::npos);
  EXPECT_NE(lines[0].find("\"client\":\"127.0.0.1\""), std::string::npos) << lines[0];
  EXPECT_EQ(lines[0].find("secret"), std::string::npos);
  EXPECT_NE(lines[1].find("\"status\":404,\"ending\":\"answered\",\"code\":\"app_not_found\""),
            std::string::npos)
      << lines[1];
  EXPECT_NE(lines[2].find("\"method\":null,\"path\":null"), std::string::npos) << lines[2];
  std::remove(path.c_str());
}

}  // namespace
}  // namespace kelvin::gateway::testbed
