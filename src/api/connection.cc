#include "api/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "os/clock.h"

namespace kelvin::api {

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
// How long one wait may last before it looks whether the API closes.
constexpr Duration kWaitMax = 250ms;
constexpr std::size_t kFarewellBytesMax = 16 * 1024 * 1024;

}  // namespace

Connection::Connection(Accepted accepted, const Limits& limits, const std::atomic<bool>& is_closing)
    : socket_(std::move(accepted.socket)),
      received_(std::move(accepted.received)),
      limits_(limits),
      is_closing_(is_closing) {}

bool Connection::wait_for(short events, Instant deadline) const {
  while (!is_closing()) {
    const Duration left = deadline - os::boot_now();
    if (left <= Duration::zero()) return false;
    pollfd watched{.fd = socket_.get(), .events = events, .revents = 0};
    // Rounded up, so that the last part of a millisecond is slept through, not spun through.
    const int ready = ::poll(&watched, 1, static_cast<int>(whole_ms(std::min(left, kWaitMax))) + 1);
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0) return true;
  }
  return false;
}

std::size_t Connection::receive(std::span<char> into, Instant deadline) {
  while (true) {
    const ssize_t n = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return 0;
    if (!wait_for(POLLIN, deadline)) return 0;
  }
}

std::optional<http::Outcome> Connection::read_head(http::RequestHead& head) {
  const Instant deadline = os::boot_now() + limits_.head_time_max;
  std::array<char, 16 * 1024> piece{};
  while (true) {
    const http::Outcome outcome = http::parse_request(received_, {}, head);
    if (outcome.parsed == http::Parsed::Done) {
      body_from_ = head.bytes;
      is_body_read_ = http::framing_of(head) == http::Framing::None;
      return outcome;
    }
    is_body_read_ = false;
    if (outcome.parsed == http::Parsed::Refused) return outcome;
    const std::size_t n = receive(piece, deadline);
    if (n > 0) {
      received_.append(piece.data(), n);
    } else if (os::boot_now() >= deadline) {
      return http::Outcome{.parsed = http::Parsed::Refused,
                           .status = 408,
                           .why = "The request's head did not come in time."};
    } else {
      return std::nullopt;
    }
  }
}

Connection::Body Connection::read_body(const http::RequestHead& head, Bytes most,
                                       const std::function<bool(std::string_view)>& sink) {
  const http::Framing framing = http::framing_of(head);
  if (framing == http::Framing::None) return Body::Whole;
  if (head.content_length.value_or(0) > most.count) return Body::TooLong;
  const bool has_begun = received_.size() > body_from_;
  if (head.expects_continue && !has_begun && !send("HTTP/1.1 100 Continue\r\n\r\n"))
    return Body::Broken;
  const Body outcome = framing == http::Framing::Length ? read_length(*head.content_length, sink)
                                                        : read_chunks(most, sink);
  is_body_read_ = outcome == Body::Whole;
  return outcome;
}

Connection::Body Connection::read_length(std::uint64_t length,
                                         const std::function<bool(std::string_view)>& sink) {
  std::string_view early = std::string_view(received_).substr(body_from_);
  early = early.substr(0, std::min<std::uint64_t>(early.size(), length));
  if (!early.empty() && !sink(early)) return Body::Left;
  std::uint64_t left = length - early.size();
  std::string piece(std::min<std::uint64_t>(left, kPieceBytes), '\0');
  while (left > 0) {
    const std::span<char> room(piece.data(), std::min<std::uint64_t>(left, piece.size()));
    const std::size_t n = receive(room, os::boot_now() + limits_.silence_max);
    if (n == 0) return Body::Broken;
    if (!sink({piece.data(), n})) return Body::Left;
    left -= n;
  }
  return Body::Whole;
}

Connection::Body Connection::read_chunks(Bytes most,
                                         const std::function<bool(std::string_view)>& sink) {
  http::ChunkReader reader;
  std::string input = received_.substr(body_from_);
  std::string piece(kPieceBytes, '\0');
  std::uint64_t taken = 0;
  while (true) {
    std::string_view rest = input;
    while (true) {
      const http::ChunkReader::Step step = reader.feed(rest);
      if (step.parsed == http::Parsed::Refused) return Body::Broken;
      taken += step.payload.size();
      if (taken > most.count) return Body::TooLong;
      if (!step.payload.empty() && !sink(step.payload)) return Body::Left;
      if (step.parsed == http::Parsed::Done) return Body::Whole;
      if (step.consumed == 0) break;
      rest.remove_prefix(step.consumed);
    }
    const std::size_t n = receive(piece, os::boot_now() + limits_.silence_max);
    if (n == 0) return Body::Broken;
    input = std::string(rest);
    input.append(piece.data(), n);
  }
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (!wait_for(POLLOUT, os::boot_now() + limits_.silence_max)) return false;
  }
  return true;
}

bool Connection::has_left() const {
  pollfd watched{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&watched, 1, 0) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Connection::finish() {
  if (!socket_.is_open()) return;
  ::shutdown(socket_.get(), SHUT_WR);
  if (!is_body_read_) {
    const Instant deadline = os::boot_now() + limits_.farewell_max;
    std::array<char, 16 * 1024> piece{};
    std::size_t taken = 0;
    while (taken < kFarewellBytesMax) {
      const std::size_t n = receive(piece, deadline);
      if (n == 0) break;
      taken += n;
    }
  }
  socket_.reset();
}

}  // namespace kelvin::api
