// profiler: one profile per part of a program when it runs under callgrind; nothing elsewhere.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) static_cast<void>(name)
#endif

namespace bench {

inline void profiled(std::string_view name, const std::function<void()>& part) {
  const std::string title(name);
  CALLGRIND_ZERO_STATS;
  part();
  CALLGRIND_DUMP_STATS_AT(title.c_str());
}

}  // namespace bench
