// progress_watch: whether a starting replica moves on.
//
// Strong progress is something that a hanging program does not show: memory grown by a hundredth (2 MiB at least), a mebibyte read by threads that live, a
// line never seen before, another answer to the readiness question. Digits of a line are ignored, so that "waiting 1 s",
// "waiting 2 s" is one line. Weak progress is processor time and repeated lines: a compiler shows it, a busy loop too.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/bytes.h"
#include "base/time.h"
#include "model/event.h"

namespace kelvin::runtime {

struct Seen {
  model::Progress progress = model::Progress::Strong;
  std::string what;  // "memory grew to 212 MiB"
};

// One starting replica's. Observations come in any order; take() gives the strongest since the last one taken.
class ProgressWatch {
 public:
  void observe_memory(Bytes used);
  void observe_read(Bytes read);
  void observe_cpu(Duration time);
  void observe_line(std::string_view line);
  // A status of the readiness answer, or 0 while nobody answers.
  void observe_readiness(int status);

  // At most once per kInterval; absent when there was nothing, or too soon.
  static constexpr Duration kInterval = 1s;
  std::optional<Seen> take(Instant now);

 private:
  void note(model::Progress progress, std::string what);

  Bytes memory_most_;
  Bytes read_most_;
  Duration cpu_most_{};
  std::optional<int> status_;
  std::unordered_set<std::size_t> lines_;  // hashes, without digits
  std::deque<std::size_t> lines_in_order_;
  std::optional<Seen> best_;
  std::optional<Instant> taken_;
};

}  // namespace kelvin::runtime
