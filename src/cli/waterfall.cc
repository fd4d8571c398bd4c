#include "cli/waterfall.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

constexpr std::int64_t kBarMax = 48;
constexpr std::int64_t kBarMin = 10;
constexpr std::int64_t kColumnsUnknown = 80;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before the mark, or everything.
std::string_view take_until(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return trimmed(part);
}

// "84.65" milliseconds -> 84'650 microseconds; digits beyond are dropped.
std::optional<std::int64_t> read_microseconds(std::string_view text) {
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  constexpr std::int64_t kMost = 1'000'000'000'000;
  if (error != std::errc() || whole < 0 || whole > kMost) return std::nullopt;
  std::int64_t micro = whole * 1000;
  std::int64_t unit = 100;
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.starts_with('.')) rest.remove_prefix(1);
  for (const char digit : rest) {
    if (digit < '0' || digit > '9') return std::nullopt;
    micro += unit * (digit - '0');
    unit /= 10;
  }
  return micro;
}

std::optional<Stage> read_entry(std::string_view entry) {
  Stage stage{.name = std::string(take_until(entry, ';'))};
  while (!entry.empty()) {
    std::string_view parameter = take_until(entry, ';');
    const std::string_view name = take_until(parameter, '=');
    if (name != "dur") continue;
    const auto microseconds = read_microseconds(parameter);
    if (!microseconds || stage.name.empty()) return std::nullopt;
    stage.microseconds = *microseconds;
    return stage;
  }
  return std::nullopt;
}

// What only the client sees: the way there and back before the first byte, and the body after it.
std::vector<Stage> with_client_stages(const CallTiming& timing) {
  std::vector<Stage> stages = timing.stages;
  std::int64_t known = 0;
  for (const Stage& stage : stages) known += stage.microseconds;
  stages.push_back({"network", std::max<std::int64_t>(timing.first_byte_us - known, 0)});
  stages.push_back({"body", std::max<std::int64_t>(timing.total_us - timing.first_byte_us, 0)});
  return stages;
}

Tone tone_of(std::string_view stage) {
  if (stage == "ttfb" || stage == "body") return Tone::Good;
  if (stage == "load" || stage == "start" || stage == "fetch") return Tone::Cold;
  if (stage == "resume") return Tone::Parked;
  if (stage == "queue" || stage == "place") return Tone::Warm;
  return Tone::Plain;
}

struct Scale {
  std::int64_t total_us = 1;
  std::int64_t columns = kBarMax;
};

// Blanks up to where the stage begins, then its length in eighths of a column; whatever took time leaves a mark.
std::string bar_of(std::int64_t from_us, const Stage& stage, const Scale& scale, const Page& page) {
  constexpr std::array kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const std::int64_t begin = std::min(from_us * scale.columns / scale.total_us, scale.columns - 1);
  if (stage.microseconds == 0) return "";
  const std::int64_t end = (from_us + stage.microseconds) * scale.columns * 8 / scale.total_us;
  const std::int64_t eighths = std::max<std::int64_t>(end - begin * 8, 1);
  std::string bar;
  for (std::int64_t at = 0; at < eighths / 8; ++at) bar += page.has_unicode ? "█" : "#";
  if (page.has_unicode) bar += kEighths[static_cast<std::size_t>(eighths % 8)];
  if (bar.empty()) bar = ".";
  return std::string(static_cast<std::size_t>(begin), ' ') + toned(bar, tone_of(stage.name), page);
}

std::string headline(const CallTiming& timing, const Page& page) {
  std::string line =
      fmt::format("{} answered {} in {}, first byte after {}", timing.app, timing.status,
                  duration_text(timing.total_us), duration_text(timing.first_byte_us));
  if (timing.cold_start == "cold") line += ", from cold";
  if (timing.cold_start == "parked") line += ", from parked";
  line = toned(line, Tone::Strong, page);
  if (!timing.request_id.empty())
    line += fmt::format("\nrequest {}: kelvin explain {}", timing.request_id, timing.request_id);
  return line + "\n";
}

}  // namespace

std::vector<Stage> read_server_timing(std::string_view header) {
  std::vector<Stage> stages;
  while (!header.empty()) {
    const auto stage = read_entry(take_until(header, ','));
    if (stage) stages.push_back(*stage);
  }
  return stages;
}

std::string render_waterfall(const CallTiming& timing, const Page& page) {
  const std::vector<Stage> stages = with_client_stages(timing);
  std::size_t name_width = 0;
  std::size_t time_width = 0;
  std::int64_t total = 0;
  for (const Stage& stage : stages) {
    name_width = std::max(name_width, columns_of(stage.name));
    time_width = std::max(time_width, duration_text(stage.microseconds).size());
    total += stage.microseconds;
  }
  const std::int64_t columns = page.columns == 0 ? kColumnsUnknown : page.columns;
  const std::int64_t room = columns - 1 - static_cast<std::int64_t>(name_width + time_width) - 6;
  const Scale scale{std::max<std::int64_t>(total, 1), std::clamp(room, kBarMin, kBarMax)};
  std::string out = headline(timing, page);
  std::int64_t at = 0;
  for (const Stage& stage : stages) {
    std::string line = fmt::format("  {:<{}}  {:>{}}  ", stage.name, name_width,
                                   duration_text(stage.microseconds), time_width);
    line += bar_of(at, stage, scale, page);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
    at += stage.microseconds;
  }
  return out;
}

}  // namespace kelvin::cli
