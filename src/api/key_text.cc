#include "api/key_text.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <span>

#include "os/hash.h"

namespace kelvin::api {

namespace {

constexpr std::string_view kMark = "kv_";
constexpr std::size_t kPrefixBytes = 8;
constexpr std::size_t kSecretBytes = 43;
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// Nothing in it that is easily misread, and a length that divides 256, so that every character is equally likely.
constexpr std::string_view kPrefixAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(kPrefixAlphabet.size() == 32);

std::string base64url(std::span<const std::byte> bytes) {
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  for (const std::byte byte : bytes) {
    bits = bits << 8 | std::to_integer<unsigned>(byte);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += kBase64Url[bits >> held & 63];
    }
  }
  if (held > 0) out += kBase64Url[bits << (6 - held) & 63];
  return out;
}

}  // namespace

std::string make_key_text() {
  std::array<std::byte, kPrefixBytes + 32> random{};
  os::fill_random(random);
  std::string text(kMark);
  for (std::size_t i = 0; i < kPrefixBytes; ++i)
    text += kPrefixAlphabet[std::to_integer<unsigned>(random[i]) & 31];
  text += '_';
  text += base64url(std::span<const std::byte>(random).subspan(kPrefixBytes));
  OPENSSL_cleanse(random.data(), random.size());
  return text;
}

bool is_key_text(std::string_view text) {
  if (text.size() != kMark.size() + kPrefixBytes + 1 + kSecretBytes || !text.starts_with(kMark))
    return false;
  if (text[kMark.size() + kPrefixBytes] != '_') return false;
  return text.find_first_not_of(kBase64Url) == std::string_view::npos;
}

std::string key_prefix(std::string_view text) {
  return std::string(text.substr(kMark.size(), kPrefixBytes));
}

model::KeyHash hash_key_text(std::string_view text) {
  model::KeyHash hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

bool is_same_hash(const model::KeyHash& a, const model::KeyHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace kelvin::api
