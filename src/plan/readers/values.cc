#include "plan/readers/values.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace kelvin::plan {

namespace {

constexpr std::string_view kCorrect = "Correct the line or remove it";

bool is_digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

// Takes exactly so many digits and then `end`, if there is one, off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count, std::string_view ends) {
  if (text.size() < count || !is_digits(text.substr(0, count))) return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + count, value);
  text.remove_prefix(count);
  if (ends.empty()) return value;
  if (text.empty() || ends.find(text.front()) == std::string_view::npos) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

// Of ".9799600"; what is finer than a nanosecond is dropped.
std::optional<std::int64_t> fraction_ns(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() != '.' || !is_digits(text.substr(1))) return std::nullopt;
  std::int64_t ns = 0;
  for (std::size_t i = 1; i <= 9; ++i) ns = ns * 10 + (i < text.size() ? text[i] - '0' : 0);
  return ns;
}

std::optional<std::int64_t> parse_moment(std::string_view text) {
  const auto year = take_digits(text, 4, "-");
  const auto month = year ? take_digits(text, 2, "-") : std::nullopt;
  const auto day = month ? take_digits(text, 2, " T") : std::nullopt;
  const auto hour = day ? take_digits(text, 2, ":") : std::nullopt;
  const auto minute = hour ? take_digits(text, 2, ":") : std::nullopt;
  const auto second = minute ? take_digits(text, 2, "") : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  for (const std::string_view zone : {"Z", "+00:00"}) {
    if (text.ends_with(zone)) {
      text.remove_suffix(zone.size());
      break;
    }
  }
  const auto fraction = fraction_ns(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds of 64 bits reach from 1677 to 2262.
  if (!fraction || !date.ok() || *year < 1970 || *year > 2200) return std::nullopt;
  const std::chrono::seconds time = std::chrono::sys_days(date).time_since_epoch() +
                                    std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
                                    std::chrono::seconds(*second);
  return time.count() * 1'000'000'000 + *fraction;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

tl::unexpected<Complaint> complain(std::string what, std::string next) {
  if (next.empty()) next = kCorrect;
  return tl::unexpected(Complaint{std::move(what), std::move(next)});
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string out = "'";
  for (const char c : text.substr(0, kMost)) {
    const bool is_plain = c >= ' ' && c <= '~';
    out += is_plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out + (text.size() > kMost ? "...'" : "'");
}

Checked<double> in_range(std::string_view name, double value, Range range) {
  if (!std::isfinite(value)) return complain(fmt::format("{} is not a finite number", name));
  if (value < range.least) {
    return complain(range.least == 0
                        ? fmt::format("{} is {}, which is negative", name, value)
                        : fmt::format("{} is {}; the least is {}", name, value, range.least));
  }
  if (value > range.most)
    return complain(fmt::format("{} is {}; the most is {}", name, value, range.most));
  return value;
}

Checked<double> to_number(std::string_view name, std::string_view text, Range range) {
  text = trimmed(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    return complain(fmt::format("{} is {}, which no number here can hold", name, in_quotes(text)));
  if (error != std::errc() || end != text.data() + text.size())
    return complain(fmt::format("{} is {}, which is no number", name, in_quotes(text)));
  return in_range(name, value, range);
}

Checked<std::int64_t> to_moment(std::string_view name, std::string_view text) {
  const std::optional<std::int64_t> moment = parse_moment(trimmed(text));
  if (moment) return *moment;
  return complain(fmt::format("{} is {}, which is no moment like 2026-01-31 23:59:59.123", name,
                              in_quotes(text)));
}

std::int64_t to_ns(double seconds) { return std::llround(seconds * 1e9); }

Row::Row(std::span<const std::string_view> names, std::string_view line) : names_(names) {
  KELVIN_CHECK(names.size() <= kColumnsMax);
  std::size_t columns = 0;
  for (bool is_last = false; !is_last; ++columns) {
    const std::size_t comma = line.find(',');
    is_last = comma == std::string_view::npos;
    if (columns < names.size()) cells_[columns] = line.substr(0, comma);
    if (!is_last) line.remove_prefix(comma + 1);
  }
  if (columns == names.size()) return;
  complaint_ = Complaint{
      fmt::format("{} column{} instead of {}", columns, columns == 1 ? "" : "s", names.size()),
      std::string(kCorrect)};
  cells_ = {};
}

template <class T>
T Row::keep(Checked<T> value) {
  if (value) return *value;
  complaint_ = std::move(value.error());
  return {};
}

double Row::number(std::size_t column, Range range) {
  if (complaint_) return 0;
  return keep(to_number(names_[column], cells_[column], range));
}

std::int64_t Row::moment(std::size_t column) {
  if (complaint_) return 0;
  return keep(to_moment(names_[column], cells_[column]));
}

template <class T>
T JsonLine::keep(Checked<T> value) {
  if (value) return *value;
  complaint_ = std::move(value.error());
  return {};
}

bool JsonLine::is(std::size_t member, Kind kind, std::string_view wanted) {
  if (complaint_) return false;
  const Kind found = scalars_[member].kind;
  if (found == kind) return true;
  complaint_ =
      Complaint{found == Kind::Absent ? fmt::format("\"{}\" is missing", names_[member])
                                      : fmt::format("\"{}\" is no {}", names_[member], wanted),
                std::string(kCorrect)};
  return false;
}

double JsonLine::number(std::size_t member, Range range) {
  if (scalars_[member].kind == Kind::Whole) scalars_[member].kind = Kind::Number;
  if (!is(member, Kind::Number, "number")) return 0;
  return keep(in_range(names_[member], scalars_[member].number, range));
}

std::int64_t JsonLine::whole_number(std::size_t member) {
  return is(member, Kind::Whole, "whole number") ? scalars_[member].whole : 0;
}

std::int64_t JsonLine::moment(std::size_t member) {
  if (!is(member, Kind::Text, "text")) return 0;
  return keep(to_moment(names_[member], scalars_[member].text));
}

std::string_view JsonLine::text(std::size_t member) {
  if (scalars_[member].kind == Kind::Null) return {};
  return is(member, Kind::Text, "text") ? std::string_view(scalars_[member].text)
                                        : std::string_view();
}

}  // namespace kelvin::plan
