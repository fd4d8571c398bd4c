// keys: which key a request has shown.
#include "gateway/keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "http/message.h"

namespace kelvin::gateway {
namespace {

constexpr std::string_view kMark = "kv_";
constexpr std::size_t kPrefixBytes = 8;
// Longer texts are no keys; nothing is hashed for them.
constexpr std::size_t kKeyBytesMax = 128;

model::KeyHash hash_of(std::string_view text) {
  model::KeyHash hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

}  // namespace

KeyRing::KeyRing(std::shared_ptr<const std::vector<model::Key>> keys) : keys_(std::move(keys)) {
  if (keys_ == nullptr) return;
  for (const model::Key& key : *keys_) by_prefix_.emplace(key.prefix, &key);
}

const model::Key* KeyRing::find(std::string_view text) const {
  if (!text.starts_with(kMark) || text.size() > kKeyBytesMax) return nullptr;
  const auto [first, last] =
      by_prefix_.equal_range(std::string(text.substr(kMark.size(), kPrefixBytes)));
  if (first == last) return nullptr;
  const model::KeyHash hash = hash_of(text);
  for (auto at = first; at != last; ++at)
    if (CRYPTO_memcmp(hash.data(), at->second->hash.data(), hash.size()) == 0) return at->second;
  return nullptr;
}

std::string_view bearer_of(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return {};
  if (!http::same_name(authorization.substr(0, scheme.size()), scheme)) return {};
  std::string_view token = authorization.substr(scheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

Shown judge_bearer(const KeyRing& ring, std::string_view bearer) {
  if (bearer.empty()) return {};
  if (!bearer.starts_with(kMark)) return {.presented = admit::Presented::NotOurs};
  const model::Key* key = ring.find(bearer);
  if (key == nullptr) return {.presented = admit::Presented::Unknown};
  return {.presented = admit::Presented::Known, .key = key};
}

}  // namespace kelvin::gateway
