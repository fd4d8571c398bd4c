#include "plan/readers/trace_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace kelvin::plan {

namespace {

constexpr std::string_view kShorter = "Replay a part of it";

double seconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

}  // namespace

TraceBuilder::TraceBuilder(const ReadOptions& options) : options_(options) {}

Checked<std::uint32_t> TraceBuilder::app(std::string_view name) {
  if (const auto known = apps_.find(name); known != apps_.end()) return known->second;
  if (name.empty()) return complain("an app without a name");
  const ReadLimits& limits = options_.limits;
  if (name.size() > limits.name_bytes_max) {
    return complain(fmt::format("the app {} has a name of {} bytes; the most is {}",
                                in_quotes(name), name.size(), limits.name_bytes_max));
  }
  std::vector<std::string>& apps = result_.trace.apps;
  if (apps.size() == limits.apps_max)
    return complain(fmt::format("more than {} apps", limits.apps_max), std::string(kShorter));
  const auto index = static_cast<std::uint32_t>(apps.size());
  apps.emplace_back(name);
  apps_.emplace(name, index);
  return index;
}

Checked<void> TraceBuilder::add(std::int64_t at_ns, std::uint32_t app, double service) {
  const ReadLimits& limits = options_.limits;
  std::vector<Arrival>& arrivals = result_.trace.arrivals;
  if (arrivals.size() == limits.requests_max)
    return complain(fmt::format("more than {} requests", limits.requests_max),
                    std::string(kShorter));
  if (service < 0) return complain(fmt::format("the request takes {} s", service));
  if (!(service <= seconds(limits.service_max))) {
    return complain(fmt::format("the request takes {} s; the most is {} s", service,
                                seconds(limits.service_max)));
  }
  if (arrivals.empty()) first_ns_ = last_ns_ = at_ns;
  if (at_ns < last_ns_) is_in_order_ = false;
  first_ns_ = std::min(first_ns_, at_ns);
  const std::int64_t latest_ns = std::max(last_ns_, at_ns);
  if (Duration(latest_ns - first_ns_) > limits.span_max) {
    return complain(fmt::format("the requests span more than {} days",
                                limits.span_max / std::chrono::hours(24)),
                    "Correct the line, or replay a part of the trace");
  }
  last_ns_ = latest_ns;
  arrivals.push_back({.at = Duration(at_ns), .app = app, .service = Duration(to_ns(service))});
  return {};
}

Checked<void> TraceBuilder::add_tokens(std::int64_t at_ns, std::uint32_t app, double context,
                                       double generated) {
  const ServiceTime& service = options_.service;
  return add(at_ns, app,
             service.fixed + service.per_context * context + service.per_generated * generated);
}

Checked<void> TraceBuilder::check_order(std::int64_t at_ns, std::string_view name) const {
  if (result_.trace.arrivals.empty() || at_ns >= last_ns_) return {};
  return complain(fmt::format("{} is {} s before the one above it", name,
                              static_cast<double>(last_ns_ - at_ns) / 1e9),
                  fmt::format("Sort the lines by {}", name));
}

Checked<ReadTrace> TraceBuilder::finish(Format format, Origin origin) {
  std::vector<Arrival>& arrivals = result_.trace.arrivals;
  if (arrivals.empty()) {
    return complain(
        result_.skipped == 0 ? "no requests in it" : "no requests in it that a replica served",
        "Give a trace with at least one request");
  }
  if (origin == Origin::FirstArrival) {
    for (Arrival& arrival : arrivals) arrival.at -= Duration(first_ns_);
  }
  if (!is_in_order_) {
    std::ranges::sort(arrivals, {}, [](const Arrival& arrival) {
      return std::tuple(arrival.at, arrival.app, arrival.service);
    });
  }
  result_.format = format;
  return std::move(result_);
}

}  // namespace kelvin::plan
