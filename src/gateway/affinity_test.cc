#include "gateway/affinity.h"

#include <gtest/gtest.h>

#include <vector>

namespace kelvin::gateway {
namespace {

http::RequestHead head_with(std::vector<http::Field> fields) {
  http::RequestHead head;
  head.fields = std::move(fields);
  return head;
}

const model::AffinityRule kByHeader{.by = model::AffinityBy::Header, .name = "x-session"};
const model::AffinityRule kByCookie{.by = model::AffinityBy::Cookie, .name = "sid"};

model::AffinityRule by_prefix(std::uint32_t bytes) {
  return {.by = model::AffinityBy::Prefix, .bytes = bytes};
}

std::optional<std::uint64_t> of_json(std::string_view body, std::uint32_t bytes) {
  return affinity_of(by_prefix(bytes), {}, {.bytes = body, .is_json = true, .is_whole = true});
}

TEST(AffinityHash, NobodyHasOneWithoutARule) {
  EXPECT_FALSE(affinity_of({}, head_with({{"X-Session", "a"}}), {.bytes = "body"}));
}

TEST(AffinityHash, OfAHeaderIsOfItsValue) {
  const auto a = affinity_of(kByHeader, head_with({{"X-Session", "a"}}), {});
  EXPECT_TRUE(a);
  EXPECT_EQ(a, affinity_of(kByHeader, head_with({{"Host", "h"}, {"x-SESSION", "a"}}), {}));
  EXPECT_NE(a, affinity_of(kByHeader, head_with({{"X-Session", "b"}}), {}));
  EXPECT_FALSE(affinity_of(kByHeader, head_with({{"X-Session", ""}}), {}));
  EXPECT_FALSE(affinity_of(kByHeader, head_with({}), {}));
}

TEST(AffinityHash, OfACookieIsFoundAmongOthersAndInAnyField) {
  const auto hash = affinity_of(kByCookie, head_with({{"Cookie", "sid=7"}}), {});
  EXPECT_TRUE(hash);
  EXPECT_EQ(hash, affinity_of(kByCookie, head_with({{"Cookie", "a=1; sid=7 ;b=2"}}), {}));
  EXPECT_EQ(hash, affinity_of(kByCookie, head_with({{"cookie", "a=1"}, {"cookie", "sid=7"}}), {}));
  EXPECT_FALSE(affinity_of(kByCookie, head_with({{"Cookie", "xsid=7; SID=7; sid; sid="}}), {}));
}

TEST(AffinityHash, OfAPromptIsOfItsFirstBytes) {
  const std::string_view first =
      R"({"model":"m","messages":[{"role":"system","content":"Be kind"},{"content":"a"}]})";
  const std::string_view second =
      R"({"temperature":1,"messages":[{"role":"system","content":"Be kind"},{"content":"b"}]})";
  EXPECT_TRUE(of_json(first, 40));
  EXPECT_EQ(of_json(first, 40), of_json(second, 40));
  EXPECT_NE(of_json(first, 400), of_json(second, 400));
  EXPECT_FALSE(of_json(R"({"model":"m"})", 40));
}

TEST(AffinityHash, OfABodyNeedsAllItsBytesOrTheEnd) {
  const auto of = [](std::string_view bytes, bool is_whole) {
    return affinity_of(by_prefix(4), {}, {.bytes = bytes, .is_whole = is_whole});
  };
  EXPECT_EQ(of("abcdef", false), of("abcd", false));
  EXPECT_EQ(of("abcdef", false), of("abcdxyz", true));
  EXPECT_FALSE(of("abc", false));
  EXPECT_TRUE(of("abc", true));
  EXPECT_FALSE(of("", true));
}

TEST(Prompt, IsTheOutermostOne) {
  EXPECT_EQ(find_prompt(R"({"prompt": "hi" , "x":1})"), R"("hi")");
  EXPECT_EQ(find_prompt(R"({"a":{"prompt":"no"},"b":["]",{}],"input":["x","y"]})"), R"(["x","y"])");
  EXPECT_EQ(find_prompt(R"({"a":"\"prompt\":1","messages":[]})"), "[]");
  EXPECT_EQ(find_prompt(R"({"a":"x\\","prompt":12})"), "12");
}

TEST(Prompt, BrokenTextHasNone) {
  for (const std::string_view body :
       {"", "[", "{", "{\"", "{\"prompt\"", "{\"prompt\":", "{\"prompt\":\"", "{\"prompt\":\"\\",
        "{\"prompt\":[[[", "{}", "[{\"prompt\":1}]", "null", "{\"a\":1 \"prompt\":2}", "{,}"}) {
    EXPECT_EQ(find_prompt(body), "") << body;
  }
}

}  // namespace
}  // namespace kelvin::gateway
