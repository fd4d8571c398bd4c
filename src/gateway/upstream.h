// upstream: the replica's side of one exchange, whichever protocol the replica speaks.
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/downstream.h"
#include "gateway/socket.h"

namespace kelvin::gateway {

struct Outgoing {
  std::string_view payload;
  bool is_last = false;
  bool is_held = false;  // `payload` stays where it is: what does not go is not kept
  std::span<const http::Field> trailers;  // with is_last
};

class Upstream {
 public:
  virtual ~Upstream() = default;

  // False while it connects: Exchange::on_connected() or connect_failed() follows.
  virtual bool is_connected() const = 0;
  // It has carried a request before.
  virtual bool is_reused() const = 0;
  // Whether send() may be called.
  virtual bool can_take() const = 0;
  // Sends what `kept` holds (the head at first, as text) and then the payload. What does not go is kept in `kept`.
  [[nodiscard]] virtual Sent send(Outbox& kept, const Outgoing& outgoing) = 0;
  // Hands what has come of the reply to the exchange, as long as the client's side has room.
  virtual void read_reply() = 0;
  // The exchange is done with it. `keeps`: it may carry another one, if it wants to.
  virtual void leave(bool keeps) = 0;
};

}  // namespace kelvin::gateway
