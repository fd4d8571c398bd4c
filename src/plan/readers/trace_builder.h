// trace_builder: arrivals gathered one by one into a Trace, within the limits.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "plan/readers/readers.h"
#include "plan/readers/values.h"
#include "plan/trace.h"

namespace kelvin::plan {

class TraceBuilder {
 public:
  explicit TraceBuilder(const ReadOptions& options);

  // The app of this name, which is made at its first mention.
  [[nodiscard]] Checked<std::uint32_t> app(std::string_view name);
  // `at_ns` counts from any moment within kMoments, the same for the whole trace; `service` in seconds, not negative.
  [[nodiscard]] Checked<void> add(std::int64_t at_ns, std::uint32_t app, double service);
  // The same where only tokens are known.
  [[nodiscard]] Checked<void> add_tokens(std::int64_t at_ns, std::uint32_t app, double context,
                                         double generated);
  // For formats whose lines are in order: a complaint about an arrival that comes before the last one added.
  [[nodiscard]] Checked<void> check_order(std::int64_t at_ns, std::string_view name) const;
  [[nodiscard]] Range tokens() const { return {.least = 0, .most = options_.limits.tokens_max}; }

  void skip() { ++result_.skipped; }
  void lose(std::uint64_t requests) { result_.lost += requests; }

  enum class Origin { FirstArrival, Zero };
  // The trace, in order. A complaint where nothing was added.
  [[nodiscard]] Checked<ReadTrace> finish(Format format, Origin origin);

 private:
  const ReadOptions& options_;
  ReadTrace result_;
  std::map<std::string, std::uint32_t, std::less<>> apps_;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
  bool is_in_order_ = true;
};

}  // namespace kelvin::plan
