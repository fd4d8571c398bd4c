// upstream: the server behind every proxy: answers at once, from memory, so that what is measured is what stands before it.
//
//   upstream --port N [--after FILE]
//
// GET /small, /64k, /1m: replies of that size. POST: reads the body (Content-Length) and answers small. GET /order: the number of
// requests for it so far, counted in the order in which they are read. GET /sse?events_per_s=R&count=N: an event stream in
// chunks; each event says when it was sent, in nanoseconds of CLOCK_MONOTONIC. With --after it listens once that file exists.
// One thread; nothing is allocated once a connection is open.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "sockets.h"

namespace bench {
namespace {

constexpr std::size_t kConnectionsMax = 65536;
constexpr std::size_t kHeadMax = 1024;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLookAgain = 5'000'000;
// Streams begin at different points of their period, spread as evenly as the golden ratio spreads them.
constexpr std::uint64_t kGolden = 618'033'988;

std::string reply_of(std::size_t body_bytes) {
  std::string body;
  for (std::size_t i = 0; i < body_bytes; ++i) body += static_cast<char>('a' + i % 26);
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n" + body;
}

struct Connection {
  std::uint64_t body_left = 0;   // of the request that is being read
  std::string_view unsent;       // of the reply that is being written
  std::uint32_t generation = 0;  // of the descriptor: events of an earlier stream are dropped
  std::uint64_t events_left = 0;
  std::uint64_t period_ns = 0;
  std::uint16_t head_length = 0;  // of a head that came in pieces
  std::array<char, kHeadMax> head;
};

struct Due {
  std::uint64_t at_ns = 0;
  std::uint32_t fd = 0;
  std::uint32_t generation = 0;
  bool operator>(const Due& other) const { return at_ns > other.at_ns; }
};

class Server {
 public:
  explicit Server(std::uint16_t port);
  [[noreturn]] void run();

 private:
  void accept_all();
  void drop(int fd);
  void read_from(int fd);
  // False when the connection is gone.
  bool take(int fd, std::string_view bytes);
  bool answer(int fd, std::string_view head);
  bool send_reply(int fd, std::string_view reply);
  bool write_on(int fd);
  bool begin_stream(int fd, std::string_view target);
  void send_due_events();
  bool send_event(int fd);

  Epoll epoll_;
  int listener_;
  std::vector<Connection> connections_;
  std::vector<Due> due_;  // a heap, the earliest first
  std::vector<char> buffer_;
  std::string small_ = reply_of(100);
  std::string medium_ = reply_of(64 * 1024);
  std::string large_ = reply_of(1024 * 1024);
  std::string order_reply_;
  std::uint64_t orders_ = 0;
  std::uint64_t streams_ = 0;
};

Server::Server(std::uint16_t port)
    : listener_(listen_on(port)), connections_(kConnectionsMax), buffer_(256 * 1024) {
  due_.reserve(kConnectionsMax);
  order_reply_.reserve(256);
  epoll_.add(listener_, EPOLLIN, static_cast<std::uint64_t>(listener_));
}

void Server::run() {
  while (true) {
    const std::uint64_t until = due_.empty() ? now_ns() + 3600 * kSecond : due_.front().at_ns;
    for (const epoll_event& event : epoll_.wait(until)) {
      const int fd = static_cast<int>(event.data.u64);
      if (fd == listener_) {
        accept_all();
      } else if ((event.events & EPOLLOUT) != 0 && !write_on(fd)) {
        continue;
      } else if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_from(fd);
      }
    }
    send_due_events();
  }
}

void Server::accept_all() {
  for (int fd = accept_from(listener_); fd >= 0; fd = accept_from(listener_)) {
    if (static_cast<std::size_t>(fd) >= kConnectionsMax) {
      ::close(fd);
      continue;
    }
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    connection.body_left = connection.events_left = 0;
    connection.head_length = 0;
    connection.unsent = {};
    ++connection.generation;
    epoll_.add(fd, EPOLLIN, static_cast<std::uint64_t>(fd));
  }
}

void Server::drop(int fd) {
  ++connections_[static_cast<std::size_t>(fd)].generation;
  ::close(fd);
}

// One read per event: what is left makes the descriptor ready again.
void Server::read_from(int fd) {
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  if (connection.body_left > buffer_.size()) {
    // Nobody looks at the bytes of a body, so the kernel need not copy them.
    const ssize_t count = ::recv(fd, nullptr, connection.body_left, MSG_TRUNC);
    if (count > 0) connection.body_left -= static_cast<std::uint64_t>(count);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return drop(fd);
    if (connection.body_left == 0) send_reply(fd, small_);
    return;
  }
  const ssize_t count = ::recv(fd, buffer_.data(), buffer_.size(), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN)) return drop(fd);
  if (count > 0) take(fd, {buffer_.data(), static_cast<std::size_t>(count)});
}

bool Server::take(int fd, std::string_view bytes) {
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  while (!bytes.empty()) {
    if (connection.body_left > 0) {
      const std::size_t count = std::min<std::uint64_t>(connection.body_left, bytes.size());
      connection.body_left -= count;
      bytes.remove_prefix(count);
      if (connection.body_left == 0 && !send_reply(fd, small_)) return false;
      continue;
    }
    if (connection.head_length == 0) {
      const std::size_t end = bytes.find("\r\n\r\n");
      if (end != std::string_view::npos) {
        if (!answer(fd, bytes.substr(0, end + 2))) return false;
        bytes.remove_prefix(end + 4);
        continue;
      }
    }
    // A head in pieces is put together byte by byte: it is rare.
    connection.head[connection.head_length++] = bytes.front();
    bytes.remove_prefix(1);
    const std::string_view held(connection.head.data(), connection.head_length);
    if (held.ends_with("\r\n\r\n")) {
      connection.head_length = 0;
      if (!answer(fd, held.substr(0, held.size() - 2))) return false;
    } else if (connection.head_length == kHeadMax) {
      drop(fd);
      return false;
    }
  }
  return true;
}

