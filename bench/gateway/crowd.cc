// crowd: many clients that all ask once, at the same time, and wait for as long as it takes.
//
//   crowd --port N --requests COUNT [--host NAME] [--keys FILE] [--memory-of PID] [--patience S]
//
// Request i is sent after request i - 1, on a connection of its own, with key i modulo the number of lines in FILE. Prints the
// line "sent" once every request has been handed to the kernel; whoever reads it may then let the replies come. The path is /order:
// the reply says as which one the upstream saw the request, so that two of one key that were answered in the wrong order are found.
// Prints one JSON object at the end.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "memory.h"
#include "reply.h"
#include "sockets.h"

namespace bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Wanted {
  std::uint16_t port = 0;
  std::uint32_t requests = 0;
  int watched = 0;
  std::uint64_t patience_ns = 0;
  std::string host;
  std::vector<std::string> keys;
};

struct Client {
  int fd = -1;
  std::uint64_t order = 0;  // as the upstream counted; 0: no reply yet
  Reply reply;
};

class Crowd {
 public:
  explicit Crowd(const Wanted& wanted)
      : wanted_(wanted), clients_(wanted.requests), buffer_(64 * 1024) {}
  void run();
  void print() const;

 private:
  void send_all();
  void read_from(std::uint32_t number);
  std::size_t keys() const { return std::max<std::size_t>(wanted_.keys.size(), 1); }
  std::uint64_t out_of_order() const;

  const Wanted& wanted_;
  Epoll epoll_;
  std::vector<Client> clients_;
  std::vector<char> buffer_;
  std::uint32_t answered_ = 0;
  std::uint32_t refused_ = 0;  // answered with another status
  std::uint32_t broken_ = 0;
  std::uint64_t memory_before_ = 0;
  std::uint64_t first_ns_ = 0;  // of the first reply
  std::uint64_t last_ns_ = 0;
};

void Crowd::send_all() {
  for (std::uint32_t number = 0; number < wanted_.requests; ++number) {
    Client& client = clients_[number];
    client.fd = connect_and_wait(wanted_.port, number);
    epoll_.add(client.fd, EPOLLIN, number);
    std::string request = "GET /order HTTP/1.1\r\nHost: " + wanted_.host + "\r\n";
    if (!wanted_.keys.empty()) {
      request += "Authorization: Bearer " + wanted_.keys[number % wanted_.keys.size()] + "\r\n";
    }
    request += "\r\n";
    must(static_cast<int>(::send(client.fd, request.data(), request.size(), MSG_NOSIGNAL)), "send");
  }
}

void Crowd::run() {
  memory_before_ = resident_bytes(wanted_.watched);
  send_all();
  std::printf("sent\n");
  std::fflush(stdout);
  const std::uint64_t until = now_ns() + wanted_.patience_ns;
  while (answered_ + refused_ + broken_ < wanted_.requests && now_ns() < until) {
    for (const epoll_event& event : epoll_.wait(until)) {
      read_from(static_cast<std::uint32_t>(event.data.u64));
    }
  }
}

void Crowd::read_from(std::uint32_t number) {
  Client& client = clients_[number];
  if (client.fd < 0) return;
  const ssize_t count = ::recv(client.fd, buffer_.data(), buffer_.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  std::size_t used = 0;
  const Reply::Step step =
      count <= 0 ? Reply::Step::Broken
                 : client.reply.take({buffer_.data(), static_cast<std::size_t>(count)}, used,
                                     [&](std::string_view content) {
                                       for (const char byte : content) {
                                         client.order = client.order * 10 +
                                                        static_cast<std::uint64_t>(byte - '0');
                                       }
                                     });
  if (step == Reply::Step::NeedsMore) return;
  last_ns_ = now_ns();
  if (first_ns_ == 0) first_ns_ = last_ns_;
  if (step == Reply::Step::Broken) {
    ++broken_;
  } else if (client.reply.status() == 200) {
    ++answered_;
  } else {
    client.order = 0;
    ++refused_;
  }
  ::close(client.fd);
  client.fd = -1;
}

// Requests that the upstream saw after a later one of the same key.
std::uint64_t Crowd::out_of_order() const {
  std::uint64_t found = 0;
  std::vector<std::uint64_t> highest(keys());
  for (std::uint32_t number = 0; number < wanted_.requests; ++number) {
    const std::uint64_t order = clients_[number].order;
    if (order == 0) continue;
    std::uint64_t& seen = highest[number % keys()];
    if (order < seen) ++found;
    seen = std::max(seen, order);
  }
  return found;
}

void Crowd::print() const {
  std::printf(
      "{\"requests\": %u, \"answered\": %u, \"refused\": %u, \"broken\": %u, \"out_of_order\": "
      "%llu, "
      "\"memory_before_bytes\": %llu, \"first_to_last_s\": %.6f}\n",
      wanted_.requests, answered_, refused_, broken_,
      static_cast<unsigned long long>(out_of_order()),
      static_cast<unsigned long long>(memory_before_),
      static_cast<double>(last_ns_ - first_ns_) / 1e9);
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void measure(const Arguments& given) {
  raise_limits();
  const Wanted wanted{.port = static_cast<std::uint16_t>(given.number("port", 0)),
                      .requests = static_cast<std::uint32_t>(given.number("requests", 1)),
                      .watched = static_cast<int>(given.number("memory-of", 0)),
                      .patience_ns = given.number("patience", 300) * kSecond,
                      .host = given.text("host", "localhost"),
                      .keys = lines_of(given.text("keys", ""))};
  Crowd crowd(wanted);
  crowd.run();
  crowd.print();
}

}  // namespace
}  // namespace bench

int main(int count, char** values) { bench::measure(bench::Arguments(count, values)); }
