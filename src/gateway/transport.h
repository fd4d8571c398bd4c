// transport: one end of a connection, plain or TLS, with the same calls.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "gateway/socket.h"
#include "os/fd.h"

namespace kelvin::gateway {

class TlsSnapshot;
class TlsStream;

// Owned by one loop.
class Transport {
 public:
  explicit Transport(os::Fd fd);
  // The server's side of TLS; the handshake happens inside receive().
  Transport(os::Fd fd, std::shared_ptr<const TlsSnapshot> certificates);
  Transport(Transport&&) noexcept;
  Transport& operator=(Transport&&) noexcept;
  ~Transport();

  int fd() const { return fd_.get(); }
  bool is_open() const { return fd_.is_open(); }
  bool is_secure() const { return tls_ != nullptr; }
  void close();
  // The socket goes to the caller. Plain only.
  int release() { return fd_.release(); }

  [[nodiscard]] Received receive(std::span<char> into);
  // Whether more may be received without a new event, where `received` bytes came of `asked`.
  bool may_hold_more(std::size_t received, std::size_t asked) const;
  // At most 5 parts, in one call; those that are empty are left out. Done: all of it went.
  [[nodiscard]] Sent send(std::span<const std::string_view> parts);
  // Bytes taken by send() that are not with the kernel yet.
  bool has_unsent() const;
  // Nothing more is sent; the peer sees an end. What still comes in is worth no reading.
  void finish_sending();
  // A client that speaks plain HTTP to a TLS port is told so.
  void answer_plain_http();

 private:
  os::Fd fd_;
  std::unique_ptr<TlsStream> tls_;  // null: plain
  bool is_finished_ = false;
};

}  // namespace kelvin::gateway
