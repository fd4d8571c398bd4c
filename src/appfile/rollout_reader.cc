// rollout_reader: the keys below `rollout`, how a new revision takes over.
#include "appfile/app_reader.h"

namespace kelvin::appfile {

void AppReader::read_rollout(const Node& value) {
  read_group(value, "rollout", kRolloutKeys);
  const bool has_steps =
      app_.positions.contains("rollout.steps") || meant_.contains("rollout.steps");
  if (value.kind != Node::Kind::Map || has_steps) return;
  reader_.complain({.line = value.at.line,
                    .column = value.at.column,
                    .found = "no steps",
                    .expected = "steps",
                    .message = "rollout has no steps; add steps: [5, 25, 100]"});
}

void AppReader::read_rollout_steps(const Node& value) {
  const std::string expected = "a list of percents that rise, such as [5, 25, 100]";
  std::vector<std::uint32_t>& steps = app_.spec.rollout.steps;
  for (const Node& item :
       reader_.read_list(value, "rollout.steps", expected, limits_.rollout_steps_max)) {
    const auto percent = reader_.read_count(item, "a step in rollout.steps", {1, 100});
    if (!percent) continue;
    if (!steps.empty() && *percent <= steps.back()) {
      reader_.reject(item, "a step in rollout.steps",
                     "more than the " + std::to_string(steps.back()) + " before it");
      continue;
    }
    steps.push_back(static_cast<std::uint32_t>(*percent));
  }
}

void AppReader::read_rollout_every(const Node& value) {
  const Range range{static_cast<std::uint64_t>(limits_.duration_min.count()),
                    static_cast<std::uint64_t>(limits_.duration_max.count())};
  if (const auto length = reader_.read_time(value, "rollout.every", range))
    app_.spec.rollout.every = *length;
}

void AppReader::read_rollout_errors(const Node& value) {
  const std::string expected = "a percent from 0% to 100%, such as 2% or 0.5%";
  const std::optional<std::string> text = reader_.read_text(value, "rollout.errors", expected);
  if (!text) return;
  std::string_view number = *text;
  const bool is_percent = number.ends_with('%');
  if (is_percent) number.remove_suffix(1);
  while (number.ends_with(' ')) number.remove_suffix(1);
  const Read<std::uint32_t> milli = read_thousandths(number);
  if (!milli || *milli > 100'000)
    return reader_.reject(value, "rollout.errors", expected, milli ? "" : milli.error());
  // A bare number could be a share of 1.
  if (!is_percent) return reader_.reject(value, "rollout.errors", expected, "write it with its %");
  app_.spec.rollout.errors_milli = *milli;
}

void AppReader::read_rollout_requests(const Node& value) {
  const Range range{1, limits_.rollout_requests_max};
  if (const auto count = reader_.read_count(value, "rollout.requests", range))
    app_.spec.rollout.requests = static_cast<std::uint32_t>(*count);
}

void AppReader::check_rollout() {
  if (app_.spec.fixed_port == 0 || app_.spec.rollout.steps.empty()) return;
  const Position at = position_of("rollout.steps");
  const std::string port = std::to_string(app_.spec.fixed_port);
  reader_.complain({.line = at.line,
                    .column = at.column,
                    .found = "rollout.steps",
                    .expected = "port: auto, or no rollout",
                    .message = "rollout.steps need both revisions at once, which the fixed port " +
                               port + " does not allow; expected port: auto, or no rollout"});
}

}  // namespace kelvin::appfile
