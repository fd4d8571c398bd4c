// Tests of heads on their way and of own replies.
#include "gateway/heads.h"

#include <gtest/gtest.h>

#include "gateway/problem.h"

namespace kelvin::gateway {
namespace {

TEST(ForwardedHead, SaysTheLengthOnceAndAsItIsSent) {
  const std::string bytes =
      "POST http://a:1/x HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\nConnection: content-length, "
      "host\r\nTE: trailers\r\nAccept: a\r\nAccept: b\r\n\r\n";
  http::RequestHead head;
  ASSERT_EQ(http::parse_request(bytes, {}, head).parsed, http::Parsed::Done);
  std::string out;
  append_forwarded_head(out, head,
                        {.path = "/x",
                         .client_address = "::1",
                         .request_id = "q1-0-1",
                         .body = {http::Framing::Length, 9}});
  EXPECT_EQ(out,
            "POST /x HTTP/1.1\r\nHost: a:1\r\nAccept: a\r\nAccept: b\r\nContent-Length: 9\r\n"
            "Forwarded: for=\"[::1]\";host=\"a:1\";proto=http\r\nX-Forwarded-For: "
            "::1\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: a:1\r\nKelvin-Request-Id: q1-0-1\r\n\r\n");
}

TEST(ForwardedHead, SaysThatAPostHasNoBody) {
  http::RequestHead head;
  const std::string bytes = "POST / HTTP/1.0\r\n\r\n";
  ASSERT_EQ(http::parse_request(bytes, {}, head).parsed, http::Parsed::Done);
  std::string out;
  append_forwarded_head(out, head, {.path = "/", .client_address = "127.0.0.1", .request_id = "q"});
  EXPECT_NE(out.find("\r\nContent-Length: 0\r\n"), std::string::npos);
  EXPECT_NE(out.find("\r\nHost: localhost\r\n"), std::string::npos);
}

TEST(ReplyHead, ReplacesFramingAndOurOwnFields) {
  const std::string bytes =
      "HTTP/1.1 299 Odd Phrase\r\nServer: x\r\nTransfer-Encoding: chunked\r\nKeep-Alive: "
      "timeout=5\r\nConnection: keep-alive\r\nKelvin-Cold-Start: forged\r\n\r\n";
  http::ResponseHead head;
  ASSERT_EQ(http::parse_response(bytes, {}, head).parsed, http::Parsed::Done);
  std::string out;
  append_reply_head(out, head,
                    {.request_id = "q",
                     .server_timing = "ttfb;dur=1.000",
                     .cold_start = "parked",
                     .body = {http::Framing::Chunked, 0},
                     .closes = true});
  EXPECT_EQ(
      out,
      "HTTP/1.1 299 Odd Phrase\r\nServer: x\r\nTransfer-Encoding: chunked\r\nKelvin-Request-Id: "
      "q\r\n"
      "Server-Timing: ttfb;dur=1.000\r\nKelvin-Cold-Start: parked\r\nConnection: close\r\n\r\n");
}

TEST(Timing, HasThreeDecimals) {
  EXPECT_EQ(timing_text({{model::Phase::Queue, 1ns}, {model::Phase::Resume, 1234567ns}}, 2ms),
            "queue;dur=0.000, resume;dur=1.234, ttfb;dur=2.000");
  EXPECT_EQ(timing_text({}, std::nullopt), "");
}

TEST(OwnReply, HasDateAndLength) {
  std::string out;
  append_own_reply(out, {.status = 404,
                         .body = "{}",
                         .request_id = "q",
                         .server_timing = "queue;dur=0.000",
                         .unix_seconds = 784111777,
                         .closes = true});
  EXPECT_EQ(out,
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: "
            "application/json\r\n"
            "Content-Length: 2\r\nKelvin-Request-Id: q\r\nServer-Timing: "
            "queue;dur=0.000\r\nConnection: close\r\n\r\n{}");
}

TEST(OwnReply, EscapesWhatItQuotes) {
  const model::Refusal refusal{
      .status = 429, .code = "queue_full", .sentence = "a \"b\"\n", .retry_after = 1ms};
  EXPECT_EQ(
      openai_error(refusal),
      "{\"error\":{\"message\":\"a "
      "\\\"b\\\"\\n\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"queue_full\"}}");
  EXPECT_EQ(retry_after_field(refusal), "Retry-After: 1\r\n");
  EXPECT_EQ(retry_after_field({}), "");
}

}  // namespace
}  // namespace kelvin::gateway
