// plan_text: what `kelvin plan` found, as text, JSON and a page for a browser. Pure: a report in, text out.
#pragma once

#include <string>
#include <vector>

#include "cli/page.h"
#include "cli/plan_report.h"

namespace kelvin::cli {

// "1.32M", "738k", "12.3k", "845", "3.27", "0.050": at most five columns up to a trillion.
[[nodiscard]] std::string amount_text(double amount);
// "0", "0.31 s", "12.4 s", "3 m 07 s".
[[nodiscard]] std::string wait_text(Duration wait);
// "0", "<0.1 %", "12.3 %".
[[nodiscard]] std::string share_text(double share);

// Who asks for what, in sentences: the traffic, then serverless against reserved. Without full widths of lines.
[[nodiscard]] std::vector<std::string> traffic_sentences(const PlanReport& report);
[[nodiscard]] std::vector<std::string> verdict_sentences(const PlanReport& report);

[[nodiscard]] std::string render_plan(const PlanReport& report, const Page& page);
// One JSON object, on one line.
[[nodiscard]] std::string plan_json(const PlanReport& report);
// A whole HTML file that needs nothing else: no script, no network, light and dark.
[[nodiscard]] std::string plan_page(const PlanReport& report);

}  // namespace kelvin::cli
