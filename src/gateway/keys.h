// keys: which key a request has shown.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/admit/admit.h"
#include "model/key.h"

namespace kelvin::gateway {

// An immutable index of the keys that exist; shared by the loops.
class KeyRing {
 public:
  KeyRing() = default;
  explicit KeyRing(std::shared_ptr<const std::vector<model::Key>> keys);

  // Null when no such key exists. The hash of the text is compared in constant time; the public prefix only says with
  // which.
  const model::Key* find(std::string_view text) const;

 private:
  std::shared_ptr<const std::vector<model::Key>> keys_;
  std::unordered_multimap<std::string, const model::Key*> by_prefix_;
};

// The token of an Authorization field; empty when it is not a bearer.
[[nodiscard]] std::string_view bearer_of(std::string_view authorization);

struct Shown {
  admit::Presented presented = admit::Presented::Nothing;
  const model::Key* key = nullptr;  // with Known
};
[[nodiscard]] Shown judge_bearer(const KeyRing& ring, std::string_view bearer);

}  // namespace kelvin::gateway
