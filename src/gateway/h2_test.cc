// Tests of HTTP/2 on both sides: clients that speak it, and replicas that do.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "gateway/testbed.h"
#include "http/h2_session.h"

namespace kelvin::gateway::testbed {
namespace {

// One side of a connection on a blocking socket: what has come is kept by stream.
class H2Peer : public http::H2Events {
 public:
  struct Message {
    std::string method;
    std::string path;
    int status = 0;
    std::vector<int> interim;
    std::map<std::string, std::string> fields;
    std::map<std::string, std::string> trailers;
    std::string body;
    bool is_whole = false;
    bool is_reset = false;
  };

  H2Peer(Wire wire, bool is_server)
      : wire_(std::move(wire)),
        session_(is_server ? http::H2Session::server({}, *this)
                           : http::H2Session::client({}, *this)) {}

  http::H2Session& session() { return session_; }
  Wire& wire() { return wire_; }

  void flush() {
    std::string out;
    while (session_.wants_write()) session_.produce(out, 1 << 20U);
    wire_.send(out);
  }
  // Reads on until the condition holds.
  template <class Condition>
  void until(Condition holds) {
    flush();
    while (!holds()) {
      const std::string bytes = wire_.read_some();
      if (bytes.empty()) {
        session_.lost();
        EXPECT_TRUE(holds()) << "the connection ended";
        return;
      }
      EXPECT_TRUE(session_.receive(bytes));
      flush();
    }
  }
  http::H2Stream ask(std::string_view method, std::string_view path, http::Ends ends,
                     std::vector<http::Field> fields = {}) {
    http::RequestHead head;
    head.method = method;
    head.path = head.target = path;
    head.host = host;
    head.fields = std::move(fields);
    const auto stream = session_.submit_request(head, ends);
    EXPECT_TRUE(stream.has_value());
    flush();
    return stream.value_or(0);
  }
  const Message& answer(http::H2Stream stream) {
    until([&] { return messages[stream].is_whole || messages[stream].is_reset; });
    return messages[stream];
  }
  // Server: the first stream that has come whole and was not returned yet.
  http::H2Stream next_request(bool whole = true) {
    http::H2Stream found = 0;
    until([&] {
      for (auto& [stream, message] : messages)
        if (stream > returned_ && (message.is_whole || !whole)) found = stream;
      return found != 0;
    });
    returned_ = found;
    return found;
  }
  void reply(http::H2Stream stream, std::string_view body, std::vector<http::Field> trailers = {}) {
    session_.submit_response(stream, {.status = 200}, http::Ends::No);
    EXPECT_EQ(session_.send_body(stream, body), body.size());
    session_.finish(stream, trailers);
    flush();
  }

  std::string host = "echo.localhost";  // of what is asked for
  std::map<http::H2Stream, Message> messages;

 private:
  void on_request(http::H2Stream stream, const http::RequestHead& head, http::Ends ends) override {
    messages[stream].method = head.method;
    messages[stream].path = head.path;
    keep(stream, head, ends);
  }
  void on_refused(http::H2Stream, const http::Outcome&) override { ADD_FAILURE(); }
  void on_response(http::H2Stream stream, const http::ResponseHead& head,
                   http::Ends ends) override {
    if (head.status < 200) return messages[stream].interim.push_back(head.status);
    messages[stream].status = head.status;
    keep(stream, head, ends);
  }
  void keep(http::H2Stream stream, const http::Head& head, http::Ends ends) {
    for (const http::Field& field : head.fields)
      messages[stream].fields.emplace(field.name, field.value);
    messages[stream].is_whole = ends == http::Ends::Yes;
  }
  void on_body(http::H2Stream stream, std::string_view piece) override {
    messages[stream].body += piece;
    session_.consume(stream, piece.size());
  }
  void on_trailers(http::H2Stream stream, std::span<const http::Field> fields) override {
    for (const http::Field& field : fields)
      messages[stream].trailers.emplace(field.name, field.value);
  }
  void on_end(http::H2Stream stream) override { messages[stream].is_whole = true; }
  void on_closed(http::H2Stream) override {}
  void on_reset(http::H2Stream stream, http::H2Reset) override { messages[stream].is_reset = true; }
  void on_room(http::H2Stream) override {}
  void on_settled() override {}
  void on_goaway(http::H2Stream, http::H2Code) override {}

