// Tests of spans on their way to a collector.
#include "obs/otlp.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kelvin::obs {
namespace {

TEST(Otlp, WritesIdsAsHexAndLongNumbersAsText) {
  Span span{.name = "GET proxy",
            .kind = SpanKind::Server,
            .start_unix_ns = 1'772'366'400'000'000'001,
            .end_unix_ns = 1'772'366'400'500'000'000,
            .status = SpanStatus::Error};
  span.trace = {0x0a, 0xf7};
  span.id = {0xb7};
  span.parent[7] = 1;
  span.flags = 3;
  span.attributes = {{"url.path", "/caf\xc3\xa9\xff"}, {"http.response.status_code", 502}};
  const std::string text = otlp_json({.version = "0.1.0", .instance = "3"}, {&span, 1});
  EXPECT_EQ(
      text,
      R"({"resourceSpans":[{"resource":{"attributes":[)"
      R"({"key":"service.name","value":{"stringValue":"kelvin"}},)"
      R"({"key":"service.version","value":{"stringValue":"0.1.0"}},)"
      R"({"key":"service.instance.id","value":{"stringValue":"3"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"kelvin.gateway","version":"0.1.0"},"spans":[)"
      R"({"traceId":"0af70000000000000000000000000000","spanId":"b700000000000000",)"
      R"("parentSpanId":"0000000000000001","flags":3,"name":"GET proxy","kind":2,)"
      R"("startTimeUnixNano":"1772366400000000001","endTimeUnixNano":"1772366400500000000",)"
      R"("attributes":[{"key":"url.path","value":{"stringValue":"/café�"}},)"
      R"({"key":"http.response.status_code","value":{"intValue":"502"}}],"status":{"code":2}}]}]}]})");
}

TEST(Otlp, ASpanWithoutParentSaysNone) {
  const Span span{.name = "x"};
  const std::string text = otlp_json({}, {&span, 1});
  EXPECT_EQ(text.find("parentSpanId"), std::string::npos);
  EXPECT_NE(text.find("\"status\":{}"), std::string::npos);
}

TEST(Otlp, KnowsAddressesOfCollectors) {
  EXPECT_EQ(otlp_traces_url("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(otlp_traces_url("https://collector/"), "https://collector/v1/traces");
  EXPECT_EQ(otlp_traces_url("http://c/otlp/v1/traces"), "http://c/otlp/v1/traces");
  for (const char* bad : {"", "127.0.0.1:4318", "ftp://x", "http://", "http:///x", "http://a b",
                          "http://a?x", "http://a\n"}) {
    const auto url = otlp_traces_url(bad);
    ASSERT_FALSE(url) << bad;
    EXPECT_EQ(url.error().code, Code::Invalid);
  }
}

TEST(Otlp, KnowsWhatMayPassAndWhatMayNot) {
  using Kind = ExportAnswer::Kind;
  EXPECT_EQ(judge_export(200, "", "{}").kind, Kind::Taken);
  for (const int status : {429, 502, 503, 504})
    EXPECT_EQ(judge_export(status, "", "").kind, Kind::TryAgain) << status;
  for (const int status : {302, 400, 404, 413, 500})
    EXPECT_EQ(judge_export(status, "", "").kind, Kind::Refused) << status;
  EXPECT_EQ(judge_export(503, "7", "").retry_after, Duration(7s));
  for (const char* wish : {"", "-1", "soon", "7 ", "99999999999999999999", "86400"})
    EXPECT_EQ(judge_export(503, wish, "").retry_after, Duration::zero()) << wish;
}

TEST(Otlp, CountsWhatWasRejected) {
  const ExportAnswer answer =
      judge_export(200, "", R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}})");
  EXPECT_EQ(answer.rejected, 3u);
  EXPECT_EQ(answer.why, "too old");
  EXPECT_EQ(judge_export(200, "", R"({"partialSuccess":{"rejectedSpans":4}})").rejected, 4u);
  for (const char* odd :
       {"", "[", "[]", R"({"partialSuccess":7})", R"({"partialSuccess":{"rejectedSpans":-1}})"})
    EXPECT_EQ(judge_export(200, "", odd).rejected, 0u) << odd;
}

TEST(OtlpClient, SaysThatNobodyAnswersAndGivesUpWhenAsked) {
  std::atomic<bool> gives_up{false};
  // Port 9 of loopback: nobody listens there.
  auto client = OtlpClient::create("http://127.0.0.1:9", gives_up);
  ASSERT_TRUE(client);
  const ExportAnswer answer = (*client)->post("{}", 5s);
  EXPECT_EQ(answer.kind, ExportAnswer::Kind::TryAgain);
  EXPECT_NE(answer.why.find("127.0.0.1:9"), std::string::npos) << answer.why;
  EXPECT_FALSE(OtlpClient::create("nowhere", gives_up));
}

}  // namespace
}  // namespace kelvin::obs
