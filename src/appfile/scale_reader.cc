// scale_reader: the keys below `scale`, how many replicas there are and when.
#include <algorithm>
#include <array>

#include "appfile/app_reader.h"
#include "schedule/cron.h"
#include "schedule/zone.h"

namespace kelvin::appfile {

namespace {

struct UrgencyWord {
  std::string_view word;
  std::uint32_t milli;
};
constexpr std::array<UrgencyWord, 4> kUrgencies{
    {{"batch", 1'000}, {"balanced", 5'000}, {"interactive", 20'000}, {"strict", 100'000}}};

// The key in a rule of the schedule, as complaints show it.
std::string in_rule(std::string_view key) { return std::string(key) + " in scale.schedule"; }

}  // namespace

void AppReader::read_scale(const Node& value) { read_group(value, "scale", kScaleKeys); }

void AppReader::read_scale_min(const Node& value) {
  if (const auto count = reader_.read_count(value, "scale.min", {0, limits_.replicas_max})) {
    app_.spec.scale.replicas_min = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_scale_max(const Node& value) {
  if (const auto count = reader_.read_count(value, "scale.max", {1, limits_.replicas_max})) {
    app_.spec.scale.replicas_max = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_scale_concurrency(const Node& value) {
  if (const auto count =
          reader_.read_count(value, "scale.concurrency", {1, limits_.concurrency_max})) {
    app_.spec.scale.concurrency = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_scale_urgency(const Node& value) {
  std::vector<std::string_view> words;
  for (const UrgencyWord& u : kUrgencies) words.push_back(u.word);
  const std::string most = std::to_string(limits_.urgency_max);
  const std::string expected =
      "batch, balanced, interactive, strict, or a number from 0 to " + most;
  const std::optional<std::string> text = reader_.read_text(value, "scale.urgency", expected);
  if (!text) return;
  for (const UrgencyWord& u : kUrgencies) {
    if (u.word == *text) {
      app_.spec.scale.urgency_milli = u.milli;
      return;
    }
  }
  const Read<std::uint32_t> milli = read_thousandths(*text);
  if (milli && *milli <= limits_.urgency_max * 1000 && !value.is_quoted) {
    app_.spec.scale.urgency_milli = *milli;
    return;
  }
  const std::string_view near = nearest(*text, words);
  const std::string hint =
      near.empty() ? std::string() : "did you mean '" + std::string(near) + "'?";
  reader_.reject(value, "scale.urgency", expected,
                 milli || milli.error().empty() ? hint : milli.error());
}

// --- at which times --------------------------------------------------------------------------------------------------

void AppReader::read_schedule(const Node& value) {
  const std::string expected =
      "a list of rules such as {cron: \"0 8 * * 1-5\", for: 10h, zone: Europe/Berlin, min: 2}";
  const std::span<const Node> items =
      reader_.read_list(value, "scale.schedule", expected, limits_.schedule_max);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string name = "scale.schedule." + std::to_string(i);
    app_.positions[name] = items[i].at;
    schedule_rule_ = {};
    read_group(items[i], name, kScheduleKeys);
    if (items[i].kind == Node::Kind::Map) check_schedule_rule(items[i], name);
    app_.spec.scale.schedule.push_back(schedule_rule_);
  }
}

std::string AppReader::read_cron(const Node& value, std::string_view key) {
  const std::string expected = "five fields such as \"0 8 * * 1-5\"";
  const std::optional<std::string> text = reader_.read_text(value, in_rule(key), expected);
  if (!text) return {};
  const auto cron = schedule::parse_cron(*text);
  if (cron) return *text;
  reader_.reject(value, in_rule(key), expected, shorten(cron.error(), 200));
  return {};
}

void AppReader::read_schedule_cron(const Node& value) {
  schedule_rule_.begins = read_cron(value, "cron");
}

void AppReader::read_schedule_until(const Node& value) {
  schedule_rule_.ends = read_cron(value, "until");
}

void AppReader::read_schedule_for(const Node& value) {
  const Range range{static_cast<std::uint64_t>(limits_.window_min.count()),
                    static_cast<std::uint64_t>(limits_.window_max.count())};
  if (const auto length = reader_.read_time(value, in_rule("for"), range))
    schedule_rule_.length = *length;
}

// Whether there is such a zone only the server knows.
void AppReader::read_schedule_zone(const Node& value) {
  const std::string expected = "a name of the IANA database such as Europe/Berlin or UTC";
  const std::optional<std::string> name = reader_.read_text(value, in_rule("zone"), expected);
  if (!name) return;
  if (!schedule::is_zone_name(*name)) return reader_.reject(value, in_rule("zone"), expected);
  schedule_rule_.zone = *name;
}

void AppReader::read_schedule_min(const Node& value) {
  if (const auto count = reader_.read_count(value, in_rule("min"), {1, limits_.replicas_max})) {
    schedule_rule_.replicas_min = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::check_schedule_rule(const Node& value, const std::string& name) {
  const auto has = [&](std::string_view key) {
    const std::string full = name + "." + std::string(key);
    return app_.positions.contains(full) || meant_.contains(full);
  };
  const auto complain = [&](const std::string& found, const std::string& expected) {
    reader_.complain(
        {.line = value.at.line,
         .column = value.at.column,
         .found = found,
         .expected = expected,
         .message = "a rule of scale.schedule has " + found + "; expected " + expected});
  };
  if (!has("cron")) complain("no cron", "cron: \"0 8 * * 1-5\", when its window opens");
  if (!has("for") && !has("until"))
    complain("neither for nor until", "for: 10h, or until: \"0 18 * * 1-5\", when it closes");
  if (has("for") && has("until")) complain("both for and until", "one of them");
}

// --- the whole -------------------------------------------------------------------------------------------------------

void AppReader::check_scale() {
  model::ScaleRule& scale = app_.spec.scale;
  const bool has_max = app_.positions.contains("scale.max");
  if (app_.spec.fixed_port != 0) {
    if (has_max && scale.replicas_max > 1) {
      const Position at = position_of("scale.max");
      reader_.complain({.line = at.line,
                        .column = at.column,
                        .found = std::to_string(scale.replicas_max),
                        .expected = "1, or port: auto",
                        .message = "scale.max is " + std::to_string(scale.replicas_max) +
                                   ", but replicas on the fixed port " +
                                   std::to_string(app_.spec.fixed_port) +
                                   " cannot run side by side; expected 1, or port: auto"});
      return;
    }
    scale.replicas_max = 1;
  }
  if (scale.replicas_min <= scale.replicas_max) return;
  const Position at = position_of("scale.min");
  const std::string max = std::to_string(scale.replicas_max);
  const std::string origin = has_max                     ? ""
                             : app_.spec.fixed_port != 0 ? " (because of the fixed port)"
                                                         : " (the default)";
  reader_.complain({.line = at.line,
                    .column = at.column,
                    .found = std::to_string(scale.replicas_min),
                    .expected = "at most " + max,
                    .message = "scale.min is " + std::to_string(scale.replicas_min) +
                               ", which is more than scale.max, " + max + origin});
}

void AppReader::check_schedule_minima() {
  const model::ScaleRule& scale = app_.spec.scale;
  for (std::size_t i = 0; i < scale.schedule.size(); ++i) {
    const std::uint32_t least = scale.schedule[i].replicas_min;
    if (least <= scale.replicas_max) continue;
    const Position at = position_of("scale.schedule." + std::to_string(i) + ".min");
    const std::string most = std::to_string(scale.replicas_max);
    reader_.complain({.line = at.line,
                      .column = at.column,
                      .found = std::to_string(least),
                      .expected = "at most " + most,
                      .message = in_rule("min") + " is " + std::to_string(least) +
                                 ", which is more than scale.max, " + most});
  }
}

}  // namespace kelvin::appfile
