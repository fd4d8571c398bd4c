// Keys, usage, bill, status, decisions, metrics, health.
#include "api/key_text.h"
#include "model/ids.h"
#include "openapi_fit.h"
#include "platform.h"

namespace kelvin::api {
namespace {

std::string unquoted(std::string text) {
  return text.size() < 2 ? text : text.substr(1, text.size() - 2);
}

TEST(Keys, AreShownOnceAndKnownToTheGatewayAtOnce) {
  Platform platform;
  ASSERT_EQ(platform.data_plane.keys().size(), 1U) << "the admin token, from the start";
  EXPECT_EQ(platform.data_plane.keys()[0].prefix, key_prefix(platform.token));
  const HttpReply reply = platform.post("/api/v1/keys", R"({"name":"ci","scopes":["invoke"]})");
  EXPECT_EQ(reply.status, 201);
  expect_golden("key_created", masked(reply.body, {"/secret", "/key/prefix"}));

  const std::string secret = unquoted(at(reply.body, "/secret"));
  EXPECT_TRUE(is_key_text(secret)) << secret;
  const auto known = platform.data_plane.keys();
  ASSERT_EQ(known.size(), 2U);
  EXPECT_EQ(known[1].hash, hash_key_text(secret));
  EXPECT_EQ(known[1].prefix, key_prefix(secret));
  EXPECT_TRUE(known[1].scopes.invoke);
  EXPECT_FALSE(known[1].scopes.admin);
  const std::string listed = platform.get("/api/v1/keys").body;
  expect_golden("keys", masked(listed, {"/keys/0/prefix"}));
  EXPECT_EQ(listed.find(secret.substr(12)), std::string::npos);
}

TEST(Keys, HaveAWeight) {
  Platform platform;
  const HttpReply made =
      platform.post("/api/v1/keys", R"({"name":"site","scopes":["invoke"],"weight":4})");
  EXPECT_EQ(at(made.body, "/key/weight"), "4");
  EXPECT_EQ(platform.data_plane.keys()[1].weight, 4U);
  EXPECT_EQ(at(platform.get("/api/v1/keys").body, "/keys/0/weight"), "4");
  for (const char* weight : {"0", "101", "-1", "1.5", "\"4\""}) {
    const std::string body =
        R"({"name":"x","scopes":["invoke"],"weight":)" + std::string(weight) + "}";
    EXPECT_EQ(platform.post("/api/v1/keys", body).status, 400) << body;
  }
}

TEST(Decisions, OfARequestThatWaitsSayItsPlace) {
  Platform platform;
  platform.control.waiting = model::RequestView{.id = model::make_request_id(3, 1, 902),
                                                .app = {1},
                                                .app_name = "gemma",
                                                .priority = model::Priority::Low,
                                                .arrived = {100'000'000'000},
                                                .deadline = {130'000'000'000},
                                                .place = 3,
                                                .waiting = 12,
                                                .waits_for = "replica r3-17 is loading"};
  expect_golden("request_waiting", platform.get("/api/v1/decisions?request=q3-1-902").body);
  EXPECT_EQ(at(platform.get("/api/v1/decisions?request=q3-1-1").body, "/waiting"), "null");
  EXPECT_EQ(at(platform.get("/api/v1/decisions").body, "/waiting"), "null");
}

TEST(Keys, OfScopeAdminManageAndThoseOfScopeInvokeDoNot) {
  Platform platform;
  const auto made = [&](const std::string& scope) {
    const HttpReply reply =
        platform.post("/api/v1/keys", R"({"name":"k","scopes":[")" + scope + R"("]})");
    return unquoted(at(reply.body, "/secret"));
  };
  EXPECT_EQ(platform.ask({.path = "/api/v1/apps", .key = made("admin")}).status, 200);
  const HttpReply refused = platform.ask({.path = "/api/v1/apps", .key = made("invoke")});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(at(refused.body, "/code"), "\"key_lacks_admin\"");
}

TEST(Keys, AreRefusedOnceTheyAreRemoved) {
  Platform platform;
  const HttpReply made = platform.post("/api/v1/keys", R"({"name":"k","scopes":["admin"]})");
  const std::string secret = unquoted(at(made.body, "/secret"));
  const std::string path = "/api/v1/keys/" + key_prefix(secret);
  EXPECT_EQ(platform.ask({.method = "DELETE", .path = path}).body,
            "{\"deleted\":\"" + key_prefix(secret) + "\"}\n");
  EXPECT_EQ(platform.ask({.path = "/api/v1/apps", .key = secret}).status, 401);
  EXPECT_EQ(platform.data_plane.keys().size(), 1U);
  const HttpReply again = platform.ask({.method = "DELETE", .path = path});
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(at(again.body, "/code"), "\"key_not_found\"");
}

TEST(Keys, TheAdminTokenStays) {
  Platform platform;
  const HttpReply reply =
      platform.ask({.method = "DELETE", .path = "/api/v1/keys/" + key_prefix(platform.token)});
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(at(reply.body, "/code"), "\"admin_token\"");
}

TEST(Keys, RefuseNamesAndScopesThatMakeNoSense) {
  Platform platform({.keys_max = 1});
  for (const char* body :
       {R"({"name":"","scopes":["invoke"]})", R"({"name":"a\u0007","scopes":["invoke"]})",
        R"({"name":"a","scopes":[]})", R"({"name":"a","scopes":["root"]})", R"({"name":"a"})",
        R"({"scopes":["invoke"]})", R"({"name":"a","scopes":"invoke"})"}) {
    EXPECT_EQ(platform.post("/api/v1/keys", body).status, 400) << body;
  }
  EXPECT_EQ(platform.post("/api/v1/keys", R"({"name":"a","scopes":["invoke"]})").status, 201);
  const HttpReply full = platform.post("/api/v1/keys", R"({"name":"b","scopes":["invoke"]})");
  EXPECT_EQ(full.status, 409);
  EXPECT_EQ(at(full.body, "/code"), "\"too_many_keys\"");
}

void add_usage(Platform& platform) {
  model::UsageBatch batch;
  batch.rows.push_back({.replica = model::make_replica_id(3, 17),
                        .app = {1},
                        .revision = {1},
                        .workspace = "default",
                        .app_name = "gemma",
                        .node = {1},
                        .kind = "h100",
                        .accelerators = 1,
                        .phase = model::Phase::Idle,
                        .span = {{0}, {10'000'000'000}},
                        .total_ms = 10'000,
                        .busy_ms = 1'500});
  model::LedgerEntry entry{.replica = batch.rows[0].replica,
                           .workspace = "default",
                           .app = {1},
                           .amount = {1'500 * 833}};
  batch.entries.push_back(entry);
  entry.account = model::Account::Revenue;
  entry.amount = -entry.amount;
  batch.entries.push_back(entry);
  ASSERT_TRUE(platform.store->append_usage(batch, kBootUnixMs * 1'000'000).has_value());
}

TEST(Usage, IsShownByAppKindAndPhase) {
  Platform platform;
  add_usage(platform);
  expect_golden("usage", platform.get("/api/v1/usage?app=gemma").body);
  expect_golden("bill", platform.get("/api/v1/bill").body);
  EXPECT_EQ(at(platform.get("/api/v1/bill?app=nobody").body, "/total_nano"), "0");
}

TEST(Usage, IsCutByTime) {
  Platform platform;
  add_usage(platform);
  EXPECT_EQ(at(platform.get("/api/v1/usage?to_unix_ms=1700000000000").body, "/sums"), "[]");
  EXPECT_EQ(
      at(platform.get("/api/v1/usage?from_unix_ms=1700000000000&to_unix_ms=1700000000001").body,
         "/sums/0/rows"),
      "1");
  for (const char* query : {"from_unix_ms=x", "from_unix_ms=5&to_unix_ms=4", "to_unix_ms=-1",
                            "to_unix_ms=1.5", "from=1", "app=a&app=b", "app=%zz"}) {
    EXPECT_EQ(platform.get(std::string("/api/v1/usage?") + query).status, 400) << query;
    EXPECT_EQ(platform.get(std::string("/api/v1/bill?") + query).status, 400) << query;
  }
}

TEST(Status, SaysWhatRunsAndOnWhat) {
  Platform platform;
  platform.control.set_running({{.id = model::make_replica_id(3, 1),
                                 .state = model::State::Ready,
                                 .lease = {.node = {1}, .kind = "cpu", .accelerators = {0, 2}}},
                                {.id = model::make_replica_id(3, 2),
                                 .state = model::State::Parked,
                                 .lease = {.node = {1}, .kind = "cpu", .accelerators = {1}}}});
  expect_golden("status", masked(platform.get("/api/v1/status").body, {"/pid"}));
}

TEST(Decisions, AreFilteredByAppReplicaAndRequest) {
  Platform platform;
  platform.deploy_app("gemma");
  const AppId app = platform.control.apps()[0].id;
  platform.control.log.add({.at = {1'000'000'000},
                            .app = app,
                            .replica = model::make_replica_id(3, 17),
                            .request = model::make_request_id(3, 1, 902),
                            .verb = "start",
                            .sentence = "no ready replica for q3-1-902"});
  platform.control.log.add(
      {.at = {2'000'000'000}, .app = {99}, .verb = "delete", .sentence = "the app was deleted"});
  expect_golden("decisions", platform.get("/api/v1/decisions").body);
  for (const char* query : {"app=gemma", "replica=r3-17", "request=q3-1-902", "app=gemma&most=1"}) {
    const std::string body = platform.get(std::string("/api/v1/decisions?") + query).body;
    EXPECT_EQ(at(body, "/decisions/0/verb"), "\"start\"") << query;
    EXPECT_EQ(at(body, "/decisions/1"), "absent") << query;
  }
  EXPECT_EQ(at(platform.get("/api/v1/decisions?most=1").body, "/decisions/0/verb"), "\"delete\"")
      << "the last ones";
  for (const char* query : {"replica=17", "request=r3-17", "most=0", "most=10001", "who=me"}) {
    EXPECT_EQ(platform.get(std::string("/api/v1/decisions?") + query).status, 400) << query;
  }
}

TEST(Metrics, ShowThePlatformAndWhatOthersAdd) {
  Platform platform;
  platform.deploy_app("gemma");
  const HttpReply reply = platform.get("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.fields.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line :
       {"kelvin_info{version=\"0.1.0\"} 1\n", "kelvin_uptime_seconds 60\n",
        "kelvin_apps{condition=\"cold\"} 1\n", "kelvin_app_requests_waiting{app=\"gemma\"} 0\n",
        "kelvin_accelerators{node=\"here\",kind=\"cpu\"} 4\n", "kelvin_test_total 7\n"}) {
    EXPECT_NE(reply.body.find(line), std::string::npos) << line << " in\n" << reply.body;
  }
  EXPECT_EQ(platform.ask({.path = "/metrics", .key = "none"}).status, 401);
}

TEST(Health, IsOpenToAllWhoReachThePort) {
  Platform platform;
  EXPECT_EQ(platform.ask({.path = "/healthz", .host = "balancer.example", .key = "none"}).body,
            "ok\n");
  EXPECT_EQ(platform.ask({.path = "/readyz", .host = "balancer.example", .key = "none"}).body,
            "ready\n");
  const HttpReply head = platform.ask({.method = "HEAD", .path = "/healthz", .key = "none"});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST(Document, IsOpenAndNamesItsVersion) {
  Platform platform;
  const HttpReply reply = platform.ask({.path = "/api/openapi.json", .key = "none"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(at(reply.body, "/openapi"), "\"3.1.0\"");
}

// A path that is given an unknown parameter names those it knows: the same as the document names.
TEST(Document, NamesTheQueryParametersThatPathsKnow) {
  Platform platform;
  platform.deploy_app("gemma");
  for (const auto& [path, pattern] :
       std::map<std::string, std::string>{{"/api/v1/apps/gemma/logs", "/api/v1/apps/{name}/logs"},
                                          {"/api/v1/replicas", "/api/v1/replicas"},
                                          {"/api/v1/decisions", "/api/v1/decisions"},
                                          {"/api/v1/usage", "/api/v1/usage"},
                                          {"/api/v1/bill", "/api/v1/bill"},
                                          {"/api/v1/apps", "/api/v1/apps"},
                                          {"/api/v1/keys", "/api/v1/keys"},
                                          {"/api/v1/status", "/api/v1/status"},
                                          {"/api/v1/upgrade", "/api/v1/upgrade"}}) {
    EXPECT_EQ(at(platform.get(path + "?unknown=1").body, "/next"),
              "\"" + described_parameters(pattern) + "\"")
        << path;
  }
}

TEST(Upgrade, IsPassedOnAndTold) {
  Platform platform;
  EXPECT_EQ(at(platform.get("/api/v1/upgrade").body, "/stage"), "\"none\"");
  const HttpReply begun =
      platform.post("/api/v1/upgrade", R"({"binary":"/opt/kelvin","drain_ms":90000})");
  EXPECT_EQ(begun.status, 202);
  EXPECT_EQ(at(begun.body, "/stage"), "\"preparing\"");
  ASSERT_TRUE(platform.upgrade_asked);
  EXPECT_EQ(platform.upgrade_asked->binary, "/opt/kelvin");
  EXPECT_EQ(platform.upgrade_asked->drain, 90s);
  platform.upgrade = {.stage = UpgradeStage::Draining,
                      .from_version = "0.0.9",
                      .draining_pid = 77,
                      .draining_connections = 5};
  const HttpReply told = platform.get("/api/v1/upgrade");
  EXPECT_EQ(at(told.body, "/draining_pid"), "77");
  EXPECT_EQ(at(told.body, "/from_version"), "\"0.0.9\"");
}

TEST(Upgrade, IsRefusedWithItsReason) {
  Platform platform;
  platform.upgrade_refusal = Error{.code = Code::Conflict, .what = "an upgrade is under way"};
  const HttpReply refused = platform.post("/api/v1/upgrade", "{}");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(at(refused.body, "/detail"), "\"an upgrade is under way\"");
  for (const std::string body : {R"({"binary":"kelvin"})", R"({"binary":7})", R"({"drain_ms":-1})",
                                 R"({"drain_ms":86400001})", R"({"force":true})"})
    EXPECT_EQ(platform.post("/api/v1/upgrade", body).status, 400) << body;
}

TEST(Dashboard, IsNotHereYet) {
  Platform platform;
  const HttpReply reply = platform.ask({.path = "/ui", .key = "none"});
  EXPECT_EQ(reply.status, 404);
  expect_golden("no_dashboard", reply.body);
}

}  // namespace
}  // namespace kelvin::api