  Wire wire_;
  http::H2Session session_;
  http::H2Stream returned_ = 0;
};

void set_h2c_app(Testbed& bed, std::uint16_t port, std::uint32_t slots = 4) {
  model::Route route{.app = AppId{1}, .name = "echo", .protocol = model::Protocol::H2c};
  route.replicas = {bed.open_replica(1, port, slots)};
  bed.set_route(route);
}

TEST(H2Client, GetsItsRequestsToAnHttp1Replica) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto first = client.ask("GET", "/a?b=c", http::Ends::Yes, {{"x-mine", "1"}});
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_TRUE(request.starts_with("GET /a?b=c HTTP/1.1\r\nHost: echo.localhost\r\n")) << request;
  EXPECT_NE(request.find("x-mine: 1\r\n"), std::string::npos) << request;
  upstream.send(ok("one", "X-From: replica\r\nKeep-Alive: timeout=9\r\n"));
  const auto& answer = client.answer(first);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "one");
  EXPECT_EQ(answer.fields.at("x-from"), "replica");
  EXPECT_EQ(answer.fields.at("content-length"), "3");
  EXPECT_TRUE(answer.fields.contains("kelvin-request-id"));
  EXPECT_TRUE(answer.fields.contains("server-timing"));
  EXPECT_FALSE(answer.fields.contains("keep-alive"));
}

TEST(H2Client, HasManyRequestsAtOnce) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto first = client.ask("GET", "/1", http::Ends::Yes);
  Wire one = replica.accept();
  one.read_request();
  const auto second = client.ask("GET", "/2", http::Ends::Yes);
  Wire two = replica.accept();
  two.read_request();
  two.send(ok("second"));
  EXPECT_EQ(client.answer(second).body, "second");
  one.send(ok("first"));
  EXPECT_EQ(client.answer(first).body, "first");
}

TEST(H2Client, StreamsBodiesBothWays) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("POST", "/up", http::Ends::No);
  client.session().send_body(stream, "hello ");
  client.flush();
  Wire upstream = replica.accept();
  const std::string head = upstream.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked"), std::string::npos) << head;
  EXPECT_EQ(upstream.read_until("hello \r\n"), "6\r\nhello \r\n");
  client.session().send_body(stream, "world");
  client.session().finish(stream, {});
  client.flush();
  EXPECT_EQ(upstream.read_until("0\r\n\r\n"), "5\r\nworld\r\n0\r\n\r\n");
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  client.until([&] { return client.messages[stream].body == "one"; });
  upstream.send("3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n");
  EXPECT_EQ(client.answer(stream).body, "onetwo");
}

TEST(H2Client, HoldsBackAFastReplicaAndLosesNothing) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("GET", "/big", http::Ends::Yes);
  Wire upstream = replica.accept();
  upstream.read_request();
  std::string body(8 << 20U, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  const std::string reply = ok(body);
  std::size_t sent = 0;
  std::size_t stuck = 0;
  // The client reads nothing yet: what goes in before it stops is what all buffers on the way hold.
  while (stuck < 1000 && sent < reply.size()) {
    const std::size_t n = upstream.send_without_waiting(std::string_view(reply).substr(sent));
    sent += n;
    stuck = n == 0 ? stuck + 1 : 0;
  }
  while (sent < reply.size()) {
    client.until([&] {
      const std::size_t n = upstream.send_without_waiting(std::string_view(reply).substr(sent));
      sent += n;
      return n > 0 || sent == reply.size();
    });
  }
  EXPECT_EQ(client.answer(stream).body, body);
}

