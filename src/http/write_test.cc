// Tests of the head writer.
#include "http/write.h"

#include <gtest/gtest.h>

namespace kelvin::http {
namespace {

TEST(HeadWriter, WritesWhatTheParserReads) {
  std::string out;
  append_request_line(out, "PUT", "/x?y");
  append_field(out, "Host", "a:1");
  append_field(out, "Content-Length", std::uint64_t{1234567890123});
  out += "\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request(out, {}, head).parsed, Parsed::Done);
  EXPECT_EQ(head.path, "/x?y");
  EXPECT_EQ(head.content_length, 1234567890123u);
  out.clear();
  append_status_line(out, 503);
  EXPECT_EQ(out, "HTTP/1.1 503 Service Unavailable\r\n");
  out.clear();
  append_chunk_size(out, 255);
  EXPECT_EQ(out, "ff\r\n");
}

TEST(HeadWriter, KnowsWhatStaysOnOneHop) {
  const std::string bytes =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request(bytes, {}, head).parsed, Parsed::Done);
  for (const char* name : {"connection", "Keep-Alive", "TE", "Upgrade", "Proxy-Connection",
                           "Transfer-Encoding", "x-mine"})
    EXPECT_TRUE(is_hop_by_hop(head, name)) << name;
  EXPECT_FALSE(is_hop_by_hop(head, "X-Other"));
  EXPECT_FALSE(is_hop_by_hop(head, "Content-Type"));
}

TEST(HeadWriter, LetsConnectionTakeAwayOnlyWhatItMay) {
  const std::string bytes =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Host, X-Forwarded-For, authorization, cookie, "
      "X_Forwarded_Host,"
      " Content-Length, X-Mine\r\nX-Mine: 1\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request(bytes, {}, head).parsed, Parsed::Done);
  EXPECT_TRUE(head.names_fields);
  for (const char* name : {"Host", "X-Forwarded-For", "Authorization", "Cookie", "X_Forwarded_Host",
                           "Content-Length", "Content-Type"})
    EXPECT_FALSE(is_hop_by_hop(head, name)) << name;
  EXPECT_TRUE(is_hop_by_hop(head, "x-mine"));
  EXPECT_TRUE(is_hop_by_hop(head, "HTTP2-Settings"));
}

TEST(JsonText, EscapesAndMends) {
  std::string out;
  append_json_text(out, "a\"b\\c\n\x01 \xc3\xa9 \xff \xed\xa0\x80");
  EXPECT_EQ(out,
            "a\\\"b\\\\c\\n\\u0001 \xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace kelvin::http
