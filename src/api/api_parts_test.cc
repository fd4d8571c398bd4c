// The parts of the API that need no platform. What needs one is in tests/api.
#include <gtest/gtest.h>

#include <set>

#include "api/access.h"
#include "api/bodies.h"
#include "api/json.h"
#include "api/key_text.h"
#include "api/routes.h"

namespace kelvin::api {
namespace {

TEST(Json, KeepsTheOrderOfTheCallsAndEscapes) {
  JsonWriter json;
  json.open_object();
  json.text("b", "quote \" tab \t bad \xff");
  json.open_array("a");
  json.text({}, "x");
  json.open_object();
  json.close_object();
  json.integer({}, -5);
  json.close_array();
  json.open_array("empty");
  json.close_array();
  json.boolean("is", true);
  json.unsigned_integer("large", UINT64_MAX);
  json.text_or_null("none", "");
  json.integer_or_null("no", std::nullopt);
  json.integer_or_null("some", 7);
  json.close_object();
  EXPECT_EQ(json.take(),
            "{\"b\":\"quote \\\" tab \\u0009 bad "
            "\xef\xbf\xbd\",\"a\":[\"x\",{},-5],\"empty\":[],\"is\":true,"
            "\"large\":18446744073709551615,\"none\":null,\"no\":null,\"some\":7}");
}

TEST(KeyText, HasAPublicPrefixAndASecretOf256Bits) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string text = make_key_text();
    EXPECT_TRUE(is_key_text(text)) << text;
    EXPECT_EQ(text.size(), 55U);
    EXPECT_EQ(text.substr(0, 3) + key_prefix(text) + text.substr(11, 1),
              "kv_" + text.substr(3, 8) + "_");
    EXPECT_TRUE(seen.insert(text).second) << "two keys are the same";
  }
}

TEST(KeyText, IsRefusedInAnyOtherForm) {
  const std::string text = make_key_text();
  for (const std::string& wrong : {std::string(), std::string("kv_"), text + "x", text.substr(1),
                                   "kw" + text.substr(2), text.substr(0, 54) + " "}) {
    EXPECT_FALSE(is_key_text(wrong)) << wrong;
  }
}

TEST(KeyText, HashesAreTheSameOnlyForTheSameText) {
  // SHA-256 of "abc", from FIPS 180-2.
  EXPECT_EQ(hash_key_text("abc")[0], 0xba);
  EXPECT_EQ(hash_key_text("abc")[31], 0xad);
  EXPECT_TRUE(is_same_hash(hash_key_text("abc"), hash_key_text("abc")));
  EXPECT_FALSE(is_same_hash(hash_key_text("abc"), hash_key_text("abd")));
}

bool is_ours(std::string_view host, std::string_view listen,
             const std::vector<std::string>& others = {}) {
  const std::string text = "GET /api/v1/apps HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
  http::RequestHead head;
  EXPECT_EQ(http::parse_request(text, {}, head).parsed, http::Parsed::Done) << text;
  return check_host(head, listen, others).has_value();
}

TEST(Access, OnAWildcardTakesAddressesButNoNames) {
  EXPECT_TRUE(is_ours("10.0.0.5:27315", "0.0.0.0:27315"));
  EXPECT_TRUE(is_ours("[fd00::5]:27315", "[::]:27315"));
  EXPECT_FALSE(is_ours("gpu.example:27315", "0.0.0.0:27315"));
  EXPECT_FALSE(is_ours("10.0.0.5.example", "0.0.0.0:27315"));
  EXPECT_FALSE(is_ours("10.0.0.5", "127.0.0.1:27315"));
  EXPECT_TRUE(is_ours("10.0.0.5:27315", "10.0.0.5:27315"));
  EXPECT_FALSE(is_ours("10.0.0.6:27315", "10.0.0.5:27315"));
}

