// hash: SHA-256 and random bytes, from OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kelvin::os {

// Takes bytes in any number of pieces.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }
  // 64 lower-case hex digits of everything so far; the object starts afresh.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
// Lower-case hex digits, two a byte.
std::string to_hex(std::span<const std::byte> bytes);
// Fills with bytes fit for keys; ends the program when the system has none.
void fill_random(std::span<std::byte> bytes);

}  // namespace kelvin::os