TEST(H2Client, EndsTheReplicasWorkByAReset) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("GET", "/slow", http::Ends::Yes);
  Wire upstream = replica.accept();
  upstream.read_request();
  client.session().reset(stream, http::H2Code::Cancel);
  client.flush();
  EXPECT_TRUE(upstream.has_ended());
  bed.wait_for_in_flight(1, 0);
}

TEST(H2Client, NeedNotSendTheRestOfABodyThatNobodyWaitsFor) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  for (const std::string_view reply :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}) {
    H2Peer client(bed.connect(), false);
    const auto asked = client.ask("POST", "/", http::Ends::No);
    client.session().send_body(asked, "its begin");
    client.flush();
    Wire upstream = replica.accept();
    EXPECT_NE(upstream.read_until("its begin").find("POST / "), std::string::npos);
    upstream.send(reply);
    EXPECT_NE(client.answer(asked).status, 0);
    // RFC 9113 8.1: after a complete reply the request may be given up without an error.
    client.until([&] { return client.messages[asked].is_reset; });
  }
}

TEST(H2Client, SeesABrokenReplyAsAReset) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("GET", "/", http::Ends::Yes);
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: a\n\n\r\n");
  client.until([&] { return !client.messages[stream].body.empty(); });
  upstream.close();
  const auto& answer = client.answer(stream);
  EXPECT_TRUE(answer.is_reset);
  EXPECT_TRUE(answer.body.starts_with("data: a\n\ndata: {\"error\":")) << answer.body;
}

TEST(H2Client, MustNotSendItsBodyTooSlowly) {
  Testbed bed;
  bed.clock.stop();
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto slow = client.ask("POST", "/slow", http::Ends::No, {{"content-length", "1000"}});
  Wire upstream = replica.accept();
  upstream.read_until("\r\n\r\n");
  bed.pass(10s);
  EXPECT_EQ(client.answer(slow).status, 408);
  EXPECT_NE(client.messages[slow].body.find("body_too_slow"), std::string::npos);
  EXPECT_TRUE(upstream.has_ended());
}

// The first body waits with its request and takes all of the connection's window.
TEST(H2Client, IsNotTooSlowWhileOtherBodiesTakeItsWindow) {
  GatewayLimits limits;
  limits.h2.stream_window_bytes = limits.h2.connection_window_bytes = 64 * 1024;
  Testbed bed(BedSetup{.limits = limits});
  bed.clock.stop();
  bed.set_app("cold", {});
  H2Peer client(bed.connect(), false);
  client.host = "localhost";
  EXPECT_EQ(client.answer(client.ask("GET", "/nowhere", http::Ends::Yes)).status, 404);
  client.host = "cold.localhost";
  const auto first = client.ask("POST", "/first", http::Ends::No, {{"content-length", "70000"}});
  client.session().send_body(first, std::string(64 * 1024, 'x'));
  client.flush();
  const auto demand = bed.control.next<model::Demand>();

  ScriptedReplica replica;
  model::Route warm{
      .app = AppId{2}, .name = "echo", .replicas = {bed.open_replica(1, replica.port())}};
  bed.set_route(warm);
  client.host = "echo.localhost";
  const auto second = client.ask("POST", "/second", http::Ends::No, {{"content-length", "4"}});
  client.session().send_body(second, "body");
  client.session().finish(second, {});
  client.flush();
  Wire upstream = replica.accept();
  upstream.read_until("\r\n\r\n");
  for (int i = 0; i < 3; ++i) bed.pass(10s);

  bed.gateway->refuse({.request = demand.request, .refusal = {.status = 503, .code = "no_room"}});
  EXPECT_EQ(client.answer(first).status, 503);
  client.flush();
  EXPECT_EQ(upstream.read_exactly(4), "body");
  upstream.send(ok("fine"));
  EXPECT_EQ(client.answer(second).body, "fine");
}

