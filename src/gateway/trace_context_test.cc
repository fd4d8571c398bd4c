// Tests of trace parents, after the examples and rules of the recommendation.
#include "gateway/trace_context.h"

#include <gtest/gtest.h>

#include <set>

namespace kelvin::gateway {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string_view view_of(const std::array<char, kTraceParentBytes>& text) {
  return {text.data(), text.size()};
}

TEST(TraceParent, IsReadAndWrittenBack) {
  const auto parent = parse_traceparent(kGood);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace[0], 0x0a);
  EXPECT_EQ(parent->trace[15], 0x9c);
  EXPECT_EQ(parent->span[7], 0x31);
  EXPECT_EQ(parent->flags, kTraceSampled);
  EXPECT_EQ(view_of(traceparent_text(*parent)), kGood);
}

TEST(TraceParent, ALaterVersionIsReadAsFarAsThisOneGoes) {
  const std::string later = "cc" + std::string(kGood.substr(2));
  const auto parent = parse_traceparent(later + "-what-the-future-brings");
  ASSERT_TRUE(parent);
  EXPECT_EQ(view_of(traceparent_text(*parent)), kGood);
  EXPECT_TRUE(parse_traceparent(later));
  EXPECT_FALSE(parse_traceparent(later + "."));
}

TEST(TraceParent, ReservedFlagsAreNotPassedOn) {
  const std::string all = std::string(kGood.substr(0, 53)) + "ff";
  const auto parent = parse_traceparent(all);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->flags, kTraceSampled | kTraceRandom);
}

TEST(TraceParent, IsRefusedWhereOneCharacterIsWrong) {
  const std::string good(kGood);
  std::vector<std::string> bad = {
      "",
      good.substr(0, 54),
      good + "0",
      good + "-00",
      good + " ",
      "ff" + good.substr(2),
      "00-" + std::string(32, '0') + good.substr(35),
      good.substr(0, 36) + std::string(16, '0') + "-01",
      "00_" + good.substr(3),
      "00-0AF7651916CD43DD8448EB211C80319C" + good.substr(35),
  };
  // Every position, with characters that stand next to the digits in ASCII.
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char c : {'/', ':', '`', 'g', 'F', ' ', '\0', '\x80'}) {
      std::string one = good;
      one[i] = c;
      bad.push_back(one);
    }
  }
  for (const std::string& text : bad) EXPECT_FALSE(parse_traceparent(text)) << text;
}

TEST(TraceParent, ComesOnceInAHead) {
  const std::string line = "traceparent: " + std::string(kGood) + "\r\n";
  const auto found_in = [](const std::string& fields) {
    http::RequestHead head;
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    EXPECT_EQ(http::parse_request(bytes, {}, head).parsed, http::Parsed::Done);
    return find_traceparent(head);
  };
  EXPECT_TRUE(found_in("TraceParent: " + std::string(kGood) + "\r\n"));
  EXPECT_FALSE(found_in(""));
  EXPECT_FALSE(found_in(line + line));
  EXPECT_FALSE(found_in("traceparent: nonsense\r\n"));
}

TEST(TraceIds, AreNeverZeroAndNeverTheSame) {
  TraceIds ids;
  std::set<TraceId> traces;
  std::set<SpanId> spans;
  for (int i = 0; i < 1000; ++i) {
    traces.insert(ids.next_trace());
    spans.insert(ids.next_span());
  }
  EXPECT_EQ(traces.size(), 1000u);
  EXPECT_EQ(spans.size(), 1000u);
  EXPECT_FALSE(traces.contains(TraceId{}));
  EXPECT_NE(TraceIds().next_trace(), TraceIds().next_trace());
}

TEST(TraceSample, TakesItsShare) {
  TraceIds ids({1}, {2});
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += is_in_sample(ids.next_trace(), 100'000) ? 1 : 0;
  EXPECT_NEAR(taken, 1000, 100);
  EXPECT_FALSE(is_in_sample(ids.next_trace(), 0));
  EXPECT_TRUE(is_in_sample(ids.next_trace(), 1'000'000));
}

}  // namespace
}  // namespace kelvin::gateway
