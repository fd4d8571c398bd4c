#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "cli/plan_text.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

using plan::Spending;

constexpr std::array<Spending, plan::kSpendings> kSpendings = {
    Spending::Starting, Spending::Resuming, Spending::Busy,
    Spending::Idle,     Spending::Parking,  Spending::Parked};

// As options are written, so that no line breaks inside: "30s", "0.77s", "57m16s", "23h59m".
std::string brief_text(Duration time) {
  const double seconds = plan::to_seconds(time);
  const std::int64_t whole = time / 1s;
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 100) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  std::string digits = fmt::format("{:.{}f}", seconds, seconds < 10 ? 2 : 1);
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.ends_with('.')) digits.pop_back();
  return digits + "s";
}

std::string price_text(const Money& price, int decimals_min = 2) {
  return money_text(price, kPlanCurrency, decimals_min);
}

Tone tone_of(const PlanRow& row) {
  return row.player == PlanPlayer::Kelvin ? Tone::Strong : Tone::Plain;
}

// What each policy holds, and what that costs where there is a price.
std::string cost_table(const PlanReport& report, const Page& page) {
  Table table{.columns = {{"POLICY"}}};
  int decimals = 2;
  if (report.price) {
    table.columns.push_back({"COST", Align::Right});
    for (const PlanRow& row : report.rows)
      decimals = std::max(decimals, decimals_of(*amount_of(report, row)));
  }
  const std::vector<Column> rest = {
      {"ACCEL-S", Align::Right},    {page.has_unicode ? "×OPT" : "xOPT", Align::Right},
      {"START", Align::Right},      {"RESUME", Align::Right, true},
      {"BUSY", Align::Right},       {"IDLE", Align::Right},
      {"PARK", Align::Right, true}, {"PARKED", Align::Right, true}};
  table.columns.insert(table.columns.end(), rest.begin(), rest.end());
  for (const PlanRow& row : report.rows) {
    std::vector<Cell> cells = {{row.policy, tone_of(row)}};
    if (report.price) cells.push_back({price_text(*amount_of(report, row), decimals)});
    cells.push_back({amount_text(row.cost)});
    cells.push_back({amount_text(row.cost / report.optimum.cost())});
    for (const Spending spending : kSpendings) {
      const double amount = row.accelerator_s[static_cast<std::size_t>(spending)];
      cells.push_back({amount_text(amount), amount == 0 ? Tone::Faint : Tone::Plain});
    }
    table.rows.push_back(std::move(cells));
  }
  return render_table(table, page);
}

// How long their users wait, and both together.
std::string wait_table(const PlanReport& report, const Page& page) {
  Table table{.columns = {{"POLICY"},
                          {"P50", Align::Right, true},
                          {"P95", Align::Right},
                          {"P99", Align::Right},
                          {">1 S", Align::Right},
                          {"COLD", Align::Right},
                          {"RESUMED", Align::Right}}};
  std::vector<std::size_t> best;
  for (const std::uint32_t urgency : report.urgencies) {
    table.columns.push_back({fmt::format("J {}", urgency / 1000.0), Align::Right});
    best.push_back(best_row(report, urgency));
  }
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PlanRow& row = report.rows[i];
    std::vector<Cell> cells = {{row.policy, tone_of(row)},
                               {wait_text(row.wait_p50)},
                               {wait_text(row.wait_p95)},
                               {wait_text(row.wait_p99)},
                               {share_text(row.over_1s)},
                               {amount_text(static_cast<double>(row.cold_starts))},
                               {amount_text(static_cast<double>(row.resumes)),
                                row.resumes == 0 ? Tone::Faint : Tone::Plain}};
    for (std::size_t j = 0; j < report.urgencies.size(); ++j)
      cells.push_back(
          {amount_text(row.priced(report.urgencies[j])), best[j] == i ? Tone::Good : Tone::Plain});
    table.rows.push_back(std::move(cells));
  }
  return render_table(table, page);
}

std::string paragraph(const std::vector<std::string>& sentences, const Page& page) {
  std::string text;
  for (const std::string& sentence : sentences) text += (text.empty() ? "" : " ") + sentence;
  return wrapped(text, static_cast<std::size_t>(page.columns), 0) + "\n";
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count_text(static_cast<std::int64_t>(count)),
                     count == 1 ? one : many);
}

std::string left_out_text(const PlanTraffic& traffic) {
  std::string out;
  if (traffic.skipped > 0) {
    out += counted(traffic.skipped, "request of the log, which no replica served, is left out.",
                   "requests of the log, which no replica served, are left out.");
  }
  if (traffic.lost > 0) {
    out += (out.empty() ? "" : " ") + std::string("The log says that it lost ") +
           counted(traffic.lost, "request", "requests") + ".";
  }
  return out;
}

}  // namespace

