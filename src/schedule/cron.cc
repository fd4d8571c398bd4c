#include "schedule/cron.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

namespace kelvin::schedule {

namespace {

constexpr std::size_t kTextMax = 256;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 8> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat", "sun"};

struct Field {
  std::string_view name;
  std::string_view range;
  std::uint32_t least = 0;
  std::uint32_t most = 0;
  std::span<const std::string_view> words;  // the first one stands for `least`
};

constexpr std::array<Field, 5> kFields = {{{"minute", "0-59", 0, 59, {}},
                                           {"hour", "0-23", 0, 23, {}},
                                           {"day of the month", "1-31", 1, 31, {}},
                                           {"month", "1-12 or jan-dec", 1, 12, kMonths},
                                           {"day of the week", "0-7 or sun-sat", 0, 7, kWeekdays}}};
constexpr std::size_t kWeekdayField = 4;

struct Shorthand {
  std::string_view word;
  std::string_view fields;
};
constexpr std::array<Shorthand, 7> kShorthands = {{{"@hourly", "0 * * * *"},
                                                   {"@daily", "0 0 * * *"},
                                                   {"@midnight", "0 0 * * *"},
                                                   {"@weekly", "0 0 * * 0"},
                                                   {"@monthly", "0 0 1 * *"},
                                                   {"@yearly", "0 0 1 1 *"},
                                                   {"@annually", "0 0 1 1 *"}}};

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (true) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    parts.push_back(text.substr(at, end - at));
    if (end == text.size()) return parts;
    at = end + 1;
  }
}

bool is_same_word(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c =
        text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

std::optional<std::uint32_t> read_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> read_value(std::string_view text, const Field& field) {
  for (std::size_t i = 0; i < field.words.size(); ++i) {
    if (is_same_word(text, field.words[i])) return field.least + static_cast<std::uint32_t>(i);
  }
  const auto number = read_number(text);
  return number && *number >= field.least && *number <= field.most ? number : std::nullopt;
}

std::string wrong_item(std::string_view item, const Field& field) {
  return quoted(item) + " is no " + std::string(field.name) + "; expected " +
         std::string(field.range) + ", a range, a list or *";
}

// The field's values as a set; the other way round, what is wrong with it.
using Values = tl::expected<std::uint64_t, std::string>;

Values backward_range(std::string_view item, const Field& field, std::uint32_t first,
                      std::uint32_t last) {
  const std::string meant = std::to_string(first) + "-" + std::to_string(field.most) + "," +
                            std::to_string(field.least) + "-" + std::to_string(last);
  return tl::unexpected(quoted(item) + " ends before it begins; write " + meant);
}

Values read_item(std::string_view item, const Field& field) {
  const std::size_t slash = item.find('/');
  const std::string_view range = item.substr(0, slash);
  const bool has_step = slash != std::string_view::npos;
  std::uint32_t step = 1;
  if (has_step) {
    const auto number = read_number(item.substr(slash + 1));
    if (!number || *number == 0 || *number > field.most)
      return tl::unexpected(quoted(item) + " has no step from 1 to " + std::to_string(field.most) +
                            " after its slash");
    step = *number;
  }
  std::uint32_t first = field.least;
  std::uint32_t last = field.most;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    const auto from = read_value(range.substr(0, dash), field);
    const auto to = dash == std::string_view::npos ? (has_step ? field.most : from)
                                                   : read_value(range.substr(dash + 1), field);
    if (!from || !to) return tl::unexpected(wrong_item(item, field));
    first = *from;
    last = *to;
    // "fri-sun" ends with the seventh day.
    if (last < first && last == 0 && &field == &kFields[kWeekdayField]) last = 7;
    if (last < first) return backward_range(item, field, first, last);
  }
  std::uint64_t values = 0;
  for (std::uint32_t value = first; value <= last; value += step)
    values |= std::uint64_t{1} << value;
  return values;
}

Values read_field(std::string_view text, const Field& field) {
  std::uint64_t values = 0;
  for (const std::string_view item : split(text, ",")) {
    const Values some = read_item(item, field);
    if (!some) return some;
    values |= *some;
  }
  return values;
}

std::string wrong_count(std::string_view text, std::size_t count) {
  for (const Shorthand& shorthand : kShorthands) {
    if (is_same_word(text, shorthand.word))
      return "shorthands are not read; write \"" + std::string(shorthand.fields) + "\"";
  }
  const std::string has = count == 1 ? "1 field" : std::to_string(count) + " fields";
  const std::string seconds = count == 6 ? ", the first of them the minute, not the second" : "";
  return "it has " + has + "; expected 5: minute, hour, day of the month, month, day of the week" +
         seconds;
}

// Whether some month that is named has a day that is named.
bool has_some_day(const Cron& cron) {
  constexpr std::array<int, 12> kLongest = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (std::size_t month = 0; month < kLongest.size(); ++month) {
    if ((cron.months >> (month + 1) & 1U) == 0) continue;
    const std::uint64_t in_month = (std::uint64_t{1} << (kLongest[month] + 1)) - 1;
    if ((cron.days & in_month) != 0) return true;
  }
  return false;
}

}  // namespace

tl::expected<Cron, std::string> parse_cron(std::string_view text) {
  if (text.size() > kTextMax)
    return tl::unexpected("it has more than " + std::to_string(kTextMax) + " characters");
  std::vector<std::string_view> parts = split(text, " \t");
  std::erase(parts, std::string_view());
  if (parts.size() != kFields.size()) return tl::unexpected(wrong_count(text, parts.size()));
  std::array<std::uint64_t, kFields.size()> sets{};
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    const Values values = read_field(parts[i], kFields[i]);
    if (!values) return tl::unexpected(values.error());
    sets[i] = *values;
  }
  const std::uint64_t weekdays = (sets[kWeekdayField] & 0x7f) | sets[kWeekdayField] >> 7;
  const Cron cron{.minutes = sets[0],
                  .hours = static_cast<std::uint32_t>(sets[1]),
                  .days = static_cast<std::uint32_t>(sets[2]),
                  .months = static_cast<std::uint16_t>(sets[3]),
                  .weekdays = static_cast<std::uint8_t>(weekdays),
                  .takes_either_day = parts[2][0] != '*' && parts[4][0] != '*'};
  if (!cron.takes_either_day && !has_some_day(cron))
    return tl::unexpected("no month that it names has the day " + std::string(parts[2]));
  return cron;
}

bool is_day_of(const Cron& cron, std::chrono::local_days day) {
  const std::chrono::year_month_day date(day);
  if ((cron.months >> static_cast<unsigned>(date.month()) & 1U) == 0) return false;
  const bool by_date = (cron.days >> static_cast<unsigned>(date.day()) & 1U) != 0;
  const unsigned weekday = std::chrono::weekday(day).c_encoding();
  const bool by_weekday = (cron.weekdays >> weekday & 1U) != 0;
  return cron.takes_either_day ? by_date || by_weekday : by_date && by_weekday;
}

}  // namespace kelvin::schedule
