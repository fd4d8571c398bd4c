// probe: asks a replica once whether it answers.
#include "cluster/local/probe.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "http/message.h"
#include "http/write.h"
#include "os/clock.h"
#include "os/tcp.h"

namespace kelvin::cluster::local {

Probe::Probe(os::Loop& loop, Question question, std::function<void(const Outcome&)> done)
    : loop_(loop), question_(std::move(question)), done_(std::move(done)) {
  auto socket = os::begin_connect_loopback(question_.port);
  if (!socket) {
    timer_ = loop_.at(os::boot_now(), [this] {
      finish({.answer = Answer::Refused, .what = "refused the connection"});
    });
    return;
  }
  socket_ = std::move(*socket);
  timer_ = loop_.at(os::boot_now() + question_.timeout, [this] {
    finish({.answer = Answer::TimedOut, .what = "did not answer in time"});
  });
  auto watch = loop_.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t) { connected(); });
  if (watch) watch_ = *watch;  // without a watch the timer ends it
}

Probe::~Probe() {
  loop_.unwatch(watch_);
  loop_.cancel(timer_);
}

void Probe::connected() {
  if (os::connect_outcome(socket_.get()) != 0) {
    finish({.answer = Answer::Refused, .what = "refused the connection"});
    return;
  }
  if (question_.path.empty()) {
    finish({.answer = Answer::Accepted});
    return;
  }
  std::string request;
  http::append_request_line(request, "GET", question_.path);
  http::append_field(request, "Host", "127.0.0.1:" + std::to_string(question_.port));
  http::append_field(request, "User-Agent", "kelvin");
  http::append_field(request, "Connection", "close");
  request += "\r\n";
  // A fresh connection's buffer holds a whole head.
  if (::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    finish({.answer = Answer::Broken, .what = "broke the connection"});
    return;
  }
  loop_.unwatch(watch_);
  auto watch = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
  watch_ = watch.value_or(0);
}

void Probe::receive() {
  std::array<char, 8192> buffer{};
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    finish({.answer = Answer::Broken, .what = "broke the connection"});
    return;
  }
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  http::ResponseHead head;
  const http::Outcome outcome = http::parse_response(received_, {}, head);
  switch (outcome.parsed) {
    case http::Parsed::NeedMore:
      return;
    case http::Parsed::Refused:
      finish(
          {.answer = Answer::Broken, .what = "did not answer HTTP: " + std::string(outcome.why)});
      return;
    case http::Parsed::Done:
      finish({.answer = Answer::Status,
              .status = head.status,
              .what = "answered " + std::to_string(head.status)});
      return;
  }
}

void Probe::finish(Outcome outcome) {
  loop_.unwatch(watch_);
  loop_.cancel(timer_);
  socket_.reset();
  const auto done = std::exchange(done_, {});
  if (done) done(outcome);  // this may be gone afterwards
}

}  // namespace kelvin::cluster::local
