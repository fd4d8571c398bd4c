#include "schedule/timetable.h"

#include <algorithm>

#include "schedule/moments.h"

namespace kelvin::schedule {

namespace {

// Windows that are joined; beyond, an end is out of sight.
constexpr int kJoinedMax = 32;

std::string length_words(Duration length) {
  std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(length).count();
  std::string words;
  for (const auto& [unit, letter] : {std::pair{3600, 'h'}, std::pair{60, 'm'}, std::pair{1, 's'}}) {
    if (seconds >= unit) words += std::to_string(seconds / unit) + letter;
    seconds %= unit;
  }
  return words;
}

UnixSeconds seconds_of(Duration length) {
  return std::chrono::duration_cast<std::chrono::seconds>(length).count();
}

}  // namespace

std::string words_of(const model::ScheduleRule& rule) {
  const std::string ends =
      rule.ends.empty() ? "for " + length_words(rule.length) : "until `" + rule.ends + "`";
  return "`" + rule.begins + "` " + ends + ", " + rule.zone;
}

Result<Timetable::Rule> Timetable::read(const model::ScheduleRule& rule) {
  const auto broken = [&](const std::string& what) {
    return fail(Code::Invalid, Blame::Client, Retry::Never, words_of(rule) + ": " + what);
  };
  const auto begins = parse_cron(rule.begins);
  if (!begins) return broken(begins.error());
  std::optional<Cron> ends;
  if (!rule.ends.empty()) {
    const auto read = parse_cron(rule.ends);
    if (!read) return broken(read.error());
    ends = *read;
  }
  KELVIN_TRY(Zone zone, Zone::find(rule.zone));
  return Rule{.rule = rule, .begins = *begins, .ends = ends, .zone = std::move(zone)};
}

Result<Timetable> Timetable::make(const std::vector<model::ScheduleRule>& rules) {
  Timetable timetable;
  for (const model::ScheduleRule& rule : rules) {
    KELVIN_TRY(Rule read_rule, read(rule));
    timetable.rules_.push_back(std::move(read_rule));
  }
  return timetable;
}

std::optional<UnixSeconds> Timetable::end_of(const Rule& rule, UnixSeconds begin) {
  if (rule.ends) return next_after(*rule.ends, rule.zone, begin);
  return begin + seconds_of(rule.rule.length);
}

std::optional<Window> Timetable::window_at(const Rule& rule, UnixSeconds moment) {
  const auto begin = last_until(rule.begins, rule.zone, moment);
  if (!begin) return std::nullopt;
  const auto end = end_of(rule, *begin);
  // An end that never comes closes nothing.
  if (end && *end <= moment) return std::nullopt;
  Window window{.since = *begin, .until = end};
  for (int i = 0; i < kJoinedMax; ++i) {
    const auto before = last_until(rule.begins, rule.zone, window.since - 1);
    const auto ended = before ? end_of(rule, *before) : std::nullopt;
    if (!ended || *ended < window.since) break;
    window.since = *before;
  }
  UnixSeconds last = *begin;
  for (int i = 0; window.until; ++i) {
    const auto next = next_after(rule.begins, rule.zone, last);
    if (!next || *next > *window.until) return window;
    last = *next;
    const auto until = end_of(rule, last);
    window.until =
        until && i < kJoinedMax ? std::optional(std::max(*until, *window.until)) : std::nullopt;
  }
  return window;
}

Floor Timetable::at(UnixSeconds moment) const {
  Floor floor;
  const auto look_again = [&](std::optional<UnixSeconds> at) {
    if (at && (!floor.changes_at || *at < *floor.changes_at)) floor.changes_at = at;
  };
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    const auto window = window_at(rule, moment);
    if (window) {
      // What has no end in sight may have one later on.
      look_again(window->until ? window->until : std::optional(moment + 86'400));
      if (rule.rule.replicas_min <= floor.replicas_min) continue;
      floor.replicas_min = rule.rule.replicas_min;
      floor.rule = i;
      floor.window = window;
      continue;
    }
    const auto opens = next_after(rule.begins, rule.zone, moment);
    look_again(opens);
    if (floor.window || !opens || (floor.opens && *floor.opens <= *opens)) continue;
    floor.opens = opens;
    floor.rule = i;
  }
  if (floor.window) floor.opens.reset();
  return floor;
}

std::string Timetable::words(const Floor& floor) const {
  if (rules_.empty()) return {};
  const Rule& rule = rules_[floor.rule];
  const std::uint32_t count = rule.rule.replicas_min;
  const std::string what =
      std::to_string(count) + (count == 1 ? " replica by " : " replicas by ") + words_of(rule.rule);
  if (floor.window) {
    return what + ", since " + rule.zone.words(floor.window->since) +
           (floor.window->until ? " until " + rule.zone.words(*floor.window->until)
                                : ", with no end in sight");
  }
  return floor.opens ? "none until " + rule.zone.words(*floor.opens) + ", then " + what
                     : std::string("none any more");
}

}  // namespace kelvin::schedule
