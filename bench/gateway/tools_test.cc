// tools_test: the parts of the load tools that a measurement stands on.
#include <gtest/gtest.h>

#include <string>

#include "histogram.h"
#include "reply.h"

namespace bench {
namespace {

TEST(Histogram, FindsQuantilesWithinOnePercent) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.add(value);
  EXPECT_EQ(histogram.total(), 100'000U);
  EXPECT_EQ(histogram.largest(), 100'000U);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(50'000)), 50'000, 400);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(99'000)), 99'000, 800);
  EXPECT_EQ(histogram.quantile(100'000), 100'000U);
}

TEST(Histogram, IsExactForSmallValuesAndHoldsTheLargest) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(99'000), 0U);
  histogram.add(0);
  histogram.add(127);
  histogram.add(~0ULL);
  EXPECT_EQ(histogram.quantile(1), 0U);
  EXPECT_EQ(histogram.quantile(50'000), 127U);
  EXPECT_EQ(histogram.quantile(100'000), ~0ULL);
}

// Takes the bytes in pieces of `size`; the content, or "broken".
std::string content_of(const std::string& bytes, std::size_t size) {
  Reply reply;
  std::string content;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    std::size_t used = 0;
    const std::string piece = bytes.substr(at, size);
    const Reply::Step step =
        reply.take(piece, used, [&](std::string_view part) { content += part; });
    if (step == Reply::Step::Broken) return "broken";
    if (step == Reply::Step::Done) return at + used == bytes.size() ? content : "too early";
  }
  return "unfinished: " + content;
}

TEST(Reply, EndsWhereItsLengthOrItsLastChunkSays) {
  const std::string by_length = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
  const std::string in_chunks =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nA: "
      "b\r\n\r\n";
  const std::string empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (std::size_t size = 1; size <= in_chunks.size(); ++size) {
    EXPECT_EQ(content_of(by_length, size), "hello") << size;
    EXPECT_EQ(content_of(in_chunks, size), "hello") << size;
    EXPECT_EQ(content_of(empty, size), "") << size;
  }
}

TEST(Reply, CallsWhatItDoesNotUnderstandBroken) {
  EXPECT_EQ(content_of("HTTP/1.0 200 OK\r\n\r\n", 64), "broken");
  EXPECT_EQ(content_of("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", 64), "broken");
  EXPECT_EQ(content_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 64), "broken");
  EXPECT_EQ(content_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 64), "broken");
}

TEST(Reply, SkipsWhatNobodyReads) {
  Reply reply;
  std::size_t used = 0;
  EXPECT_EQ(reply.take("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", used),
            Reply::Step::NeedsMore);
  EXPECT_EQ(reply.missing(), 8U);
  EXPECT_EQ(reply.skip(5), Reply::Step::NeedsMore);
  EXPECT_EQ(reply.skip(3), Reply::Step::Done);
}

}  // namespace
}  // namespace bench
