#include "plan/policies.h"

#include <array>
#include <utility>

#include "plan/replay.h"
#include "plan/rivals.h"

namespace kelvin::plan {

namespace {

using Rule = std::function<Outcome(const Trace&, const Terms&)>;

Policy rival(std::string name, Rule rule) {
  return {.name = std::move(name),
          .replay = [rule = std::move(rule)](const Trace& trace, const Terms& terms,
                                             const ReplayProgress&) { return rule(trace, terms); }};
}

Policy kelvin_at(std::uint32_t urgency_milli) {
  return {.name = "kelvin",
          .urgency_milli = urgency_milli,
          .replay = [urgency_milli](const Trace& trace, const Terms& terms,
                                    const ReplayProgress& progress) {
            return replay(trace, terms, {.urgency_milli = urgency_milli, .progress = progress});
          }};
}

}  // namespace

std::vector<Policy> policies(const std::vector<std::uint32_t>& urgencies_milli) {
  static constexpr std::array<std::chrono::seconds, 5> kIdleTimes = {0s, 5s, 60s, 300s, 600s};
  std::vector<Policy> all;
  for (const std::uint32_t urgency : urgencies_milli) all.push_back(kelvin_at(urgency));
  for (const std::chrono::seconds idle : kIdleTimes) {
    all.push_back(rival(
        "idle " + std::to_string(idle.count()) + " s",
        [idle](const Trace& trace, const Terms& terms) { return fixed_idle(trace, terms, idle); }));
  }
  all.push_back(rival("knative", knative));
  for (const std::uint32_t least : {0U, 1U}) {
    all.push_back(rival("ray serve, min " + std::to_string(least),
                        [least](const Trace& trace, const Terms& terms) {
                          return ray_serve(trace, terms, least);
                        }));
  }
  all.push_back(rival("queue delay 4 s", queue_delay));
  all.push_back(rival("reserved", reserved));
  all.back().is_reserved = true;
  return all;
}

}  // namespace kelvin::plan
