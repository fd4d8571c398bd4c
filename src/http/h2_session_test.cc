// Tests of the HTTP/2 session: a client and a server back to back, and a server that is fed by
// hand.
#include "http/h2_session.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kelvin::http {
namespace {

using namespace std::string_literals;
using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Seen {
  std::vector<std::string> events;  // in order, one word each
  std::string method, path, host;
  Pairs fields, trailers;
  std::optional<std::uint64_t> content_length;
  int status = 0;
  std::string body;
  H2Reset reset;
};

Pairs copy_of(std::span<const Field> fields) {
  Pairs pairs;
  for (const Field& field : fields) pairs.emplace_back(field.name, field.value);
  return pairs;
}

// Writes down what it hears; does `then` afterwards, if a test wants something done from inside.
class Listener : public H2Events {
 public:
  std::map<H2Stream, Seen> streams;
  std::vector<std::string> session_events;
  std::function<void(H2Stream, const std::string&)> then = [](H2Stream, const std::string&) {};
  std::function<void(H2Stream, std::string_view)> with_body = [](H2Stream, std::string_view) {};

  void on_request(H2Stream stream, const RequestHead& head, Ends ends) override {
    Seen& seen = streams[stream];
    seen.method = head.method;
    seen.path = head.path;
    seen.host = head.host;
    seen.fields = copy_of(head.fields);
    seen.content_length = head.content_length;
    say(stream, ends == Ends::Yes ? "request." : "request");
  }
  void on_refused(H2Stream stream, const Outcome& refusal) override {
    streams[stream].status = refusal.status;
    say(stream, "refused");
  }
  void on_response(H2Stream stream, const ResponseHead& head, Ends ends) override {
    Seen& seen = streams[stream];
    seen.status = head.status;
    seen.fields = copy_of(head.fields);
    seen.content_length = head.content_length;
    say(stream, std::to_string(head.status) + (ends == Ends::Yes ? "." : ""));
  }
  void on_body(H2Stream stream, std::string_view piece) override {
    streams[stream].body += piece;
    with_body(stream, piece);
  }
  void on_trailers(H2Stream stream, std::span<const Field> fields) override {
    streams[stream].trailers = copy_of(fields);
    say(stream, "trailers");
  }
  void on_end(H2Stream stream) override { say(stream, "end"); }
  void on_closed(H2Stream stream) override { say(stream, "closed"); }
  void on_reset(H2Stream stream, H2Reset reset) override {
    streams[stream].reset = reset;
    say(stream, "reset");
  }
  void on_room(H2Stream stream) override { say(stream, "room"); }
  void on_settled() override { session_events.emplace_back("settled"); }
  void on_goaway(H2Stream last, H2Code code) override {
    session_events.push_back("goaway " + std::to_string(last) + " " +
                             std::to_string(static_cast<int>(code)));
  }

 private:
  void say(H2Stream stream, const std::string& what) {
    streams[stream].events.push_back(what);
    then(stream, what);
  }
};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    list.emplace_back(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return list;
}

RequestHead request_of(std::string_view method, std::string_view path,
                       std::vector<Field> fields = {}) {
  RequestHead head;
  head.method = method;
  head.target = head.path = path;
  head.host = "app.example:8080";
  head.fields = std::move(fields);
  return head;
}

struct Pair {
  Listener at_client, at_server;
  H2Limits limits;
  H2Session client = H2Session::client(limits, at_client);
  H2Session server = H2Session::server(limits, at_server);
  std::size_t piece = 16 * 1024;
  std::size_t to_client = 0, to_server = 0;

  explicit Pair(const H2Limits& with = {}) : limits(with) {}

  // Until neither has anything to say.
  void pump() {
    for (;;) {
      std::string up, down;
      client.produce(up, piece);
      server.produce(down, piece);
      if (up.empty() && down.empty()) return;
      to_server += up.size();
      to_client += down.size();
      (void)server.receive(up);
      (void)client.receive(down);
    }
  }
  H2Stream open(const RequestHead& head, Ends ends) {
    const std::optional<H2Stream> stream = client.submit_request(head, ends);
    EXPECT_TRUE(stream.has_value());
    pump();
    return stream.value_or(0);
  }
};

TEST(H2Session, CarriesARequestAndItsReply) {
  Pair pair;
  const std::vector<Field> fields = {{"Host", "other"},
                                     {"X-Key", "a b"},
                                     {"Connection", "close"},
                                     {"Keep-Alive", "1"},
                                     {"TE", "gzip"},
                                     {"Upgrade", "h2c"},
                                     {"Transfer-Encoding", "chunked"},
                                     {"Content-Length", "5"}};
  const H2Stream stream = pair.open(request_of("POST", "/a?b=c", fields), Ends::No);
  EXPECT_EQ(pair.client.send_body(stream, "hello"), 5u);
  pair.client.finish(stream);
  pair.pump();
  Seen& asked = pair.at_server.streams[stream];
  EXPECT_EQ(asked.events, words("request end"));
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.path, "/a?b=c");
  EXPECT_EQ(asked.host, "app.example:8080");
  EXPECT_EQ(asked.fields,
            (Pairs{{"host", "app.example:8080"}, {"x-key", "a b"}, {"content-length", "5"}}));
  EXPECT_EQ(asked.content_length, 5u);
  EXPECT_EQ(asked.body, "hello");

