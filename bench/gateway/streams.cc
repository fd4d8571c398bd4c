// streams: opens many event streams and says how late their events come.
//
//   streams --port N --streams COUNT --seconds S [--host NAME] [--events-per-s R] [--memory-of PID]
//
// Every event carries the moment in which the upstream sent it; the delay is the time from there to the moment in which it was
// read here, by the same clock. Only events of the measured seconds count, which begin a little after the last stream has opened.
// With --memory-of the resident memory of that process is read before the first connection and after the last measured second.
// Prints one JSON object.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "histogram.h"
#include "memory.h"
#include "reply.h"
#include "sockets.h"

namespace bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// Connections that are being opened at a time: below what any listener's queue holds.
constexpr std::uint32_t kOpeningMax = 256;
constexpr std::uint64_t kOpenWithin = 120 * kSecond;

struct Wanted {
  std::uint16_t port = 0;
  std::uint32_t streams = 0;
  std::uint64_t seconds = 10;
  int watched = 0;
  std::string request;
};

struct Stream {
  int fd = -1;
  bool is_open = false;
  std::uint64_t number = 0;  // the digits of the event's line so far
  std::uint32_t digits = 0;
  Reply reply;
};

class Streams {
 public:
  explicit Streams(const Wanted& wanted)
      : wanted_(wanted), streams_(wanted.streams), buffer_(64 * 1024) {}
  void run();
  void print() const;

 private:
  void open_some();
  void turn(std::uint64_t until_ns);
  void read_from(std::uint32_t number);
  void read_event(Stream& stream, std::string_view content);
  void lose(Stream& stream);

  const Wanted& wanted_;
  Epoll epoll_;
  std::vector<Stream> streams_;
  std::vector<char> buffer_;
  Histogram late_;
  std::uint32_t started_ = 0;
  std::uint32_t open_ = 0;
  std::uint32_t lost_ = 0;
  std::uint64_t memory_before_ = 0;
  std::uint64_t memory_open_ = 0;
  double seconds_ = 0;
  bool is_measuring_ = false;
};

void Streams::open_some() {
  while (started_ < wanted_.streams && started_ - open_ - lost_ < kOpeningMax) {
    Stream& stream = streams_[started_];
    stream.fd = connect_and_wait(wanted_.port, started_);
    epoll_.add(stream.fd, EPOLLIN, started_++);
    const std::string& request = wanted_.request;
    if (::send(stream.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) lose(stream);
  }
}

void Streams::turn(std::uint64_t until_ns) {
  for (const epoll_event& event : epoll_.wait(until_ns)) {
    read_from(static_cast<std::uint32_t>(event.data.u64));
  }
}

void Streams::run() {
  memory_before_ = resident_bytes(wanted_.watched);
  const std::uint64_t opened_by = now_ns() + kOpenWithin;
  while (open_ + lost_ < wanted_.streams && now_ns() < opened_by) {
    open_some();
    turn(now_ns() + kSecond / 100);
  }
  const std::uint64_t settled = now_ns() + kSecond;
  while (now_ns() < settled) turn(settled);
  is_measuring_ = true;
  const std::uint64_t began = now_ns();
  const std::uint64_t until = began + wanted_.seconds * kSecond;
  while (now_ns() < until) turn(until);
  seconds_ = static_cast<double>(now_ns() - began) / 1e9;
  memory_open_ = resident_bytes(wanted_.watched);
}

void Streams::lose(Stream& stream) {
  ::close(stream.fd);
  stream.fd = -1;
  if (stream.is_open) --open_;
  stream.is_open = false;
  ++lost_;
}

void Streams::read_from(std::uint32_t number) {
  Stream& stream = streams_[number];
  if (stream.fd < 0) return;
  const ssize_t count = ::recv(stream.fd, buffer_.data(), buffer_.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return lose(stream);
  std::size_t used = 0;
  const Reply::Step step =
      stream.reply.take({buffer_.data(), static_cast<std::size_t>(count)}, used,
                        [&](std::string_view content) { read_event(stream, content); });
  if (step != Reply::Step::NeedsMore ||
      (stream.reply.status() != 0 && stream.reply.status() != 200)) {
    return lose(stream);
  }
  if (!stream.is_open && stream.reply.status() == 200) {
    stream.is_open = true;
    ++open_;
  }
}

// Events are "data: DIGITS\n\n". They may come in pieces; other lines have no digits in them.
void Streams::read_event(Stream& stream, std::string_view content) {
  for (const char byte : content) {
    if (byte >= '0' && byte <= '9') {
      stream.number = stream.number * 10 + static_cast<std::uint64_t>(byte - '0');
      ++stream.digits;
    } else if (byte == '\n') {
      const std::uint64_t now = now_ns();
      if (stream.digits > 0 && is_measuring_) late_.add(now - std::min(now, stream.number));
      stream.number = stream.digits = 0;
    }
  }
}

void Streams::print() const {
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  std::printf(
      "{\"streams\": %u, \"lost\": %u, \"events\": %llu, \"seconds\": %.3f, "
      "\"memory_before_bytes\": %llu, "
      "\"memory_open_bytes\": %llu, ",
      open_, lost_, static_cast<unsigned long long>(late_.total()), seconds_,
      static_cast<unsigned long long>(memory_before_),
      static_cast<unsigned long long>(memory_open_));
  std::printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f}\n",
              us(late_.quantile(50'000)), us(late_.quantile(99'000)), us(late_.quantile(99'900)),
              us(late_.largest()));
}

void measure(const Arguments& given) {
  raise_limits();
  const std::uint64_t rate = given.number("events-per-s", 2);
  // Streams outlast the measurement: they end when this program closes them.
  const Wanted wanted{
      .port = static_cast<std::uint16_t>(given.number("port", 0)),
      .streams = static_cast<std::uint32_t>(given.number("streams", 1)),
      .seconds = given.number("seconds", 10),
      .watched = static_cast<int>(given.number("memory-of", 0)),
      .request = "GET /sse?events_per_s=" + std::to_string(rate) +
                 "&count=1000000 HTTP/1.1\r\nHost: " + given.text("host", "localhost") +
                 "\r\nAccept: text/event-stream\r\n\r\n"};
  Streams streams(wanted);
  streams.run();
  streams.print();
}

}  // namespace
}  // namespace bench

int main(int count, char** values) { bench::measure(bench::Arguments(count, values)); }
