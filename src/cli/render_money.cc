#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>

#include "cli/render.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

// Phases in the order of a replica's life, busy first because it is what is paid for.
constexpr std::array<std::string_view, 11> kPhases = {
    "busy", "idle", "parked", "queue", "fetch", "start", "load", "resume", "park", "drain", "stop"};

std::size_t rank_of(std::string_view phase) {
  return static_cast<std::size_t>(std::ranges::find(kPhases, phase) - kPhases.begin());
}

std::string span_text(std::int64_t from_unix_ms, std::int64_t to_unix_ms, const Page& page) {
  const std::string from = from_unix_ms <= 0 ? "the beginning" : time_text(from_unix_ms);
  // Without an end, servers say the largest number there is.
  constexpr std::int64_t kJustNowMs = 60'000;
  const bool has_end = to_unix_ms > 0 && to_unix_ms < page.now_unix_ms - kJustNowMs;
  return fmt::format("from {} to {}", from, has_end ? time_text(to_unix_ms) : "now");
}

std::int64_t lost_ms(const wire::UsageSum& sum) { return sum.total_ms - sum.billable_ms; }

std::string time_of(std::int64_t milliseconds) { return duration_text(milliseconds * 1000); }

// "idle 12 m 03 s, load 1.12 s": time that was used and costs nothing under the plan.
std::string unbilled_text(const wire::Usage& usage) {
  std::map<std::size_t, std::int64_t> by_phase;
  for (const wire::UsageSum& sum : usage.sums) {
    if (sum.phase != "busy") by_phase[rank_of(sum.phase)] += sum.total_ms;
  }
  std::string out;
  for (const auto& [rank, milliseconds] : by_phase) {
    if (milliseconds == 0 || rank >= kPhases.size()) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", kPhases[rank], time_of(milliseconds));
  }
  return out;
}

std::int64_t busy_lost_ms(const wire::Usage& usage) {
  std::int64_t lost = 0;
  for (const wire::UsageSum& sum : usage.sums) lost += sum.phase == "busy" ? lost_ms(sum) : 0;
  return lost;
}

std::string bill_notes(const wire::Bill& bill, const wire::Usage& usage, const Page& page) {
  const auto width = static_cast<std::size_t>(page.columns);
  std::string out;
  if (bill.plan == "active") {
    out += wrapped(
               "Plan active: busy time only, which is accelerator time while at least one request "
               "was being served.",
               width, 0) +
           "\n";
  } else {
    out += fmt::format("Plan {}.\n", bill.plan);
  }
  const std::string unbilled = unbilled_text(usage);
  if (bill.plan == "active" && !unbilled.empty())
    out += wrapped("Not billed: " + unbilled + ".", width, 0) + "\n";
  const std::int64_t lost = busy_lost_ms(usage);
  if (lost > 0) {
    out +=
        wrapped(fmt::format(
                    "Not billed either: {} of busy time lost to the platform or to failed starts.",
                    time_of(lost)),
                width, 0) +
        "\n";
  }
  return out;
}

}  // namespace

std::string render_usage(const wire::Usage& usage, const Page& page) {
  if (usage.sums.empty()) return "";
  std::vector<wire::UsageSum> sums = usage.sums;
  std::ranges::sort(sums, [](const wire::UsageSum& a, const wire::UsageSum& b) {
    return std::tuple(a.app, a.kind, rank_of(a.phase)) <
           std::tuple(b.app, b.kind, rank_of(b.phase));
  });
  const bool has_losses =
      std::ranges::any_of(sums, [](const wire::UsageSum& sum) { return lost_ms(sum) > 0; });
  Table table{
      .columns = {
          {"APP"}, {"KIND"}, {"PHASE"}, {"TIME", Align::Right}, {"MILLISECONDS", Align::Right}}};
  if (has_losses) table.columns.push_back({"LOST MS", Align::Right});
  std::string group;
  for (const wire::UsageSum& sum : sums) {
    const bool is_first = group != sum.app + " " + sum.kind;
    group = sum.app + " " + sum.kind;
    std::vector<Cell> row = {{is_first ? sum.app : "", Tone::Strong},
                             {is_first ? sum.kind : ""},
                             {sum.phase, sum.phase == "busy" ? Tone::Good : Tone::Plain},
                             {time_of(sum.total_ms)},
                             {count_text(sum.total_ms)}};
    if (has_losses)
      row.push_back({lost_ms(sum) > 0 ? count_text(lost_ms(sum)) : "-",
                     lost_ms(sum) > 0 ? Tone::Bad : Tone::Faint});
    table.rows.push_back(std::move(row));
  }
  std::string out = render_table(table, page);
  const auto width = static_cast<std::size_t>(page.columns);
  out += "\n" +
         wrapped("Usage " + span_text(usage.from_unix_ms, usage.to_unix_ms, page) +
                     ". Accelerator time where accelerators were held, replica time in queue, "
                     "fetch and parked.",
                 width, 0) +
         "\n";
  if (has_losses) {
    out +=
        wrapped("Lost: to failed starts, crash loops or the platform; never billed under any plan.",
                width, 0) +
        "\n";
  }
  return out;
}

std::string render_bill(const wire::Bill& bill, const wire::Usage& usage, const Page& page) {
  int rate_decimals = 2;
  int amount_decimals = decimals_of({bill.total_nano});
  for (const wire::BillLine& line : bill.lines) {
    rate_decimals = std::max(rate_decimals, decimals_of({line.rate_nano_per_ms}));
    amount_decimals = std::max(amount_decimals, decimals_of({line.amount_nano}));
  }
  Table table{.columns = {{"APP"},
                          {"KIND"},
                          {"BUSY", Align::Right},
                          {"BUSY MS", Align::Right},
                          {""},
                          {"RATE PER MS", Align::Right},
                          {""},
                          {"AMOUNT", Align::Right}}};
  std::int64_t busy_ms = 0;
  for (const wire::BillLine& line : bill.lines) {
    busy_ms += line.busy_ms;
    table.rows.push_back({{line.app, Tone::Strong},
                          {line.kind},
                          {time_of(line.busy_ms)},
                          {count_text(line.busy_ms)},
                          {page.has_unicode ? "×" : "x"},
                          {money_text({line.rate_nano_per_ms}, bill.currency, rate_decimals)},
                          {"="},
                          {money_text({line.amount_nano}, bill.currency, amount_decimals)}});
  }
  table.rows.push_back(
      {{"total", Tone::Strong},
       {""},
       {time_of(busy_ms)},
       {count_text(busy_ms)},
       {""},
       {""},
       {""},
       {money_text({bill.total_nano}, bill.currency, amount_decimals), Tone::Strong}});
  return render_table(table, page) + "\n" + "Bill " +
         span_text(bill.from_unix_ms, bill.to_unix_ms, page) + ".\n" +
         bill_notes(bill, usage, page);
}

}  // namespace kelvin::cli
