#include "takeover/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "os/clock.h"
#include "os/system_error.h"
#include "takeover/codec.h"

namespace kelvin::takeover {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
// Descriptors that have come and whose message has not.
constexpr std::size_t kFdsMax = 64;

tl::unexpected<Error> closed() {
  return fail(Code::Unavailable, Blame::Platform, Retry::Never,
              "the other platform process has closed the connection");
}

tl::unexpected<Error> wrong(std::string why) {
  return fail(Code::Invalid, Blame::Platform, Retry::Never, std::move(why));
}

// The kernel makes at most one message of what one call sent with descriptors.
ssize_t send_piece(int socket, std::string_view bytes, int fd) {
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

bool would_wait(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

void take_fds(msghdr& message, std::deque<os::Fd>& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(part) + i * sizeof(int), sizeof raw);
      into.emplace_back(raw);
    }
  }
}

int milliseconds_until(Instant until) {
  if (until == Instant::never()) return -1;
  const std::int64_t left = whole_ms(until - os::boot_now()) + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

}  // namespace

Result<Channel::Ends> Channel::pair() {
  int raw[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw) != 0)
    return os::fail_errno("socketpair", errno);
  Ends ends{.here = os::Fd(raw[0]), .there = os::Fd(raw[1])};
  if (::fcntl(ends.there.get(), F_SETFD, 0) != 0) return os::fail_errno("fcntl", errno);
  return ends;
}

Result<std::unique_ptr<Channel>> Channel::create(os::Fd socket) {
  int type = 0;
  int domain = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
      type != SOCK_STREAM || domain != AF_UNIX)
    return wrong("the descriptor is no connection to another platform process");
  if (::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) return os::fail_errno("fcntl", errno);
  KELVIN_TRY(os::EventFd wake, os::EventFd::create());
  return std::unique_ptr<Channel>(new Channel(std::move(socket), std::move(wake)));
}

Channel::~Channel() { end(); }

void Channel::end() {
  close();
  thread_.join();
}

void Channel::close() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  wake_.signal();
}

// --- sending ---------------------------------------------------------------------------------------------------------

void Channel::post(Message message, os::Fd fd) {
  Result<std::string> bytes = encode(std::move(message));
  {
    const std::scoped_lock lock(sending_);
    if (is_broken_) return;
    if (!bytes || unsent_ + bytes->size() > kUnsentBytesMax) {
      is_broken_ = true;
      outgoing_.clear();
      ::shutdown(socket_.get(), SHUT_RDWR);
      return;
    }
    unsent_ += bytes->size();
    outgoing_.push_back({.bytes = std::move(*bytes), .fd = std::move(fd)});
  }
  if (!send_some()) wake_.signal();
}

// True when nothing is left to send.
bool Channel::send_some() {
  const std::scoped_lock lock(sending_);
  while (!outgoing_.empty() && !is_broken_) {
    Outgoing& next = outgoing_.front();
    const int fd = next.sent == 0 ? next.fd.get() : -1;
    const ssize_t sent =
        send_piece(socket_.get(), std::string_view(next.bytes).substr(next.sent), fd);
    if (sent < 0 && would_wait(errno)) return false;
    if (sent < 0) {
      is_broken_ = true;
      outgoing_.clear();
      break;
    }
    next.sent += static_cast<std::size_t>(sent);
    unsent_ -= static_cast<std::size_t>(sent);
    if (next.sent == next.bytes.size()) outgoing_.pop_front();
  }
  return true;
}

bool Channel::has_unsent() {
  const std::scoped_lock lock(sending_);
  return !outgoing_.empty();
}

bool Channel::flush(Instant until) {
  while (!send_some()) {
    pollfd item{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&item, 1, milliseconds_until(until)) == 0) return false;
  }
  const std::scoped_lock lock(sending_);
  return !is_broken_;
}

// --- receiving -------------------------------------------------------------------------------------------------------

// False when nothing has come.
Result<bool> Channel::read_some() {
  std::array<char, kPieceBytes> piece;
  iovec part{.iov_base = piece.data(), .iov_len = piece.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kFdsMax)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || would_wait(errno))) return false;
  if (got <= 0) return closed();
  take_fds(message, received_fds_);
  if ((message.msg_flags & MSG_CTRUNC) != 0 || received_fds_.size() > kFdsMax)
    return wrong("the other platform process sent too many descriptors");
  received_.append(piece.data(), static_cast<std::size_t>(got));
  return true;
}

// Out of what has come; absent when no whole one is there.
Result<std::optional<Received>> Channel::take_message() {
  KELVIN_TRY(const auto bytes, frame_bytes(received_));
  if (!bytes || received_.size() < *bytes) return std::optional<Received>{};
  KELVIN_TRY(Message message, decode(std::string_view(received_).substr(0, *bytes)));
  received_.erase(0, *bytes);
  Received one{.message = std::move(message), .fd = {}};
  if (std::holds_alternative<ManagementTaken>(one.message)) {
    if (received_fds_.empty())
      return wrong("the other platform process sent a connection without its descriptor");
    one.fd = std::move(received_fds_.front());
    received_fds_.pop_front();
  }
  if (received_.empty() && !received_fds_.empty())
    return wrong("the other platform process sent a descriptor that belongs to nothing");
  return std::optional(std::move(one));
}

Result<std::optional<Received>> Channel::next_message() {
  while (true) {
    KELVIN_TRY(auto one, take_message());
    if (one) return one;
    KELVIN_TRY(const bool has_read, read_some());
    if (!has_read) return std::optional<Received>{};
  }
}

Result<Received> Channel::receive(Instant until, int cancel) {
  while (true) {
    KELVIN_TRY(auto one, next_message());
    if (one) return std::move(*one);
    std::array<pollfd, 2> items{
        {{.fd = socket_.get(),
          .events = static_cast<short>(send_some() ? POLLIN : POLLIN | POLLOUT),
          .revents = 0},
         {.fd = cancel, .events = POLLIN, .revents = 0}}};
    const int ready = ::poll(items.data(), items.size(), milliseconds_until(until));
    if (ready < 0 && errno != EINTR) return os::fail_errno("poll", errno);
    if (ready > 0 && items[1].revents != 0)
      return fail(Code::Refused, Blame::Client, Retry::AfterDelay, "called off");
    if (ready == 0 && os::boot_now() >= until) {
      return fail(Code::TimedOut, Blame::Platform, Retry::AfterDelay,
                  "the other platform process did not answer in time");
    }
  }
}

void Channel::start(Ears ears) {
  ears_ = std::move(ears);
  thread_ = os::Thread("takeover", [this] { run(); });
}

void Channel::stop_listening() {
  is_stopped_ = true;
  wake_.signal();
  thread_.join();
}

void Channel::run() {
  while (!is_stopped_) {
    Result<std::optional<Received>> one = next_message();
    if (!one) {
      {
        const std::scoped_lock lock(sending_);
        is_broken_ = true;
        outgoing_.clear();
      }
      ::shutdown(socket_.get(), SHUT_RDWR);
      return ears_.on_end(one.error());
    }
    if (*one) {
      ears_.on_message(std::move(**one));
      continue;
    }
    const short events = send_some() ? POLLIN : POLLIN | POLLOUT;
    std::array<pollfd, 2> items{{{.fd = socket_.get(), .events = events, .revents = 0},
                                 {.fd = wake_.fd(), .events = POLLIN, .revents = 0}}};
    (void)::poll(items.data(), items.size(), -1);
    if (items[1].revents != 0) (void)wake_.drain();
  }
}

}  // namespace kelvin::takeover
