#include "plan/rivals/follow.h"

#include <algorithm>
#include <vector>

namespace kelvin::plan {

namespace {

std::vector<std::vector<std::uint32_t>> arrivals_by_app(const Trace& trace) {
  std::vector<std::vector<std::uint32_t>> by_app(trace.apps.size());
  for (std::uint32_t i = 0; i < trace.arrivals.size(); ++i)
    by_app[trace.arrivals[i].app].push_back(i);
  return by_app;
}

Duration end_without_waiting(const Trace& trace) {
  Duration end{};
  for (const Arrival& arrival : trace.arrivals) end = std::max(end, arrival.at + arrival.service);
  return end;
}

}  // namespace

Outcome follow(std::string policy, const Trace& trace, const Terms& terms,
               const MakeRule& make_rule) {
  Outcome outcome = outcome_of(std::move(policy), trace);
  const Duration end = end_without_waiting(trace);
  const std::vector<std::vector<std::uint32_t>> by_app = arrivals_by_app(trace);
  for (std::uint32_t app = 0; app < by_app.size(); ++app) {
    const Fleet::Traffic traffic{.trace = trace, .arrivals = by_app[app], .end = end};
    const std::unique_ptr<Rule> rule = make_rule(app);
    Fleet(traffic, terms, outcome).run(*rule);
  }
  return outcome;
}

}  // namespace kelvin::plan
