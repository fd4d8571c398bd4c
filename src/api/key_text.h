// key_text: keys as people hold them: "kv_" + 8 characters (public) + "_" + 43 characters of base64url (32 random bytes).
#pragma once

#include <string>
#include <string_view>

#include "model/key.h"

namespace kelvin::api {

// A key from the system's randomness.
[[nodiscard]] std::string make_key_text();

[[nodiscard]] bool is_key_text(std::string_view text);
// The 8 public characters; `text` must be a key's.
[[nodiscard]] std::string key_prefix(std::string_view text);
[[nodiscard]] model::KeyHash hash_key_text(std::string_view text);
// Takes the same time wherever the two differ.
[[nodiscard]] bool is_same_hash(const model::KeyHash& a, const model::KeyHash& b);

}  // namespace kelvin::api
