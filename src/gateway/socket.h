// socket: non-blocking TCP as the loops use it, and the two buffers of a connection.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::gateway {

enum class Io : std::uint8_t { Done, Blocked, Ended, Broken };

struct Received {
  Io io = Io::Blocked;    // Ended: the peer sends no more
  std::size_t bytes = 0;  // with Done: more than 0
};

struct Sent {
  Io io = Io::
      Done;  // Done: everything; Blocked: the rest is kept; Broken: the connection is gone, all is kept
  std::size_t bytes = 0;     // that the kernel accepted
  std::size_t borrowed = 0;  // of send_beside: those among them that were not kept ones
};

class SplicePipe;
class Transport;

// Bytes on their way out. Holds only what the kernel has not taken yet.
class Outbox {
 public:
  bool empty() const { return from_ == kept_.size(); }
  std::size_t size() const { return kept_.size() - from_; }
  std::string_view view() const { return std::string_view(kept_).substr(from_); }
  void keep(std::string_view bytes) { kept_ += bytes; }
  // Sends what is kept and then `parts`, at most 4, in one call; what does not go is kept.
  [[nodiscard]] Sent send(Transport& to, std::initializer_list<std::string_view> parts = {});
  // As send, but what is left of `borrowed` is not kept.
  [[nodiscard]] Sent send_beside(Transport& to, std::string_view borrowed);
  // Sends what the pipe holds; what does not go is kept. Only when nothing is kept.
  [[nodiscard]] Sent send_from(SplicePipe& pipe, Transport& to);
  void clear();

 private:
  Sent push(Transport& to, std::span<const std::string_view> parts);

  std::string kept_;
  std::size_t from_ = 0;
};

// Bytes that have come in and are not consumed. During an event they may lie in the loop's buffer (`lend`); stash()
// copies what is left of them before that buffer is used again.
class Inbox {
 public:
  std::span<char> bytes();
  std::string_view view() const;
  bool empty() const { return view().empty(); }
  void keep(std::string_view bytes) { kept_ += bytes; }
  // The buffer must stay as it is until stash().
  void lend(std::span<char> bytes);
  void consume(std::size_t n);
  void stash();
  void clear();

 private:
  std::string kept_;
  std::size_t from_ = 0;
  std::span<char> lent_;  // meaningful while nothing is kept
};

// A socket that is connecting to, or already connected with, 127.0.0.1:port.
struct Connecting {
  os::Fd fd;
  bool is_connected = false;
};
[[nodiscard]] Result<Connecting> connect_loopback(std::uint16_t port);
struct SocketPair {
  os::Fd ours;
  os::Fd theirs;
};
[[nodiscard]] Result<SocketPair> make_socket_pair();
// 0, or the errno that a connect has ended with.
[[nodiscard]] int connect_error(int fd);
// Whether an idle connection can still be used: no byte and no end has come in.
[[nodiscard]] bool is_quiet(int fd);

struct Accepted {
  os::Fd fd;
  int error = 0;        // with a closed fd: errno of accept4
  std::string address;  // "127.0.0.1", "::1"
};
[[nodiscard]] Accepted accept_client(int listening);

}  // namespace kelvin::gateway
