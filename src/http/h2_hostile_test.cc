// Tests of the HTTP/2 server session against bytes that no honest client sends.
#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "http/h2_session.h"

namespace kelvin::http {
namespace {

using namespace std::string_literals;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr char kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPushPromise = 5,
               kPing = 6, kGoaway = 7, kWindowUpdate = 8, kContinuation = 9;
constexpr char kEndStream = 1, kEndHeaders = 4, kPadded = 8;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>((value >> shift) & 0xffU);
  return text;
}
std::string frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
  return big_endian(payload.size(), 3) + type + flags + big_endian(stream, 4) +
         std::string(payload);
}
// HPACK: a string without Huffman coding, and a literal field that stays out of the table.
std::string packed(std::string_view text) {
  std::string out;
  if (text.size() < 127) {
    out += static_cast<char>(text.size());
  } else {
    out += static_cast<char>(127);
    std::size_t rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
    out += static_cast<char>(rest);
  }
  return out + std::string(text);
}
std::string literal(std::string_view name, std::string_view value) {
  return '\0' + packed(name) + packed(value);
}
std::string block_of(const Pairs& fields) {
  std::string block;
  for (const auto& [name, value] : fields) block += literal(name, value);
  return block;
}
const Pairs kGet = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
const Pairs kPost = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
Pairs with(Pairs fields, const Pairs& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
std::string headers(std::uint32_t stream, const Pairs& fields, char flags = kEndStream) {
  return frame(kHeaders, static_cast<char>(flags | kEndHeaders), stream, block_of(fields));
}
std::string start() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s + frame(kSettings, 0, 0, "") +
         frame(kSettings, 1, 0, "");  // the second one knows ours
}

// Counts what it hears, and answers when told to.
struct Counter : H2Events {
  H2Session* session = nullptr;
  bool answers = false;
  int requests = 0, resets = 0, ends = 0, closed = 0, trailers = 0;
  int refused_with = 0;
  std::string refused_why, body;
  Pairs fields;

  void on_request(H2Stream stream, const RequestHead& head, Ends) override {
    ++requests;
    fields.clear();
    for (const Field& field : head.fields) fields.emplace_back(field.name, field.value);
    if (answers) session->submit_response(stream, {.status = 200}, Ends::Yes);
  }
  void on_refused(H2Stream stream, const Outcome& refusal) override {
    refused_with = refusal.status;
    refused_why = refusal.why;
    session->submit_response(stream, {.status = refusal.status}, Ends::Yes);
  }
  void on_response(H2Stream, const ResponseHead&, Ends) override {}
  void on_body(H2Stream, std::string_view piece) override { body += piece; }
  void on_trailers(H2Stream, std::span<const Field>) override { ++trailers; }
  void on_end(H2Stream) override { ++ends; }
  void on_closed(H2Stream) override { ++closed; }
  void on_reset(H2Stream, H2Reset) override { ++resets; }
  void on_room(H2Stream) override {}
  void on_settled() override {}
  void on_goaway(H2Stream, H2Code) override {}
};

struct Victim {
  Counter heard;
  H2Session session;
  std::string last_output;

  explicit Victim(const H2Limits& limits = {}) : session(H2Session::server(limits, heard)) {
    heard.session = &session;
    EXPECT_TRUE(feed(start()));
  }
  // Whether the session lives on.
  bool feed(std::string_view bytes) {
    const bool is_taken = session.receive(bytes).has_value();
    last_output.clear();
    session.produce(last_output, 1 << 20);
    return is_taken && session.failure().empty();
  }
  // The code of the first frame of that type in what was produced last; -1 without one.
  [[nodiscard]] int code_of(char type) const {
    std::string_view rest = last_output;
    while (rest.size() >= 9) {
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
      const std::size_t size = at(0) * 65536U + at(1) * 256U + at(2);
      if (rest[3] == type) return at(9 + (type == kGoaway ? 7 : 3));
      rest.remove_prefix(9 + size);
    }
    return -1;
  }
};
constexpr int kProtocolError = 1, kFlowControl = 3, kCalm = 11;