// A stream that waits and has been told so.
http::H2Stream ask_for_progress(Testbed& bed, H2Peer& client, model::Demand& demand) {
  const auto stream = client.ask("GET", "/", http::Ends::Yes,
                                 {{"accept", "text/event-stream"}, {"kelvin-progress", "1"}});
  demand = bed.control.next<model::Demand>();
  EXPECT_EQ(bed.control.next<model::ProgressAsked>().request, demand.request);
  bed.gateway->tell_progress({.request = demand.request, .loop = demand.loop, .sentence = "soon"});
  client.until([&] { return client.messages[stream].body == ": soon\n\n"; });
  EXPECT_EQ(client.messages[stream].status, 200);
  return stream;
}

GatewayLimits eager_comments() {
  GatewayLimits limits;
  limits.progress_after = 1ms;
  return limits;
}

TEST(H2Client, IsToldAboutItsWaitInFrontOfTheEvents) {
  Testbed bed(BedSetup{.limits = eager_comments()});
  ScriptedReplica replica;
  bed.set_app("echo", {});
  H2Peer client(bed.connect(), false);
  model::Demand demand;
  const auto stream = ask_for_progress(bed, client, demand);
  bed.hand_over(demand, bed.open_replica(1, replica.port()), model::Temperature::Cold,
                {{model::Phase::Queue, 1ms}});
  Wire upstream = replica.accept();
  EXPECT_EQ(upstream.read_request().find("kelvin-progress"), std::string::npos);
  upstream.send(ok("data: 1\n\n", "Content-Type: text/event-stream\r\n"));
  const auto& answer = client.answer(stream);
  EXPECT_FALSE(answer.is_reset);
  EXPECT_TRUE(answer.body.starts_with(": soon\n\n: served by ")) << answer.body;
  EXPECT_TRUE(answer.body.ends_with(" (cold); queue;dur=1.000\n\ndata: 1\n\n")) << answer.body;
}

TEST(H2Client, IsToldInTheStreamOfARefusalAfterAComment) {
  Testbed bed(BedSetup{.limits = eager_comments()});
  bed.set_app("echo", {});
  H2Peer client(bed.connect(), false);
  model::Demand demand;
  const auto stream = ask_for_progress(bed, client, demand);
  bed.gateway->refuse({.request = demand.request,
                       .loop = demand.loop,
                       .refusal = {.status = 503, .code = "app_failing", .sentence = "No."}});
  const auto& answer = client.answer(stream);
  EXPECT_TRUE(answer.is_reset);
  EXPECT_TRUE(answer.body.ends_with("\"code\":\"app_failing\"}}\n\n")) << answer.body;
  EXPECT_EQ(bed.gateway->metrics().requests_by_class[5], 1u);
}

// The replica's head comes in the replica's turn, not in the client's.
TEST(H2Upstream, WhoseReplyIsNoEventStreamCannotFollowComments) {
  Testbed bed(BedSetup{.limits = eager_comments()});
  ScriptedReplica replica;
  bed.set_route({.app = AppId{1}, .name = "echo", .protocol = model::Protocol::H2c});
  for (const bool is_client_h2 : {true, false}) {
    Wire plain = bed.connect();
    H2Peer client(bed.connect(), false);
    model::Demand demand;
    http::H2Stream stream = 0;
    if (is_client_h2) {
      stream = ask_for_progress(bed, client, demand);
    } else {
      plain.send(get("/", "echo.localhost", "Accept: text/event-stream\r\nKelvin-Progress: 1\r\n"));
      demand = bed.control.next<model::Demand>();
      bed.control.next<model::ProgressAsked>();
      bed.gateway->tell_progress(
          {.request = demand.request, .loop = demand.loop, .sentence = "soon"});
      plain.read_until(": soon\n\n");
    }
    const std::uint64_t number = is_client_h2 ? 1 : 2;
    model::RouteReplica ready = bed.open_replica(number, replica.port());
    ready.protocol = model::Protocol::H2c;
    bed.hand_over(demand, ready);
    H2Peer upstream(replica.accept(), true);
    upstream.reply(upstream.next_request(), "plain");
    const std::string body = is_client_h2 ? client.answer(stream).body : plain.read_to_end();
    EXPECT_NE(body.find("no_event_stream"), std::string::npos) << body;
    bed.wait_for_in_flight(number, 0);
  }
}

