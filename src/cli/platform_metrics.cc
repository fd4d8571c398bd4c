#include "cli/platform_metrics.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "gateway/request_facts.h"

namespace kelvin::cli {

namespace {

using obs::MetricsWriter;
using obs::MetricType;

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

using gateway::AppSnapshot;
using gateway::RouteLabel;
using gateway::RouteSnapshot;
using gateway::TimesSnapshot;

constexpr std::array<std::string_view, 6> kClasses = {"left", "1xx", "2xx", "3xx", "4xx", "5xx"};

// A histogram that was never fed is left out: most apps are called in one way only.
void write_times(obs::Labels labels, const TimesSnapshot& times, MetricsWriter& page) {
  if (times.count() == 0) return;
  page.histogram(labels, {.bounds = gateway::kTimeBounds,
                          .counts = times.counts,
                          .sum = static_cast<double>(times.sum_ns) / 1e9});
}

// Calls `write(app, route, counts)` for every way in which an app was called.
template <class Write>
void for_each_route(const std::vector<AppSnapshot>& apps, const Write& write) {
  for (const AppSnapshot& app : apps) {
    for (std::size_t i = 0; i < app.routes.size(); ++i)
      write(app, gateway::to_text(static_cast<RouteLabel>(i)), app.routes[i]);
  }
}

void write_route_metrics(const std::vector<AppSnapshot>& apps, MetricsWriter& page) {
  page.family(
      MetricType::Counter, "kelvin_requests_total",
      "Requests that ended, by class of status; left: the client went before a head was sent.");
  for_each_route(apps,
                 [&](const AppSnapshot& app, std::string_view route, const RouteSnapshot& of) {
                   for (std::size_t i = 0; i < kClasses.size(); ++i) {
                     if (of.by_class[i] == 0) continue;
                     page.sample({{"workspace", app.workspace},
                                  {"app", app.app},
                                  {"route", route},
                                  {"class", kClasses[i]}},
                                 of.by_class[i]);
                   }
                 });
  page.family(
      MetricType::Counter, "kelvin_request_errors_total",
      "Requests that failed; app: it answered 5xx, broken: its reply broke off, gateway: it "
      "answered 5xx itself, client: it left before its reply was whole.");
  for_each_route(
      apps, [&](const AppSnapshot& app, std::string_view route, const RouteSnapshot& of) {
        for (std::size_t i = 0; i < of.errors.size(); ++i) {
          if (of.errors[i] == 0) continue;
          page.sample({{"workspace", app.workspace},
                       {"app", app.app},
                       {"route", route},
                       {"source", gateway::to_text(static_cast<gateway::ErrorSource>(i))}},
                      of.errors[i]);
        }
      });
  page.family(MetricType::Histogram, "kelvin_request_duration_seconds",
              "From a request's head to its end, waiting included.");
  for_each_route(apps,
                 [&](const AppSnapshot& app, std::string_view route, const RouteSnapshot& of) {
                   write_times({{"workspace", app.workspace}, {"app", app.app}, {"route", route}},
                               of.duration, page);
                 });
}

}  // namespace

void write_app_metrics(const std::vector<AppSnapshot>& apps, MetricsWriter& page) {
  write_route_metrics(apps, page);
  page.family(MetricType::Histogram, "kelvin_queue_wait_seconds",
              "From a request's head to its slot; of requests that never got one, to their end.");
  for (const AppSnapshot& app : apps)
    write_times({{"workspace", app.workspace}, {"app", app.app}}, app.queue_wait, page);
  page.family(MetricType::Histogram, "kelvin_cold_start_seconds",
              "From the head of a request that woke a replica to the first byte of its reply.");
  for (const AppSnapshot& app : apps) {
    write_times({{"workspace", app.workspace}, {"app", app.app}, {"woke_from", "cold"}},
                app.from_cold, page);
    write_times({{"workspace", app.workspace}, {"app", app.app}, {"woke_from", "parked"}},
                app.from_parked, page);
  }
  page.family(MetricType::Counter, "kelvin_request_body_bytes_total",
              "Bytes of bodies to replicas, counted when their request has ended.");
  for (const AppSnapshot& app : apps)
    page.sample({{"workspace", app.workspace}, {"app", app.app}}, app.request_bytes);
  page.family(MetricType::Counter, "kelvin_reply_body_bytes_total",
              "Bytes of bodies from replicas, counted when their request has ended.");
  for (const AppSnapshot& app : apps)
    page.sample({{"workspace", app.workspace}, {"app", app.app}}, app.reply_bytes);
}

void write_record_metrics(const gateway::AccessLogFigures& log, const gateway::TraceFigures& traces,
                          MetricsWriter& page) {
  const Family families[] = {
      {MetricType::Counter, "kelvin_access_log_lines_total", "Lines written to the access log.",
       log.lines_written},
      {MetricType::Counter, "kelvin_access_log_rotations_total",
       "Times that the access log was full and a fresh file was begun.", log.files_turned_over},
      {MetricType::Counter, "kelvin_trace_requests_total", "Requests whose spans were sent.",
       traces.requests_exported},
      {MetricType::Counter, "kelvin_trace_spans_total", "Spans that the collector took.",
       traces.spans_exported},
      {MetricType::Counter, "kelvin_trace_spans_rejected_total",
       "Spans that the collector took and threw away.", traces.spans_rejected},
      {MetricType::Counter, "kelvin_trace_post_failures_total",
       "Posts to the collector that failed.", traces.posts_failed},
  };
  for (const Family& family : families) write(family, page);
  page.family(MetricType::Counter, "kelvin_access_log_lines_lost_total",
              "Lines that are not in the access log; behind: its writer could not keep up, disk: "
              "the disk did not take them.");
  page.sample({{"why", "behind"}}, log.lines_dropped);
  page.sample({{"why", "disk"}}, log.lines_failed);
  page.family(MetricType::Counter, "kelvin_trace_requests_lost_total",
              "Requests whose spans were not sent; behind: the queue was full, given_up: the "
              "collector refused them or did not answer.");
  page.sample({{"why", "behind"}}, traces.requests_dropped);
  page.sample({{"why", "given_up"}}, traces.requests_given_up);
}

void write_gateway_metrics(const gateway::MetricsSnapshot& counts, MetricsWriter& page) {
  page.family(MetricType::Counter, "kelvin_gateway_requests_total",
              "Requests of all apps together, deleted ones too, by class of status.");
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
      {MetricType::Counter, "kelvin_gateway_connections_refused_total",
       "Connections closed at once: their address had as many as it may.",
       counts.connections_refused},
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

void write_upgrade_metrics(std::uint32_t connections, MetricsWriter& page) {
  write({MetricType::Gauge, "kelvin_draining_connections",
         "Connections that the process which an upgrade has replaced still serves.", connections},
        page);
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
