// socket: non-blocking TCP as the loops use it, and the two buffers of a connection.
#include "gateway/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"
#include "gateway/pipe.h"
#include "gateway/transport.h"
#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

// What an emptied buffer may keep for its next use; more goes back to the allocator.
constexpr std::size_t kSpareBytes = 4096;

void empty_out(std::string& kept, std::size_t& from) {
  from = 0;
  if (kept.capacity() > kSpareBytes)
    std::string().swap(kept);
  else
    kept.clear();
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

std::string address_text(const sockaddr_storage& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  const std::string_view found(text.data());
  constexpr std::string_view mapped = "::ffff:";
  if (found.starts_with(mapped) && found.find('.') != std::string_view::npos)
    return std::string(found.substr(mapped.size()));
  return std::string(found);
}

}  // namespace

// One call for what is kept and the parts; only what is kept is taken off.
Sent Outbox::push(Transport& to, std::span<const std::string_view> parts) {
  std::array<std::string_view, 5> all{};
  KELVIN_CHECK(parts.size() < all.size());
  all[0] = view();
  std::copy(parts.begin(), parts.end(), all.begin() + 1);
  const Sent sent = to.send(std::span(all).first(parts.size() + 1));
  from_ += std::min(sent.bytes, size());
  if (empty()) empty_out(kept_, from_);
  return sent;
}

Sent Outbox::send(Transport& to, std::initializer_list<std::string_view> parts) {
  const std::size_t before = size();
  const Sent sent = push(to, std::span(parts.begin(), parts.size()));
  if (sent.io == Io::Done) return sent;
  std::size_t skip = sent.bytes - std::min(sent.bytes, before);
  for (const std::string_view part : parts) {
    const std::size_t skipped = std::min(skip, part.size());
    skip -= skipped;
    kept_ += part.substr(skipped);
  }
  return sent;
}

Sent Outbox::send_beside(Transport& to, std::string_view borrowed) {
  const std::size_t before = size();
  Sent sent = push(to, std::span(&borrowed, 1));
  sent.borrowed = sent.bytes - std::min(sent.bytes, before);
  return sent;
}

Sent Outbox::send_from(SplicePipe& pipe, Transport& to) {
  KELVIN_CHECK(empty());
  return pipe.drain(to.fd(), kept_);
}

void Outbox::clear() { empty_out(kept_, from_); }

std::span<char> Inbox::bytes() {
  if (from_ < kept_.size()) return std::span(kept_).subspan(from_);
  return lent_;
}

std::string_view Inbox::view() const {
  if (from_ < kept_.size()) return std::string_view(kept_).substr(from_);
  return {lent_.data(), lent_.size()};
}

void Inbox::lend(std::span<char> bytes) {
  KELVIN_CHECK(lent_.empty());
  if (from_ == kept_.size()) {
    lent_ = bytes;
    return;
  }
  kept_.erase(0, from_);
  from_ = 0;
  kept_.append(bytes.data(), bytes.size());
}

void Inbox::consume(std::size_t n) {
  if (from_ < kept_.size()) {
    KELVIN_CHECK(n <= kept_.size() - from_);
    from_ += n;
    if (from_ == kept_.size()) empty_out(kept_, from_);
    return;
  }
  KELVIN_CHECK(n <= lent_.size());
  lent_ = lent_.subspan(n);
}

void Inbox::stash() {
  if (lent_.empty()) return;
  kept_.assign(lent_.data(), lent_.size());
  from_ = 0;
  lent_ = {};
}

void Inbox::clear() {
  empty_out(kept_, from_);
  lent_ = {};
}

Result<Connecting> connect_loopback(std::uint16_t port) {
  os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return os::fail_errno("make a socket", errno);
  set_no_delay(fd.get());
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0)
    return Connecting{std::move(fd), true};
  if (errno != EINPROGRESS) return os::fail_errno("connect to port " + std::to_string(port), errno);
  return Connecting{std::move(fd), false};
}

Result<SocketPair> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return os::fail_errno("make a socket pair", errno);
  return SocketPair{os::Fd(ends[0]), os::Fd(ends[1])};
}

int connect_error(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

bool is_quiet(int fd) {
  char byte = 0;
  const ssize_t got = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Accepted accept_client(int listening) {
  sockaddr_storage from{};
  socklen_t length = sizeof(from);
  os::Fd fd(::accept4(listening, reinterpret_cast<sockaddr*>(&from), &length,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.is_open()) return {.error = errno};
  set_no_delay(fd.get());
  return {.fd = std::move(fd), .address = address_text(from)};
}

}  // namespace kelvin::gateway
