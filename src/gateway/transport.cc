// transport: sends and receives, through TLS where there is any.
#include "gateway/transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "gateway/tls_stream.h"

namespace kelvin::gateway {
namespace {

constexpr std::string_view kPlainAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    "Content-Length: 61\r\n\r\nThis port speaks TLS. Call the same address with https://...\n";

}  // namespace

Transport::Transport(os::Fd fd) : fd_(std::move(fd)) {}
Transport::Transport(os::Fd fd, std::shared_ptr<const TlsSnapshot> certificates)
    : fd_(std::move(fd)), tls_(std::make_unique<TlsStream>(std::move(certificates), fd_.get())) {}
Transport::Transport(Transport&&) noexcept = default;
Transport& Transport::operator=(Transport&&) noexcept = default;
Transport::~Transport() = default;

void Transport::close() {
  if (tls_ != nullptr) tls_->close();
  tls_.reset();
  fd_.reset();
}

Received Transport::receive(std::span<char> into) {
  if (tls_ != nullptr && !is_finished_) return tls_->receive(into);
  while (true) {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    if (got > 0) return {Io::Done, static_cast<std::size_t>(got)};
    if (got == 0) return {Io::Ended, 0};
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Io::Blocked : Io::Broken, 0};
  }
}

bool Transport::may_hold_more(std::size_t received, std::size_t asked) const {
  return tls_ != nullptr ? tls_->may_receive() : received == asked;
}

Sent Transport::send(std::span<const std::string_view> parts) {
  if (tls_ != nullptr) return tls_->send(parts);
  std::array<iovec, 5> pieces{};
  std::size_t count = 0;
  std::size_t total = 0;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    KELVIN_CHECK(count < pieces.size());
    // sendmsg reads only; iovec has no const form.
    pieces[count++] = {const_cast<char*>(part.data()), part.size()};
    total += part.size();
  }
  if (total == 0) return {};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return {Io::Broken, 0};
  const std::size_t accepted = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  return {.io = accepted == total ? Io::Done : Io::Blocked, .bytes = accepted};
}

bool Transport::has_unsent() const { return tls_ != nullptr && tls_->unsent() > 0; }

void Transport::finish_sending() {
  is_finished_ = true;
  if (tls_ != nullptr) tls_->close();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Transport::answer_plain_http() {
  if (tls_ == nullptr || !tls_->spoke_plain_http()) return;
  static_cast<void>(::send(fd_.get(), kPlainAnswer.data(), kPlainAnswer.size(), MSG_NOSIGNAL));
}

}  // namespace kelvin::gateway
