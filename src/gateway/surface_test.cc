// Tests of what clients may ask for: /v1, keys, origins, limits, malformed requests, management.
#include <gtest/gtest.h>

#include <functional>

#include "gateway/testbed.h"
#include "os/thread.h"

namespace kelvin::gateway::testbed {
namespace {

const std::string kInvoke = "kv_invoke00_" + std::string(43, 'i');
const std::string kNoScope = "kv_noscope0_" + std::string(43, 'n');
const std::string kAdmin = "kv_admin000_" + std::string(43, 'a');

std::string bearer(const std::string& key) { return "Authorization: Bearer " + key + "\r\n"; }

void set_three_keys(Testbed& bed) {
  bed.set_keys({make_key(1, kInvoke, {.invoke = true}), make_key(2, kNoScope, {}),
                make_key(3, kAdmin, {.admin = true})});
}

std::string chat(std::string_view body, std::string_view fields = "") {
  return post("/v1/chat/completions", body, "localhost:27315",
              "Content-Type: application/json\r\n" + std::string(fields));
}

Reply ask(Testbed& bed, std::string_view request) {
  Wire client = bed.connect();
  client.send(request);
  return client.read_reply();
}

void expect_code(const Reply& reply, int status, std::string_view code) {
  EXPECT_EQ(reply.status, status) << reply.head << reply.body;
  EXPECT_NE(reply.body.find("\"code\":\"" + std::string(code) + "\""), std::string::npos)
      << reply.body;
  EXPECT_NE(reply.field("Kelvin-Request-Id"), "");
  EXPECT_NE(reply.field("Server-Timing"), "");
}

TEST(OpenAi, GoesToTheAppThatTheBodyNames) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("gemma", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  const std::string body = R"({"messages":[{"model":"not this"}],"model":"gemma","stream":true})";
  client.send(chat(body));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\n" + body)) << request;
  upstream.send(ok("{}"));
  EXPECT_EQ(client.read_reply().body, "{}");
  // A chunked body is held too, and leaves with a length.
  client.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n9\r\n{\"model\":\r\n");
  client.send("8\r\n\"gemma\"}\r\n0\r\n\r\n");
  const std::string second = upstream.read_request();
  EXPECT_NE(second.find("Content-Length: 17\r\n"), std::string::npos) << second;
  EXPECT_TRUE(second.ends_with("\r\n\r\n{\"model\":\"gemma\"}"));
  upstream.send(ok("{}"));
  client.read_reply();
  bed.settle();
  EXPECT_EQ(bed.gateway->metrics().held_body_bytes, 0u);
}

TEST(OpenAi, NamesTheModelAsTheEngineWantsIt) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_route({.app = {1},
                 .name = "gemma",
                 .replicas = {bed.open_replica(1, replica.port())},
                 .served_model = "gemma-3-270m-it"});
  Wire client = bed.connect();
  client.send(chat(R"({"model" : "gemma", "n":1})"));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.ends_with(R"({"model" : "gemma-3-270m-it", "n":1})")) << request;
  EXPECT_NE(request.find("Content-Length: 36\r\n"), std::string::npos) << request;
  upstream.send(ok("{}"));
  client.read_reply();
  const std::string form =
      "--b\r\nContent-Disposition: form-data; "
      "name=\"model\"\r\n\r\ngemma\r\n--b\r\nContent-Disposition: form-data; "
      "name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n--b--\r\n";
  client.send(post("/v1/audio/transcriptions", form, "localhost",
                   "Content-Type: multipart/form-data; boundary=b\r\n"));
  EXPECT_NE(upstream.read_request().find("\r\n\r\ngemma-3-270m-it\r\n--b"), std::string::npos);
  upstream.send(ok("{}"));
  client.read_reply();
  bed.settle();
  EXPECT_EQ(bed.gateway->metrics().held_body_bytes, 0u);
}

