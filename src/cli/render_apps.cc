#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

Tone tone_of_condition(std::string_view condition) {
  if (condition == "failing") return Tone::Bad;
  if (condition == "ready") return Tone::Good;
  if (condition == "starting") return Tone::Warm;
  if (condition == "parked") return Tone::Parked;
  return Tone::Cold;
}

// "1 ready, 2 starting, 1 parked". Draining and stopping ones are among those that are neither ready nor parked.
std::string replicas_text(const wire::App& app) {
  std::string out;
  const auto add = [&out](std::uint32_t count, const char* word) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, word);
  };
  add(app.ready, "ready");
  add(app.live - std::min(app.live, app.ready + app.parked),
      app.condition == "starting" ? "starting" : "in transit");
  add(app.parked, "parked");
  return out.empty() ? "none" : out;
}

// Why the app is as it is, and when it is tried again.
std::string reason_text(const wire::App& app, const Page& page) {
  std::string out = printable(app.reason);
  if (!app.retry_at_unix_ms) return out;
  const std::int64_t left = *app.retry_at_unix_ms - page.now_unix_ms;
  const std::string retry =
      left > 0 ? "next try in " + age_text(left) : "next try at the next request";
  return out + (out.empty() ? "" : "; ") + retry;
}

std::string urgency_text(std::uint32_t milli) {
  std::string number = std::to_string(milli / 1000);
  if (milli % 1000 != 0) {
    std::string rest = fmt::format("{:03}", milli % 1000);
    while (rest.ends_with('0')) rest.pop_back();
    number += "." + rest;
  }
  if (milli == 1000) return number + " (batch)";
  if (milli == 5000) return number + " (balanced)";
  if (milli == 20'000) return number + " (interactive)";
  if (milli == 100'000) return number + " (strict)";
  return number;
}

std::string command_text(const std::vector<std::string>& command) {
  std::string out;
  for (const std::string& argument : command) {
    const bool is_plain =
        !argument.empty() && argument.find_first_of(" \t\n'\"\\$;|&") == std::string::npos;
    out += (out.empty() ? "" : " ") + (is_plain ? argument : "'" + argument + "'");
  }
  return printable(out);
}

constexpr int kShift = 2;

// For what is printed two blanks to the right.
Page inner_page(Page page) {
  if (page.columns > kShift) page.columns -= kShift;
  return page;
}

std::string render_revisions(const std::vector<wire::Revision>& revisions, const Page& page) {
  Table table{
      .columns = {
          {"REVISION", Align::Right}, {"ACTIVE"}, {"AGE", Align::Right}, {"MODEL"}, {"COMMAND"}}};
  for (const wire::Revision& revision : revisions) {
    table.rows.push_back(
        {{std::to_string(revision.number)},
         {revision.is_active ? "yes" : "-", revision.is_active ? Tone::Good : Tone::Faint},
         {age_since(revision.created_unix_ms, page.now_unix_ms)},
         {revision.model.empty() ? "-" : printable(revision.model)},
         {command_text(revision.command)}});
  }
  return shifted(render_table(table, inner_page(page)), kShift);
}

}  // namespace

std::string render_apps(const std::vector<wire::App>& apps, const Page& page) {
  if (apps.empty()) return "";
  Table table{.columns = {{"APP"},
                          {"CONDITION"},
                          {"REPLICAS"},
                          {"WAITING", Align::Right},
                          {"SCALE", Align::Right},
                          {"REVISION", Align::Right, true},
                          {"AGE", Align::Right, true},
                          {"URL", Align::Left, true}}};
  const bool has_reasons = std::ranges::any_of(apps, [](const wire::App& app) {
    return !app.reason.empty() || app.retry_at_unix_ms.has_value();
  });
  if (has_reasons) table.columns.push_back({"REASON"});
  for (const wire::App& app : apps) {
    std::vector<Cell> row = {{app.name, Tone::Strong},
                             {app.condition, tone_of_condition(app.condition)},
                             {replicas_text(app)},
                             {std::to_string(app.waiting)},
                             {fmt::format("{}..{}", app.scale_min, app.scale_max)},
                             {std::to_string(app.revision)},
                             {age_since(app.created_unix_ms, page.now_unix_ms)},
                             {app.url}};
    if (has_reasons) row.push_back({reason_text(app, page)});
    table.rows.push_back(std::move(row));
  }
  return render_table(table, page);
}

std::string render_description(const wire::Description& description, const Page& page) {
  const wire::App& app = description.app;
  std::string out = toned(app.name, Tone::Strong, page) + "  " +
                    toned(app.condition, tone_of_condition(app.condition), page) + "\n";
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("  {:<10}{}\n", name, value);
  };
  constexpr std::size_t kIndent = 12;
  add("reason", wrapped(reason_text(app, page), static_cast<std::size_t>(page.columns), kIndent));
  add("url", app.url);
  add("revision", std::to_string(app.revision));
  add("traffic", traffic_text(app));
  add("rollout", wrapped(rollout_text(app, page), static_cast<std::size_t>(page.columns), kIndent));
  add("replicas", replicas_text(app));
  add("waiting", fmt::format("{} request{}", count_text(app.waiting), app.waiting == 1 ? "" : "s"));
  add("scale", fmt::format("{} to {} replicas, {} request{} at once each", app.scale_min,
                           app.scale_max, app.concurrency, app.concurrency == 1 ? "" : "s"));
  add("schedule",
      wrapped(printable(app.schedule), static_cast<std::size_t>(page.columns), kIndent));
  add("urgency", urgency_text(app.urgency_milli));
  if (app.created_unix_ms) {
    add("deployed", fmt::format("{} ({} ago)", time_text(*app.created_unix_ms),
                                age_since(app.created_unix_ms, page.now_unix_ms)));
  }
  if (!description.revisions.empty())
    out += "\nRevisions\n" + render_revisions(description.revisions, page);
  if (description.replicas.empty()) return out;
  return out + "\nReplicas\n" +
         shifted(render_replicas(description.replicas, inner_page(page)), kShift);
}