  const std::vector<Field> back = {{"Content-Type", "text/plain"}, {"connection", "x"}};
  pair.server.submit_response(stream, {.status = 201, .fields = back}, Ends::No);
  EXPECT_EQ(pair.server.send_body(stream, "made"), 4u);
  pair.server.finish(stream);
  pair.pump();
  Seen& answered = pair.at_client.streams[stream];
  EXPECT_EQ(answered.events, words("201 end closed"));
  EXPECT_EQ(answered.fields, (Pairs{{"content-type", "text/plain"}}));
  EXPECT_EQ(answered.body, "made");
  EXPECT_EQ(asked.events, words("request end closed"));
  EXPECT_EQ(pair.client.streams_open() + pair.server.streams_open(), 0u);
  EXPECT_EQ(pair.at_client.session_events, words("settled"));
  EXPECT_EQ(pair.client.streams_max_of_peer(), 100u);
}

TEST(H2Session, CarriesHeadsWithoutBodies) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("HEAD", "/"), Ends::Yes);
  EXPECT_EQ(pair.at_server.streams[stream].events, words("request."));
  const std::vector<Field> fields = {{"content-length", "77"}};
  pair.server.submit_response(stream, {.status = 200, .fields = fields}, Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[stream].events, words("200. closed"));
  EXPECT_EQ(pair.at_server.streams[stream].events, words("request. closed"));
}

TEST(H2Session, CarriesInterimHeadsAndTrailersBothWays) {
  Pair pair;
  const H2Stream stream = pair.open(
      request_of("POST", "/", {{"expect", "100-continue"}, {"te", "trailers"}}), Ends::No);
  EXPECT_EQ(pair.at_server.streams[stream].fields.back(), (std::pair{"te"s, "trailers"s}));
  pair.server.submit_interim(stream, {.status = 100});
  const std::vector<Field> hints = {{"link", "</a>"}};
  pair.server.submit_interim(stream, {.status = 103, .fields = hints});
  pair.pump();
  pair.client.send_body(stream, "x");
  const std::vector<Field> checksum = {{"Digest", "1"}};
  pair.client.finish(stream, checksum);
  pair.pump();
  EXPECT_EQ(pair.at_server.streams[stream].events, words("request trailers end"));
  EXPECT_EQ(pair.at_server.streams[stream].trailers, (Pairs{{"digest", "1"}}));
  pair.server.submit_response(stream, {.status = 200}, Ends::No);
  const std::vector<Field> status = {{"grpc-status", "0"}, {"grpc-message", ""}};
  pair.server.finish(stream, status);  // no body at all
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[stream].events, words("100 103 200 trailers end closed"));
  EXPECT_EQ(pair.at_client.streams[stream].trailers,
            (Pairs{{"grpc-status", "0"}, {"grpc-message", ""}}));
}

TEST(H2Session, KeepsFieldsOfConnectionsOutOfTrailers) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("GET", "/"), Ends::Yes);
  pair.server.submit_response(stream, {.status = 200}, Ends::No);
  const std::vector<Field> fields = {{"connection", "x"}, {":status", "200"}};
  pair.server.finish(stream, fields);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[stream].events, words("200 end closed"));
}

TEST(H2Session, JoinsCookies) {
  Pair pair;
  const H2Stream stream = pair.open(
      request_of("GET", "/", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}}), Ends::Yes);
  EXPECT_EQ(pair.at_server.streams[stream].fields,
            (Pairs{{"host", "app.example:8080"}, {"x", "y"}, {"cookie", "a=1; b=2"}}));
}

// --- back-pressure -------------------------------------------------------------------------------

