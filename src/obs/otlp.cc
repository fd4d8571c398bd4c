// otlp: spans as OTLP/HTTP JSON.
#include "obs/otlp.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace kelvin::obs {
namespace {

using Json = nlohmann::ordered_json;

std::string hex_of(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xfU];
  }
  return text;
}

// Numbers of 64 bits are strings in the JSON of protocol buffers.
Json value_of(const std::variant<std::string, std::int64_t>& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return {{"intValue", std::to_string(*number)}};
  return {{"stringValue", std::get<std::string>(value)}};
}

Json attribute(std::string_view name, const std::variant<std::string, std::int64_t>& value) {
  return {{"key", name}, {"value", value_of(value)}};
}

Json json_of(const Span& span) {
  Json json = {{"traceId", hex_of(span.trace)}, {"spanId", hex_of(span.id)}};
  const bool has_parent =
      std::any_of(span.parent.begin(), span.parent.end(), [](std::uint8_t b) { return b != 0; });
  if (has_parent) json["parentSpanId"] = hex_of(span.parent);
  json["flags"] = span.flags;
  json["name"] = span.name;
  json["kind"] = static_cast<int>(span.kind);
  json["startTimeUnixNano"] = std::to_string(span.start_unix_ns);
  json["endTimeUnixNano"] = std::to_string(span.end_unix_ns);
  Json attributes = Json::array();
  for (const SpanAttribute& one : span.attributes)
    attributes.push_back(attribute(one.name, one.value));
  json["attributes"] = std::move(attributes);
  json["status"] = Json::object();
  if (span.status != SpanStatus::Unset) json["status"]["code"] = static_cast<int>(span.status);
  return json;
}

// {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "..."}}; anything else rejects nothing.
void read_partial_success(std::string_view body, ExportAnswer& answer) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return;
  const auto partial = json.find("partialSuccess");
  if (partial == json.end() || !partial->is_object()) return;
  if (const auto count = partial->find("rejectedSpans"); count != partial->end()) {
    if (count->is_number_unsigned()) {
      answer.rejected = count->get<std::uint64_t>();
    } else if (count->is_string()) {
      const auto& text = count->get_ref<const std::string&>();
      std::from_chars(text.data(), text.data() + text.size(), answer.rejected);
    }
  }
  if (const auto why = partial->find("errorMessage"); why != partial->end() && why->is_string())
    answer.why = why->get<std::string>();
}

}  // namespace

std::string otlp_json(const SpanSource& source, std::span<const Span> spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(json_of(span));
  const Json resource = {
      {"attributes", Json::array({attribute("service.name", "kelvin"),
                                  attribute("service.version", source.version),
                                  attribute("service.instance.id", source.instance)})}};
  const Json scope = {{"name", "kelvin.gateway"}, {"version", source.version}};
  const Json of_scope = {{"scope", scope}, {"spans", std::move(list)}};
  const Json of_resource = {{"resource", resource}, {"scopeSpans", Json::array({of_scope})}};
  const Json all = {{"resourceSpans", Json::array({of_resource})}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> otlp_traces_url(std::string_view endpoint) {
  const bool is_http = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  const std::size_t host = endpoint.find("://") + 3;
  const bool is_plain =
      std::all_of(endpoint.begin(), endpoint.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_http || !is_plain || host >= endpoint.size() || endpoint[host] == '/' ||
      endpoint.find_first_of("?#") != std::string_view::npos) {
    return fail(Code::Invalid, Blame::Client, Retry::Never,
                "'" + std::string(endpoint) +
                    "' is no address of a collector; one looks like http://127.0.0.1:4318");
  }
  while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  constexpr std::string_view path = "/v1/traces";
  return std::string(endpoint) + std::string(endpoint.ends_with(path) ? "" : path);
}

ExportAnswer judge_export(int status, std::string_view retry_after, std::string_view body) {
  ExportAnswer answer;
  if (status >= 200 && status < 300) {
    answer.kind = ExportAnswer::Kind::Taken;
    read_partial_success(body, answer);
    return answer;
  }
  answer.why = "the collector answered " + std::to_string(status);
  const bool may_pass = status == 429 || status == 502 || status == 503 || status == 504;
  answer.kind = may_pass ? ExportAnswer::Kind::TryAgain : ExportAnswer::Kind::Refused;
  std::int64_t seconds = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [at, error] = std::from_chars(retry_after.data(), end, seconds);
  // More than an hour is nobody's wish.
  if (error == std::errc() && at == end && seconds > 0 && seconds <= 3600)
    answer.retry_after = std::chrono::seconds(seconds);
  return answer;
}

}  // namespace kelvin::obs