std::string render_app_line(const wire::App& app, const Page& page) {
  std::string out =
      fmt::format("{}: {} (replicas: {})", app.name,
                  toned(app.condition, tone_of_condition(app.condition), page), replicas_text(app));
  const std::string reason = reason_text(app, page);
  return out + (reason.empty() ? "" : ": " + reason) + "\n";
}

std::string render_keeps(const wire::App& app, const Page& page) {
  std::string out;
  const auto add = [&](const std::string& sentence) {
    out += wrapped(sentence, static_cast<std::size_t>(page.columns), 2) + "\n";
  };
  if (app.rollout) add("Rollout: " + rollout_text(app, page));
  if (!app.keeps.empty()) add("Kept warm: " + printable(app.keeps));
  const bool is_said = app.keeps.find(app.schedule) != std::string::npos;
  if (!app.schedule.empty() && !is_said) add("The schedule keeps " + printable(app.schedule));
  return out;
}

std::string render_queue(const wire::App& app, const Page& page) {
  if (app.waiting == 0) return "";
  std::string out =
      fmt::format("{} request{}", count_text(app.waiting), app.waiting == 1 ? " waits" : "s wait");
  std::string parts;
  if (app.waiting_low > 0) parts = count_text(app.waiting_low) + " of low priority";
  if (app.waiting_keys > 1) {
    parts += (parts.empty() ? "" : ", ") + count_text(app.waiting_keys) + " keys";
  }
  if (!parts.empty()) out += " (" + parts + ")";
  if (!app.waits_for.empty()) out += ": " + printable(app.waits_for);
  return wrapped(out, static_cast<std::size_t>(page.columns), 2) + "\n";
}

std::string render_waiting(const wire::Request& request, const Page& page) {
  std::string out =
      fmt::format("{} waits for a slot of {}: place {} of {}", request.id, printable(request.app),
                  count_text(request.place), count_text(request.waiting));
  if (request.priority != "normal") out += ", " + request.priority + " priority";
  const std::int64_t left = std::max<std::int64_t>(request.deadline_unix_ms - page.now_unix_ms, 0);
  out += fmt::format(", for {}, at most {} more",
                     age_text(page.now_unix_ms - request.arrived_unix_ms), age_text(left));
  if (!request.waits_for.empty()) out += ": " + printable(request.waits_for);
  return wrapped(out, static_cast<std::size_t>(page.columns), 2) + "\n";
}

std::string traffic_text(const wire::App& app) {
  std::string out;
  for (const wire::Share& share : app.traffic) {
    out +=
        fmt::format("{}revision {}: {} %", out.empty() ? "" : ", ", share.revision, share.percent);
  }
  return out;
}

std::string rollout_text(const wire::App& app, const Page& page) {
  if (!app.rollout) return "";
  const wire::Rollout& rollout = *app.rollout;
  const std::string why = rollout.why.empty() ? "" : "; " + printable(rollout.why);
  if (rollout.stage == "rolled_back") {
    return fmt::format("revision {} was rolled back to revision {}{}", rollout.to, rollout.from,
                       why);
  }
  if (rollout.stage == "starting") {
    return fmt::format(
        "revision {} takes over from revision {} in {} steps, the first when it is ready",
        rollout.to, rollout.from, rollout.steps);
  }
  return fmt::format("revision {} takes {} % since {}, step {} of {}{}{}", rollout.to,
                     rollout.percent, age_since(rollout.step_since_unix_ms, page.now_unix_ms),
                     rollout.step, rollout.steps, rollout.stage == "paused" ? ", paused" : "", why);
}

std::string render_deployed(const wire::App& app, const Page& page) {
  return toned(fmt::format("{}@{}", app.name, app.revision), Tone::Strong, page) + "  " + app.url +
         "\n";
}

}  // namespace kelvin::cli
