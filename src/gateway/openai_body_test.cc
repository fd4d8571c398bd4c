// Tests of the search for a request's model.
#include "gateway/openai_body.h"

#include <gtest/gtest.h>

namespace kelvin::gateway {
namespace {

ModelField json(std::string_view body) { return find_model("application/json", body); }

TEST(ModelInJson, IsFoundAtTheTopOnly) {
  const std::string body =
      R"( { "a" : [1, {"model":"inner"}, "model"], "model" : "gem\u006da", "b": {"model": 1} } )";
  const ModelField field = json(body);
  ASSERT_EQ(field.search, ModelSearch::Found);
  EXPECT_EQ(field.model, "gemma");
  EXPECT_EQ(body.substr(field.from, field.to - field.from), "\"gem\\u006da\"");
  EXPECT_EQ(model_text(field, "a\"b"), "\"a\\\"b\"");
}

TEST(ModelInJson, IsDecoded) {
  EXPECT_EQ(json(R"({"model":"\u00e9\ud83d\ude00\n\/"})").model, "\xc3\xa9\xf0\x9f\x98\x80\n/");
  EXPECT_EQ(json(R"({"model":"\ud83dx"})").model, "\xef\xbf\xbdx");
}

TEST(ModelInJson, MayStandOnlyOnce) {
  EXPECT_EQ(json(R"({"model":"a","model":"a"})").search, ModelSearch::Repeated);
  EXPECT_EQ(json(R"({"model":"a","\u006dodel":"b"})").search, ModelSearch::Repeated);
  EXPECT_EQ(json(R"({"model":1,"model":"b"})").search, ModelSearch::Repeated);
  EXPECT_EQ(json(R"({"Model":"a","model":"b"})").model, "b");
}

TEST(ModelInJson, MustBeText) {
  for (const char* body :
       {R"({"model":1})", R"({"model":null})", R"({"model":["a"]})", R"({"model":{"a":1}})"})
    EXPECT_EQ(json(body).search, ModelSearch::NotText) << body;
  EXPECT_EQ(json("{\"model\":\"" + std::string(257, 'x') + "\"}").search, ModelSearch::NotText);
  EXPECT_EQ(json("{\"model\":\"" + std::string(256, 'x') + "\"}").search, ModelSearch::Found);
}

TEST(ModelInJson, IsLookedForInWholeJsonOnly) {
  for (const char* body : {"",
                           "[]",
                           "\"model\"",
                           "{",
                           "{\"model\":\"a\"",
                           "{\"model\":\"a\"}x",
                           "{\"model\":\"a\",}",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":01}",
                           "{\"a\":1.}",
                           "{\"a\":.5}",
                           "{\"a\":1e}",
                           "{\"a\":+1}",
                           "{\"a\":nul}",
                           "{\"a\":tru}",
                           "{'a':1}",
                           "{a:1}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u12g4\"}",
                           "{\"a\":[1,]}",
                           "{\"a\":[1 2]}",
                           "{\"a\":[1}",
                           "{\"a\":1]",
                           "{\"a\":\"",
                           "{\"a\":\"\\",
                           "{\"model\":\"a\"}{}",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\":[,1]}",
                           "{\"a\":--1}",
                           "nonsense"})
    EXPECT_EQ(json(body).search, ModelSearch::InvalidBody) << body;
  EXPECT_EQ(json(R"({"a":[],"b":{},"c":-0.5e+3,"d":[[[{}]]],"e":true})").search,
            ModelSearch::Missing);
  EXPECT_EQ(json("{}").search, ModelSearch::Missing);
}

TEST(ModelInJson, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return "{\"model\":\"a\",\"x\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(json(nested(511)).search, ModelSearch::Found);
  EXPECT_EQ(json(nested(512)).search, ModelSearch::InvalidBody);
}

constexpr std::string_view kForm = "multipart/form-data; boundary=\"x y\"";
std::string part(std::string_view fields, std::string_view content) {
  return "--x y\r\n" + std::string(fields) + "\r\n\r\n" + std::string(content) + "\r\n";
}

TEST(ModelInJson, TellsWhetherAStreamIsAskedFor) {
  const auto streams = [](std::string_view body) {
    return find_model("application/json", body).is_streaming;
  };
  EXPECT_TRUE(streams(R"({"stream":true,"model":"a"})"));
  EXPECT_TRUE(streams(R"({"model":"a","stre\u0061m" : true})"));
  EXPECT_FALSE(streams(R"({"model":"a","stream":false})"));
  EXPECT_FALSE(streams(R"({"model":"a","options":{"stream":true}})"));
  EXPECT_FALSE(streams(R"({"model":"a","stream":"true"})"));
}

TEST(ModelInForm, IsItsPart) {
  const std::string body = part(
                               "Content-Type: audio/wav\r\ncontent-disposition: form-data; "
                               "filename=\"a; name=model\"; name=\"file\"",
                               "\r\n--x\r\nmodel") +
                           part("Content-Disposition: form-data; name=model", "whisper") +
                           "--x y--\r\n";
  const ModelField field = find_model(kForm, body);
  ASSERT_EQ(field.search, ModelSearch::Found);
  EXPECT_EQ(field.model, "whisper");
  EXPECT_EQ(body.substr(field.from, field.to - field.from), "whisper");
  EXPECT_EQ(model_text(field, "large"), "large");
}

TEST(ModelInForm, IsRefusedWhereItIsInDoubt) {
  const std::string model = part("Content-Disposition: form-data; name=\"model\"", "a");
  EXPECT_EQ(find_model(kForm, model + model + "--x y--").search, ModelSearch::Repeated);
  EXPECT_EQ(
      find_model(kForm, part("Content-Disposition: form-data; name=\"file\"", "a") + "--x y--")
          .search,
      ModelSearch::Missing);
  EXPECT_EQ(find_model(kForm, model).search, ModelSearch::InvalidBody) << "it does not end";
  EXPECT_EQ(find_model(kForm, "preamble" + model + "--x y--").search, ModelSearch::InvalidBody);
  EXPECT_EQ(find_model("multipart/form-data", model + "--x y--").search, ModelSearch::InvalidBody);
  EXPECT_EQ(find_model(kForm, "--x y--").search, ModelSearch::Missing);
  EXPECT_EQ(find_model(kForm, "--x y\r\nno end").search, ModelSearch::InvalidBody);
  EXPECT_EQ(find_model(kForm, part("Content-Disposition: form-data; name=\"model\"",
                                   std::string(300, 'x')) +
                                  "--x y--")
                .search,
            ModelSearch::NotText);
}

}  // namespace
}  // namespace kelvin::gateway
