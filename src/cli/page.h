// page: how a piece of text is to be laid out; all that rendering knows of the world.
#pragma once

#include <cstdint>

namespace kelvin::cli {

struct Page {
  int columns = 0;  // 0: without limit
  bool has_colour = false;
  bool has_unicode = false;
  std::int64_t now_unix_ms = 0;  // ages are counted up to here
};

}  // namespace kelvin::cli