TEST(H2Client, GetsTheGatewaysOwnReplies) {
  Testbed bed;
  bed.set_app("echo", {});
  H2Peer client(bed.connect(), false);
  client.host = "localhost";
  const auto& missing = client.answer(client.ask("GET", "/nowhere", http::Ends::Yes));
  EXPECT_EQ(missing.status, 404);
  EXPECT_NE(missing.body.find("path_not_found"), std::string::npos);
  EXPECT_EQ(missing.fields.at("content-type"), "application/problem+json");
  const auto& models = client.answer(client.ask("GET", "/v1/models", http::Ends::Yes));
  EXPECT_EQ(models.status, 200);
  EXPECT_NE(models.body.find("\"echo\""), std::string::npos);
}

TEST(H2Client, NamesItsModelInTheBody) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  client.host = "localhost";
  const auto stream = client.ask("POST", "/v1/chat/completions", http::Ends::No,
                                 {{"content-type", "application/json"}});
  client.session().send_body(stream, R"({"model":"echo"})");
  client.session().finish(stream, {});
  client.flush();
  Wire upstream = replica.accept();
  EXPECT_TRUE(upstream.read_request().ends_with("\r\n\r\n{\"model\":\"echo\"}"));
  upstream.send(ok("{}"));
  EXPECT_EQ(client.answer(stream).body, "{}");
}

TEST(H2Client, WaitsForASlotLikeAnyOther) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("GET", "/", http::Ends::Yes);
  const auto demand = bed.control.next<model::Demand>();
  bed.hand_over(demand, bed.open_replica(1, replica.port()), model::Temperature::Cold);
  Wire upstream = replica.accept();
  upstream.read_request();
  upstream.send(ok("late"));
  EXPECT_EQ(client.answer(stream).body, "late");
  EXPECT_EQ(client.messages[stream].fields.at("kelvin-cold-start"), "cold");
  const auto left = client.ask("GET", "/", http::Ends::Yes);
  upstream.read_request();
  client.session().reset(left, http::H2Code::Cancel);
  client.flush();
  EXPECT_TRUE(upstream.has_ended());
}

TEST(H2Client, ReachesManagement) {
  Testbed bed;
  H2Peer client(bed.connect(), false);
  client.host = "localhost";
  const auto stream = client.ask("GET", "/healthz", http::Ends::Yes);
  auto [fd, received] = bed.management.next();
  EXPECT_EQ(received, "");
  ::fcntl(fd.get(), F_SETFL, 0);  // the test waits
  Wire management(std::move(fd));
  const std::string request = management.read_request();
  EXPECT_TRUE(request.starts_with("GET /healthz HTTP/1.1\r\nHost: localhost\r\n")) << request;
  management.send(ok("fine"));
  EXPECT_EQ(client.answer(stream).body, "fine");
}

TEST(H2Client, IsToldToGoWhenTheGatewayDrains) {
  Testbed bed;
  ScriptedReplica replica;
  bed.set_app("echo", {bed.open_replica(1, replica.port())});
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("GET", "/", http::Ends::Yes);
  Wire upstream = replica.accept();
  upstream.read_request();
  bed.gateway->stop_accepting();
  bed.settle();
  upstream.send(ok("still"));
  EXPECT_EQ(client.answer(stream).body, "still");
  client.flush();
  EXPECT_TRUE(bed.gateway->drain(10s));
}

