// check: stops the program at a broken invariant; stays on in release builds.
#pragma once

namespace kelvin {

// Writes "file:line: check failed: condition" to stderr and aborts. For bugs of ours only; what the outside can
// cause is a Result.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace kelvin

#define KELVIN_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::kelvin::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