TEST(H2Session, StopsAtTheWindowUntilTheReaderConsumes) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
  const std::string block(100 * 1024, 'x');
  EXPECT_EQ(pair.client.send_body(stream, block), 64u * 1024);
  EXPECT_EQ(pair.client.send_body(stream, block), 0u);
  EXPECT_EQ(pair.client.room(stream), 0u);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[stream].events, words("room"));
  Seen& seen = pair.at_server.streams[stream];
  EXPECT_EQ(seen.body.size(), 64u * 1024);
  EXPECT_EQ(pair.client.send_body(stream, block), 64u * 1024);
  pair.pump();
  EXPECT_EQ(seen.body.size(), 64u * 1024);  // the window is used up
  EXPECT_FALSE(pair.client.wants_write());
  pair.server.consume(stream, 40 * 1024);
  pair.pump();
  EXPECT_EQ(seen.body.size(), 104u * 1024);
  pair.server.consume(stream, 64 * 1024);
  pair.pump();
  EXPECT_EQ(seen.body.size(), 128u * 1024);
  pair.client.finish(stream);
  pair.pump();
  EXPECT_EQ(seen.events, words("request end"));
}

TEST(H2Session, StreamsMegabytesBothWaysWithFixedMemory) {
  Pair pair;
  constexpr std::size_t total = 3 * 1024 * 1024 + 17;
  std::string all(total, '\0');
  for (std::size_t i = 0; i < total; ++i) all[i] = static_cast<char>(i * 7 + i / 251);
  std::size_t up = 0, down = 0;
  const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
  pair.server.submit_response(stream, {.status = 200}, Ends::No);
  const auto feed = [&](H2Session& session, std::size_t& sent) {
    sent += session.send_body(stream, std::string_view(all).substr(sent));
    if (sent == total) session.finish(stream);
  };
  pair.at_client.then = [&](H2Stream, const std::string& what) {
    if (what == "room") feed(pair.client, up);
  };
  pair.at_server.then = [&](H2Stream, const std::string& what) {
    if (what == "room") feed(pair.server, down);
  };
  pair.at_client.with_body = [&](H2Stream, std::string_view piece) {
    pair.client.consume(stream, piece.size());
  };
  pair.at_server.with_body = [&](H2Stream, std::string_view piece) {
    pair.server.consume(stream, piece.size());
  };
  feed(pair.client, up);
  feed(pair.server, down);
  pair.pump();
  EXPECT_TRUE(pair.at_server.streams[stream].body == all);
  EXPECT_TRUE(pair.at_client.streams[stream].body == all);
  EXPECT_EQ(pair.client.streams_open() + pair.server.streams_open(), 0u);
}

TEST(H2Session, ProducesAtMostOneFrameMoreThanAsked) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
  pair.client.send_body(stream, std::string(64 * 1024, 'x'));
  std::string out;
  std::size_t calls = 0;
  while (pair.client.wants_write()) {
    const std::size_t before = out.size();
    pair.client.produce(out, 1000);
    EXPECT_LE(out.size() - before, 1000u + 16 * 1024 + 9);
    ASSERT_LT(++calls, 1000u);
  }
  EXPECT_GT(calls, 3u);
  EXPECT_TRUE(pair.server.receive(out));
  EXPECT_EQ(pair.at_server.streams[stream].body.size(), 64u * 1024);
}

TEST(H2Session, ServesStreamsInTurn) {
  Pair pair;
  pair.piece = 20 * 1024;
  const H2Stream a = pair.open(request_of("GET", "/a"), Ends::Yes);
  const H2Stream b = pair.open(request_of("GET", "/b"), Ends::Yes);
  for (const H2Stream stream : {a, b}) {
    pair.server.submit_response(stream, {.status = 200}, Ends::No);
    pair.server.send_body(stream, std::string(64 * 1024, 'x'));
  }
  std::string out;
  pair.server.produce(out, 40 * 1024);
  (void)pair.client.receive(out);
  EXPECT_GT(pair.at_client.streams[a].body.size(), 0u);
  EXPECT_GT(pair.at_client.streams[b].body.size(), 0u);
}

TEST(H2Session, GivesTheCreditOfAGoneStreamBackToTheConnection) {
  H2Limits limits;
  limits.connection_window_bytes = 64 * 1024;
  Pair pair(limits);
  for (int i = 0; i < 10; ++i) {
    const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
    pair.client.send_body(stream, std::string(60 * 1024, 'x'));
    pair.pump();
    EXPECT_EQ(pair.at_server.streams[stream].body.size(), 60u * 1024) << i;
    if (i % 2 == 0)
      pair.server.reset(stream, H2Code::Cancel);
    else
      pair.client.reset(stream, H2Code::Cancel);
    pair.pump();
    pair.server.consume(stream, 60 * 1024);  // too late, and without effect
  }
  EXPECT_EQ(pair.server.failure(), "");
}

