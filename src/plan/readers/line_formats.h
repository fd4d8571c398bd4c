// line_formats: the formats whose requests stand one a line, each as a function that takes a line.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "plan/readers/trace_builder.h"
#include "plan/readers/values.h"

namespace kelvin::plan {

// Adds the requests of one line to the builder that it was made for.
using TakeLine = std::function<Checked<void>(std::string_view line)>;

// `trace` outlives what is returned.
[[nodiscard]] TakeLine azure_llm_lines(TraceBuilder& trace);
[[nodiscard]] TakeLine azure_functions_lines(TraceBuilder& trace);
[[nodiscard]] TakeLine mooncake_lines(TraceBuilder& trace);
[[nodiscard]] TakeLine access_log_lines(TraceBuilder& trace);

struct LineFormat {
  Format format = Format::AzureLlm;
  std::string_view header;  // the first line; empty: there is none
  TakeLine (*begin)(TraceBuilder& trace) = nullptr;
};
[[nodiscard]] std::span<const LineFormat> line_formats();

// From the first line of a file that is not blank.
[[nodiscard]] Checked<Format> recognise(std::string_view first_line);

}  // namespace kelvin::plan