TEST(OpenAi, SendsALongBodyOnWhole) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("gemma", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  const std::string body =
      "{\"model\":\"gemma\",\"image\":\"" + std::string(20ULL << 20U, 'A') + "\"}";
  os::Thread sender("sender", [&] { client.send(chat(body)); });
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  sender.join();
  EXPECT_TRUE(request.size() > body.size() && request.ends_with(body));
  upstream.send(ok("{}"));
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(OpenAi, SaysWhatIsWrongInItsOwnForm) {
  Testbed bed;
  bed.set_app("gemma", {});
  const Reply missing = ask(bed, chat(R"({"model":"gpt-9"})"));
  expect_code(missing, 404, "model_not_found");
  EXPECT_EQ(
      missing.body,
      "{\"error\":{\"message\":\"The model 'gpt-9' does not exist here. GET /v1/models lists the "
      "ones that "
      "do.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}\n");
  EXPECT_EQ(missing.field("Content-Type"), "application/json");
  expect_code(ask(bed, chat(R"({"model":"gemma","model":"gemma"})")), 400, "model_repeated");
  expect_code(ask(bed, chat(R"({"model":"gemma","mod\u0065l":"x"})")), 400, "model_repeated");
  expect_code(ask(bed, chat(R"({"prompt":"x"})")), 400, "model_missing");
  expect_code(ask(bed, chat(R"({"model":7})")), 400, "model_invalid");
  expect_code(ask(bed, chat(R"({"model":"gemma")")), 400, "invalid_body");
  expect_code(ask(bed, chat("")), 400, "body_missing");
  expect_code(ask(bed, get("/v1/files", "localhost")), 400, "body_missing");
}

TEST(OpenAi, KeepsTheConnectionAfterItsErrors) {
  Testbed bed;
  bed.set_app("gemma", {});
  Wire client = bed.connect();
  client.send(chat(R"({"model":"gpt-9"})"));
  EXPECT_EQ(client.read_reply().status, 404);
  client.send(post("/nowhere", "body", "localhost") + get("/v1/models", "localhost"));
  EXPECT_EQ(client.read_reply().status, 404) << "its body is skipped";
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(OpenAi, ListsModels) {
  Testbed bed;
  bed.set_route({.app = {2}, .name = "zeta"});
  bed.set_route({.app = {1}, .name = "gemma"});
  bed.set_route({.app = {3}, .workspace = "other", .name = "hidden"});
  const Reply list = ask(bed, get("/v1/models", "localhost"));
  EXPECT_EQ(list.status, 200);
  EXPECT_TRUE(list.body.starts_with(
      "{\"object\":\"list\",\"data\":[{\"id\":\"gemma\",\"object\":\"model\",\"created\":1"))
      << list.body;
  EXPECT_NE(list.body.find("\"owned_by\":\"default\"},{\"id\":\"zeta\""), std::string::npos)
      << list.body;
  EXPECT_EQ(list.body.find("hidden"), std::string::npos);
  EXPECT_TRUE(ask(bed, get("/v1/models/zeta", "localhost")).body.starts_with("{\"id\":\"zeta\""));
  expect_code(ask(bed, get("/v1/models/hidden", "localhost")), 404, "model_not_found");
  bed.set_route({.app = {2}, .name = "zeta", .is_gone = true});
  EXPECT_EQ(ask(bed, get("/v1/models", "localhost")).body.find("zeta"), std::string::npos);
}

TEST(OpenAi, BoundsWhatItHolds) {
  GatewayLimits limits;
  limits.held_body_max = 1000;
  limits.held_total_max = 1500;
  Testbed bed(BedSetup{.limits = limits});
  bed.set_app("gemma", {});
  const auto body_of = [](std::size_t bytes) {
    return "{\"model\":\"gemma\",\"x\":\"" + std::string(bytes, 'x') + "\"}";
  };
  expect_code(ask(bed, chat(body_of(2000))), 413, "body_too_large");
  Wire chunked = bed.connect();
  chunked.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n7d0\r\n" +
      std::string(2000, 'x'));
  expect_code(chunked.read_reply(), 413, "body_too_large");
  Wire one = bed.connect();
  one.send(chat(body_of(900)));
  bed.control.next<model::Demand>();
  expect_code(ask(bed, chat(body_of(900))), 503, "bodies_exhausted");
  one.close();
  bed.control.next<model::RequestLeft>();
  Wire two = bed.connect();
  two.send(chat(body_of(900)));
  bed.control.next<model::Demand>();
}

TEST(OpenAi, NeverReadsTheRestOfARefusedBodyAsARequest) {
  GatewayLimits limits;
  limits.held_total_max = 100;
  Testbed bed(BedSetup{.limits = limits});
  bed.set_app("gemma", {});
  const std::string smuggled = get("/v1/models", "localhost");
  const std::string rest = smuggled + std::string(100, 'x');
  Wire client = bed.connect();
  // The first part alone is over the budget; as much again is still to come.
  client.send("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(150 + rest.size()) + "\r\n\r\n" + std::string(150, 'x'));
  const Reply reply = client.read_reply();
  expect_code(reply, 503, "bodies_exhausted");
  EXPECT_EQ(reply.field("Connection"), "close");
  client.send(rest);
  EXPECT_EQ(client.read_to_end(), "");
  // Where all of it is there already, the connection goes on behind it.
  Wire whole = bed.connect();
  whole.send(post("/v1/x", std::string(150, 'x') + smuggled, "localhost") +
             get("/nowhere", "localhost"));
  expect_code(whole.read_reply(), 503, "bodies_exhausted");
  expect_code(whole.read_reply(), 404, "path_not_found");
}

TEST(OpenAi, AsksForTheBodyItself) {
  Testbed bed;
  bed.set_app("gemma", {});
  Wire client = bed.connect();
  client.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("{\"model\":\"gemma\"}");
  bed.control.next<model::Demand>();
}

TEST(Keys, AreNeverAskedForOnLoopbackButAlwaysChecked) {
  Testbed bed;
  set_three_keys(bed);
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  expect_code(ask(bed, chat(R"({"model":"echo"})", bearer("sk-whatever"))), 401, "invalid_api_key");
  expect_code(ask(bed, chat(R"({"model":"echo"})", bearer("kv_invoke00_" + std::string(43, 'x')))),
              401, "invalid_api_key");
  expect_code(ask(bed, chat(R"({"model":"echo"})", bearer(kNoScope))), 403, "key_lacks_scope");
  expect_code(ask(bed, get("/v1/models", "localhost", bearer("nonsense"))), 401, "invalid_api_key");
  expect_code(ask(bed, get("/", "echo.localhost", bearer("kv_unknown0_x"))), 401, "key_unknown");
  expect_code(ask(bed, get("/", "echo.localhost", bearer(kNoScope))), 403, "key_lacks_scope");
  EXPECT_EQ(ask(bed, get("/v1/models", "localhost", bearer(kAdmin))).status, 200);
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost", bearer(kInvoke)));
  Wire upstream = replica.accept();
  EXPECT_EQ(upstream.read_request().find("uthorization"), std::string::npos)
      << "our key stays with us";
  upstream.send(ok("x"));
  client.read_reply();
  client.send(chat(R"({"model":"echo"})", bearer(kInvoke)));
  EXPECT_EQ(upstream.read_request().find("uthorization"), std::string::npos);
  upstream.send(ok("x"));
  client.read_reply();
}

TEST(Keys, AreNeededElsewhere) {
  Testbed bed(BedSetup{.is_open = false});
  set_three_keys(bed);
  bed.set_app("echo", {});
  expect_code(ask(bed, get("/")), 401, "key_missing");
  expect_code(ask(bed, get("/", "unknown.localhost")), 401, "key_missing");
  expect_code(ask(bed, get("/", "echo.localhost", bearer("theirs"))), 401, "key_missing");
  EXPECT_EQ(ask(bed, get("/")).field("WWW-Authenticate"), "Bearer");
  expect_code(ask(bed, get("/v1/models", "localhost")), 401, "invalid_api_key");
  expect_code(ask(bed, chat(R"({"model":"echo"})")), 401, "invalid_api_key");
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost", bearer(kInvoke)));
  EXPECT_EQ(bed.control.next<model::Demand>().key, KeyId{1});
}

TEST(Origins, OfStrangersAreRefused) {
  Testbed bed;
  bed.set_app("echo", {});
  expect_code(ask(bed, post("/", "x", "echo.localhost", "Origin: http://evil.example\r\n")), 403,
              "origin_refused");
  expect_code(ask(bed, post("/", "x", "echo.localhost", "Origin: null\r\n")), 403,
              "origin_refused");
  expect_code(ask(bed, chat(R"({"model":"echo"})", "Origin: http://evil.example\r\n")), 403,
              "origin_refused");
  expect_code(ask(bed, get("/v1/models", "localhost", "Origin: http://evil.example\r\n")), 403,
              "origin_refused");
  expect_code(ask(bed, get("/apps/echo/", "evil.example")), 403, "host_refused");
  expect_code(ask(bed,
                  "OPTIONS / HTTP/1.1\r\nHost: echo.localhost\r\nOrigin: "
                  "http://evil.example\r\nAccess-Control-Request-Method: "
                  "POST\r\n\r\n"),
              403, "origin_refused");
  Wire same = bed.connect();
  same.send(post("/", "x", "echo.localhost:1", "Origin: http://echo.localhost:1\r\n"));
  bed.control.next<model::Demand>();
}

TEST(Origins, ThatTheAppNamesAreAllowed) {
  Testbed bed(BedSetup{.is_open = false});
  set_three_keys(bed);
  ScriptedReplica replica;
  bed.set_route({.app = {1},
                 .name = "echo",
                 .replicas = {bed.open_replica(1, replica.port())},
                 .cors = {"https://good.example"}});
  const std::string preflight =
      "Origin: https://good.example\r\nAccess-Control-Request-Method: "
      "PUT\r\nAccess-Control-Request-Headers: x-a\r\n";
  for (const std::string start : {"OPTIONS / HTTP/1.1\r\nHost: echo.localhost\r\n",
                                  "OPTIONS /v1/x HTTP/1.1\r\nHost: localhost\r\n"}) {
    const Reply answer = ask(bed, start + preflight + "\r\n");
    EXPECT_EQ(answer.status, 204) << answer.body;
    EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "https://good.example");
    EXPECT_EQ(answer.field("Access-Control-Allow-Methods"), "PUT");
    EXPECT_EQ(answer.field("Access-Control-Allow-Headers"), "x-a");
    EXPECT_EQ(answer.field("Vary"), "Origin");
  }
  Wire client = bed.connect();
  client.send(get("/", "echo.localhost", "Origin: https://good.example\r\n" + bearer(kInvoke)));
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("x", "Access-Control-Allow-Origin: *\r\n"));
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.head.find("Access-Control-Allow-Origin: *"), std::string::npos);
  EXPECT_EQ(reply.field("Access-Control-Allow-Origin"), "https://good.example");
}

