// Tests of the HTTP/1.1 parser: what is read, and above all what is refused.
#include "http/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kelvin::http {
namespace {

using namespace std::string_literals;

struct Got {
  Outcome outcome;
  RequestHead head;
};
Got request(std::string_view bytes, const Limits& limits = {}) {
  Got got;
  got.outcome = parse_request(bytes, limits, got.head);
  return got;
}
int status_of(std::string_view bytes, const Limits& limits = {}) {
  const Got got = request(bytes, limits);
  if (got.outcome.parsed == Parsed::Done) return 200;
  return got.outcome.parsed == Parsed::NeedMore ? 0 : got.outcome.status;
}
std::string with_field(std::string_view field) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}

TEST(RequestHead, ReadsEveryPart) {
  const std::string bytes =
      "POST /v1/x?y=1 HTTP/1.1\r\nHost: gemma.localhost:27315\r\nX-Empty:\r\nX-Wide: \t a b \t\r\n"
      "content-length: 12\r\n\r\nbody";
  const Got got = request(bytes);
  ASSERT_EQ(got.outcome.parsed, Parsed::Done);
  EXPECT_EQ(got.head.method, "POST");
  EXPECT_EQ(got.head.target, "/v1/x?y=1");
  EXPECT_EQ(got.head.path, "/v1/x?y=1");
  EXPECT_EQ(got.head.host, "gemma.localhost:27315");
  EXPECT_EQ(got.head.content_length, 12u);
  EXPECT_EQ(got.head.bytes, bytes.size() - 4);
  ASSERT_EQ(got.head.fields.size(), 4u);
  EXPECT_EQ(got.head.find("x-empty")->value, "");
  EXPECT_EQ(got.head.find("X-WIDE")->value, "a b");
  EXPECT_EQ(got.head.find("absent"), nullptr);
  EXPECT_TRUE(got.head.keeps_alive);
  EXPECT_EQ(framing_of(got.head), Framing::Length);
}

TEST(RequestHead, EveryProperPrefixNeedsMore) {
  const std::string bytes = "GET /path HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(status_of(std::string_view(bytes).substr(0, n)), 0) << n;
  EXPECT_EQ(status_of(bytes), 200);
}

TEST(RequestHead, IsReusedWithoutLeftovers) {
  RequestHead head;
  const std::string first =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
      "Connection: close, x\r\n\r\n";
  ASSERT_EQ(parse_request(first, {}, head).parsed, Parsed::Done);
  EXPECT_TRUE(head.is_chunked && head.expects_continue && head.names_fields && !head.keeps_alive);
  ASSERT_EQ(parse_request("GET / HTTP/1.1\r\nHost: b\r\n\r\n", {}, head).parsed, Parsed::Done);
  EXPECT_FALSE(head.is_chunked || head.expects_continue || head.names_fields);
  EXPECT_TRUE(head.keeps_alive);
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(framing_of(head), Framing::None);
}

TEST(RequestHead, KnowsWhetherTheConnectionStays) {
  EXPECT_FALSE(request("GET / HTTP/1.0\r\nHost: a\r\n\r\n").head.keeps_alive);
  EXPECT_TRUE(
      request("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n").head.keeps_alive);
  EXPECT_FALSE(request(with_field("Connection: x, CLOSE")).head.keeps_alive);
  EXPECT_FALSE(request(with_field("Connection: x\r\nConnection: close")).head.keeps_alive);
}

TEST(RequestHead, AllowsOneEmptyLineInFront) {
  EXPECT_EQ(status_of("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(status_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesEveryOddLineEnd) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\r\n"), 400);
}

TEST(RequestHead, RefusesFieldsThatTwoServersCouldReadDifferently) {
  for (const std::string& field : {
           " Folded: x"s,
           "\tFolded: x"s,
           "X: a\r\n b"s,
           "X : a"s,
           "X\t: a"s,
           ": a"s,
           "NoColon"s,
           "X(: a"s,
           "X\x01: a"s,
           "X: a\x01"s,
           "X: \0"s,
           "X\0: a"s,
           "X: \x7f"s,
           "X\xc3\xa9: a"s,
           "X y: a"s,
       })
    EXPECT_EQ(status_of(with_field(field)), 400) << field;
  EXPECT_EQ(status_of(with_field("X: \xc3\xa9 \"quoted\" \t tab")), 200);
}

