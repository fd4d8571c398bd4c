// client_connection: what a loop knows of a client's connection, whichever protocol it speaks.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "gateway/addresses.h"
#include "gateway/loop.h"
#include "gateway/socket.h"
#include "gateway/transport.h"

namespace kelvin::gateway {

class ClientConnection : public Endpoint {
 public:
  ClientConnection(Loop& loop, Transport transport, std::string address)
      : Endpoint{EndpointKind::Client},
        loop_(loop),
        transport_(std::move(transport)),
        address_(std::move(address)) {}
  virtual ~ClientConnection() = default;

  // `received`: bytes that have been read from it already.
  virtual void begin(std::string_view received) = 0;
  virtual void on_events(std::uint32_t events) = 0;
  // Nothing moved on the connection for too long.
  virtual void on_step_timeout() = 0;
  // Ends where it is idle; else with its last reply.
  virtual void on_drain() = 0;
  // The same, but an idle one stays for one request more: its client may be sending it.
  virtual void on_retire() { on_drain(); }
  // Gives everything back and closes.
  virtual void give_up() = 0;

  bool is_discarded() const { return !transport_.is_open(); }
  Transport& transport() { return transport_; }
  const std::string& address_text() const { return address_; }
  // Among the connections of its address.
  void keep_place(AddressBook::Place place) { place_ = std::move(place); }
  AddressBook::Place take_place() { return std::move(place_); }

 protected:
  Loop& loop_;
  Transport transport_;
  std::string address_;
  AddressBook::Place place_;
};

}  // namespace kelvin::gateway
