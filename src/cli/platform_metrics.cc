#include "cli/platform_metrics.h"

#include <array>
#include <string_view>

namespace kelvin::cli {

namespace {

using obs::MetricsWriter;
using obs::MetricType;

// The name after "kelvin_gateway_", and what it counts.
struct Family {
  MetricType type;
  std::string_view name;
  std::string_view help;
  std::uint64_t value;
};

void write(const Family& family, MetricsWriter& page) {
  page.family(family.type, family.name, family.help);
  page.sample({}, family.value);
}

}  // namespace

void write_gateway_metrics(const gateway::MetricsSnapshot& counts, MetricsWriter& page) {
  constexpr std::array<std::string_view, 6> kClasses = {"left", "1xx", "2xx", "3xx", "4xx", "5xx"};
  page.family(MetricType::Counter, "kelvin_gateway_requests_total",
              "Requests that ended, by class of status; left: the client went first.");
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    page.sample({{"class", kClasses[i]}}, counts.requests_by_class[i]);
  }
  const Family families[] = {
      {MetricType::Gauge, "kelvin_gateway_requests_in_flight", "Requests at a replica.",
       counts.requests_in_flight},
      {MetricType::Gauge, "kelvin_gateway_requests_waiting", "Requests that wait for a slot.",
       counts.requests_waiting},
      {MetricType::Counter, "kelvin_gateway_cold_starts_total",
       "Requests that waited for the start of a replica.", counts.cold_starts},
      {MetricType::Counter, "kelvin_gateway_resumes_total",
       "Requests that waited for a parked replica.", counts.resumes},
      {MetricType::Counter, "kelvin_gateway_retries_total",
       "Tries beyond a request's first; no byte of it had been sent.", counts.retries},
      {MetricType::Counter, "kelvin_gateway_request_bytes_total", "Bytes of bodies to replicas.",
       counts.request_bytes},
      {MetricType::Counter, "kelvin_gateway_reply_bytes_total", "Bytes of bodies from replicas.",
       counts.reply_bytes},
      {MetricType::Gauge, "kelvin_gateway_connections", "Open connections of clients.",
       counts.connections_open},
      {MetricType::Counter, "kelvin_gateway_connections_total", "Connections accepted.",
       counts.connections_accepted},
      {MetricType::Counter, "kelvin_gateway_accept_pauses_total",
       "Times that a limit stopped the accepting of connections.", counts.accept_pauses},
      {MetricType::Counter, "kelvin_gateway_upstream_connects_total",
       "Connections made to replicas.", counts.upstream_connects},
      {MetricType::Counter, "kelvin_gateway_upstream_reuses_total",
       "Requests sent over a kept connection.", counts.upstream_reuses},
      {MetricType::Gauge, "kelvin_gateway_held_body_bytes", "Bodies under /v1 held in memory.",
       counts.held_body_bytes},
  };
  for (const Family& family : families) write(family, page);
}

void write_usage_metrics(const shell::UsageWriter::Figures& counts, MetricsWriter& page) {
  const Family families[] = {
      {MetricType::Counter, "kelvin_usage_rows_total", "Rows of usage in the store.",
       counts.rows_written},
      {MetricType::Gauge, "kelvin_usage_rows_waiting", "Rows of usage that wait for the store.",
       counts.rows_waiting},
      {MetricType::Counter, "kelvin_usage_rows_given_up_total",
       "Rows of usage lost because the store did not take them for too long.",
       counts.rows_given_up},
      {MetricType::Counter, "kelvin_usage_failures_total", "Failed tries to write usage.",
       counts.failures},
  };
  for (const Family& family : families) write(family, page);
}

}  // namespace kelvin::cli