std::uint64_t number_after(std::string_view text, std::string_view name) {
  std::uint64_t value = 0;
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::from_chars(text.data() + at + name.size(), text.data() + text.size(), value);
  return value;
}

std::uint64_t content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\ncontent-length:";
  for (std::size_t at = head.find("\r\n"); at + kName.size() < head.size();
       at = head.find("\r\n", at + 2)) {
    if (::strncasecmp(head.data() + at, kName.data(), kName.size()) != 0) continue;
    std::string_view value = head.substr(at + kName.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    return number_after(value, "");
  }
  return 0;
}

bool Server::answer(int fd, std::string_view head) {
  if (head.starts_with("POST ")) {
    const std::uint64_t length = content_length(head);
    connections_[static_cast<std::size_t>(fd)].body_left = length;
    return length == 0 ? send_reply(fd, small_) : true;
  }
  const std::size_t begin = head.find(' ') + 1;
  const std::string_view target = head.substr(begin, head.find(' ', begin) - begin);
  if (target == "/64k") return send_reply(fd, medium_);
  if (target == "/1m") return send_reply(fd, large_);
  if (target.starts_with("/sse?")) return begin_stream(fd, target);
  if (target == "/order") {
    // Short enough that the kernel takes it whole, so that the one buffer serves all.
    const std::string number = std::to_string(++orders_);
    order_reply_ = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ";
    order_reply_ += std::to_string(number.size());
    order_reply_ += "\r\n\r\n";
    order_reply_ += number;
    return send_reply(fd, order_reply_);
  }
  return send_reply(fd, small_);
}

bool Server::send_reply(int fd, std::string_view reply) {
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  if (!connection.unsent.empty()) give_up("upstream: pipelined requests are not served");
  const ssize_t count = ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    drop(fd);
    return false;
  }
  connection.unsent = reply.substr(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (!connection.unsent.empty()) epoll_.change(fd, EPOLLOUT, static_cast<std::uint64_t>(fd));
  return true;
}

bool Server::write_on(int fd) {
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  const ssize_t count =
      ::send(fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    drop(fd);
    return false;
  }
  if (count > 0) connection.unsent.remove_prefix(static_cast<std::size_t>(count));
  if (connection.unsent.empty()) epoll_.change(fd, EPOLLIN, static_cast<std::uint64_t>(fd));
  return true;
}

bool Server::begin_stream(int fd, std::string_view target) {
  const std::uint64_t rate = number_after(target, "events_per_s=");
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  connection.events_left = number_after(target, "count=");
  if (rate == 0 || connection.events_left == 0) return send_reply(fd, small_);
  connection.period_ns = kSecond / rate;
  const std::uint64_t phase = ++streams_ * kGolden % kSecond * connection.period_ns / kSecond;
  due_.push_back({now_ns() + phase, static_cast<std::uint32_t>(fd), connection.generation});
  std::push_heap(due_.begin(), due_.end(), std::greater<>());
  return send_reply(
      fd,
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
}

void Server::send_due_events() {
  const std::uint64_t now = now_ns();
  while (!due_.empty() && due_.front().at_ns <= now) {
    std::pop_heap(due_.begin(), due_.end(), std::greater<>());
    Due& next = due_.back();
    Connection& connection = connections_[next.fd];
    const bool goes_on = next.generation == connection.generation &&
                         send_event(static_cast<int>(next.fd)) && connection.events_left > 0;
    if (goes_on) {
      next.at_ns += connection.period_ns;
      std::push_heap(due_.begin(), due_.end(), std::greater<>());
    } else {
      due_.pop_back();
    }
  }
}

bool Server::send_event(int fd) {
  Connection& connection = connections_[static_cast<std::size_t>(fd)];
  std::array<char, 64> text;
  // "data: " + 16 digits + "\n\n" are 24 bytes. 16 digits last for 115 days of uptime.
  const bool is_last = --connection.events_left == 0;
  const int length =
      std::snprintf(text.data(), text.size(), "18\r\ndata: %016llu\n\n\r\n%s",
                    static_cast<unsigned long long>(now_ns()), is_last ? "0\r\n\r\n" : "");
  const ssize_t count = ::send(fd, text.data(), static_cast<std::size_t>(length), MSG_NOSIGNAL);
  if (count == length) return true;
  // A reader so far behind that its socket is full: the stream cannot be measured any more.
  drop(fd);
  return false;
}

[[noreturn]] void serve(const Arguments& given) {
  raise_limits();
  const std::string awaited = given.text("after", "");
  Epoll pause;
  while (!awaited.empty() && ::access(awaited.c_str(), F_OK) != 0)
    pause.wait(now_ns() + kLookAgain);
  Server(static_cast<std::uint16_t>(given.number("port", 0))).run();
}

}  // namespace
}  // namespace bench

int main(int count, char** values) { bench::serve(bench::Arguments(count, values)); }
