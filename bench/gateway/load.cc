// load: many requests over kept connections, and how long each took.
//
//   load --port N --connections C --seconds S [--path /small] [--host NAME] [--body BYTES] [--rate R] [--warm-up S]
//        [--requests N] [--processor-of PID,PID]
//
// Without --rate the loop is closed: every connection sends its next request when the reply is there. With --rate it is open:
// request i is due at begin + i / R whatever happened to those before, waits for a free connection if there is none, and its time
// counts from the moment it was due, so that a stall of the server falls on every request that would have come meanwhile
// ("coordinated omission" does not occur). With --requests the run ends after that many, whatever --seconds says.
//
// Prints one JSON object: requests, errors and bytes within the measured seconds, quantiles in microseconds, and the processor
// time that the named processes used in those seconds. One thread; nothing is allocated once the connections are open.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "histogram.h"
#include "reply.h"
#include "sockets.h"

namespace bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();

struct Wanted {
  std::uint16_t port = 0;
  std::uint32_t connections = 1;
  std::uint64_t seconds = 5;
  std::uint64_t warm_up = 1;
  std::uint64_t rate = 0;
  std::uint64_t requests_max = kForever;
  std::string request;
  std::vector<int> watched;
};

struct Connection {
  int fd = -1;
  bool is_busy = false;
  std::uint64_t since_ns = 0;  // when the request on it was due
  std::size_t sent = 0;
  Reply reply;
};

// What happened within the measured seconds.
struct Seen {
  Histogram took;
  std::uint64_t errors = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t bytes = 0;
};

class Load {
 public:
  explicit Load(const Wanted& wanted);
  void run();
  void print() const;

 private:
  void open(std::uint32_t number);
  void begin(std::uint32_t number, std::uint64_t due_ns);
  void write_on(std::uint32_t number);
  void read_from(std::uint32_t number);
  void take(std::uint32_t number, std::string_view bytes);
  void fail(std::uint32_t number);
  void finish(std::uint32_t number);
  void send_due();
  std::uint64_t next_due() const;
  std::uint64_t processor_used() const;
  bool is_over() const { return done_ >= wanted_.requests_max || now_ >= end_ns_; }

  const Wanted& wanted_;
  Epoll epoll_;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> idle_;  // the last one used comes first
  std::vector<char> buffer_;
  Seen seen_;
  std::uint64_t now_ = 0;
  std::uint64_t begin_ns_ = 0;    // of the warm-up
  std::uint64_t measure_ns_ = 0;  // of the measured seconds
  std::uint64_t end_ns_ = 0;
  std::uint64_t issued_ = 0;  // requests that became due
  std::uint64_t done_ = 0;
  std::uint64_t processor_ns_ = 0;
};

Load::Load(const Wanted& wanted)
    : wanted_(wanted), connections_(wanted.connections), buffer_(256 * 1024) {
  idle_.reserve(wanted.connections);
  for (std::uint32_t number = 0; number < wanted.connections; ++number) open(number);
}

void Load::open(std::uint32_t number) {
  Connection& connection = connections_[number];
  connection.fd = connect_to(wanted_.port, number);
  epoll_.add(connection.fd, EPOLLIN, number);
}

std::uint64_t Load::processor_used() const {
  std::uint64_t sum = 0;
  for (const int pid : wanted_.watched) sum += processor_ns(pid);
  return sum;
}

std::uint64_t Load::next_due() const {
  return begin_ns_ +
         static_cast<std::uint64_t>(static_cast<__uint128_t>(issued_) * kSecond / wanted_.rate);
}

void Load::run() {
  now_ = begin_ns_ = now_ns();
  measure_ns_ = begin_ns_ + wanted_.warm_up * kSecond;
  end_ns_ = measure_ns_ + wanted_.seconds * kSecond;
  bool is_measuring = false;
  for (std::uint32_t number = 0; number < wanted_.connections; ++number) {
    if (wanted_.rate == 0) {
      begin(number, now_);
    } else {
      idle_.push_back(number);
    }
  }
  while (!is_over()) {
    if (!is_measuring && now_ >= measure_ns_) {
      is_measuring = true;
      seen_ = Seen();
      processor_ns_ = processor_used();
      measure_ns_ = now_;
    }
    const std::uint64_t until = wanted_.rate == 0 || idle_.empty() ? end_ns_ : next_due();
    for (const epoll_event& event : epoll_.wait(std::min(until, end_ns_))) {
      now_ = now_ns();
      const auto number = static_cast<std::uint32_t>(event.data.u64);
      if ((event.events & EPOLLOUT) != 0) write_on(number);
      if ((event.events & ~EPOLLOUT) != 0) read_from(number);
    }
    now_ = now_ns();
    if (wanted_.rate != 0) send_due();
  }
  processor_ns_ = processor_used() - processor_ns_;
  end_ns_ = now_;
  // Requests that were due and have no reply yet have waited at least this long.
  if (wanted_.rate == 0) return;
  for (const Connection& connection : connections_) {
    if (connection.is_busy) seen_.took.add(now_ - connection.since_ns);
  }
  for (; next_due() < now_; ++issued_) seen_.took.add(now_ - next_due());
}

void Load::send_due() {
  while (!idle_.empty() && next_due() <= now_) {
    const std::uint32_t number = idle_.back();
    idle_.pop_back();
    begin(number, next_due());
    ++issued_;
  }
}