// --- messages that are malformed: the stream is reset, and the listener hears nothing ---

struct Malformed {
  const char* what;
  Pairs fields;
};
const std::vector<Malformed>& malformed() {
  static const std::vector<Malformed> list = {
      {"no method", {{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}},
      {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}},
      {"no scheme", {{":method", "GET"}, {":path", "/"}, {":authority", "a"}}},
      {"no host", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}},
      {"empty path", {{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "a"}}},
      {"method twice", with(kGet, {{":method", "GET"}})},
      {"path twice", with(kGet, {{":path", "/b"}})},
      {"authority twice", with(kGet, {{":authority", "a"}})},
      {"pseudo field behind others", with({{"x", "y"}}, kGet)},
      {"unknown pseudo field", with({{":protocol", "x"}}, kGet)},
      {"status in a request", with({{":status", "200"}}, kGet)},
      {"upper-case name", with(kGet, {{"X-Upper", "y"}})},
      {"space in a name", with(kGet, {{"x y", "y"}})},
      {"colon in a name", with(kGet, {{"x:y", "y"}})},
      {"line feed in a name", with(kGet, {{"x\nhost", "y"}})},
      {"empty name", with(kGet, {{"", "y"}})},
      {"line feed in a value", with(kGet, {{"x", "y\nz: 1"}})},
      {"carriage return in a value", with(kGet, {{"x", "y\rz"}})},
      {"NUL in a value", with(kGet, {{"x", "y\0z"s}})},
      {"control byte in a value", with(kGet, {{"x", "\x7f"}})},
      {"connection", with(kGet, {{"connection", "keep-alive"}})},
      {"keep-alive", with(kGet, {{"keep-alive", "1"}})},
      {"proxy-connection", with(kGet, {{"proxy-connection", "close"}})},
      {"transfer-encoding", with(kGet, {{"transfer-encoding", "chunked"}})},
      {"upgrade", with(kGet, {{"upgrade", "h2c"}})},
      {"te that is not trailers", with(kGet, {{"te", "gzip"}})},
      {"content-length twice", with(kPost, {{"content-length", "0"}, {"content-length", "0"}})},
      {"content-length that is none", with(kPost, {{"content-length", "+1"}})},
      {"content-length without a body", with(kPost, {{"content-length", "5"}})},
      {"host twice", with(kGet, {{"host", "a"}, {"host", "a"}})},
      {"line feed in the method",
       {{":method", "GET\nX"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}},
      {"space in the path",
       {{":method", "GET"}, {":scheme", "http"}, {":path", "/ HTTP/1.1"}, {":authority", "a"}}},
      {"line feed in the path",
       {{":method", "GET"}, {":scheme", "http"}, {":path", "/\r\nX: y"}, {":authority", "a"}}},
      {"line feed in the authority",
       {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a\r\nX: y"}}},
      {"path in the authority",
       {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a/b"}}},
      {"extended CONNECT",
       {{":method", "CONNECT"},
        {":protocol", "websocket"},
        {":scheme", "http"},
        {":path", "/"},
        {":authority", "a"}}},
  };
  return list;
}

TEST(H2Hostile, AMalformedRequestIsResetUnheard) {
  for (const Malformed& one : malformed()) {
    Victim victim;
    EXPECT_TRUE(victim.feed(headers(1, one.fields))) << one.what;
    EXPECT_EQ(victim.heard.requests, 0) << one.what;
    EXPECT_TRUE(victim.code_of(kReset) == kProtocolError || victim.heard.refused_with == 400)
        << one.what << ": " << victim.code_of(kReset);
    EXPECT_EQ(victim.session.streams_open(), 0u) << one.what;
    EXPECT_TRUE(victim.feed(headers(3, kGet))) << one.what;
    EXPECT_EQ(victim.heard.requests, 1) << one.what;
  }
}

// --- messages that are well formed, but not served ---

TEST(H2Hostile, ARequestThatIsNotServedGetsItsStatus) {
  const auto status_of = [](const Pairs& fields) {
    Victim victim;
    EXPECT_TRUE(victim.feed(headers(1, fields)));
    EXPECT_EQ(victim.heard.requests, 0);
    EXPECT_EQ(victim.session.streams_open(), 0u);
    return victim.heard.refused_with;
  };
  const auto get = [](std::string_view path, std::string_view authority) {
    return Pairs{{":method", "GET"},
                 {":scheme", "http"},
                 {":path", std::string(path)},
                 {":authority", std::string(authority)}};
  };
  EXPECT_EQ(status_of(with(kGet, {{"host", "b"}})), 400);
  EXPECT_EQ(status_of(get("/", "user@a")), 400);
  EXPECT_EQ(status_of(get("/", "a:99999")), 400);
  EXPECT_EQ(status_of(get("/a#b", "a")), 400);
  EXPECT_EQ(status_of(get("/\xc3\xa4", "a")), 400);
  EXPECT_EQ(status_of({{":method", "CONNECT"}, {":authority", "a:443"}}), 501);
  EXPECT_EQ(
      status_of({{":method", "GET"}, {":scheme", "ftp"}, {":path", "/"}, {":authority", "a"}}),
      400);
  EXPECT_EQ(status_of(with(kGet, {{"expect", "tea"}})), 417);
  EXPECT_EQ(status_of(get("/" + std::string(9000, 'x'), "a")), 414);
}

TEST(H2Hostile, AnAuthorityMayBeRepeatedAsHost) {
  Victim victim;
  EXPECT_TRUE(victim.feed(headers(1, with(kGet, {{"host", "A"}}))));
  EXPECT_EQ(victim.heard.requests, 1);
  EXPECT_EQ(victim.heard.fields, (Pairs{{"host", "A"}}));
}

TEST(H2Hostile, AListOfFieldsTooLongIsRefused) {
  Victim victim;
  Pairs many = kGet;
  for (int i = 0; i < 129; ++i) many.emplace_back("x", "y");
  EXPECT_TRUE(victim.feed(headers(1, many)));
  EXPECT_EQ(victim.heard.refused_with, 431);
  const std::string wide(15 * 1024, 'w');
  std::string bytes = frame(kHeaders, kEndStream, 3, block_of(with(kGet, {{"a", wide}})));
  bytes += frame(kContinuation, 0, 3, literal("b", wide));
  bytes += frame(kContinuation, kEndHeaders, 3, literal("c", wide));
  victim.heard.refused_with = 0;
  EXPECT_TRUE(victim.feed(bytes));
  EXPECT_EQ(victim.heard.refused_with, 431);
  EXPECT_TRUE(victim.feed(headers(5, kGet)));
  EXPECT_EQ(victim.heard.requests, 1);
}

TEST(H2Hostile, TrailersAreBoundedAndHoldNoPseudoFields) {
  Victim victim;
  std::string many;
  for (int i = 0; i < 200; ++i) many += literal("x", "y");
  EXPECT_TRUE(
      victim.feed(headers(1, kPost, 0) + frame(kHeaders, kEndStream | kEndHeaders, 1, many)));
  EXPECT_EQ(victim.code_of(kReset), kCalm);
  EXPECT_EQ(victim.heard.trailers, 0);
  EXPECT_EQ(victim.heard.resets, 1);
  EXPECT_TRUE(victim.feed(headers(3, kPost, 0) + headers(3, {{":path", "/other"}})));
  EXPECT_EQ(victim.code_of(kReset), kProtocolError);
  EXPECT_EQ(victim.heard.trailers, 0);
  EXPECT_TRUE(victim.feed(headers(5, kPost, 0) + headers(5, {{"x", "y\r\nz"}})));
  EXPECT_EQ(victim.heard.trailers, 0);
}

TEST(H2Hostile, ABodyMustAgreeWithItsLength) {
  Victim victim;
  const Pairs five = with(kPost, {{"content-length", "5"}});
  EXPECT_TRUE(victim.feed(headers(1, five, 0) + frame(kData, kEndStream, 1, "1234")));
  EXPECT_EQ(victim.code_of(kReset), kProtocolError);
  EXPECT_TRUE(victim.feed(headers(3, five, 0) + frame(kData, kEndStream, 3, "123456")));
  EXPECT_EQ(victim.code_of(kReset), kProtocolError);
  EXPECT_EQ(victim.heard.ends, 0);
  EXPECT_EQ(victim.heard.resets, 2);
}

// --- floods ---

TEST(H2Hostile, RapidResetsEndTheConnection) {
  H2Limits limits;
  limits.resets_max = 50;
  Victim victim(limits);
  std::uint32_t stream = 1;
  int rounds = 0;
  while (victim.feed(headers(stream, kGet) + frame(kReset, 0, stream, big_endian(8, 4)))) {
    stream += 2;
    ASSERT_LT(++rounds, 100);
  }
  EXPECT_EQ(rounds, 50);
  EXPECT_EQ(victim.code_of(kGoaway), kCalm);
  EXPECT_TRUE(victim.session.is_over());
  EXPECT_EQ(victim.heard.resets, victim.heard.requests);
}

TEST(H2Hostile, ResetsBetweenFinishedRequestsDoNot) {
  H2Limits limits;
  limits.resets_max = 5;
  Victim victim(limits);
  victim.heard.answers = true;
  std::uint32_t stream = 1;
  for (int i = 0; i < 200; ++i, stream += 4) {
    ASSERT_TRUE(victim.feed(headers(stream, kGet))) << i;
    victim.heard.answers = false;
    ASSERT_TRUE(
        victim.feed(headers(stream + 2, kGet) + frame(kReset, 0, stream + 2, big_endian(8, 4))))
        << i;
    victim.heard.answers = true;
  }
}

TEST(H2Hostile, ProvokedResetsCountToo) {
  H2Limits limits;
  limits.resets_max = 50;
  Victim victim(limits);
  std::uint32_t stream = 1;
  int rounds = 0;
  // A window that grows beyond its type makes the server reset the stream.
  while (victim.feed(headers(stream, kGet) +
                     frame(kWindowUpdate, 0, stream, big_endian(0x7fffffff, 4)))) {
    stream += 2;
    ASSERT_LT(++rounds, 100);
  }
  EXPECT_EQ(rounds, 50);
  EXPECT_NE(victim.code_of(kGoaway), -1);
}

TEST(H2Hostile, ContinuationsWithoutEndEndTheConnection) {
  Victim victim;
  std::string bytes = frame(kHeaders, kEndStream, 1, block_of(kGet));
  for (int i = 0; i < 20; ++i) bytes += frame(kContinuation, 0, 1, literal("x", "y"));
  EXPECT_FALSE(victim.feed(bytes));
  EXPECT_TRUE(victim.session.is_over());
  EXPECT_EQ(victim.heard.requests, 0);
  EXPECT_NE(victim.code_of(kGoaway), -1);
}

TEST(H2Hostile, EmptyContinuationsEndTheConnection) {
  Victim victim;
  std::string bytes = frame(kHeaders, kEndStream, 1, block_of(kGet));
  for (int i = 0; i < 20; ++i) bytes += frame(kContinuation, 0, 1, "");
  EXPECT_FALSE(victim.feed(bytes));
}

TEST(H2Hostile, AHeaderBlockThatUnpacksWithoutEndEndsTheConnection) {
  Victim victim;
  // One wide field goes into the table and is then named by one byte again and again.
  const std::string wide(3800, 'w');
  std::string block = block_of(kGet) + '\x40' + packed("bomb") + packed(wide);
  block += std::string(8000, '\xbe');
  EXPECT_FALSE(victim.feed(frame(kHeaders, kEndStream | kEndHeaders, 1, block)));
  EXPECT_EQ(victim.code_of(kGoaway), kCalm);
  EXPECT_EQ(victim.heard.requests, 0);
}

TEST(H2Hostile, FramesThatMoveNothingEndTheConnection) {
  H2Limits limits;
  limits.idle_bytes_max = 20000;
  const std::vector<std::pair<const char*, std::string>> floods = {
      {"ping", frame(kPing, 0, 0, "12345678")},
      {"ping answers", frame(kPing, 1, 0, "12345678")},
      {"settings", frame(kSettings, 0, 0, "")},
      {"settings with entries", frame(kSettings, 0, 0, "\0\4\0\0\x40\0"s)},
      {"priority", frame(kPriority, 0, 1, "\0\0\0\0\x10"s)},
      {"priority of other streams", frame(kPriority, 0, 99, "\0\0\0\0\x10"s)},
      {"window update", frame(kWindowUpdate, 0, 0, big_endian(1, 4))},
      {"window update of a stream", frame(kWindowUpdate, 0, 1, big_endian(1, 4))},
      {"empty data", frame(kData, 0, 1, "")},
      {"padding only", frame(kData, kPadded, 1, "\x20" + std::string(32, '\0'))},
      {"unknown type", frame(0x55, 0, 0, "xyz")},
      {"reset of a gone stream", frame(kReset, 0, 1, big_endian(8, 4))},
  };
  for (const auto& [what, bytes] : floods) {
    Victim victim(limits);
    ASSERT_TRUE(victim.feed(headers(1, kPost, 0)));
    int rounds = 0;
    while (victim.feed(bytes)) ASSERT_LT(++rounds, 4000) << what;
    EXPECT_TRUE(victim.session.is_over()) << what;
    EXPECT_EQ(victim.session.streams_open(), 0u) << what;
  }
}

TEST(H2Hostile, PingsBesideWorkDoNot) {
  H2Limits limits;
  limits.idle_bytes_max = 1000;
  Victim victim(limits);
  ASSERT_TRUE(victim.feed(headers(1, kPost, 0)));
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(
        victim.feed(frame(kData, 0, 1, "twenty bytes of work") + frame(kPing, 0, 0, "12345678")))
        << i << victim.session.failure();
    victim.session.consume(1, 20);
  }
}

TEST(H2Hostile, AnswersThatNobodyReadsEndTheConnection) {
  Victim victim;
  std::string pings;
  for (int i = 0; i < 300; ++i) pings += frame(kPing, 0, 0, "12345678");
  EXPECT_FALSE(victim.feed(pings));
  EXPECT_EQ(victim.code_of(kGoaway), kCalm);
}

TEST(H2Hostile, ResetsThatNobodyReadsEndTheConnection) {
  H2Limits limits;
  limits.frames_waiting_max = 50;
  Victim victim(limits);
  std::string bytes;
  for (std::uint32_t i = 0; i < 99; ++i)
    bytes += headers(2 * i + 1, with(kGet, {{"connection", "close"}}));
  EXPECT_FALSE(victim.feed(bytes));
  EXPECT_EQ(victim.code_of(kGoaway), kCalm);
}

TEST(H2Hostile, MoreStreamsThanAllowedEndTheConnection) {
  H2Limits limits;
  limits.streams_max = 10;
  Victim victim(limits);
  std::uint32_t stream = 1;
  while (victim.feed(headers(stream, kGet)) && stream < 100) stream += 2;
  EXPECT_EQ(victim.heard.requests, 10);
  EXPECT_EQ(victim.heard.resets, 10);
  EXPECT_TRUE(victim.session.is_over());
}

TEST(H2Hostile, BodiesBeyondTheWindowEndTheConnectionOrTheStream) {
  Victim victim;
  ASSERT_TRUE(victim.feed(headers(1, kPost, 0)));
  std::string bytes;
  for (int i = 0; i < 5; ++i) bytes += frame(kData, 0, 1, std::string(16384, 'x'));
  (void)victim.feed(bytes);
  EXPECT_TRUE(victim.code_of(kGoaway) == kFlowControl || victim.code_of(kReset) == kFlowControl);
  EXPECT_LE(victim.heard.body.size(), 64u * 1024);
}

// --- framing ---

TEST(H2Hostile, BrokenFramingEndsTheConnection) {
  const std::string big(20000, 'x');
  const std::vector<std::pair<const char*, std::string>> broken = {
      {"data on stream 0", frame(kData, 0, 0, "x")},
      {"data on an idle stream", frame(kData, 0, 9, "x")},
      {"headers on an even stream", headers(2, kGet)},
      {"a frame too large", frame(kData, 0, 1, big)},
      {"a ping of seven bytes", frame(kPing, 0, 0, "1234567")},
      {"a ping on a stream", frame(kPing, 0, 1, "12345678")},
      {"settings of five bytes", frame(kSettings, 0, 0, "12345")},
      {"a push from a client", frame(kPushPromise, kEndHeaders, 1, big_endian(2, 4))},
      {"a continuation of nothing", frame(kContinuation, kEndHeaders, 1, "")},
      {"a ping inside a head",
       frame(kHeaders, 0, 3, block_of(kGet)) + frame(kPing, 0, 0, "12345678")},
      {"a window beyond all", frame(kWindowUpdate, 0, 0, big_endian(0x7fffffff, 4))},
      {"a window update of zero", frame(kWindowUpdate, 0, 0, big_endian(0, 4))},
      {"padding longer than the frame", frame(kData, kPadded, 1, "\x20x")},
      {"a table index that is not there", frame(kHeaders, 5, 3, "\xff\x7f")},
      {"a table larger than allowed", frame(kHeaders, 5, 3, "\x3f\xe1\xff\x03")},
  };
  for (const auto& [what, bytes] : broken) {
    Victim victim;
    ASSERT_TRUE(victim.feed(headers(1, kPost, 0))) << what;
    EXPECT_FALSE(victim.feed(bytes)) << what;
    EXPECT_GT(victim.code_of(kGoaway), 0) << what;
    EXPECT_TRUE(victim.session.is_over()) << what;
    EXPECT_EQ(victim.session.streams_open(), 0u) << what;
    EXPECT_EQ(victim.heard.requests, victim.heard.resets) << what;
    EXPECT_FALSE(victim.feed(frame(kPing, 0, 0, "12345678"))) << what;
    EXPECT_EQ(victim.last_output, "") << what;
  }
}

TEST(H2Hostile, AnotherProtocolIsRefused) {
  Counter heard;
  H2Session session = H2Session::server({}, heard);
  const Status taken = session.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().what, "The connection does not begin as HTTP/2 does.");
  std::string out;
  session.produce(out, 100);
  EXPECT_TRUE(session.is_over());
}

TEST(H2Hostile, ByteByByteIsTheSame) {
  Victim victim;
  const std::string bytes = headers(1, with(kPost, {{"cookie", "a"}, {"cookie", "b"}}), 0) +
                            frame(kData, kPadded, 1,
                                  "\x03"
                                  "abc" +
                                      std::string(3, '\0')) +
                            headers(1, {{"t", "1"}});
  for (const char c : bytes) ASSERT_TRUE(victim.feed({&c, 1}));
  EXPECT_EQ(victim.heard.fields, (Pairs{{"host", "a"}, {"cookie", "a; b"}}));
  EXPECT_EQ(victim.heard.body, "abc");
  EXPECT_EQ(victim.heard.trailers, 1);
  EXPECT_EQ(victim.heard.ends, 1);
}

// A peer that opens no window leaves at most one outbox per stream here.
TEST(H2Hostile, AReaderThatStallsHoldsOneOutbox) {
  Victim victim;
  ASSERT_TRUE(victim.feed(frame(kSettings, 0, 0, "\0\4\0\0\0\0"s) + headers(1, kGet)));
  victim.session.submit_response(1, {.status = 200}, Ends::No);
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += victim.session.send_body(1, std::string(5000, 'x'));
    std::string out;
    victim.session.produce(out, 1 << 20);
  }
  EXPECT_EQ(taken, 64u * 1024);
  EXPECT_FALSE(victim.session.wants_write());
}

}  // namespace
}  // namespace kelvin::http