TEST(RequestHead, RefusesDoubtfulLengths) {
  for (const std::string& field : {
           "Content-Length: +5"s,
           "Content-Length: -5"s,
           "Content-Length: 5 5"s,
           "Content-Length: 5, 5"s,
           "Content-Length: 0x5"s,
           "Content-Length:"s,
           "Content-Length: 5a"s,
           "Content-Length: 05"s,
           "Content-Length: 99999999999999999999"s,
           "Content-Length: 5\r\nContent-Length: 5"s,
           "Content-Length: 5\r\ncontent-length: 6"s,
           "Content-Length: 5\r\nTransfer-Encoding: chunked"s,
           "Transfer-Encoding: chunked\r\nContent-Length: 0"s,
       })
    EXPECT_EQ(status_of(with_field(field)), 400) << field;
  EXPECT_EQ(status_of(with_field("Content-Length: 0")), 200);
}

TEST(RequestHead, KnowsOnlyASingleChunkedCoding) {
  EXPECT_TRUE(request(with_field("Transfer-Encoding: ChunkeD")).head.is_chunked);
  for (const std::string& field : {
           "Transfer-Encoding: identity"s,
           "Transfer-Encoding:"s,
           "Transfer-Encoding: xchunked"s,
           "Transfer-Encoding: chunked, identity"s,
           "Transfer-Encoding: chunked, chunked"s,
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"s,
           "Transfer-Encoding: \"chunked\""s,
           "Transfer-Encoding: chunked;q=1"s,
           "Transfer-Encoding: chunked,"s,
           "Transfer-Encoding: gzip"s,
           "Transfer-Encoding: \x0b"
           "chunked"s,
           "Transfer_Encoding : chunked"s,
       })
    EXPECT_EQ(status_of(with_field(field)), 400) << field;
  EXPECT_EQ(status_of(with_field("Transfer-Encoding: gzip, chunked")), 501);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(RequestHead, NeedsExactlyOneGoodHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  for (const char* host :
       {"a b", "a/b", "a@b", "a:b", "a:70000", ":80", "[::1", "[]", "[g]", "a,b", "a:1:2", "a?b"})
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), 400) << host;
  for (const char* host : {"a", "a.b-c.localhost:27315", "[::1]", "[::1]:80", "127.0.0.1:1", "a:"})
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), 200) << host;
}

TEST(RequestHead, HoldsTheTargetToItsForms) {
  const auto target = [](std::string_view text, std::string_view method = "GET") {
    return std::string(method) + " " + std::string(text) + " HTTP/1.1\r\nHost: a.b:80\r\n\r\n";
  };
  const std::string absolute = target("http://A.b:80/x?y");
  EXPECT_EQ(request(absolute).head.path, "/x?y");
  const std::string bare = target("http://a.b:80");
  EXPECT_EQ(request(bare).head.path, "/");
  EXPECT_EQ(status_of(target("http://other/x")), 400);
  EXPECT_EQ(status_of(target("http://a.b/x")), 400) << "the port differs";
  EXPECT_EQ(status_of(target("http://u@a.b:80/x")), 400);
  EXPECT_EQ(status_of(target("http://a.b:80?x")), 400);
  EXPECT_EQ(status_of(target("ftp://a.b:80/")), 400);
  EXPECT_EQ(status_of(target("x")), 400);
  EXPECT_EQ(status_of(target("/a#b")), 400);
  EXPECT_EQ(status_of(target("/a\xc3\xa9")), 400);
  EXPECT_EQ(status_of(target("*")), 400);
  EXPECT_EQ(status_of(target("*", "OPTIONS")), 200);
  EXPECT_EQ(status_of(target("a.b:80", "CONNECT")), 501);
}

