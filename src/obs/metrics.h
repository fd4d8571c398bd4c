// metrics: writes the Prometheus text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// A family is opened once, then its samples follow. Whoever owns numbers writes them; nothing is
// registered.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace kelvin::obs {

enum class MetricType : std::uint8_t { Counter, Gauge, Histogram };

struct Label {
  std::string_view name;   // [a-zA-Z_][a-zA-Z0-9_]*
  std::string_view value;  // anything
};
using Labels = std::initializer_list<Label>;

// Observations in buckets: counts[i] of them lay at or below bounds[i] and above the bound before;
// the last count, one more than there are bounds, is of those above all bounds.
struct HistogramView {
  std::span<const double> bounds;  // ascending
  std::span<const std::uint64_t> counts;
  double sum = 0;
};

class MetricsWriter {
 public:
  // `name` is [a-zA-Z_:][a-zA-Z0-9_:]*, unique in the page and of counters ends in "_total".
  void family(MetricType type, std::string_view name, std::string_view help);

  // Of the family opened last.
  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::int64_t value);
  void sample(Labels labels, double value);
  void histogram(Labels labels, const HistogramView& view);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void append_sample(std::string_view suffix, Labels labels, std::string_view value);
  void append_labels(Labels labels, std::string_view bound);

  std::string text_;
  std::string name_;
  MetricType type_ = MetricType::Gauge;
  std::set<std::string, std::less<>> names_;
};

}  // namespace kelvin::obs
