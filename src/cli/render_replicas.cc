#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/render.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

Tone tone_of_temperature(std::string_view temperature) {
  if (temperature == "hot") return Tone::Hot;
  if (temperature == "warm") return Tone::Warm;
  if (temperature == "parked") return Tone::Parked;
  return Tone::Cold;
}

// "h100:0,1"; "-" where the lease has been given back.
std::string accelerators_text(const std::vector<wire::Accelerator>& accelerators) {
  std::map<std::string, std::string> indices;
  for (const wire::Accelerator& one : accelerators) {
    std::string& list = indices[one.kind];
    list += (list.empty() ? "" : ",") + std::to_string(one.index);
  }
  std::string out;
  for (const auto& [kind, list] : indices) out += (out.empty() ? "" : " ") + kind + ":" + list;
  return out.empty() ? "-" : out;
}

std::string bytes_or_dash(std::optional<std::uint64_t> bytes) {
  return bytes && *bytes > 0 ? bytes_text(*bytes) : "-";
}

// The request and the replica, where the entry is about them; else the app.
std::string about_text(const wire::Decision& decision) {
  if (decision.request.empty() && decision.replica.empty()) return decision.app;
  const bool has_both = !decision.request.empty() && !decision.replica.empty();
  return decision.request + (has_both ? " " : "") + decision.replica;
}

}  // namespace

std::string render_replicas(const std::vector<wire::Replica>& replicas, const Page& page) {
  if (replicas.empty()) return "";
  Table table{.columns = {{"REPLICA"},
                          {"APP"},
                          {"TEMP"},
                          {"STATE"},
                          {"IN FLIGHT", Align::Right},
                          {"MEMORY", Align::Right},
                          {"CLAIM", Align::Right, true},
                          {"ACCEL"},
                          {"NODE", Align::Left, true},
                          {"AGE", Align::Right, true},
                          {"REASON"}}};
  for (const wire::Replica& replica : replicas) {
    std::string reason = printable(replica.reason);
    if (replica.is_adopted) reason += reason.empty() ? "adopted" : " (adopted)";
    table.rows.push_back(
        {{replica.id, Tone::Strong},
         {fmt::format("{}@{}", replica.app, replica.revision)},
         {replica.temperature, tone_of_temperature(replica.temperature)},
         {replica.state + " " + age_since(replica.state_since_unix_ms, page.now_unix_ms)},
         {std::to_string(replica.in_flight)},
         {bytes_or_dash(replica.memory_bytes)},
         {bytes_or_dash(replica.memory_claim_bytes)},
         {accelerators_text(replica.accelerators)},
         {replica.node},
         {age_since(replica.created_unix_ms, page.now_unix_ms)},
         {reason}});
  }
  return render_table(table, page);
}

std::string render_replica_state(const wire::Replica& replica, const Page& page) {
  const auto width = static_cast<std::size_t>(page.columns);
  std::string state = fmt::format(
      "{} of {}@{}: {} for {} ({})", replica.id, printable(replica.app), replica.revision,
      replica.state, age_since(replica.state_since_unix_ms, page.now_unix_ms), replica.temperature);
  if (replica.in_flight > 0) state += fmt::format(", {} in flight", replica.in_flight);
  if (!replica.reason.empty()) state += ": " + printable(replica.reason);
  std::string out = wrapped(state, width, 2) + "\n";
  if (replica.next.empty()) return out;
  std::string next = "Next";
  if (replica.next_unix_ms) next += ", in " + age_text(*replica.next_unix_ms - page.now_unix_ms);
  const std::size_t shifted = width > 2 ? width - 2 : width;
  return out + "  " + wrapped(next + ": " + printable(replica.next), shifted, 4) + "\n";
}

std::string render_decisions(const std::vector<wire::Decision>& decisions, const Page& page) {
  if (decisions.empty()) return "";
  Table table{.columns = {{"TIME (UTC)"}, {"AGO", Align::Right}, {"WHAT"}, {"ABOUT"}, {"WHY"}}};
  std::size_t verb_width = 4;
  std::size_t about_width = 5;
  std::size_t age_width = 3;
  for (const wire::Decision& decision : decisions) {
    table.rows.push_back({{clock_text(decision.at_unix_ms), Tone::Faint},
                          {age_text(page.now_unix_ms - decision.at_unix_ms), Tone::Faint},
                          {printable(decision.verb), Tone::Strong},
                          {about_text(decision)},
                          {""}});
    verb_width = std::max(verb_width, columns_of(decision.verb));
    about_width = std::max(about_width, columns_of(table.rows.back()[3].text));
    age_width = std::max(age_width, table.rows.back()[1].text.size());
  }
  // The sentence is what is asked for, so it is wrapped and never cut.
  constexpr std::size_t kClockWidth = 12;
  const std::size_t indent = kClockWidth + age_width + verb_width + about_width + 8;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    table.rows[i][4].text =
        wrapped(printable(decisions[i].sentence), static_cast<std::size_t>(page.columns), indent);
  }
  Page whole = page;
  whole.columns = 0;
  return render_table(table, whole);
}

std::string render_log_line(const wire::LogLine& line, const Page& page) {
  const std::string text = printable_line(line.text, page.has_colour);
  std::string out = toned(clock_text(line.at_unix_ms), Tone::Faint, page) + "  ";
  if (!line.replica.empty()) out += toned(line.replica, Tone::Parked, page) + "  ";
  if (line.stream == "system") return out + toned("kelvin: " + text, Tone::Strong, page) + "\n";
  return out + text + "\n";
}

}  // namespace kelvin::cli
