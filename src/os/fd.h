// fd: a file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace kelvin::os {

// Closes what it holds when it ends. -1 means that it holds nothing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int raw) noexcept : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return raw_; }
  bool is_open() const { return raw_ >= 0; }

  // The caller owns the descriptor from here on.
  [[nodiscard]] int release() noexcept { return std::exchange(raw_, -1); }
  // Closes what is held and takes `raw` instead.
  void reset(int raw = -1) noexcept {
    if (raw_ >= 0) ::close(raw_);
    raw_ = raw;
  }

 private:
  int raw_ = -1;
};

}  // namespace kelvin::os