std::string amount_text(double amount) {
  struct Unit {
    double from;
    double per;
    std::string_view sign;
  };
  // A thousandth below each step, so that what rounds up to four digits takes the next unit.
  static constexpr std::array<Unit, 4> kUnits = {
      {{999.5e9, 1e12, "T"}, {999.5e6, 1e9, "G"}, {999.5e3, 1e6, "M"}, {9999.5, 1e3, "k"}}};
  if (amount == 0) return "0";
  std::string_view sign;
  for (const Unit& unit : kUnits) {
    if (amount < unit.from) continue;
    amount /= unit.per;
    sign = unit.sign;
    break;
  }
  if (amount >= 99.95 || (sign.empty() && amount == std::floor(amount) && amount >= 1))
    return fmt::format("{:.0f}{}", amount, sign);
  if (amount >= 9.995) return fmt::format("{:.1f}{}", amount, sign);
  return amount >= 0.095 ? fmt::format("{:.2f}{}", amount, sign) : fmt::format("{:.3f}", amount);
}

std::string wait_text(Duration wait) {
  if (wait < 500us) return wait == Duration{} ? "0" : "<1 ms";
  const double seconds = plan::to_seconds(wait);
  if (seconds < 9.995) return fmt::format("{:.2f} s", std::max(seconds, 0.01));
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  return duration_text(wait.count() / 1000);
}

std::string share_text(double share) {
  if (share == 0) return "0";
  if (share < 0.001) return "<0.1 %";
  return fmt::format("{:.1f} %", share * 100);
}

std::vector<std::string> traffic_sentences(const PlanReport& report) {
  const PlanTraffic& traffic = report.traffic;
  std::vector<std::string> out = {fmt::format(
      "{} of {} in {} ({}), each for {} on average (half of them up to {}, 99 % up to {}).",
      counted(traffic.requests, "request", "requests"), counted(traffic.apps, "app", "apps"),
      brief_text(traffic.span), plan::to_text(traffic.format), brief_text(traffic.service_mean),
      brief_text(traffic.service_p50), brief_text(traffic.service_p99))};
  if (std::string left_out = left_out_text(traffic); !left_out.empty())
    out.push_back(std::move(left_out));
  out.push_back(fmt::format(
      "A replica serves {} at once and starts in {}{}; at most {} of each app.",
      counted(report.terms.slots, "request", "requests"), brief_text(report.terms.cold),
      report.terms.parked ? fmt::format(", or in {} from parked, which costs {} of an accelerator",
                                        brief_text(*report.terms.parked), report.terms.parked_price)
                          : std::string(" and cannot be parked"),
      counted(report.terms.replicas_max, "replica", "replicas")));
  return out;
}

std::vector<std::string> verdict_sentences(const PlanReport& report) {
  const PlanVerdict verdict = verdict_of(report);
  const PlanRow& serverless = report.rows[verdict.serverless];
  const auto cost = [&report](double accelerator_s) {
    const std::string hours =
        fmt::format("{} accelerator-hours", amount_text(accelerator_s / 3600));
    const auto money = money_of(report, accelerator_s);
    return money ? fmt::format("{} ({})", price_text(*money), hours) : hours;
  };
  std::vector<std::string> out;
  out.push_back(fmt::format(
      "Serverless ({}) this traffic costs {}; {} of its requests wait over 1 s.", serverless.policy,
      cost(serverless.cost), serverless.over_1s == 0 ? "none" : share_text(serverless.over_1s)));
  const double reserved = report.rows[verdict.reserved].cost;
  const auto reserved_money = money_of(report, verdict.reserved_cost);
  out.push_back(fmt::format(
      "Reserved, {} always on for the peak cost {} and serve for {} of that time.",
      counted(report.peak, "accelerator", "accelerators"),
      reserved_money ? fmt::format("{} ({} accelerator-hours)", price_text(*reserved_money),
                                   amount_text(reserved / 3600))
                     : fmt::format("{} accelerator-hours", amount_text(reserved / 3600)),
      share_text(verdict.load)));
  if (verdict.saved >= 0) {
    out.push_back(fmt::format("At this load serverless saves {}.", share_text(verdict.saved)));
  } else {
    out.push_back(
        fmt::format("At this load reserving saves {}.", share_text(1 - 1 / (1 - verdict.saved))));
  }
  if (verdict.break_even < 1) {
    out.push_back(fmt::format(
        "Reserving wins above a load of {}, as long as serverless pays {} of accelerator time per "
        "second of serving as it does here.",
        share_text(verdict.break_even), fmt::format("{:.2f} s", verdict.overhead)));
  } else {
    out.push_back("Reserving wins at no load: even accelerators that always serve cost more.");
  }
  return out;
}

std::string render_plan(const PlanReport& report, const Page& page) {
  std::string out = paragraph(traffic_sentences(report), page) + "\n";
  out += cost_table(report, page) + "\n" + wait_table(report, page) + "\n";
  out += paragraph(verdict_sentences(report), page) + "\n";
  std::string notes = fmt::format(
      "OPT, {} accelerator-seconds, is the least that can be held when nobody waits and the future "
      "is known.",
      amount_text(report.optimum.cost()));
  notes += " J is accelerator-seconds plus lambda times seconds of waiting, all requests together.";
  return out + wrapped(notes, static_cast<std::size_t>(page.columns), 0) + "\n";
}

}  // namespace kelvin::cli