TEST(H2Session, DropsWhatComesAfterReset) {
  H2Limits limits;
  limits.connection_window_bytes = 64 * 1024;
  Pair pair(limits);
  for (int i = 0; i < 5; ++i) {
    const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
    pair.client.send_body(stream, std::string(60 * 1024, 'x'));
    std::string up;
    pair.client.produce(up, 1 << 20);
    pair.server.reset(stream, H2Code::Cancel);
    EXPECT_TRUE(pair.server.receive(up));
    pair.pump();
    EXPECT_EQ(pair.at_server.streams[stream].events, words("request"));
    EXPECT_EQ(pair.at_server.streams[stream].body, "");
    EXPECT_EQ(pair.at_client.streams[stream].events, words("room reset"));
  }
}

// --- ends ----------------------------------------------------------------------------------------

TEST(H2Session, AnEarlyAnswerDiscardsTheBody) {
  H2Limits limits;
  limits.connection_window_bytes = 64 * 1024;
  Pair pair(limits);
  for (int i = 0; i < 3; ++i) {
    const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
    pair.server.discard(stream);
    pair.client.send_body(stream, std::string(60 * 1024, 'x'));
    pair.pump();
    pair.server.submit_response(stream, {.status = 413}, Ends::No);
    pair.server.send_body(stream, "too large");
    pair.server.finish(stream);
    pair.pump();
    EXPECT_EQ(pair.at_server.streams[stream].body, "");
    EXPECT_EQ(pair.at_client.streams[stream].events, words("room 413 end reset"));
    EXPECT_EQ(pair.at_client.streams[stream].reset.code, H2Code::NoError);
    EXPECT_EQ(pair.at_client.streams[stream].body, "too large");
  }
}

TEST(H2Session, AResetReachesTheOtherSideOnce) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
  pair.client.reset(stream, H2Code::Cancel);
  pair.client.reset(stream, H2Code::Cancel);
  pair.pump();
  EXPECT_EQ(pair.at_server.streams[stream].events, words("request reset"));
  EXPECT_EQ(pair.at_server.streams[stream].reset.code, H2Code::Cancel);
  EXPECT_FALSE(pair.at_server.streams[stream].reset.is_unprocessed);
  EXPECT_EQ(pair.at_client.streams[stream].events, words(""));
  pair.server.submit_response(stream, {.status = 200}, Ends::Yes);  // too late, and without effect
  EXPECT_EQ(pair.server.send_body(stream, "x"), 0u);
  pair.server.finish(stream);
  pair.pump();
}

TEST(H2Session, ARequestThatNeverLeftIsUnprocessed) {
  Pair pair;
  pair.pump();
  const auto stream = pair.client.submit_request(request_of("GET", "/"), Ends::Yes);
  pair.client.lost();
  EXPECT_EQ(pair.at_client.streams[*stream].events, words("reset"));
  EXPECT_TRUE(pair.at_client.streams[*stream].reset.is_unprocessed);
  EXPECT_TRUE(pair.client.is_over());
}

TEST(H2Session, AResetBeforeLeavingSendsNothing) {
  Pair pair;
  pair.pump();
  const auto stream = pair.client.submit_request(request_of("GET", "/"), Ends::Yes);
  pair.client.reset(*stream, H2Code::Cancel);
  pair.pump();
  EXPECT_TRUE(pair.at_server.streams.empty());
  EXPECT_TRUE(pair.at_client.streams[*stream].events.empty());
  EXPECT_EQ(pair.client.streams_open(), 0u);
}

TEST(H2Session, ARefusedStreamIsUnprocessed) {
  Pair pair;
  const H2Stream stream = pair.open(request_of("GET", "/"), Ends::Yes);
  pair.server.reset(stream, H2Code::RefusedStream);
  pair.pump();
  EXPECT_TRUE(pair.at_client.streams[stream].reset.is_unprocessed);
}

TEST(H2Session, GoingAwayServesWhatIsOpenOrOnItsWay) {
  Pair pair;
  const H2Stream open = pair.open(request_of("GET", "/"), Ends::Yes);
  pair.server.go_away();
  const auto on_its_way = pair.client.submit_request(request_of("GET", "/"), Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_client.session_events,
            (std::vector<std::string>{"settled", "goaway 2147483647 0",
                                      "goaway " + std::to_string(*on_its_way) + " 0"}));
  EXPECT_FALSE(pair.client.submit_request(request_of("GET", "/"), Ends::Yes));
  EXPECT_FALSE(pair.server.is_over());
  for (const H2Stream stream : {open, *on_its_way})
    pair.server.submit_response(stream, {.status = 204}, Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[open].events, words("204. closed"));
  EXPECT_EQ(pair.at_client.streams[*on_its_way].events, words("204. closed"));
  EXPECT_TRUE(pair.server.is_over());
  EXPECT_TRUE(pair.client.is_over());
}