TEST(Limits, HoldForHeads) {
  GatewayLimits limits;
  limits.head = {.head_bytes_max = 512, .fields_max = 8, .target_bytes_max = 64};
  Testbed bed(BedSetup{.limits = limits});
  expect_code(ask(bed, get("/", "a.localhost", "X: " + std::string(600, 'x') + "\r\n")), 431,
              "malformed_request");
  expect_code(ask(bed, get("/" + std::string(80, 'x'))), 414, "malformed_request");
  Wire dripping = bed.connect();
  for (const char c : std::string("GET / HTTP/1.1\r\nX: ") + std::string(600, 'y'))
    dripping.send(std::string_view(&c, 1));
  EXPECT_EQ(dripping.read_reply().status, 431);
}

TEST(Limits, HoldForTime) {
  GatewayLimits limits;
  limits.head_time = 20ms;
  limits.idle_time = 40ms;
  limits.body_idle_time = 20ms;
  Testbed bed(BedSetup{.limits = limits});
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire slow = bed.connect();
  slow.send("GET / HTT");
  expect_code(slow.read_reply(), 408, "head_too_slow");
  EXPECT_TRUE(slow.has_ended());
  Wire idle = bed.connect();
  EXPECT_TRUE(idle.has_ended());
  Wire held = bed.connect();
  held.send("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{");
  expect_code(held.read_reply(), 408, "body_too_slow");
  Wire stuck = bed.connect();
  stuck.send("POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 5\r\n\r\n{");
  Wire upstream = replica.accept();
  expect_code(stuck.read_reply(), 408, "body_too_slow");
  upstream.read_to_end();
}

