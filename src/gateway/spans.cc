// spans: a finished request as spans of its trace.
#include "gateway/spans.h"

#include <algorithm>

#include "model/ids.h"

namespace kelvin::gateway {
namespace {

std::string server_name(const RequestRecord& record) {
  return std::string(record.head.method.view()) + " " + std::string(to_text(record.route));
}

std::vector<obs::SpanAttribute> attributes_of(const RequestRecord& record) {
  const std::string_view path = record.head.path.view();
  std::vector<obs::SpanAttribute> all = {
      {"http.request.method", std::string(record.head.method.view())},
      {"url.path", std::string(path.substr(0, path.find('?')))},
      {"http.response.status_code", std::int64_t{record.status}},
      {"network.protocol.version", std::string(to_text(record.head.version).substr(5))},
      {"client.address", std::string(record.client_address.view())},
      {"kelvin.request", model::to_text(record.id)},
      {"kelvin.route", std::string(to_text(record.route))},
      {"kelvin.woke_from", std::string(model::to_text(record.woke_from))},
      {"kelvin.ending", std::string(to_text(record.ending))},
  };
  if (!record.app.empty()) all.push_back({"kelvin.app", std::string(record.app.view())});
  if (record.replica) all.push_back({"kelvin.replica", model::to_text(record.replica)});
  if (record.revision != 0)
    all.push_back({"kelvin.revision", static_cast<std::int64_t>(record.revision)});
  if (!record.code.empty()) all.push_back({"error.type", std::string(record.code.view())});
  return all;
}

}  // namespace

std::vector<obs::Span> spans_of(const RequestRecord& record, std::int64_t unix_ns, TraceIds& ids) {
  const auto at = [&](Instant moment) { return unix_ns - (record.ended - moment).count(); };
  std::vector<obs::Span> all;
  obs::Span server{.trace = record.head.trace.trace,
                   .id = record.head.trace.span,
                   .parent = record.head.trace.parent,
                   .flags = record.head.trace.flags,
                   .name = server_name(record),
                   .kind = obs::SpanKind::Server,
                   .start_unix_ns = at(record.arrived),
                   .end_unix_ns = unix_ns,
                   .attributes = attributes_of(record)};
  const bool is_error = record.status >= 500 || record.ending == Ending::Broken;
  if (is_error) server.status = obs::SpanStatus::Error;
  all.push_back(std::move(server));
  const auto add = [&](std::string_view name, Instant from, Instant to) {
    all.push_back({.trace = record.head.trace.trace,
                   .id = ids.next_span(),
                   .parent = record.head.trace.span,
                   .flags = record.head.trace.flags,
                   .name = std::string(name),
                   .start_unix_ns = at(from),
                   .end_unix_ns = at(std::max(from, to))});
  };
  Instant from = record.arrived;
  for (std::size_t i = 0; i < record.stage_count; ++i) {
    const model::StageTime& stage = record.stages[i];
    add(model::to_text(stage.phase), from, from + stage.time);
    from = from + stage.time;
  }
  // Waiting that control did not take apart: for a slot that came free, or in vain.
  if (record.stage_count == 0 && record.queued > Duration::zero() && !record.app.empty())
    add("queue", record.arrived, record.arrived + record.queued);
  if (record.first_byte_sent != Instant{} && record.first_byte_read != Instant{})
    add("ttfb", record.first_byte_sent, record.first_byte_read);
  return all;
}

}  // namespace kelvin::gateway