void Load::begin(std::uint32_t number, std::uint64_t due_ns) {
  Connection& connection = connections_[number];
  connection.since_ns = due_ns;
  connection.is_busy = true;
  connection.sent = 0;
  connection.reply.reset();
  write_on(number);
}

void Load::write_on(std::uint32_t number) {
  Connection& connection = connections_[number];
  const std::string& request = wanted_.request;
  const bool was_blocked = connection.sent != 0 && connection.sent < request.size();
  const ssize_t count = ::send(connection.fd, request.data() + connection.sent,
                               request.size() - connection.sent, MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != ENOTCONN) return fail(number);
  if (count > 0) connection.sent += static_cast<std::size_t>(count);
  const bool is_blocked = connection.sent < request.size();
  if (is_blocked) {
    epoll_.change(connection.fd, EPOLLIN | EPOLLOUT, number);
  } else if (was_blocked || count < 0) {
    epoll_.change(connection.fd, EPOLLIN, number);
  }
}

void Load::read_from(std::uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.reply.missing() > 0) {
    // Nobody looks at a body, so the kernel need not copy it.
    const ssize_t count = ::recv(connection.fd, nullptr, connection.reply.missing(), MSG_TRUNC);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return fail(number);
    seen_.bytes += static_cast<std::uint64_t>(count);
    if (connection.reply.skip(static_cast<std::uint64_t>(count)) == Reply::Step::Done)
      finish(number);
    return;
  }
  // The head, and of a large body only a little: the rest is skipped.
  const ssize_t count = ::recv(connection.fd, buffer_.data(), 4096, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return fail(number);
  take(number, {buffer_.data(), static_cast<std::size_t>(count)});
}

void Load::take(std::uint32_t number, std::string_view bytes) {
  Connection& connection = connections_[number];
  std::size_t used = 0;
  seen_.bytes += bytes.size();
  if (!connection.is_busy) return fail(number);
  switch (connection.reply.take(bytes, used)) {
    case Reply::Step::NeedsMore:
      return;
    case Reply::Step::Broken:
      return fail(number);
    case Reply::Step::Done:
      return used == bytes.size() ? finish(number) : fail(number);
  }
}

// A connection that ends between two requests is only opened again; a request that fails is an error.
void Load::fail(std::uint32_t number) {
  Connection& connection = connections_[number];
  ::close(connection.fd);
  open(number);
  ++seen_.reconnects;
  if (!connection.is_busy) return;
  ++seen_.errors;
  if (seen_.errors > 1000 && seen_.took.total() == 0) give_up("load: nothing but errors");
  begin(number, connection.since_ns);
}

void Load::finish(std::uint32_t number) {
  Connection& connection = connections_[number];
  now_ = now_ns();
  seen_.took.add(now_ - connection.since_ns);
  ++done_;
  if (connection.reply.status() != 200) ++seen_.errors;
  if (connection.reply.is_last()) {
    ::close(connection.fd);
    open(number);
    ++seen_.reconnects;
  }
  if (wanted_.rate == 0) return begin(number, now_);
  connection.is_busy = false;
  idle_.push_back(number);
}

void Load::print() const {
  const double seconds = static_cast<double>(end_ns_ - measure_ns_) / 1e9;
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  const std::uint64_t requests = seen_.took.total();
  std::printf(
      "{\"requests\": %llu, \"errors\": %llu, \"reconnects\": %llu, \"bytes\": %llu, \"seconds\": "
      "%.6f, \"per_second\": %.1f, "
      "\"processor_s\": %.6f, ",
      static_cast<unsigned long long>(requests), static_cast<unsigned long long>(seen_.errors),
      static_cast<unsigned long long>(seen_.reconnects),
      static_cast<unsigned long long>(seen_.bytes), seconds,
      static_cast<double>(requests) / seconds, static_cast<double>(processor_ns_) / 1e9);
  std::printf(
      "\"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": "
      "%.2f}\n",
      us(seen_.took.quantile(50'000)), us(seen_.took.quantile(90'000)),
      us(seen_.took.quantile(99'000)), us(seen_.took.quantile(99'900)), us(seen_.took.largest()));
}

std::string request_of(const Arguments& given) {
  const std::uint64_t body = given.number("body", 0);
  std::string request = (body > 0 ? "POST " : "GET ") + given.text("path", "/small") +
                        " HTTP/1.1\r\nHost: " + given.text("host", "localhost") +
                        "\r\nUser-Agent: load\r\nAccept: */*\r\n";
  if (body > 0) {
    request += "Content-Type: application/octet-stream\r\nContent-Length: " + std::to_string(body) +
               "\r\n";
  }
  return request + "\r\n" + std::string(body, 'x');
}

std::vector<int> numbers_in(std::string_view list) {
  std::vector<int> found;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    found.push_back(static_cast<int>(Arguments::number_in(list.substr(0, comma))));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return found;
}

void measure(const Arguments& given) {
  raise_limits();
  const Wanted wanted{.port = static_cast<std::uint16_t>(given.number("port", 0)),
                      .connections = static_cast<std::uint32_t>(given.number("connections", 1)),
                      .seconds = given.number("seconds", 5),
                      .warm_up = given.number("warm-up", 1),
                      .rate = given.number("rate", 0),
                      .requests_max = given.number("requests", kForever),
                      .request = request_of(given),
                      .watched = numbers_in(given.text("processor-of", ""))};
  Load load(wanted);
  load.run();
  load.print();
}

}  // namespace
}  // namespace bench

int main(int count, char** values) { bench::measure(bench::Arguments(count, values)); }
