#include "plan/readers/line_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace kelvin::plan {

namespace {

constexpr std::array<std::string_view, 3> kAzureLlm = {"TIMESTAMP", "ContextTokens",
                                                       "GeneratedTokens"};
constexpr std::array<std::string_view, 4> kAzureFunctions = {"app", "func", "end_timestamp",
                                                             "duration"};
constexpr std::array<std::string_view, 3> kMooncake = {"timestamp", "input_length",
                                                       "output_length"};
constexpr std::array<std::string_view, 8> kAccessLog = {"app",
                                                        "workspace",
                                                        "replica",
                                                        "time",
                                                        "total_ms",
                                                        "t_first_byte_sent_ns",
                                                        "t_last_byte_read_ns",
                                                        "dropped"};
enum AccessLogMember : std::size_t {
  kApp,
  kWorkspace,
  kReplica,
  kTime,
  kTotalMs,
  kFirstByteSent,
  kLastByteRead,
  kDropped,
};
// Apps of this workspace are shown by their bare names, as everywhere in Kelvin.
constexpr std::string_view kDefaultWorkspace = "default";

constexpr std::array<LineFormat, 4> kLineFormats = {{
    {Format::AzureLlm, "TIMESTAMP,ContextTokens,GeneratedTokens", azure_llm_lines},
    {Format::AzureFunctions, "app,func,end_timestamp,duration", azure_functions_lines},
    {Format::Mooncake, "", mooncake_lines},
    {Format::AccessLog, "", access_log_lines},
}};

Checked<void> add_served(JsonLine& line, TraceBuilder& trace) {
  const std::string_view workspace = line.text(kWorkspace);
  std::string name(line.text(kApp));
  if (!workspace.empty() && workspace != kDefaultWorkspace)
    name = std::string(workspace) + "/" + name;
  const std::int64_t ended_ns = line.moment(kTime);
  // A year, so that even the largest fits into nanoseconds.
  const double total_ms = line.number(kTotalMs, {.least = 0, .most = 365.0 * 86'400'000});
  const std::int64_t sent_ns = line.whole_number(kFirstByteSent);
  const std::int64_t read_ns = line.whole_number(kLastByteRead);
  if (line.complaint()) return tl::unexpected(*line.complaint());
  if (sent_ns <= 0 || read_ns <= 0) {
    // No byte of it reached the replica.
    trace.skip();
    return {};
  }
  if (read_ns < sent_ns) return complain("t_last_byte_read_ns is before t_first_byte_sent_ns");
  const Checked<std::uint32_t> app = trace.app(name);
  if (!app) return tl::unexpected(app.error());
  return trace.add(ended_ns - to_ns(total_ms / 1000), *app,
                   static_cast<double>(read_ns - sent_ns) / 1e9);
}

}  // namespace

TakeLine azure_llm_lines(TraceBuilder& trace) {
  return [&trace](std::string_view line) -> Checked<void> {
    Row row(kAzureLlm, line);
    const std::int64_t at_ns = row.moment(0);
    const double context = row.number(1, trace.tokens());
    const double generated = row.number(2, trace.tokens());
    if (row.complaint()) return tl::unexpected(*row.complaint());
    if (const Checked<void> order = trace.check_order(at_ns, kAzureLlm[0]); !order) return order;
    const Checked<std::uint32_t> app = trace.app("azure-llm");
    if (!app) return tl::unexpected(app.error());
    return trace.add_tokens(at_ns, *app, context, generated);
  };
}

TakeLine azure_functions_lines(TraceBuilder& trace) {
  return [&trace](std::string_view line) -> Checked<void> {
    Row row(kAzureFunctions, line);
    const double ended = row.number(2, kMoments);
    // Longer ones are refused by the builder, which knows the limit.
    const double duration = row.number(3, {.least = 0, .most = 1e9});
    if (row.complaint()) return tl::unexpected(*row.complaint());
    if (row.text(0).empty() || row.text(1).empty()) return complain("app or func is empty");
    const std::string name = fmt::format("{}/{}", row.text(0), row.text(1));
    const Checked<std::uint32_t> app = trace.app(name);
    if (!app) return tl::unexpected(app.error());
    return trace.add(to_ns(ended) - to_ns(duration), *app, duration);
  };
}

TakeLine mooncake_lines(TraceBuilder& trace) {
  return [&trace](std::string_view line) -> Checked<void> {
    JsonLine request(kMooncake, line);
    const double at_ms = request.number(0, {.least = 0, .most = kMoments.most * 1000});
    const double context = request.number(1, trace.tokens());
    const double generated = request.number(2, trace.tokens());
    if (request.complaint()) return tl::unexpected(*request.complaint());
    const std::int64_t at_ns = to_ns(at_ms / 1000);
    if (const Checked<void> order = trace.check_order(at_ns, kMooncake[0]); !order) return order;
    const Checked<std::uint32_t> app = trace.app("mooncake");
    if (!app) return tl::unexpected(app.error());
    return trace.add_tokens(at_ns, *app, context, generated);
  };
}

TakeLine access_log_lines(TraceBuilder& trace) {
  return [&trace](std::string_view text) -> Checked<void> {
    JsonLine line(kAccessLog, text);
    if (line.has(kDropped)) {
      const double dropped = line.number(kDropped, {.least = 0, .most = 1e15});
      if (line.complaint()) return tl::unexpected(*line.complaint());
      trace.lose(static_cast<std::uint64_t>(dropped));
      return {};
    }
    const bool was_served = !line.text(kApp).empty() && !line.text(kReplica).empty();
    if (line.complaint()) return tl::unexpected(*line.complaint());
    if (was_served) return add_served(line, trace);
    trace.skip();
    return {};
  };
}

std::span<const LineFormat> line_formats() { return kLineFormats; }

Checked<Format> recognise(std::string_view first_line) {
  for (const LineFormat& format : kLineFormats) {
    if (!format.header.empty() && first_line == format.header) return format.format;
  }
  if (first_line.find_first_not_of(" \t") != std::string_view::npos &&
      first_line[first_line.find_first_not_of(" \t")] == '{') {
    static constexpr std::array<std::string_view, 4> kTelling = {"timestamp", "input_length",
                                                                 "request", "dropped"};
    const JsonLine line(kTelling, first_line);
    if (line.complaint()) return tl::unexpected(*line.complaint());
    if (line.has(0) && line.has(1)) return Format::Mooncake;
    if (line.has(2) || line.has(3)) return Format::AccessLog;
  }
  if (std::ranges::count(first_line, ',') == 5) {
    return complain("six columns and no header, as in one client of a ServeGen folder",
                    "Give the folder, and the client with --client N");
  }
  return complain(fmt::format("the first line is {}, which begins no trace that is known",
                              in_quotes(first_line)),
                  "Give a CSV that begins with TIMESTAMP,ContextTokens,GeneratedTokens or with "
                  "app,func,end_timestamp,duration, JSON lines of Mooncake or of Kelvin's access "
                  "log, or a ServeGen folder");
}

}  // namespace kelvin::plan
