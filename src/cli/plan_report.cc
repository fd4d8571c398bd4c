#include "cli/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace kelvin::cli {

namespace {

struct UrgencyWord {
  std::string_view word;
  std::uint32_t milli = 0;
};
constexpr std::array<UrgencyWord, 4> kWords = {
    {{"batch", 1'000}, {"balanced", 5'000}, {"interactive", 20'000}, {"strict", 100'000}}};
constexpr double kUrgencyMax = 10'000;
constexpr double kNano = 1e9;

// The time that this part of the arrivals does not exceed.
Duration service_quantile(std::vector<Duration>& times, double part) {
  const double place = std::ceil(part * static_cast<double>(times.size())) - 1;
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(std::max(place, 0.0));
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

std::size_t find_row(const PlanReport& report, PlanPlayer player,
                     std::optional<std::uint32_t> urgency_milli) {
  const auto found = std::ranges::find_if(report.rows, [&](const PlanRow& row) {
    return row.player == player && row.urgency_milli == urgency_milli;
  });
  KELVIN_CHECK(found != report.rows.end());
  return static_cast<std::size_t>(found - report.rows.begin());
}

double busy_of(const PlanRow& row) {
  return row.accelerator_s[static_cast<std::size_t>(plan::Spending::Busy)];
}

}  // namespace

std::string urgency_name(std::uint32_t urgency_milli) {
  for (const UrgencyWord& one : kWords) {
    if (one.milli == urgency_milli) return std::string(one.word);
  }
  return fmt::format("{}", urgency_milli / 1000.0);
}

std::optional<std::uint32_t> parse_urgency(const std::string& text) {
  for (const UrgencyWord& one : kWords) {
    if (one.word == text) return one.milli;
  }
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !(value >= 0 && value <= kUrgencyMax))
    return std::nullopt;
  const double milli = std::round(value * 1000);
  if (std::abs(milli - value * 1000) > 1e-6) return std::nullopt;
  return static_cast<std::uint32_t>(milli);
}

PlanTraffic traffic_of(std::string file, const plan::ReadTrace& read) {
  const std::vector<plan::Arrival>& arrivals = read.trace.arrivals;
  KELVIN_CHECK(!arrivals.empty());
  std::vector<Duration> times;
  times.reserve(arrivals.size());
  double sum_s = 0;
  for (const plan::Arrival& arrival : arrivals) {
    times.push_back(arrival.service);
    sum_s += plan::to_seconds(arrival.service);
  }
  const double mean_ns = sum_s / static_cast<double>(times.size()) * kNano;
  return {.file = std::move(file),
          .format = read.format,
          .requests = arrivals.size(),
          .apps = read.trace.apps.size(),
          .skipped = read.skipped,
          .lost = read.lost,
          .span = arrivals.back().at,
          .service_mean = Duration(std::llround(mean_ns)),
          .service_p50 = service_quantile(times, 0.5),
          .service_p99 = service_quantile(times, 0.99)};
}

PlanRow row_of(const plan::Outcome& outcome, PlanPlayer player) {
  return {.policy = outcome.policy,
          .player = player,
          .accelerator_s = outcome.accelerator_s,
          .cost = outcome.cost(),
          .waiting = outcome.waiting(),
          .wait_p50 = outcome.wait_quantile(0.5),
          .wait_p95 = outcome.wait_quantile(0.95),
          .wait_p99 = outcome.wait_quantile(0.99),
          .wait_most = outcome.wait_quantile(1),
          .over_1s = outcome.share_waiting_over(1s),
          .cold_starts = outcome.cold_starts,
          .resumes = outcome.resumes,
          .timeline = outcome.timeline};
}

PlanVerdict verdict_of(const PlanReport& report) {
  PlanVerdict verdict{.serverless = find_row(report, PlanPlayer::Kelvin, report.urgency),
                      .reserved = find_row(report, PlanPlayer::Reserved, std::nullopt)};
  const PlanRow& serverless = report.rows[verdict.serverless];
  const PlanRow& reserved = report.rows[verdict.reserved];
  double price_ratio = 1;
  if (report.price && report.reserved_price && report.price->nano > 0) {
    price_ratio =
        static_cast<double>(report.reserved_price->nano) / static_cast<double>(report.price->nano);
  }
  verdict.serverless_cost = serverless.cost;
  verdict.reserved_cost = reserved.cost * price_ratio;
  if (reserved.cost > 0) verdict.load = busy_of(reserved) / reserved.cost;
  // Requests that take no time at all leave nothing to be in proportion to.
  if (busy_of(serverless) > 0) verdict.overhead = serverless.cost / busy_of(serverless);
  verdict.break_even = price_ratio / verdict.overhead;
  if (verdict.reserved_cost > 0)
    verdict.saved = 1 - verdict.serverless_cost / verdict.reserved_cost;
  return verdict;
}

std::optional<Money> money_of(const PlanReport& report, double accelerator_s) {
  if (!report.price) return std::nullopt;
  const double nano = accelerator_s / 3600 * static_cast<double>(report.price->nano);
  // More than money can be is the most that it can be.
  constexpr double kMost = 9e18;
  const double bounded = std::min(nano, kMost);
  double unit = 1e7;
  while (unit > 1 && bounded < 100 * unit) unit /= 10;
  return Money{static_cast<std::int64_t>(bounded / unit + 0.5) * static_cast<std::int64_t>(unit)};
}

std::optional<Money> amount_of(const PlanReport& report, const PlanRow& row) {
  const bool is_reserved = row.player == PlanPlayer::Reserved;
  return money_of(report, is_reserved ? verdict_of(report).reserved_cost : row.cost);
}

std::size_t best_row(const PlanReport& report, std::uint32_t urgency_milli) {
  KELVIN_CHECK(!report.rows.empty());
  std::size_t best = 0;
  for (std::size_t i = 1; i < report.rows.size(); ++i) {
    if (report.rows[i].priced(urgency_milli) < report.rows[best].priced(urgency_milli)) best = i;
  }
  return best;
}

}  // namespace kelvin::cli
