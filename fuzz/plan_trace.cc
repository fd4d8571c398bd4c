// Fuzzes the readers of traces: what is accepted is in order and within the limits, however it is cut into pieces.
//
// An input that begins with a zero byte is a client of a ServeGen folder: its windows, another zero byte, its tables.
// Any other is a file, in whatever format it looks like.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "plan/readers/readers.h"
#include "plan/readers/servegen.h"
#include "plan/readers/test_bytes.h"

using namespace kelvin;
using namespace kelvin::plan;

namespace {

void check(const ReadTrace& read, const ReadLimits& limits) {
  const Trace& trace = read.trace;
  KELVIN_CHECK(!trace.arrivals.empty() && trace.arrivals.size() <= limits.requests_max);
  KELVIN_CHECK(trace.apps.size() <= limits.apps_max);
  KELVIN_CHECK(std::ranges::is_sorted(trace.arrivals, {}, &Arrival::at));
  KELVIN_CHECK(trace.arrivals.front().at >= Duration{} &&
               trace.arrivals.back().at <= limits.span_max);
  for (const Arrival& arrival : trace.arrivals) {
    KELVIN_CHECK(arrival.app < trace.apps.size());
    KELVIN_CHECK(arrival.service >= Duration{} && arrival.service <= limits.service_max);
  }
}

void try_client(std::string_view text, const ReadOptions& options) {
  const std::size_t middle = std::min(text.find('\0'), text.size());
  const std::string_view dataset = text.substr(std::min(middle + 1, text.size()));
  const auto client = read_client({.number = 1,
                                   .trace_name = "trace",
                                   .dataset_name = "dataset",
                                   .trace = bytes_of(text.substr(0, middle)),
                                   .dataset = std::string(dataset)},
                                  options.limits);
  if (!client) return;
  const auto read = draw_trace("folder", {*client}, options);
  if (read) check(*read, options.limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ReadOptions options{
      .limits = {.requests_max = 2000, .apps_max = 10, .line_bytes_max = 4096}};
  if (text.starts_with('\0')) {
    try_client(text.substr(1), options);
    return 0;
  }
  const auto whole = read_stream("file", bytes_of(text), options);
  const auto pieces = read_stream("file", bytes_of(text, 3), options);
  KELVIN_CHECK(whole.has_value() == pieces.has_value());
  if (!whole) {
    KELVIN_CHECK(to_text(whole.error()) == to_text(pieces.error()));
    return 0;
  }
  check(*whole, options.limits);
  KELVIN_CHECK(whole->trace.arrivals.size() == pieces->trace.arrivals.size());
  return 0;
}
