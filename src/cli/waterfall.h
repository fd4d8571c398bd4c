// waterfall: where the time of one request went, drawn as bars.
//
// Server-Timing names the stages in the order in which they followed each other, with decimals of milliseconds:
// "queue;dur=0.2, start;dur=84.6, load;dur=1120, ttfb;dur=98.3". The client's own clock adds what the server cannot see:
// the way there and back, and the body that streamed after the first byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/page.h"

namespace kelvin::cli {

struct Stage {
  std::string name;
  std::int64_t microseconds = 0;
};

// Entries without a duration are left out; anything that cannot be read is skipped.
[[nodiscard]] std::vector<Stage> read_server_timing(std::string_view header);

struct CallTiming {
  std::string app;
  int status = 0;
  std::string request_id;
  std::string cold_start;  // "cold", "parked"; empty: it waited for no start
  std::vector<Stage> stages;
  std::int64_t first_byte_us = 0;  // by the client's clock
  std::int64_t total_us = 0;
};

[[nodiscard]] std::string render_waterfall(const CallTiming& timing, const Page& page);

}  // namespace kelvin::cli
