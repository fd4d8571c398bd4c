#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/plan_chart.h"
#include "cli/plan_text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

using Curve = plan::Timeline::Curve;

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --back: #ffffff; --front: #1c2024; --faint: #667080; --rule: #d9dee5;
  --starting: #2f74c0; --warm: #e8742c; --parked: #35a08c; --waiting: #c2335b; --cost: #5b45b8; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --front: #e7eaee; --faint: #98a2b0; --rule: #333a44;
    --starting: #6aa8ec; --warm: #f39a5c; --parked: #5cc9b3; --waiting: #ee7396; --cost: #a795f2; } }
body { background: var(--back); color: var(--front); font: 15px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 22px; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 8px; }
h3 { font-size: 15px; margin: 24px 0 0; }
p { margin: 6px 0; max-width: 80ch; }
p.facts { max-width: none; }
.faint, .facts, .legend { color: var(--faint); }
.verdict { border-left: 3px solid var(--warm); padding: 2px 0 2px 14px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 4px 9px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { color: var(--faint); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
tr.kelvin td:first-child { font-weight: 650; }
td.best { color: var(--parked); font-weight: 650; }
.charts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; }
@media (max-width: 760px) { .charts { grid-template-columns: 1fr; } }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--faint); font: 10px system-ui, sans-serif; }
svg text.title { font-size: 11px; fill: var(--front); }
.frame { fill: none; stroke: var(--faint); stroke-width: 0.7; }
.line { fill: none; stroke-width: 1.4; }
.area.starting { fill: var(--starting); } .area.warm { fill: var(--warm); } .area.parked { fill: var(--parked); }
.area.waiting { fill: var(--waiting); } .line.cost { stroke: var(--cost); }
.line.reserved { stroke: var(--faint); stroke-dasharray: 4 3; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 5px 0 14px; }
.key:first-child { margin-left: 0; }
.key.starting { background: var(--starting); } .key.warm { background: var(--warm); }
.key.parked { background: var(--parked); } .key.waiting { background: var(--waiting); }
.key.cost { background: var(--cost); } .key.reserved { background: var(--faint); }
)css";

// Of one policy, in equal parts of the same time.
struct Curves {
  std::vector<double> parked;
  std::vector<double> warm;
  std::vector<double> starting;
  std::vector<double> waiting;
  std::vector<double> cost;  // accelerator-seconds so far
};

Duration length_of(const plan::Timeline& timeline) {
  std::size_t steps = 0;
  for (const Curve curve : {Curve::Warm, Curve::Starting, Curve::Parked, Curve::Waiting})
    steps = std::max(steps, timeline.averages(curve).size());
  return timeline.step() * static_cast<std::int64_t>(steps);
}

Curves curves_of(const PlanRow& row, const PlanReport& report, Duration span) {
  const plan::Timeline& timeline = row.timeline;
  const auto part = [&](Curve curve, Resampling how) {
    return resampled({timeline.averages(curve), timeline.step()}, span, how);
  };
  Curves curves{.parked = part(Curve::Parked, Resampling::Average),
                .warm = part(Curve::Warm, Resampling::Average),
                .starting = part(Curve::Starting, Resampling::Average),
                .waiting = part(Curve::Waiting, Resampling::Highest)};
  const double width = plan::to_seconds(span) / static_cast<double>(curves.warm.size());
  double sum = 0;
  for (std::size_t i = 0; i < curves.warm.size(); ++i) {
    sum += (curves.warm[i] + curves.starting[i] + curves.parked[i] * report.terms.parked_price) *
           width;
    curves.cost.push_back(sum);
  }
  return curves;
}

// The tops of the three axes, which all policies share so that they can be compared by eye.
struct Scale {
  double replicas = 1;
  double waiting = 1;
  double cost = 1;
};

double highest_replicas(const Curves& curves) {
  double most = 0;
  for (std::size_t i = 0; i < curves.warm.size(); ++i)
    most = std::max(most, curves.warm[i] + curves.starting[i] + curves.parked[i]);
  return most;
}

// A policy that storms would press all others flat, so an axis ends at a fifth of the highest, unless Kelvin needs more
// than a third of it; what is beyond is cut off and said in the chart's title.
double axis_top(double kelvin, double highest) {
  return std::max({1.0, std::min(highest, 3 * kelvin), highest / 5});
}

Scale scale_of(const PlanReport& report, const std::vector<Curves>& all) {
  Scale kelvin;
  Scale highest;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double replicas = highest_replicas(all[i]);
    const double waiting = std::ranges::max(all[i].waiting);
    highest.replicas = std::max(highest.replicas, replicas);
    highest.waiting = std::max(highest.waiting, waiting);
    highest.cost = std::max(highest.cost, all[i].cost.back());
    if (report.rows[i].player == PlanPlayer::Rival) continue;
    kelvin.replicas = std::max(kelvin.replicas, replicas);
    kelvin.waiting = std::max(kelvin.waiting, waiting);
  }
  return {.replicas = axis_top(kelvin.replicas, highest.replicas),
          .waiting = axis_top(kelvin.waiting, highest.waiting),
          .cost = highest.cost};
}

std::string title_of(std::string_view what, double highest, double most) {
  if (highest <= most) return std::string(what);
  return fmt::format("{}: up to {}, cut off", what, amount_text(highest));
}

std::string row_facts(const PlanRow& row, const PlanReport& report) {
  const auto money = amount_of(report, row);
  return fmt::format(
      "{}{} accelerator-hours, {} times the optimum; p99 of waiting {}, {} wait over 1 s",
      money ? money_text(*money, kPlanCurrency) + ", " : std::string(),
      amount_text(row.cost / 3600), amount_text(row.cost / report.optimum.cost()),
      wait_text(row.wait_p99), row.over_1s == 0 ? "none" : share_text(row.over_1s));
}

