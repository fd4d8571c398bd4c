// What every request passes: Host, Origin, key, path, method, type, time and room.
#include "platform.h"

namespace kelvin::api {
namespace {

TEST(Access, NeedsAKey) {
  Platform platform;
  const HttpReply none = platform.ask({.path = "/api/v1/apps", .key = "none"});
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.fields.at("www-authenticate"), "Bearer");
  expect_golden("key_missing", none.body);
  for (const char* key : {"kv_aaaaaaaa_bbbb", "x", "Basic abc"}) {
    const HttpReply reply = platform.ask({.path = "/api/v1/apps", .key = key});
    EXPECT_EQ(reply.status, 401) << key;
    EXPECT_EQ(at(reply.body, "/code"), "\"key_unknown\"") << key;
  }
  Question basic{.path = "/api/v1/apps", .key = "none"};
  basic.extra_fields = "Authorization: Basic " + platform.token + "\r\n";
  EXPECT_EQ(platform.ask(basic).status, 401);
}

TEST(Access, IsForOurOwnHostsOnly) {
  Platform platform;
  for (const char* host : {"localhost", "localhost:27315", "127.0.0.1:27315", "[::1]:27315",
                           "LOCALHOST", "a.localhost"}) {
    EXPECT_EQ(platform.ask({.path = "/api/v1/apps", .host = host}).status, 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "10.0.0.5:27315",
                           "notlocalhost", "127.0.0.1.evil"}) {
    const HttpReply reply = platform.ask({.path = "/api/v1/apps", .host = host});
    EXPECT_EQ(reply.status, 403) << host;
    EXPECT_EQ(at(reply.body, "/code"), "\"foreign_host\"") << host;
  }
}

TEST(Access, IsNotForWebPagesOfOtherOrigins) {
  Platform platform;
  const auto from = [&](const std::string& origin) {
    return platform.ask({.path = "/api/v1/apps", .extra_fields = "Origin: " + origin + "\r\n"})
        .status;
  };
  EXPECT_EQ(from("http://localhost:27315"), 200);
  EXPECT_EQ(from("http://evil.example"), 403);
  EXPECT_EQ(from("http://gemma.localhost:27315"), 403) << "an app's page is another origin";
  EXPECT_EQ(from("null"), 403);
}

TEST(Wire, TakesPostsOfJsonOnly) {
  Platform platform;
  platform.deploy_app("gemma");
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""}) {
    const HttpReply reply = platform.ask(
        {.method = "POST", .path = "/api/v1/apps/gemma/wake", .body = "{}", .content_type = type});
    EXPECT_EQ(reply.status, 415) << type;
  }
  EXPECT_EQ(platform
                .ask({.method = "POST",
                      .path = "/api/v1/apps/gemma/wake",
                      .body = "{}",
                      .content_type = "Application/JSON; charset=utf-8"})
                .status,
            200);
}

TEST(Wire, TakesAChunkedPost) {
  Platform platform;
  platform.deploy_app("gemma");
  EXPECT_EQ(platform
                .ask({.method = "POST",
                      .path = "/api/v1/apps/gemma/scale",
                      .body = "6\r\n{\"max\"\r\n3\r\n:6}\r\n0\r\n\r\n",
                      .extra_fields = "Transfer-Encoding: chunked\r\n"})
                .status,
            200);
}

TEST(Wire, NamesWhatAPathAnswers) {
  Platform platform;
  const HttpReply reply = platform.ask({.method = "PATCH", .path = "/api/v1/apps/gemma"});
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.fields.at("allow"), "GET, DELETE");
  for (const char* path : {"/api", "/api/", "/api/v2/apps", "/api/v1/apps/", "/api/v1/apps/a/b",
                           "/metrics/x", "/ui/x"}) {
    EXPECT_EQ(platform.get(path).status, 404) << path;
  }
  EXPECT_EQ(platform.get("/api/v1/apps/%zz").status, 400);
  EXPECT_EQ(platform.get("/api/v1/apps/a%2Fb").status, 404)
      << "a slash in a name is part of the name";
}