TEST(Access, KnowsEveryAddressAndTheNamesOfItsCertificates) {
  const std::vector<std::string> others = {"gpu.example", "0.0.0.0:443"};
  EXPECT_TRUE(is_ours("GPU.example:443", "127.0.0.1:27315", others));
  EXPECT_TRUE(is_ours("10.0.0.5", "127.0.0.1:27315", others));
  EXPECT_FALSE(is_ours("evil.example", "127.0.0.1:27315", others));
  EXPECT_FALSE(is_ours("x.gpu.example", "127.0.0.1:27315", others));
}

TEST(Routes, AreFoundByMethodAndDecodedPath) {
  const auto match = find_route("GET", "/api/v1/apps/a%20b/logs");
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->route->pattern, "/api/v1/apps/{name}/logs");
  EXPECT_EQ(match->parameters, std::vector<std::string>{"a b"});
  EXPECT_EQ(find_route("GET", "/api/v1/nothing").error().status, 404);
  EXPECT_EQ(find_route("PUT", "/api/v1/apps").error().status, 405);
  EXPECT_EQ(find_route("GET", "/api/v1/apps/%").error().status, 400);
  EXPECT_EQ(find_route("GET", "").error().status, 404);
}

TEST(Routes, NeedAKeyButForFour) {
  std::string open;
  for (const Route& route : routes()) {
    if (route.need != Need::AdminKey) open += std::string(route.pattern) + " ";
    EXPECT_EQ(route.payload == Payload::Json, route.method == "POST") << route.pattern;
  }
  EXPECT_EQ(open, "/api/openapi.json /healthz /readyz /ui ");
}

TEST(Query, ReadsNamesAndNumbers) {
  Query query = *Query::parse("app=a%26b&most=12&empty=&flag=1&&plus=a+b");
  EXPECT_EQ(query.text("app"), "a&b");
  EXPECT_EQ(*query.integer("most", 1, 100), 12);
  EXPECT_EQ(*query.integer("absent", 1, 100), std::nullopt);
  EXPECT_EQ(query.text("empty"), "");
  EXPECT_TRUE(*query.is_set("flag"));
  EXPECT_FALSE(query.check_all_read().has_value()) << "plus was not read";
  EXPECT_EQ(query.text("plus"), "a b");
  EXPECT_TRUE(query.check_all_read().has_value());
  EXPECT_FALSE(Query::parse("a=1&a=2").has_value());
  EXPECT_FALSE(Query::parse("a=%g1").has_value());
  EXPECT_FALSE(Query::parse("most=101")->integer("most", 1, 100).has_value());
  EXPECT_FALSE(Query::parse("most=1x")->integer("most", 1, 100).has_value());
  EXPECT_FALSE(Query::parse("most=99999999999999999999")->integer("most", 1, 100).has_value());
}

// Bodies may be anything at all; nesting must not exhaust the stack.
TEST(Bodies, DeepNestingIsRefusedLikeAnyOtherNonsense) {
  const std::string deep = std::string(1'000'000, '[');
  EXPECT_FALSE(parse_deploy(deep).has_value());
  EXPECT_FALSE(
      parse_scale(R"({"min":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 10)
          .has_value());
}

TEST(Problems, MapEveryCodeToAStatus) {
  const auto status_of = [](Code code) { return to_problem(Error{.code = code}).status; };
  EXPECT_EQ(status_of(Code::Invalid), 400);
  EXPECT_EQ(status_of(Code::Refused), 403);
  EXPECT_EQ(status_of(Code::NotFound), 404);
  EXPECT_EQ(status_of(Code::Conflict), 409);
  EXPECT_EQ(status_of(Code::Internal), 500);
  EXPECT_EQ(status_of(Code::Unavailable), 503);
  EXPECT_EQ(status_of(Code::TimedOut), 504);
  EXPECT_EQ(status_of(Code::Exhausted), 507);
}

}  // namespace
}  // namespace kelvin::api
