// access: who may use the management API: the request's Host and Origin, and the key it shows.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/reply.h"
#include "http/message.h"
#include "model/key.h"
#include "ports/data_plane.h"
#include "ports/store.h"

namespace kelvin::api {

// A web page can make its reader's browser send requests here, under any name that its own DNS points at this machine;
// it cannot choose the Host and Origin they carry. So both must be ours: localhost, `listen`, the address as bound
// ("HOST:PORT"), or one of `others`, further addresses and names. Where an address is a wildcard, one in numbers is ours
// too: only names can be pointed elsewhere.
[[nodiscard]] OrProblem<void> check_host(const http::RequestHead& head, std::string_view listen,
                                         std::span<const std::string> others);

// All keys, the admin token's among them, shared with the gateway. May be used from any thread.
class KeyRing {
 public:
  explicit KeyRing(std::string_view admin_token);

  // Reads the keys from the store and hands them to the gateway.
  [[nodiscard]] Status load(ports::Store& store, ports::DataPlane& data_plane);
  [[nodiscard]] std::shared_ptr<const std::vector<model::Key>> keys() const;
  [[nodiscard]] bool is_admin_token(std::string_view prefix) const {
    return admin_.prefix == prefix;
  }

  // The key that may manage; a problem with 401 or 403 when none such is shown.
  [[nodiscard]] OrProblem<model::Key> check_admin(const http::RequestHead& head) const;

 private:
  const model::Key admin_;
  mutable std::mutex mutex_;
  std::shared_ptr<const std::vector<model::Key>> keys_;
};

}  // namespace kelvin::api
