#include "cluster/local/probe.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "os/clock.h"
#include "os/tcp.h"

namespace kelvin::cluster::local {
namespace {

// A server of one connection on the same loop: it answers with `reply` once a whole head has come.
class Server {
 public:
  Server(os::Loop& loop, std::string reply) : loop_(loop), reply_(std::move(reply)) {
    watch_ = *loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
  }
  ~Server() {
    loop_.unwatch(watch_);
    loop_.unwatch(connection_watch_);
  }
  std::uint16_t port() const { return os::local_port(listener_.get()).value(); }
  const std::string& request() const { return request_; }

 private:
  void accept() {
    connection_.reset(::accept(listener_.get(), nullptr, nullptr));
    connection_watch_ =
        *loop_.watch(connection_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
  }
  void receive() {
    char buffer[4096];
    const ssize_t got = ::recv(connection_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) request_.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) loop_.unwatch(connection_watch_);
    if (request_.find("\r\n\r\n") == std::string::npos || reply_.empty()) return;
    ::send(connection_.get(), reply_.data(), reply_.size(), MSG_NOSIGNAL);
    loop_.unwatch(connection_watch_);
    ::shutdown(connection_.get(), SHUT_WR);
  }

  os::Loop& loop_;
  std::string reply_;
  os::Fd listener_ = std::move(*os::listen_tcp("127.0.0.1:0"));
  os::Loop::WatchId watch_ = 0;
  os::Fd connection_;
  os::Loop::WatchId connection_watch_ = 0;
  std::string request_;
};

Outcome ask(os::Loop& loop, const Question& question) {
  std::optional<Outcome> answer;
  const Probe probe(loop, question, [&](const Outcome& outcome) { answer = outcome; });
  EXPECT_FALSE(answer) << "never from the constructor";
  const Instant until = os::boot_now() + 10s;
  while (!answer && os::boot_now() < until) loop.run_once(until);
  return answer.value_or(Outcome{.what = "nothing"});
}

TEST(Probe, SaysThatNobodyListens) {
  auto loop = os::Loop::create().value();
  std::uint16_t port = 0;
  {
    const auto listener = os::listen_tcp("127.0.0.1:0");
    port = os::local_port(listener->get()).value();
  }
  EXPECT_EQ(ask(*loop, {.port = port}).answer, Answer::Refused);
}

TEST(Probe, SaysThatThePortAccepts) {
  auto loop = os::Loop::create().value();
  const auto listener = os::listen_tcp("127.0.0.1:0");
  EXPECT_EQ(ask(*loop, {.port = os::local_port(listener->get()).value()}).answer, Answer::Accepted);
}

TEST(Probe, BringsTheStatusOfAPath) {
  auto loop = os::Loop::create().value();
  const Server server(*loop,
                      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nloading");
  const Outcome outcome = ask(*loop, {.port = server.port(), .path = "/health?full=1"});
  EXPECT_EQ(outcome.answer, Answer::Status);
  EXPECT_EQ(outcome.status, 503);
  EXPECT_EQ(outcome.what, "answered 503");
  EXPECT_TRUE(server.request().starts_with("GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:"))
      << server.request();
}

TEST(Probe, SaysThatTheAnswerIsNoHttp) {
  auto loop = os::Loop::create().value();
  const Server server(*loop, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
  EXPECT_EQ(ask(*loop, {.port = server.port(), .path = "/"}).answer, Answer::Broken);
}

TEST(Probe, EndsAtItsTimeout) {
  auto loop = os::Loop::create().value();
  const Server silent(*loop, "");
  EXPECT_EQ(ask(*loop, {.port = silent.port(), .path = "/", .timeout = 5ms}).answer,
            Answer::TimedOut);
}

TEST(Probe, CallsSuccessButNoContentReady) {
  EXPECT_TRUE(is_ready_status(200));
  EXPECT_TRUE(is_ready_status(299));
  EXPECT_FALSE(is_ready_status(204));
  EXPECT_FALSE(is_ready_status(301));
  EXPECT_FALSE(is_ready_status(503));
}

TEST(Probe, MayBeDestroyedByItsOwnAnswer) {
  auto loop = os::Loop::create().value();
  std::unique_ptr<Probe> probe;
  bool is_called = false;
  const auto listener = os::listen_tcp("127.0.0.1:0");
  probe = std::make_unique<Probe>(*loop, Question{.port = os::local_port(listener->get()).value()},
                                  [&](const Outcome&) {
                                    probe.reset();
                                    is_called = true;
                                  });
  while (!is_called) loop->run_once(os::boot_now() + 10s);
}

}  // namespace
}  // namespace kelvin::cluster::local
