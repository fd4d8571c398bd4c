#include "plan/readers/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "plan/readers/byte_file.h"
#include "plan/readers/line_formats.h"
#include "plan/readers/lines.h"
#include "plan/readers/servegen.h"
#include "plan/readers/trace_builder.h"

namespace kelvin::plan {

namespace {

constexpr std::array<Format, 5> kFormats = {Format::AzureLlm, Format::AzureFunctions,
                                            Format::Mooncake, Format::ServeGen, Format::AccessLog};
constexpr std::uint64_t kToldEvery = std::uint64_t{1} << 20;

const LineFormat& line_format(Format format) {
  const auto found = std::ranges::find(line_formats(), format, &LineFormat::format);
  KELVIN_CHECK(found != line_formats().end());
  return *found;
}

// The same bytes, with the progress told on the way.
ReadBytes told(const ByteFile& file, const ReadOptions& options) {
  if (!options.progress) return file.read;
  return [read = file.read, total = file.bytes, progress = options.progress,
          done = std::uint64_t{0}, due = std::uint64_t{0}](std::span<char> into) mutable {
    const auto count = read(into);
    if (count) done += *count;
    if (done >= due) {
      progress(done, total);
      due = done + kToldEvery;
    }
    return count;
  };
}

// Chooses the format by the current line, and moves past it where it is a header.
Reading<Format> begin(Lines& lines, const ReadOptions& options) {
  const Checked<Format> format =
      options.format ? Checked<Format>(*options.format) : recognise(lines.current());
  if (!format) return lines.refuse(format.error());
  const std::string_view header = line_format(*format).header;
  if (header.empty() || lines.current() == header) return *format;
  return lines.refuse(
      {fmt::format("the first line is {} instead of {}", in_quotes(lines.current()), header),
       "Give a trace with these columns, or the --format that it has"});
}

}  // namespace

std::string_view to_text(Format format) {
  switch (format) {
    case Format::AzureLlm:
      return "azure-llm";
    case Format::AzureFunctions:
      return "azure-functions";
    case Format::Mooncake:
      return "mooncake";
    case Format::ServeGen:
      return "servegen";
    case Format::AccessLog:
      return "access-log";
  }
  return "";
}

std::optional<Format> to_format(std::string_view text) {
  for (const Format format : kFormats) {
    if (to_text(format) == text) return format;
  }
  return std::nullopt;
}

std::span<const Format> formats() { return kFormats; }

std::string to_text(const Refusal& refusal) {
  if (refusal.line == 0) return fmt::format("{}: {}", refusal.file, refusal.what);
  return fmt::format("{}:{}: {}", refusal.file, refusal.line, refusal.what);
}

Reading<ReadTrace> read_stream(const std::string& name, const ReadBytes& bytes,
                               const ReadOptions& options) {
  Lines lines(name, bytes, options.limits.line_bytes_max);
  if (options.format == Format::ServeGen)
    return lines.refuse_file({"not a folder", "Give the folder that holds chunk-N-trace.csv"});
  Reading<bool> has_line = lines.advance();
  if (!has_line) return tl::unexpected(has_line.error());
  if (!*has_line) return lines.refuse_file({"empty", "Give a trace with at least one request"});
  const Reading<Format> format = begin(lines, options);
  if (!format) return tl::unexpected(format.error());
  TraceBuilder trace(options);
  const TakeLine take = line_format(*format).begin(trace);
  if (!line_format(*format).header.empty()) has_line = lines.advance();
  for (; has_line && *has_line; has_line = lines.advance()) {
    const Checked<void> taken = take(lines.current());
    if (!taken) return lines.refuse(taken.error());
  }
  if (!has_line) return tl::unexpected(has_line.error());
  Checked<ReadTrace> whole = trace.finish(*format, TraceBuilder::Origin::FirstArrival);
  if (!whole) return lines.refuse_file(whole.error());
  return std::move(*whole);
}

Reading<ReadTrace> read_trace(const std::string& path, const ReadOptions& options) {
  const Reading<ByteFile> file = open_byte_file(path);
  if (!file) return tl::unexpected(file.error());
  if (!file->is_folder) return read_stream(path, told(*file, options), options);
  if (options.format.value_or(Format::ServeGen) == Format::ServeGen)
    return read_servegen(path, options);
  return tl::unexpected(Refusal{path, 0,
                                fmt::format("a folder, which {} is not", to_text(*options.format)),
                                "Give a file, or leave out --format"});
}

}  // namespace kelvin::plan
