#include "cli/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace kelvin::cli {

namespace {

constexpr int kNanoDigits = 9;

}  // namespace

std::string age_text(std::int64_t milliseconds) {
  const std::int64_t seconds = std::max<std::int64_t>(milliseconds, 0) / 1000;
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = minutes / 60;
  const std::int64_t days = hours / 24;
  if (minutes == 0) return fmt::format("{}s", seconds);
  if (minutes < 10) return fmt::format("{}m{}s", minutes, seconds % 60);
  if (hours == 0) return fmt::format("{}m", minutes);
  if (hours < 10) return fmt::format("{}h{}m", hours, minutes % 60);
  if (days < 2) return fmt::format("{}h", hours);
  return fmt::format("{}d", days);
}

std::string age_since(std::optional<std::int64_t> then_unix_ms, std::int64_t now_unix_ms) {
  return then_unix_ms ? age_text(now_unix_ms - *then_unix_ms) : "-";
}

std::string duration_text(std::int64_t microseconds) {
  const std::int64_t us = std::max<std::int64_t>(microseconds, 0);
  if (us < 10'000) return fmt::format("{}.{:02} ms", us / 1000, us % 1000 / 10);
  if (us < 1'000'000) return fmt::format("{}.{} ms", us / 1000, us % 1000 / 100);
  const std::int64_t seconds = us / 1'000'000;
  if (seconds < 60) return fmt::format("{}.{:02} s", seconds, us % 1'000'000 / 10'000);
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} m", seconds / 3600, seconds % 3600 / 60);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  std::uint64_t rest = 0;  // of the last division, in 1/1024
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    rest = bytes % 1024;
    bytes /= 1024;
    ++unit;
  }
  if (unit == 0 || bytes >= 100) return fmt::format("{} {}", bytes, kUnits[unit]);
  return fmt::format("{}.{} {}", bytes, rest * 10 / 1024, kUnits[unit]);
}

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

int decimals_of(Money amount) {
  std::int64_t nano = amount.nano % 1'000'000'000;
  int decimals = kNanoDigits;
  while (decimals > 2 && nano % 10 == 0) {
    nano /= 10;
    --decimals;
  }
  return decimals;
}

std::string money_text(Money amount, std::string_view currency, int decimals_min) {
  const bool is_negative = amount.nano < 0;
  // The smallest integer has no positive counterpart among signed ones.
  const std::uint64_t nano = is_negative ? 0 - static_cast<std::uint64_t>(amount.nano)
                                         : static_cast<std::uint64_t>(amount.nano);
  const int decimals = std::clamp(std::max(decimals_of(amount), decimals_min), 2, kNanoDigits);
  std::string fraction = fmt::format("{:09}", nano % 1'000'000'000);
  fraction.resize(static_cast<std::size_t>(decimals));
  const std::string symbol = currency == "USD" ? "$" : std::string(currency) + " ";
  return fmt::format("{}{}{}.{}", is_negative ? "-" : "", symbol, nano / 1'000'000'000, fraction);
}

std::string time_text(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_seconds at = floor<seconds>(sys_time<milliseconds>(milliseconds(unix_ms)));
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string clock_text(std::int64_t unix_ms) {
  constexpr std::int64_t kDayMs = 86'400'000;
  const std::int64_t ms = ((unix_ms % kDayMs) + kDayMs) % kDayMs;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     ms % 1000);
}

std::optional<Duration> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::int64_t unit_ms = 0;
  if (unit == "ms") unit_ms = 1;
  if (unit == "s") unit_ms = 1000;
  if (unit == "m") unit_ms = 60'000;
  if (unit == "h") unit_ms = 3'600'000;
  if (unit == "d") unit_ms = 86'400'000;
  // A hundred years fit into nanoseconds; nobody means more.
  constexpr std::int64_t kMostMs = 100LL * 365 * 86'400'000;
  if (unit_ms == 0 || count > kMostMs / unit_ms) return std::nullopt;
  return std::chrono::milliseconds(count * unit_ms);
}

std::optional<std::uint32_t> parse_share(std::string_view text) {
  constexpr std::uint32_t kWhole = 1'000'000;
  const std::size_t point = text.find('.');
  const std::string_view ones = text.substr(0, point);
  if (ones != "0" && ones != "1") return std::nullopt;
  std::uint32_t share = ones == "1" ? kWhole : 0;
  if (point == std::string_view::npos) return share;
  const std::string_view decimals = text.substr(point + 1);
  if (decimals.empty() || decimals.size() > 6) return std::nullopt;
  std::uint32_t worth = kWhole;
  for (const char digit : decimals) {
    if (digit < '0' || digit > '9') return std::nullopt;
    worth /= 10;
    share += worth * static_cast<std::uint32_t>(digit - '0');
  }
  return share <= kWhole ? std::optional(share) : std::nullopt;
}

}  // namespace kelvin::cli
