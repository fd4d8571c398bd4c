#include "cli/server_double.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace kelvin::cli {

namespace {

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::size_t content_length(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::strtoull(head.c_str() + at + 16, nullptr, 10);
}

Asked read_request(int connection) {
  std::string bytes;
  char piece[65536];
  for (;;) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end != std::string::npos &&
        bytes.size() >= end + 4 + content_length(bytes.substr(0, end))) {
      const std::string head = bytes.substr(0, end);
      return {head.substr(0, head.find(" HTTP/")), head, bytes.substr(end + 4)};
    }
    const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
    if (got <= 0) return {};
    bytes.append(piece, static_cast<std::size_t>(got));
  }
}

std::string hex(std::size_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%zx", number);
  return text;
}

}  // namespace

ServerDouble::ServerDouble() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  KELVIN_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  KELVIN_CHECK(::listen(listener_, 16) == 0);
  KELVIN_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = os::Thread("double", [this] { serve(); });
}

ServerDouble::~ServerDouble() {
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept
  thread_.join();
  ::close(listener_);
}

void ServerDouble::script(const std::string& line, std::vector<ScriptedAnswer> answers) {
  const std::scoped_lock lock(mutex_);
  answers_[line] = {answers.begin(), answers.end()};
}

std::vector<Asked> ServerDouble::asked() {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

void ServerDouble::serve() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    answer(connection);
    ::close(connection);
  }
}

ScriptedAnswer ServerDouble::next_answer(const std::string& line) {
  const auto it = answers_.find(line);
  if (it == answers_.end()) {
    return {
        .status = 404,
        .body =
            R"({"type":"about:blank","title":"Not scripted","status":404,"code":"not_scripted","detail":")" +
            line + R"(","next":null,"complaints":null})",
        .type = "application/problem+json"};
  }
  ScriptedAnswer answer = it->second.front();
  if (it->second.size() > 1) it->second.pop_front();
  return answer;
}

void ServerDouble::answer(int connection) {
  const Asked asked = read_request(connection);
  if (asked.line.empty()) return;
  ScriptedAnswer answer;
  {
    const std::scoped_lock lock(mutex_);
    asked_.push_back(asked);
    answer = next_answer(asked.line);
  }
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) +
                     " Scripted\r\nConnection: close\r\nContent-Type: " + answer.type + "\r\n";
  for (const std::string& header : answer.headers) head += header + "\r\n";
  if (answer.chunks.empty()) {
    send_all(connection, head + "Content-Length: " + std::to_string(answer.body.size()) +
                             "\r\n\r\n" + answer.body);
    return;
  }
  send_all(connection, head + "Transfer-Encoding: chunked\r\n\r\n");
  for (const std::string& chunk : answer.chunks)
    send_all(connection, hex(chunk.size()) + "\r\n" + chunk + "\r\n");
  if (!answer.breaks_off) send_all(connection, "0\r\n\r\n");
}

}  // namespace kelvin::cli
