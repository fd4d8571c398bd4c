#include "cli/plan_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/plan_text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

// As many parts as a chart has pixels on a small screen, so that nothing is drawn twice.
constexpr std::size_t kParts = 240;
constexpr double kLeft = 44;
constexpr double kTop = 22;
constexpr double kWidth = 300;
constexpr double kHeight = 90;

double x_of(std::size_t part) {
  return kLeft + kWidth * static_cast<double>(part) / static_cast<double>(kParts);
}
double y_of(double value, double most) {
  return kTop + kHeight * (1 - std::min(value, most) / most);
}

// Along the values from left to right; where it stays at one height, one stroke.
std::string steps_path(const std::vector<double>& values, double most) {
  std::string path = fmt::format("M{:.1f} {:.1f}", kLeft, y_of(values.front(), most));
  std::string height = fmt::format("{:.1f}", y_of(values.front(), most));
  for (std::size_t part = 1; part < values.size(); ++part) {
    std::string next = fmt::format("{:.1f}", y_of(values[part], most));
    if (next == height) continue;
    path += fmt::format("H{:.1f}V{}", x_of(part), next);
    height = std::move(next);
  }
  return path + fmt::format("H{:.1f}", kLeft + kWidth);
}

std::string layers_text(const Chart& chart) {
  std::string out;
  std::vector<double> below(kParts, 0);
  std::vector<std::string> areas;
  std::string lines;
  for (const Layer& layer : chart.layers) {
    if (layer.is_line) {
      lines += fmt::format("<path class=\"line {}\" d=\"{}\"/>", layer.style,
                           steps_path(layer.values, chart.most));
      continue;
    }
    for (std::size_t i = 0; i < kParts; ++i) below[i] += layer.values[i];
    areas.push_back(fmt::format("<path class=\"area {}\" d=\"{}V{:.1f}H{:.1f}Z\"/>", layer.style,
                                steps_path(below, chart.most), kTop + kHeight, kLeft));
  }
  // The highest stack first: each further one hides what it does not add.
  for (auto area = areas.rbegin(); area != areas.rend(); ++area) out += *area;
  return out + lines;
}

}  // namespace

std::vector<double> resampled(const Series& series, Duration span, Resampling how) {
  std::vector<double> parts(kParts, 0);
  const double width = plan::to_seconds(span) / static_cast<double>(kParts);
  const double step = plan::to_seconds(series.step);
  for (std::size_t part = 0; part < kParts; ++part) {
    const double from = width * static_cast<double>(part);
    const double to = from + width;
    for (auto i = static_cast<std::size_t>(from / step); i < series.values.size(); ++i) {
      const double begin = step * static_cast<double>(i);
      const double overlap = std::min(to, begin + step) - std::max(from, begin);
      if (begin >= to) break;
      if (overlap <= 0) continue;
      parts[part] = how == Resampling::Highest ? std::max(parts[part], series.values[i])
                                               : parts[part] + series.values[i] * overlap / width;
    }
  }
  return parts;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string render_chart(const Chart& chart) {
  const double bottom = kTop + kHeight;
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 352 130\" role=\"img\" aria-label=\"{0}\"><text class=\"title\" "
      "x=\"{1}\" "
      "y=\"12\">{0}</text>",
      escaped(chart.title), kLeft);
  out += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}{}</text>",
                     kLeft - 4, kTop + 8, amount_text(chart.most), escaped(chart.unit));
  out += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>",
                     kLeft - 4, bottom);
  out += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\">0</text>", kLeft, bottom + 13);
  out += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                     kLeft + kWidth, bottom + 13, duration_text(chart.span.count() / 1000));
  out += layers_text(chart);
  out += fmt::format("<path class=\"frame\" d=\"M{0} {1}V{2}H{3}\"/></svg>\n", kLeft, kTop, bottom,
                     kLeft + kWidth);
  return out;
}

}  // namespace kelvin::cli
