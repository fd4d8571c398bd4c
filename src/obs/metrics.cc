#include "obs/metrics.h"

#include <charconv>
#include <cmath>

#include "base/check.h"

namespace kelvin::obs {

namespace {

bool is_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    if (!is_letter && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

std::string_view to_text(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
  }
  return "untyped";
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  KELVIN_CHECK(error == std::errc());
  return {text, end};
}

enum class Quotes : std::uint8_t { Escaped, Plain };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes == Quotes::Escaped) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

}  // namespace

void MetricsWriter::family(MetricType type, std::string_view name, std::string_view help) {
  KELVIN_CHECK(is_name(name));
  KELVIN_CHECK(names_.emplace(name).second);
  KELVIN_CHECK(type != MetricType::Counter || name.ends_with("_total"));
  name_ = name;
  type_ = type;
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  append_escaped(text_, help, Quotes::Plain);
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += to_text(type);
  text_ += '\n';
}

void MetricsWriter::sample(Labels labels, std::uint64_t value) {
  append_sample("", labels, std::to_string(value));
}
void MetricsWriter::sample(Labels labels, std::int64_t value) {
  append_sample("", labels, std::to_string(value));
}
void MetricsWriter::sample(Labels labels, double value) {
  append_sample("", labels, number_text(value));
}

void MetricsWriter::histogram(Labels labels, const HistogramView& view) {
  KELVIN_CHECK(type_ == MetricType::Histogram && view.counts.size() == view.bounds.size() + 1);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < view.counts.size(); ++i) {
    below += view.counts[i];
    const std::string bound = i < view.bounds.size() ? number_text(view.bounds[i]) : "+Inf";
    text_ += name_ + "_bucket";
    append_labels(labels, bound);
    text_ += ' ' + std::to_string(below) + '\n';
  }
  append_sample("_sum", labels, number_text(view.sum));
  append_sample("_count", labels, std::to_string(below));
}

void MetricsWriter::append_sample(std::string_view suffix, Labels labels, std::string_view value) {
  KELVIN_CHECK(!name_.empty());
  text_ += name_;
  text_ += suffix;
  append_labels(labels, "");
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

// `bound`: the "le" of a histogram's bucket; empty elsewhere.
void MetricsWriter::append_labels(Labels labels, std::string_view bound) {
  if (labels.size() == 0 && bound.empty()) return;
  char before = '{';
  for (const Label& label : labels) {
    text_ += before;
    text_ += label.name;
    text_ += "=\"";
    append_escaped(text_, label.value, Quotes::Escaped);
    text_ += '"';
    before = ',';
  }
  if (!bound.empty()) {
    text_ += before;
    text_ += "le=\"";
    text_ += bound;
    text_ += '"';
  }
  text_ += '}';
}

}  // namespace kelvin::obs
