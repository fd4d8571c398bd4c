// Logs: merged, followed, and ended.
#include "model/ids.h"
#include "platform.h"

namespace kelvin::api {
namespace {

constexpr ReplicaId kFirst = model::make_replica_id(3, 17);
constexpr ReplicaId kSecond = model::make_replica_id(3, 18);

void add_lines(Platform& platform) {
  platform.logs.add({.unix_ms = kBootUnixMs + 1000, .replica = kFirst, .text = "loading"});
  platform.logs.add({.unix_ms = kBootUnixMs + 3000,
                     .replica = kSecond,
                     .stream = ports::LogStream::Err,
                     .text = "bad \xff byte"});
}

void decide(Platform& platform, std::int64_t ms, const std::string& sentence) {
  platform.control.log.add({.at = {ms * 1'000'000},
                            .app = platform.control.apps()[0].id,
                            .replica = kFirst,
                            .verb = "start",
                            .sentence = sentence});
}

TEST(Logs, AreOneJsonObjectALine) {
  Platform platform;
  platform.deploy_app("gemma");
  add_lines(platform);
  const HttpReply reply = platform.get("/api/v1/apps/gemma/logs");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.fields.at("content-type"), "application/x-ndjson");
  EXPECT_TRUE(reply.is_whole);
  EXPECT_EQ(reply.body,
            "{\"at_unix_ms\":1700000001000,\"replica\":\"r3-17\",\"stream\":\"out\",\"text\":"
            "\"loading\"}\n"
            "{\"at_unix_ms\":1700000003000,\"replica\":\"r3-18\",\"stream\":\"err\",\"text\":\"bad "
            "\xef\xbf\xbd byte\"}\n");
}

TEST(Logs, AreFilteredByTimeAndReplica) {
  Platform platform;
  platform.deploy_app("gemma");
  add_lines(platform);
  const HttpReply late = platform.get("/api/v1/apps/gemma/logs?since_unix_ms=1700000002000");
  EXPECT_EQ(late.body.find("loading"), std::string::npos);
  const HttpReply of_one = platform.get("/api/v1/apps/gemma/logs?replica=r3-17");
  EXPECT_NE(of_one.body.find("loading"), std::string::npos);
  EXPECT_EQ(of_one.body.find("r3-18"), std::string::npos);
}

TEST(Logs, ShowDecisionsBetweenTheLinesByTime) {
  Platform platform;
  platform.deploy_app("gemma");
  add_lines(platform);
  decide(platform, 500, "one");
  decide(platform, 2000, "two");
  decide(platform, 2000, "three");
  decide(platform, 9000, "four");
  const std::string body = platform.get("/api/v1/apps/gemma/logs?system=1").body;
  std::size_t last = 0;
  for (const char* text :
       {"start: one", "loading", "start: two", "start: three", "bad ", "start: four"}) {
    const std::size_t found = body.find(text);
    ASSERT_NE(found, std::string::npos) << text << " in " << body;
    EXPECT_GE(found, last) << text << " in " << body;
    last = found;
  }
  EXPECT_NE(body.find(R"("replica":"r3-17","stream":"system")"), std::string::npos) << body;
}

TEST(Logs, RefuseParametersThatMakeNoSense) {
  Platform platform;
  platform.deploy_app("gemma");
  for (const char* query : {"replica=x", "follow=yes", "since_unix_ms=-1", "since_unix_ms=soon",
                            "until=1", "system=2"}) {
    EXPECT_EQ(platform.get(std::string("/api/v1/apps/gemma/logs?") + query).status, 400) << query;
  }
}

TEST(Logs, FollowUntilTheClientLeaves) {
  Platform platform;
  platform.deploy_app("gemma");
  add_lines(platform);
  Client client =
      platform.connect(platform.text_of({.path = "/api/v1/apps/gemma/logs?follow=1&system=1"}));
  ASSERT_TRUE(client.await("loading"));
  platform.logs.add({.unix_ms = kBootUnixMs + 5000, .replica = kFirst, .text = "a later line"});
  ASSERT_TRUE(client.await("a later line"));
  decide(platform, 6000, "a later decision");
  ASSERT_TRUE(client.await("a later decision"));
  client.close();
  EXPECT_TRUE(platform.logs.await_readers(0));
}

TEST(Logs, FollowNoMoreThanTheLimit) {
  Platform platform({.followers_max = 1});
  platform.deploy_app("gemma");
  add_lines(platform);
  const std::string path = "/api/v1/apps/gemma/logs?follow=1";
  Client client = platform.connect(platform.text_of({.path = path}));
  ASSERT_TRUE(client.await("loading"));
  const HttpReply refused = platform.get(path);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(at(refused.body, "/code"), "\"too_many_followers\"");
  EXPECT_EQ(platform.get("/api/v1/apps/gemma/logs").status, 200)
      << "reading without following is fine";
  client.close();
  ASSERT_TRUE(platform.logs.await_readers(0));
}

TEST(Logs, EndWhenThePlatformStops) {
  Platform platform;
  platform.deploy_app("gemma");
  add_lines(platform);
  Client client = platform.connect(platform.text_of({.path = "/api/v1/apps/gemma/logs?follow=1"}));
  ASSERT_TRUE(client.await("loading"));
  platform.api.stop();
  EXPECT_EQ(client.reply().status, 200);
}

TEST(Logs, BreakOffWhereTheyCannotBeRead) {
  Platform platform;
  platform.deploy_app("gemma");
  platform.logs.is_broken = true;
  const HttpReply reply = platform.get("/api/v1/apps/gemma/logs");
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.is_whole);
}

}  // namespace
}  // namespace kelvin::api
