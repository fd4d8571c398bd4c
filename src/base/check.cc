#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kelvin {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr,
               "kelvin: %s:%d: check failed: %s. This is a bug of Kelvin; please report it.\n",
               file, line, condition);
  std::abort();
}

}  // namespace kelvin
