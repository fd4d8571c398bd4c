// Tests of the gateway behind TLS, with OpenSSL's own client.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "gateway/testbed.h"
#include "gateway/tls_testbed.h"
#include "http/message.h"
#include "os/thread.h"

namespace kelvin::gateway::testbed {
namespace {

struct SecureBed {
  SecureBed() : contexts(open()), bed({.tls = contexts.get()}) {}
  std::unique_ptr<TlsContexts> open() {
    auto made = TlsContexts::open(
        {.files = {folder.write("box", make_identity({"box.example", "*.box.example"}))}});
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }

  IdentityFolder folder;
  std::unique_ptr<TlsContexts> contexts;
  Testbed bed;
};

// A client that waits for its socket, at most ten seconds at a time.
class SecureWire {
 public:
  SecureWire(Testbed& bed, const ClientWish& wish) : wire_(bed.connect()), tls_(wire_.fd(), wish) {
    ::fcntl(wire_.fd(), F_SETFL, O_NONBLOCK);
    while (!tls_.connect_some() && !tls_.has_failed()) wait(POLLIN);
  }

  TlsClient& tls() { return tls_; }
  void send(std::string_view bytes) {
    while (!bytes.empty() && !tls_.has_failed()) {
      const std::size_t sent = tls_.write_some(bytes);
      if (sent == 0) wait(POLLOUT);
      bytes.remove_prefix(sent);
    }
  }
  // Until `mark` has come, with everything before it.
  std::string read_until(std::string_view mark) {
    while (held_.find(mark) == std::string::npos && !tls_.has_failed() && !tls_.saw_goodbye()) {
      const std::string bytes = tls_.read_some();
      if (bytes.empty()) wait(POLLIN);
      held_ += bytes;
    }
    const std::size_t end = std::min(held_.find(mark), held_.size());
    std::string found = held_.substr(0, end + mark.size());
    held_.erase(0, found.size());
    return found;
  }

 private:
  void wait(short events) {
    pollfd one{.fd = wire_.fd(), .events = events, .revents = 0};
    ASSERT_EQ(::poll(&one, 1, 10'000), 1) << "nothing came in time";
  }

  Wire wire_;
  TlsClient tls_;
  std::string held_;
};

TEST(Secure, CarriesRequestsAndSaysSo) {
  SecureBed secure;
  ScriptedReplica replica;
  secure.bed.set_app("echo", {secure.bed.open_replica(1, replica.port())});
  SecureWire client(secure.bed, {.server_name = "echo.box.example"});
  client.send(get("/one"));
  Wire upstream = replica.accept();
  const std::string request = upstream.read_request();
  EXPECT_NE(request.find("X-Forwarded-Proto: https\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find(";proto=https\r\n"), std::string::npos) << request;
  upstream.send(ok("first body"));
  EXPECT_NE(client.read_until("first body").find("HTTP/1.1 200"), std::string::npos);
  client.send(get("/two"));
  upstream.read_request();
  upstream.send(ok("second body"));
  EXPECT_NE(client.read_until("second body").find("HTTP/1.1 200"), std::string::npos);
}

TEST(Secure, CarriesLongBodiesBothWays) {
  SecureBed secure;
  ScriptedReplica replica;
  secure.bed.set_app("echo", {secure.bed.open_replica(1, replica.port())});
  SecureWire client(secure.bed, {});
  const std::string body(3 << 20U, 'b');
  client.send("POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 11\r\n\r\nhello ");
  Wire upstream = replica.accept();
  upstream.read_until("hello ");
  client.send("world");
  EXPECT_EQ(upstream.read_exactly(5), "world");
  os::Thread writer("writer", [&] { upstream.send(ok(body + "end")); });
  EXPECT_EQ(client.read_until("bend").size() > body.size(), true);
}

TEST(Secure, SpeaksHttp2WhereTheClientDoes) {
  SecureBed secure;
  SecureWire client(secure.bed, {.protocols = {"h2", "http/1.1"}});
  EXPECT_EQ(client.tls().protocol(), "h2");
  // The preface and an empty SETTINGS frame are answered with SETTINGS and its acknowledgement.
  client.send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") +
              std::string("\0\0\0\x04\0\0\0\0\0", 9));
  const std::string acknowledged("\0\0\0\x04\x01\0\0\0\0", 9);
  EXPECT_TRUE(client.read_until(acknowledged).ends_with(acknowledged));
}

TEST(Secure, ReachesManagementThroughASocketPair) {
  SecureBed secure;
  SecureWire client(secure.bed, {});
  client.send(get("/healthz", "localhost"));
  auto [fd, received] = secure.bed.management.next();
  ::fcntl(fd.get(), F_SETFL, 0);
  Wire management(std::move(fd));
  EXPECT_TRUE(management.read_request().starts_with("GET /healthz HTTP/1.1\r\n"));
  management.send(ok("fine"));
  EXPECT_NE(client.read_until("fine").find("HTTP/1.1 200"), std::string::npos);
}

TEST(Secure, TellsPlainClientsWhatIsSpokenHere) {
  SecureBed secure;
  Wire client = secure.bed.connect();
  client.send(get("/"));
  EXPECT_NE(client.read_to_end().find("This port speaks TLS"), std::string::npos);
}

TEST(Secure, DoesNotWaitForAHandshakeForEver) {
  IdentityFolder folder;
  auto contexts =
      TlsContexts::open({.files = {folder.write("box", make_identity({"box.example"}))}});
  ASSERT_TRUE(contexts.has_value());
  GatewayLimits limits;
  limits.head_time = 50ms;
  Testbed bed({.limits = limits, .tls = contexts->get()});
  Wire client = bed.connect();
  EXPECT_TRUE(client.has_ended());
}

}  // namespace
}  // namespace kelvin::gateway::testbed