TEST(H2Replica, ServesUnaryAndKeepsTheConnection) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  Wire client = bed.connect();
  client.send(post("/call", "question"));
  H2Peer server(replica.accept(), true);
  const auto first = server.next_request();
  EXPECT_EQ(server.messages[first].method, "POST");
  EXPECT_EQ(server.messages[first].path, "/call");
  EXPECT_EQ(server.messages[first].body, "question");
  EXPECT_EQ(server.messages[first].fields.at("te"), "trailers");
  server.reply(first, "answer");
  EXPECT_EQ(client.read_reply().body, "answer");
  client.send(get("/again"));
  const auto second = server.next_request();
  EXPECT_EQ(server.messages[second].path, "/again");
  server.reply(second, "once more");
  EXPECT_EQ(client.read_reply().body, "once more");
  bed.wait_for_in_flight(1, 0);
}

TEST(H2Replica, TalksBothWaysWithAnH2Client) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  H2Peer client(bed.connect(), false);
  const auto stream = client.ask("POST", "/talk", http::Ends::No, {{"te", "trailers"}});
  client.session().send_body(stream, "one");
  client.flush();
  H2Peer server(replica.accept(), true);
  const auto served = server.next_request(false);
  server.until([&] { return server.messages[served].body == "one"; });
  server.session().submit_response(served, {.status = 200}, http::Ends::No);
  server.session().send_body(served, "echo one");
  server.flush();
  client.until([&] { return client.messages[stream].body == "echo one"; });
  client.session().send_body(stream, "two");
  client.session().finish(stream, {});
  client.flush();
  server.until([&] { return server.messages[served].is_whole; });
  EXPECT_EQ(server.messages[served].body, "onetwo");
  const std::vector<http::Field> trailers{{"grpc-status", "0"}};
  server.session().finish(served, trailers);
  server.flush();
  EXPECT_EQ(client.answer(stream).trailers.at("grpc-status"), "0");
}

TEST(H2Replica, SharesOneConnectionBetweenRequests) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  Wire one = bed.connect();
  Wire two = bed.connect();
  one.send(get("/1"));
  H2Peer server(replica.accept(), true);
  const auto first = server.next_request();
  two.send(get("/2"));
  const auto second = server.next_request();
  server.reply(second, "second");
  EXPECT_EQ(two.read_reply().body, "second");
  server.reply(first, "first");
  EXPECT_EQ(one.read_reply().body, "first");
  EXPECT_EQ(bed.gateway->metrics().upstream_connects, 1u);
}

TEST(H2Replica, ThatResetsBreaksTheReply) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  Wire client = bed.connect();
  client.send(get("/"));
  H2Peer server(replica.accept(), true);
  server.session().reset(server.next_request(), http::H2Code::InternalError);
  server.flush();
  EXPECT_EQ(client.read_reply().status, 502);
  bed.wait_for_in_flight(1, 0);
}

TEST(H2Replica, ThatGoesAwayBreaksWhatItHasNotAnswered) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  Wire client = bed.connect();
  client.send(get("/"));
  H2Peer server(replica.accept(), true);
  server.next_request();
  server.wire().close();
  EXPECT_EQ(client.read_reply().status, 502);
  bed.wait_for_in_flight(1, 0);
}

TEST(H2Replica, IsLeftWhenTheClientLeaves) {
  Testbed bed;
  ScriptedReplica replica;
  set_h2c_app(bed, replica.port());
  Wire client = bed.connect();
  client.send(get("/"));
  H2Peer server(replica.accept(), true);
  const auto stream = server.next_request();
  client.close();
  server.until([&] { return server.messages[stream].is_reset; });
  bed.wait_for_in_flight(1, 0);
}

}  // namespace
}  // namespace kelvin::gateway::testbed