std::string section(const PlanRow& row, const std::vector<Chart>& charts,
                    const std::string& facts) {
  std::string out =
      fmt::format("<section><h3>{}</h3>\n<p class=\"facts\">{}</p>\n<div class=\"charts\">\n",
                  escaped(row.policy), escaped(facts));
  for (const Chart& chart : charts) out += render_chart(chart);
  return out + "</div></section>\n";
}

std::string sections(const PlanReport& report) {
  Duration span = report.traffic.span;
  for (const PlanRow& row : report.rows) span = std::max(span, length_of(row.timeline));
  std::vector<Curves> all;
  for (const PlanRow& row : report.rows) all.push_back(curves_of(row, report, span));
  const Scale scale = scale_of(report, all);
  const std::vector<double>& reserved = all[verdict_of(report).reserved].cost;
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Curves& curves = all[i];
    const std::vector<Chart> charts = {
        {.title = title_of("replicas", highest_replicas(curves), scale.replicas),
         .layers = {{"warm", curves.warm},
                    {"starting", curves.starting},
                    {"parked", curves.parked}},
         .most = scale.replicas,
         .span = span},
        {.title = title_of("requests that wait", std::ranges::max(curves.waiting), scale.waiting),
         .layers = {{"waiting", curves.waiting}},
         .most = scale.waiting,
         .span = span},
        {.title = "accelerator-seconds so far",
         .layers = {{"reserved", reserved, true}, {"cost", curves.cost, true}},
         .most = scale.cost,
         .span = span}};
    out += section(report.rows[i], charts, row_facts(report.rows[i], report));
  }
  return out;
}

std::string row_begin(const PlanRow& row) {
  return fmt::format("<tr{}><td>{}</td>",
                     row.player == PlanPlayer::Kelvin ? " class=\"kelvin\"" : "",
                     escaped(row.policy));
}
std::string cell(const std::string& text) { return "<td>" + escaped(text) + "</td>"; }

std::string cost_table(const PlanReport& report) {
  std::string out = "<table><tr><th>policy</th>";
  if (report.price) out += "<th>cost</th>";
  out +=
      "<th>accelerator-seconds</th><th>times optimum</th><th>starting</th><th>resuming</th>"
      "<th>busy</th><th>idle</th><th>parking</th><th>parked</th></tr>\n";
  for (const PlanRow& row : report.rows) {
    out += row_begin(row);
    if (report.price) out += cell(money_text(*amount_of(report, row), kPlanCurrency));
    out += cell(amount_text(row.cost)) + cell(amount_text(row.cost / report.optimum.cost()));
    for (const double amount : row.accelerator_s) out += cell(amount_text(amount));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string wait_table(const PlanReport& report) {
  std::string out =
      "<table><tr><th>policy</th><th>wait p50</th><th>p95</th><th>p99</th><th>over 1 s</th>"
      "<th>cold starts</th><th>resumes</th>";
  for (const std::uint32_t urgency : report.urgencies)
    out += fmt::format("<th>J at {}</th>", urgency / 1000.0);
  out += "</tr>\n";
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PlanRow& row = report.rows[i];
    out += row_begin(row);
    for (const Duration wait : {row.wait_p50, row.wait_p95, row.wait_p99})
      out += cell(wait_text(wait));
    out += cell(share_text(row.over_1s));
    out += cell(count_text(static_cast<std::int64_t>(row.cold_starts)));
    out += cell(count_text(static_cast<std::int64_t>(row.resumes)));
    for (const std::uint32_t urgency : report.urgencies)
      out += fmt::format("<td{}>{}</td>", best_row(report, urgency) == i ? " class=\"best\"" : "",
                         amount_text(row.priced(urgency)));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string paragraphs(const std::vector<std::string>& sentences, std::string_view style) {
  std::string out = fmt::format("<p class=\"{}\">", style);
  for (const std::string& sentence : sentences) out += escaped(sentence) + " ";
  return out + "</p>\n";
}

}  // namespace

std::string plan_page(const PlanReport& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  const std::string file = escaped(report.traffic.file);
  out += fmt::format("<title>kelvin plan: {}</title>\n<style>{}</style></head>\n<body><main>\n",
                     file, kStyle);
  out += fmt::format("<h1>{}</h1>\n", file);
  out += paragraphs(traffic_sentences(report), "faint");
  out += paragraphs(verdict_sentences(report), "verdict");
  out += "<h2>What each policy holds</h2>\n<div class=\"wide\">" + cost_table(report) + "</div>\n";
  out += "<h2>Who waits</h2>\n<div class=\"wide\">" + wait_table(report) + "</div>\n";
  out += fmt::format(
      "<p class=\"faint\">The optimum, {} accelerator-seconds, is the least that can be held when "
      "nobody "
      "waits and the future is known. J is accelerator-seconds plus lambda times seconds of "
      "waiting.</p>\n",
      amount_text(report.optimum.cost()));
  out +=
      "<h2>Over time</h2>\n<p class=\"legend\">"
      "<span class=\"key warm\"></span>serving or idle<span class=\"key starting\"></span>starting "
      "or "
      "resuming<span class=\"key parked\"></span>parked<span class=\"key waiting\"></span>waiting"
      "<span class=\"key cost\"></span>cost so far<span class=\"key "
      "reserved\"></span>reserved</p>\n";
  out += sections(report);
  return out + "</main></body></html>\n";
}

}  // namespace kelvin::cli