TEST(Limits, HoldForConnections) {
  GatewayLimits limits;
  limits.connections_max = 2;
  Testbed bed(BedSetup{.limits = limits});
  Wire one = bed.connect();
  Wire two = bed.connect();
  one.send(get("/x", "localhost"));
  two.send(get("/x", "localhost"));
  one.read_reply();
  two.read_reply();
  Wire three = bed.connect();
  three.send(get("/x", "localhost"));
  bed.settle();
  one.close();
  EXPECT_EQ(three.read_reply().status, 404) << "it was taken once there was room";
  EXPECT_GE(bed.gateway->metrics().accept_pauses, 1u);
}

// Loopback addresses as if they were somebody else's.
AddressPrefix count_as_foreign(std::string_view address) {
  return {.kind = AddressPrefix::Kind::V4, .bits = std::hash<std::string_view>()(address)};
}

TEST(Limits, HoldForConnectionsOfOneAddress) {
  GatewayLimits limits;
  limits.connections_per_address_max = 2;
  Testbed bed(BedSetup{.limits = limits, .count_as = count_as_foreign});
  const std::string preface =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\x04\0\0\0\0\0", 9);
  // Waits for the answer, if there is one.
  const auto is_served = [](Wire& client, std::string_view request) {
    client.send(request);
    return !client.read_some().empty();
  };
  Wire one = bed.connect();
  Wire two = bed.connect();
  EXPECT_TRUE(is_served(one, get("/x", "localhost")) && is_served(two, preface));
  EXPECT_TRUE(bed.connect().has_ended());
  EXPECT_EQ(bed.gateway->metrics().connections_refused, 1u);
  EXPECT_EQ(bed.gateway->metrics().connections_accepted, 2u);
  Wire elsewhere = bed.connect("127.0.0.2");
  EXPECT_TRUE(is_served(elsewhere, get("/x", "localhost")));

  // The end of each, whatever it speaks, makes room for one more.
  for (Wire* ended : {&one, &two}) {
    ended->close();
    *ended = bed.connect();
    while (!is_served(*ended, preface)) *ended = bed.connect();
    EXPECT_TRUE(bed.connect().has_ended());
  }
}