TEST(H2Session, AClientThatGoesAwayFinishesToo) {
  Pair pair;
  const H2Stream open = pair.open(request_of("GET", "/"), Ends::Yes);
  pair.client.go_away();
  EXPECT_FALSE(pair.client.submit_request(request_of("GET", "/"), Ends::Yes));
  pair.server.submit_response(open, {.status = 204}, Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[open].events, words("204. closed"));
  EXPECT_TRUE(pair.client.is_over());
}

TEST(H2Session, TakesNoMoreStreamsThanThePeerAllows) {
  H2Limits limits;
  limits.streams_max = 2;
  Pair pair(limits);
  pair.pump();
  EXPECT_EQ(pair.client.streams_max_of_peer(), 2u);
  pair.open(request_of("GET", "/"), Ends::Yes);
  const H2Stream second = pair.open(request_of("GET", "/"), Ends::Yes);
  EXPECT_FALSE(pair.client.submit_request(request_of("GET", "/"), Ends::Yes));
  pair.server.submit_response(second, {.status = 204}, Ends::Yes);
  pair.pump();
  EXPECT_TRUE(pair.client.submit_request(request_of("GET", "/"), Ends::Yes));
}

TEST(H2Session, AHeadTooLongToLeaveEndsItsStream) {
  Pair pair;
  const std::string wide(100 * 1024, 'x');
  const H2Stream stream = pair.open(request_of("GET", "/"), Ends::Yes);
  const std::vector<Field> fields = {{"x", wide}};
  pair.server.submit_response(stream, {.status = 200, .fields = fields}, Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_server.streams[stream].events, words("request. reset"));
  EXPECT_EQ(pair.at_client.streams[stream].events, words("reset"));
  EXPECT_EQ(pair.at_client.streams[stream].reset.code, H2Code::InternalError);
  const auto asked = pair.client.submit_request(request_of("GET", "/", fields), Ends::Yes);
  pair.pump();
  EXPECT_EQ(pair.at_client.streams[*asked].events, words("reset"));
  EXPECT_EQ(pair.client.streams_open(), 0u);
}

TEST(H2Session, TheListenerMayAnswerFromInside) {
  Pair pair;
  pair.at_server.then = [&](H2Stream stream, const std::string& what) {
    if (what != "request.") return;
    pair.server.submit_response(stream, {.status = 200}, Ends::No);
    pair.server.send_body(stream, "at once");
    pair.server.finish(stream);
  };
  for (int i = 0; i < 300; ++i) {
    const H2Stream stream = pair.open(request_of("GET", "/"), Ends::Yes);
    ASSERT_EQ(pair.at_client.streams[stream].body, "at once") << i;
  }
}

TEST(H2Session, TheListenerMayResetFromInside) {
  Pair pair;
  pair.at_server.then = [&](H2Stream stream, const std::string&) {
    pair.server.reset(stream, H2Code::Cancel);
  };
  const H2Stream stream = pair.open(request_of("POST", "/"), Ends::No);
  EXPECT_EQ(pair.at_client.streams[stream].events, words("reset"));
  pair.at_client.then = [&](H2Stream which, const std::string&) {
    pair.client.reset(which, H2Code::Cancel);
  };
  pair.at_server.then = [&](H2Stream which, const std::string& what) {
    if (what == "request.") pair.server.submit_response(which, {.status = 200}, Ends::No);
  };
  const H2Stream other = pair.open(request_of("GET", "/"), Ends::Yes);
  EXPECT_EQ(pair.at_server.streams[other].events, words("request. reset"));
}

TEST(H2Session, ALostConnectionEndsEveryStreamOnce) {
  Pair pair;
  const H2Stream a = pair.open(request_of("POST", "/"), Ends::No);
  const H2Stream b = pair.open(request_of("GET", "/"), Ends::Yes);
  pair.server.lost();
  pair.server.lost();
  pair.client.lost();
  EXPECT_EQ(pair.at_server.streams[a].events, words("request reset"));
  EXPECT_EQ(pair.at_server.streams[b].events, words("request. reset"));
  EXPECT_FALSE(pair.at_client.streams[a].reset.is_unprocessed);
  EXPECT_FALSE(pair.server.wants_write());
  EXPECT_FALSE(pair.server.receive("x"));
}

}  // namespace
}  // namespace kelvin::http