TEST(RequestHead, HoldsTheRequestLineToItsForm) {
  for (const char* line :
       {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET /",
        "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/11", "G(T / HTTP/1.1", "GET\t/ HTTP/1.1",
        "GET / HTTP/a.b", "/ HTTP/1.1"})
    EXPECT_EQ(status_of(std::string(line) + "\r\nHost: a\r\n\r\n"), 400) << line;
  EXPECT_EQ(status_of("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(status_of("\x16\x03\x01\x02"), 400)
      << "a TLS client hello is refused before a line end comes";
}

TEST(RequestHead, HoldsTheLimits) {
  const Limits small{.head_bytes_max = 128, .fields_max = 2, .target_bytes_max = 16};
  EXPECT_EQ(status_of("GET /" + std::string(16, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", small), 414);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n", small), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n", small), 431);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nB: " + std::string(128, 'x'), small), 431);
  EXPECT_EQ(
      status_of("GET / HTTP/1.1\r\nHost: a\r\nB: " + std::string(90, 'x') + "\r\nC: ddd\r\n\r\n",
                small),
      431);
}

TEST(RequestHead, KnowsOnlyOneExpectation) {
  EXPECT_TRUE(request(with_field("Expect: 100-Continue")).head.expects_continue);
  EXPECT_EQ(status_of(with_field("Expect: miracles")), 417);
  EXPECT_FALSE(
      request("GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}

TEST(ResponseHead, ReadsStatusAndFraming) {
  ResponseHead head;
  ASSERT_EQ(
      parse_response("HTTP/1.1 200 Fine by me\r\nContent-Length: 3\r\n\r\nabc", {}, head).parsed,
      Parsed::Done);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "Fine by me");
  EXPECT_EQ(framing_of(head, "GET"), Framing::Length);
  EXPECT_EQ(framing_of(head, "HEAD"), Framing::None);
  ASSERT_EQ(parse_response("HTTP/1.0 200\r\n\r\n", {}, head).parsed, Parsed::Done);
  EXPECT_FALSE(head.keeps_alive);
  EXPECT_EQ(framing_of(head, "GET"), Framing::UntilClose);
  ASSERT_EQ(parse_response("HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n", {}, head).parsed,
            Parsed::Done);
  EXPECT_EQ(framing_of(head, "GET"), Framing::None);
  ASSERT_EQ(
      parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {}, head).parsed,
      Parsed::Done);
  EXPECT_EQ(framing_of(head, "POST"), Framing::Chunked);
}

TEST(ResponseHead, RefusesWhatIsNotHttp) {
  for (const char* bytes :
       {"hello\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 a\x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    ResponseHead head;
    const Outcome outcome = parse_response(bytes, {}, head);
    EXPECT_EQ(outcome.parsed, Parsed::Refused) << bytes;
    EXPECT_EQ(outcome.status, 502) << bytes;
  }
}

// Feeds `bytes` in pieces of `piece`; the payload, or "!" and the complaint.
std::string chunked(std::string_view bytes, std::size_t piece, std::size_t* left = nullptr) {
  ChunkReader reader;
  std::string payload;
  std::string held;
  std::size_t from = 0;
  for (;;) {
    const auto step = reader.feed(held);
    if (step.parsed == Parsed::Refused) return "!" + std::string(step.why);
    payload += step.payload;
    held.erase(0, step.consumed);
    if (step.parsed == Parsed::Done) {
      if (left != nullptr) *left = held.size() + bytes.size() - from;
      return payload;
    }
    if (step.consumed > 0) continue;
    if (from >= bytes.size()) return payload + "...";
    held += bytes.substr(from, piece);
    from += std::min(piece, bytes.size() - from);
  }
}

TEST(ChunkReader, FollowsABodyCutAnywhere) {
  const std::string body =
      "5\r\nhello\r\n1;a=\"b\"\r\n \r\n00A\r\n0123456789\r\n0\r\nX-T: y\r\nB:\r\n\r\nGET";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    std::size_t left = 0;
    EXPECT_EQ(chunked(body, piece, &left), "hello 0123456789") << piece;
    EXPECT_EQ(left, 3u) << piece;
  }
}

TEST(ChunkReader, RefusesBadFraming) {
  for (const std::string& body : {
           "\r\n"s,
           "g\r\n"s,
           " 5\r\nhello\r\n"s,
           "5 \r\nhello\r\n"s,
           "5\nhello"s,
           "5\r\rhello"s,
           "0x5\r\nhello"s,
           "-5\r\n"s,
           "+5\r\n"s,
           "5\r\nhello\n"s,
           "5\r\nhelloX"s,
           "5\r\nhello\rX"s,
           "ffffffffffffffff\r\n"s,
           "5;\x01\r\n"s,
           "5;a\nb\r\n"s,
           "0\r\n X: y\r\n\r\n"s,
           "0\r\nX y\r\n\r\n"s,
           "0\r\nX: \x01\r\n\r\n"s,
           "0\r\n\n"s,
           "0\r\n\rX"s,
           "0\r\nX: y\n\r\n"s,
           "0\r\nX\0: y\r\n\r\n"s,
           "5\r\nhello5\r\n"s,
       })
    EXPECT_EQ(chunked(body, 7).substr(0, 1) == "!" || chunked(body, 7).find('!') == 0, true)
        << body;
}

// The trailers of a body that arrives byte by byte, as "name=value;"; "!" and the complaint when it is refused.
std::string trailers_of(std::string_view bytes) {
  ChunkReader reader;
  ChunkReader::Step step;
  for (std::size_t i = 0; i < bytes.size() && step.parsed == Parsed::NeedMore; ++i)
    step = reader.feed(bytes.substr(i, 1));
  if (step.parsed == Parsed::Refused) return "!" + std::string(step.why);
  if (step.parsed == Parsed::NeedMore && !reader.trailers().empty()) return "early";
  const ChunkReader moved = std::move(reader);
  std::string text;
  for (const Field& field : moved.trailers())
    text += std::string(field.name) + "=" + std::string(field.value) + ";";
  return text;
}

TEST(ChunkReader, GivesTheTrailersOnceDone) {
  EXPECT_EQ(trailers_of("0\r\n\r\n"), "");
  EXPECT_EQ(trailers_of("1\r\na\r\n0\r\nGrpc-Status: 0\r\nX-Sum:\t a b \r\nEmpty:\r\n\r\n"),
            "Grpc-Status=0;X-Sum=a b;Empty=;");
  EXPECT_EQ(trailers_of("0\r\nA: b\r\n"), "") << "the body is not over";
  EXPECT_EQ(trailers_of("0\r\nA: b\r\nA: c:d\r\n\r\n"), "A=b;A=c:d;");
}

TEST(ChunkReader, LeavesOutTrailersThatOnlyAHeadMaySay) {
  for (const char* name : {"Content-Length",
                           "content_length",
                           "Transfer-Encoding",
                           "Host",
                           "Connection",
                           "TE",
                           "Upgrade",
                           "Trailer",
                           "Authorization",
                           "Cookie",
                           "Set-Cookie",
                           "X-Forwarded-For",
                           "x_forwarded_host",
                           "Forwarded",
                           "Kelvin-Request-Id",
                           "Content-Type",
                           "Content-Encoding",
                           "Expect",
                           "Range",
                           "If-None-Match",
                           "Cache-Control",
                           "Proxy-Authorization",
                           "Location",
                           "Access-Control-Allow-Origin",
                           "Sec-WebSocket-Key"}) {
    EXPECT_TRUE(is_for_heads_only(name)) << name;
    EXPECT_EQ(trailers_of("0\r\n" + std::string(name) + ": 7\r\nKept: 1\r\n\r\n"), "Kept=1;")
        << name;
  }
  for (const char* name : {"Grpc-Status", "Grpc-Message", "Server-Timing", "Digest", "ETag",
                           "Content-Digest", "X-Checksum", "Content-Lengths", "Hos"})
    EXPECT_FALSE(is_for_heads_only(name)) << name;
}

TEST(ChunkReader, BoundsTrailersByBytesAndByCount) {
  const std::string line = "X: " + std::string(1019, 'y') + "\r\n";
  std::string eight;
  for (int i = 0; i < 8; ++i) eight += line;
  EXPECT_EQ(trailers_of("0\r\n" + eight + "\r\n").substr(0, 3), "X=y") << "8 KiB exactly";
  EXPECT_EQ(trailers_of("0\r\n" + eight + "A: b\r\n\r\n"), "!The trailers are too long.");
  std::string many;
  for (int i = 0; i < 128; ++i) many += "a:\r\n";
  EXPECT_EQ(trailers_of("0\r\n" + many + "\r\n").size(), 128u * 3);
  EXPECT_EQ(trailers_of("0\r\n" + many + "a:\r\n\r\n"), "!The body has too many trailer fields.");
}

TEST(ChunkReader, BoundsExtensionsAndTrailers) {
  EXPECT_EQ(chunked("1;" + std::string(1024, 'x') + "\r\na\r\n0\r\n\r\n", 64), "a");
  EXPECT_EQ(chunked("1;" + std::string(1025, 'x') + "\r\na\r\n0\r\n\r\n", 64).front(), '!');
  EXPECT_EQ(chunked("0\r\nX: " + std::string(9000, 'y') + "\r\n\r\n", 64).front(), '!');
  std::string many;
  for (int i = 0; i < 100; ++i) many += "1;" + std::string(1000, 'x') + "\r\na\r\n";
  EXPECT_EQ(chunked(many + "0\r\n\r\n", 4096), std::string(100, 'a')) << "the bound is per chunk";
}

TEST(Text, ComparesAndDecodes) {
  EXPECT_TRUE(same_name("Content-LENGTH", "content-length"));
  EXPECT_FALSE(same_name("a@", "a`"));
  EXPECT_TRUE(list_has("a, Close ,b", "close"));
  EXPECT_FALSE(list_has("closed", "close"));
  EXPECT_EQ(host_name_of("a.b:80"), "a.b");
  EXPECT_EQ(host_name_of("[::1]:80"), "[::1]");
  EXPECT_EQ(decode_path("/a%20b%2F"), "/a b/");
  EXPECT_EQ(decode_path("/%0"), std::nullopt);
  EXPECT_EQ(decode_path("/%zz"), std::nullopt);
  EXPECT_EQ(decode_path("/%00"), std::nullopt);
  EXPECT_EQ(reason_of(404), "Not Found");
}

}  // namespace
}  // namespace kelvin::http
