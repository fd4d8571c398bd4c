// h1_upstream: one HTTP/1.1 connection to a replica.
#pragma once

#include <cstdint>
#include <string>

#include "base/id.h"
#include "gateway/body.h"
#include "gateway/heads.h"
#include "gateway/loop.h"
#include "gateway/socket.h"
#include "gateway/timers.h"
#include "gateway/transport.h"
#include "gateway/upstream.h"

namespace kelvin::gateway {

class Exchange;

// Idle in its loop's pool, or bound to one exchange. Owned by the loop.
class H1Upstream : public Endpoint, public Upstream {
 public:
  H1Upstream(Loop& loop, ReplicaId to, os::Fd socket, bool connected);

  // Its next request. `form`: how the request's body is sent.
  void bind(Exchange& exchange, BodyOut form);

  ReplicaId replica() const { return replica_; }
  bool is_idle() const { return exchange_ == nullptr; }
  bool is_discarded() const { return !transport_.is_open(); }
  Transport& transport() { return transport_; }
  Timer& timer() { return timer_; }
  void on_events(std::uint32_t events);
  void on_connect_timeout();
  // In the pool from here on.
  void become_idle();
  void close();

  bool is_connected() const override { return is_connected_; }
  bool is_reused() const override { return is_reused_; }
  bool can_take() const override { return may_write_; }
  Sent send(Outbox& kept, const Outgoing& outgoing) override;
  void read_reply() override;
  void leave(bool keeps) override;

 private:
  // Bytes that came; 0: there is nothing to go on with.
  std::size_t read_piece(Downstream& downstream);
  std::size_t read_by_pipe(Downstream& downstream);
  bool goes_by_pipe(const Downstream& downstream) const;
  // After a read that brought no bytes.
  void nothing_came(Io io);
  void take_reply(std::span<char> bytes);
  void take_head(const http::ResponseHead& head);
  void take_body(std::span<char> bytes);
  Sent send_framed(Outbox& kept, const Outgoing& outgoing);

  Loop& loop_;
  ReplicaId replica_;
  Transport transport_;  // closed: discarded, waiting to be freed
  Exchange* exchange_ = nullptr;
  bool is_connected_;
  bool is_reused_ = false;
  bool may_read_ = false;
  bool may_write_;
  bool saw_end_ = false;  // its end has been announced; data may still lie before it
  Timer timer_;           // of connecting, or of being idle

  // Of the request on it.
  BodyOut form_;
  bool head_is_done_ = false;
  bool is_tunnel_ = false;
  bool end_is_said_ = false;  // the exchange has given the end of the request's body
  bool stays_ = false;        // it may carry another request,
  Duration idle_for_{};       // when that comes within so long
  std::uint32_t interim_heads_ = 0;
  BodyReader body_;
  std::string head_bytes_;  // of a head that has not come whole
};

}  // namespace kelvin::gateway