TEST(Wire, NamesTheParametersThatAPathKnows) {
  Platform platform;
  const HttpReply reply = platform.get("/api/v1/usage?since=1");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(at(reply.body, "/next"), "\"It knows: app, from_unix_ms, to_unix_ms.\"");
  EXPECT_EQ(platform.get("/api/v1/apps?x=1").status, 400);
}

TEST(Wire, EveryReplyCarriesItsId) {
  Platform platform;
  const HttpReply one = platform.get("/api/v1/apps");
  const HttpReply two = platform.get("/nothing");
  EXPECT_TRUE(one.fields.at("kelvin-request-id").starts_with("q3-15-"))
      << one.fields.at("kelvin-request-id");
  EXPECT_NE(one.fields.at("kelvin-request-id"), two.fields.at("kelvin-request-id"));
  EXPECT_EQ(one.fields.at("date"), "Tue, 14 Nov 2023 22:15:00 GMT");
  EXPECT_EQ(one.fields.at("connection"), "close");
  EXPECT_TRUE(one.fields.contains("server-timing"));
}

TEST(Wire, RefusesWhatIsNoHttp) {
  Platform platform;
  Client client = platform.connect("GET /api/v1/apps HTTP/1.1\nHost: localhost\n\n");
  const HttpReply reply = client.reply();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(at(reply.body, "/code"), "\"malformed_request\"");
}

TEST(Wire, DoesNotWaitForEverForAHead) {
  Platform platform({.head_time_max = 20ms});
  Client client = platform.connect("GET /api/v1/apps HTTP/1.1\r\nHost: loc");
  EXPECT_EQ(client.reply().status, 408);
}

TEST(Wire, DoesNotWaitForEverForABody) {
  Platform platform({.silence_max = 20ms});
  const std::string text =
      platform.text_of({.method = "POST", .path = "/api/v1/keys", .body = "{\"name\""});
  Client client = platform.connect(text.substr(0, text.size() - 3));
  EXPECT_EQ(client.reply().status, 400);
}

TEST(Wire, AClientThatLeavesHalfwayHarmsNobody) {
  Platform platform({.threads = 1});
  for (int i = 0; i < 5; ++i) {
    Client client = platform.connect("GET /api/v1/apps HTTP/1.1\r\nHost: loc");
    client.close();
  }
  EXPECT_EQ(platform.get("/api/v1/apps").status, 200);
}

TEST(Wire, TurnsConnectionsAwayWhenAllThreadsAreBusyAndTheLineIsFull) {
  Platform platform({.threads = 1, .connections_waiting_max = 1});
  platform.deploy_app("gemma");
  platform.logs.add({.unix_ms = kBootUnixMs, .replica = {1}, .text = "first"});
  Client busy = platform.connect(platform.text_of({.path = "/api/v1/apps/gemma/logs?follow=1"}));
  ASSERT_TRUE(busy.await("first"));
  Client waiting = platform.connect(platform.text_of({.path = "/api/v1/apps"}));
  Client turned_away = platform.connect(platform.text_of({.path = "/api/v1/apps"}));
  const HttpReply reply = turned_away.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.is_whole);
  EXPECT_EQ(reply.fields.at("retry-after"), "1");
  expect_golden("api_busy", reply.body);
  busy.close();
  EXPECT_EQ(waiting.reply().status, 200) << "who waits has its turn";
}

TEST(Wire, TakesConnectionsBeforeItStartsAndClosesThemWhenItStops) {
  Platform platform;
  platform.api.stop();
  Client late = platform.connect(platform.text_of({.path = "/api/v1/apps"}));
  EXPECT_EQ(late.reply().status, 0) << "closed without an answer";
}

// The store's file is taken away under its feet: what a full or broken disk looks like to the API.
TEST(Wire, SaysWhatTheStoreSays) {
  Platform platform;
  store::Database other =
      store::Database::open(platform.folder.path() + "/kelvin.db", store::Database::Access::Write)
          .value();
  ASSERT_TRUE(
      other.execute("DROP TRIGGER usage_is_never_removed; DROP TABLE ledger; DROP TABLE usage;")
          .has_value());
  const HttpReply reply = platform.get("/api/v1/usage");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(at(reply.body, "/code"), "\"internal\"");
}

}  // namespace
}  // namespace kelvin::api
