// key: who may call what.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/id.h"

namespace kelvin::model {

struct Scopes {
  bool invoke = false;  // call apps
  bool admin = false;   // manage; includes invoke
};

// What one key is due of an app that is asked for more than it has, relative to the other keys that wait.
constexpr std::uint32_t kKeyWeightMax = 100;

using KeyHash = std::array<std::uint8_t, 32>;  // SHA-256 of the whole key text

// The text of a key is "kv_" + 8 characters (its public prefix) + "_" + 43 characters of base64url; only its hash is kept.
struct Key {
  KeyId id;
  std::string name;
  std::string prefix;  // the 8 characters, shown in listings
  std::string workspace = "default";
  Scopes scopes;
  KeyHash hash{};
  std::uint32_t weight = 1;  // 1 to kKeyWeightMax
  std::int64_t created_unix_ms = 0;
};

}  // namespace kelvin::model
