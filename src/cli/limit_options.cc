#include "cli/limit_options.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <tl/expected.hpp>

#include "appfile/values.h"
#include "cli/table.h"
#include "cli/text.h"

namespace kelvin::cli {

namespace {

using gateway::GatewayLimits;
using gateway::LimitRow;
using gateway::LimitUnit;

// Where a setting comes from: "--limit header-time", "KELVIN_LIMIT_HEADER_TIME".
struct Setting {
  std::string source;
  std::string_view value;
};

std::string variable_of(const LimitRow& row) {
  std::string name = "KELVIN_LIMIT_";
  for (const char c : row.name)
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
  return name;
}

tl::unexpected<Failure> wrong(std::string what, std::string why) {
  return failed({.exit = ExitCode::Usage,
                 .code = "usage",
                 .what = std::move(what),
                 .why = std::move(why),
                 .next = "see kelvin serve --limits"});
}

std::string_view example_of(LimitUnit unit) {
  switch (unit) {
    case LimitUnit::Time:
      return "a time such as 500ms, 90s, 10m or 2h";
    case LimitUnit::Size:
      return "a size such as 4096, 64KiB or 32MiB";
    case LimitUnit::Count:
      return "a whole number";
    case LimitUnit::Rate:
      return "a size per second such as 240B/s or 1KiB/s";
  }
  return "";
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<std::uint64_t> read_bytes(std::string_view text) {
  if (text.ends_with('B') && is_number(text.substr(0, text.size() - 1))) text.remove_suffix(1);
  if (is_number(text)) {
    const auto number = appfile::read_number(text);
    return number ? std::optional(*number) : std::nullopt;
  }
  const auto size = appfile::read_size(text);
  return size ? std::optional(size->count) : std::nullopt;
}

std::optional<std::uint64_t> read_value(LimitUnit unit, std::string_view text) {
  switch (unit) {
    case LimitUnit::Time: {
      const auto length = appfile::read_duration(text);
      return length ? std::optional(static_cast<std::uint64_t>(length->count())) : std::nullopt;
    }
    case LimitUnit::Rate:
      if (text.ends_with("/s")) text.remove_suffix(2);
      return read_bytes(text);
    case LimitUnit::Size:
      return read_bytes(text);
    case LimitUnit::Count: {
      const auto number = appfile::read_number(text);
      return number ? std::optional(*number) : std::nullopt;
    }
  }
  return std::nullopt;
}

Attempt<void> set(const LimitRow& row, const Setting& setting, GatewayLimits& limits) {
  const auto value = read_value(row.unit, setting.value);
  if (!value)
    return wrong(setting.source, "expected " + std::string(example_of(row.unit)) + ", found \"" +
                                     printable(setting.value) + "\"");
  if (*value < row.least || *value > row.most)
    return wrong(setting.source, "it lies between " + limit_text(row.unit, row.least) + " and " +
                                     limit_text(row.unit, row.most) + ", found " +
                                     limit_text(row.unit, *value));
  gateway::set_value(row, *value, limits);
  return {};
}

Attempt<void> set_by_option(const std::string& text, GatewayLimits& limits) {
  const std::size_t sign = text.find('=');
  if (sign == std::string::npos)
    return wrong("--limit", "expected NAME=VALUE, found \"" + printable(text) + "\"");
  const std::string name = text.substr(0, sign);
  const LimitRow* row = gateway::find_limit(name);
  if (row != nullptr)
    return set(*row, {"--limit " + name, std::string_view(text).substr(sign + 1)}, limits);
  std::vector<std::string> known;
  for (const LimitRow& candidate : gateway::limit_rows()) known.emplace_back(candidate.name);
  const std::string near = nearest(name, known);
  return wrong("there is no limit \"" + printable(name) + "\"",
               near.empty() ? "" : "did you mean " + near + "?");
}

std::string text_of(const LimitRow& row, const GatewayLimits& limits) {
  return limit_text(row.unit, gateway::value_of(row, limits));
}

std::string_view word_of(LimitUnit unit) {
  switch (unit) {
    case LimitUnit::Time:
      return "time";
    case LimitUnit::Size:
      return "bytes";
    case LimitUnit::Count:
      return "count";
    case LimitUnit::Rate:
      return "bytes_per_second";
  }
  return "";
}

}  // namespace

Attempt<GatewayLimits> read_limits(const std::vector<std::string>& settings,
                                   const Variables& variable) {
  GatewayLimits limits;
  for (const LimitRow& row : gateway::limit_rows()) {
    const std::string name = variable_of(row);
    const auto value = variable(name);
    if (!value || value->empty()) continue;
    if (auto done = set(row, {name, *value}, limits); !done) return failed(std::move(done.error()));
  }
  for (const std::string& setting : settings) {
    if (auto done = set_by_option(setting, limits); !done) return failed(std::move(done.error()));
  }
  limits.h2.head = limits.head;
  std::string contradiction = gateway::contradiction_of(limits);
  if (!contradiction.empty()) return wrong("these limits contradict each other", contradiction);
  return limits;
}

std::string limit_text(LimitUnit unit, std::uint64_t value) {
  if (unit == LimitUnit::Count) return std::to_string(value);
  if (unit == LimitUnit::Time) {
    const Duration length(static_cast<std::int64_t>(value));
    return value == 0 ? "0s" : appfile::to_text(length);
  }
  const bool has_unit = value != 0 && (value % 1024 == 0 || value % 1000 == 0);
  const std::string text = has_unit ? appfile::to_text(Bytes{value}) : std::to_string(value) + "B";
  return unit == LimitUnit::Rate ? text + "/s" : text;
}

std::string render_limits(const GatewayLimits& limits, const Page& page) {
  Table table{.columns = {{.name = "LIMIT"},
                          {.name = "VALUE", .align = Align::Right},
                          {.name = "DEFAULT", .align = Align::Right},
                          {.name = "BOUNDS", .is_droppable = true},
                          {.name = "BEYOND IT"}}};
  const GatewayLimits defaults;
  for (const LimitRow& row : gateway::limit_rows()) {
    const std::string value = text_of(row, limits);
    const std::string usual = text_of(row, defaults);
    table.rows.push_back({{.text = std::string(row.name)},
                          {.text = value, .tone = value == usual ? Tone::Plain : Tone::Strong},
                          {.text = usual, .tone = Tone::Faint},
                          {.text = std::string(row.covers)},
                          {.text = std::string(row.answer)}});
  }
  return render_table(table, page);
}

std::string write_limits(const GatewayLimits& limits) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const GatewayLimits defaults;
  for (const LimitRow& row : gateway::limit_rows()) {
    rows.push_back({{"name", row.name},
                    {"unit", word_of(row.unit)},
                    {"value", text_of(row, limits)},
                    {"default", text_of(row, defaults)},
                    {"least", limit_text(row.unit, row.least)},
                    {"most", limit_text(row.unit, row.most)},
                    {"bounds", row.covers},
                    {"answer", row.answer},
                    {"variable", variable_of(row)}});
  }
  return nlohmann::ordered_json{{"limits", std::move(rows)}}.dump();
}

std::string limits_markdown() {
  std::string out = "| limit | default | what it bounds | beyond it |\n| --- | --- | --- | --- |\n";
  const GatewayLimits defaults;
  for (const LimitRow& row : gateway::limit_rows()) {
    out += "| `" + std::string(row.name) + "` | " + text_of(row, defaults) + " | " +
           std::string(row.covers) + " | " + std::string(row.answer) + " |\n";
  }
  return out;
}

}  // namespace kelvin::cli