TEST(Malformed, RequestsEndTheConnection) {
  Testbed bed;
  bed.set_app("echo", {});
  for (const std::string request :
       {"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: echo.localhost\r\nA : b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01 hello"}) {
    Wire client = bed.connect();
    client.send(request + get("/smuggled"));
    const Reply reply = client.read_reply();
    expect_code(reply, 400, "malformed_request");
    EXPECT_EQ(reply.field("Connection"), "close");
    EXPECT_TRUE(client.has_ended()) << "nothing behind it is read";
  }
}

TEST(Malformed, PathsWithTwoReadingsAreRefused) {
  Testbed bed;
  expect_code(ask(bed, get("/apps/echo/../other/", "localhost")), 400, "path_ambiguous");
  const Reply below_v1 = ask(bed, get("/v1/%2e%2e/apps/echo/", "localhost"));
  expect_code(below_v1, 400, "path_ambiguous");
  EXPECT_TRUE(below_v1.body.starts_with("{\"error\":{")) << below_v1.body;
}

TEST(Malformed, ChunksEndTheRequest) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  Wire client = bed.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: echo.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  Wire upstream = replica.accept();
  upstream.read_until("hi\r\n");
  client.send("zz\r\n");
  expect_code(client.read_reply(), 400, "malformed_body");
  EXPECT_TRUE(upstream.has_ended());
  expect_code(
      ask(bed, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
      400, "malformed_body");
}

TEST(Management, TakesOverTheConnection) {
  Testbed bed;
  bed.set_app("api", {});
  Wire client = bed.connect();
  client.send(get("/nowhere", "localhost"));
  client.read_reply();
  const std::string request = post("/api/v1/deploy", "{}", "localhost");
  client.send(request);
  auto [fd, received] = bed.management.next();
  EXPECT_EQ(received, request);
  Wire server(std::move(fd));
  server.send(ok("managed"));
  EXPECT_EQ(client.read_reply().body, "managed");
  // An app's own paths are its own.
  Wire other = bed.connect();
  other.send(get("/metrics", "api.localhost"));
  bed.control.next<model::Demand>();
}

}  // namespace
}  // namespace kelvin::gateway::testbed
