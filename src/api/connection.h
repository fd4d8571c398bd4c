// connection: one client's socket, read and written by one thread that waits.
//
// Every wait has a limit and ends early when the API closes. One request is answered; then the connection ends.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/limits.h"
#include "http/message.h"
#include "os/fd.h"

namespace kelvin::api {

class Connection {
 public:
  // `socket` does not block; `received` was read from it already. `is_closing` outlives the connection.
  struct Accepted {
    os::Fd socket;
    std::string received;
  };
  Connection(Accepted accepted, const Limits& limits, const std::atomic<bool>& is_closing);

  // Refused with 408 when the head does not come in time; nullopt when the client leaves first. The views in `head`
  // live as long as the connection.
  std::optional<http::Outcome> read_head(http::RequestHead& head);

  // How reading a body ended.
  enum class Body : std::uint8_t { Whole, TooLong, Broken, Left };
  // Gives the body to `sink` piece by piece until it returns false (Left). `Broken`: the framing is wrong, or nothing
  // came for too long. Sends "100 Continue" first where the client waits for it.
  Body read_body(const http::RequestHead& head, Bytes most,
                 const std::function<bool(std::string_view)>& sink);

  // False: the client is gone or takes nothing for too long.
  [[nodiscard]] bool send(std::string_view bytes);
  // The client has closed, or at least will send nothing more.
  [[nodiscard]] bool has_left() const;
  [[nodiscard]] bool is_closing() const { return is_closing_.load(std::memory_order_relaxed); }

  // Ends the connection. What the client still sends is taken in for a moment: closing at once would make the kernel
  // throw away a reply that it has not read.
  void finish();

 private:
  // Bytes read; 0: closed, broken, too late or closing.
  std::size_t receive(std::span<char> into, Instant deadline);
  bool wait_for(short events, Instant deadline) const;
  Body read_length(std::uint64_t length, const std::function<bool(std::string_view)>& sink);
  Body read_chunks(Bytes most, const std::function<bool(std::string_view)>& sink);

  os::Fd socket_;
  std::string received_;       // head and whatever came with it
  std::size_t body_from_ = 0;  // where in `received_` the body begins
  bool is_body_read_ = true;   // nothing of the request is left in the socket
  const Limits limits_;
  const std::atomic<bool>& is_closing_;
};

}  // namespace kelvin::api
