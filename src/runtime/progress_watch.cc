// progress_watch: whether a starting replica moves on.
#include "runtime/progress_watch.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kelvin::runtime {
namespace {

using model::Progress;

// Growth below this is a counter somewhere, not loading: the kernel charges a control group in steps of 64 pages per
// processor, so that a program which only forks moves by a few of those.
constexpr std::uint64_t kMemoryStepMin = 2 << 20;
constexpr std::uint64_t kReadStep = 1 << 20;
constexpr Duration kCpuStep = 10ms;
// Beyond, the oldest line is forgotten and would count as not seen before.
constexpr std::size_t kLinesMax = 4096;
// What is quoted of a line.
constexpr std::size_t kQuoteMax = 120;

std::string in_mib(Bytes amount) { return std::to_string(amount.count >> 20) + " MiB"; }

}  // namespace

void ProgressWatch::note(Progress progress, std::string what) {
  const bool is_stronger =
      !best_ || (best_->progress == Progress::Weak && progress == Progress::Strong);
  if (is_stronger) best_ = Seen{progress, std::move(what)};
}

void ProgressWatch::observe_memory(Bytes used) {
  const std::uint64_t step = std::max(memory_most_.count / 100, kMemoryStepMin);
  if (used.count < memory_most_.count + step) return;
  memory_most_ = used;
  note(Progress::Strong, "memory grew to " + in_mib(used));
}

void ProgressWatch::observe_read(Bytes read) {
  if (read.count < read_most_.count + kReadStep) return;
  read_most_ = read;
  note(Progress::Strong, "it has read " + in_mib(read));
}

void ProgressWatch::observe_cpu(Duration time) {
  if (time < cpu_most_ + kCpuStep) return;
  cpu_most_ = time;
  note(Progress::Weak, "it has used " + std::to_string(whole_ms(time)) + " ms of processor time");
}

void ProgressWatch::observe_line(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  std::copy_if(line.begin(), line.end(), std::back_inserter(text),
               [](char c) { return c < '0' || c > '9'; });
  const std::string quote(line.substr(0, kQuoteMax));
  const std::size_t hash = std::hash<std::string>{}(text);
  if (!lines_.insert(hash).second) {
    note(Progress::Weak, "it repeats a line: " + quote);
    return;
  }
  lines_in_order_.push_back(hash);
  if (lines_in_order_.size() > kLinesMax) {
    lines_.erase(lines_in_order_.front());
    lines_in_order_.pop_front();
  }
  note(Progress::Strong, "it says: " + quote);
}

void ProgressWatch::observe_readiness(int status) {
  const bool is_another = !status_ || *status_ != status;
  status_ = status;
  if (!is_another || status == 0) return;
  note(Progress::Strong, "the readiness path answers " + std::to_string(status));
}

std::optional<Seen> ProgressWatch::take(Instant now) {
  if (!best_ || (taken_ && now - *taken_ < kInterval)) return std::nullopt;
  taken_ = now;
  return std::exchange(best_, std::nullopt);
}

}  // namespace kelvin::runtime
