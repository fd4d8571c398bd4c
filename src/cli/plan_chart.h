// plan_chart: curves over time as inline SVG, for plan_page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "plan/outcome.h"

namespace kelvin::cli {

// Values of equal parts of the time from 0 to `span`, from a curve whose steps may have another length. A part's value is
// the average over it, or the highest that the curve has in it.
enum class Resampling { Average, Highest };
struct Series {
  std::vector<double> values;
  Duration step{};
};
[[nodiscard]] std::vector<double> resampled(const Series& series, Duration span, Resampling how);

// What a curve looks like is its class in the page's style sheet.
struct Layer {
  std::string_view style;
  std::vector<double> values;  // one per part of the time
  bool is_line = false;        // else an area, above the areas before it
};
struct Chart {
  std::string title;
  std::vector<Layer> layers;
  double most = 1;   // of the value axis
  std::string unit;  // after the axis's number, " s"
  Duration span{};   // of the time axis
};
[[nodiscard]] std::string render_chart(const Chart& chart);

// For text between tags and in attributes.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace kelvin::cli
