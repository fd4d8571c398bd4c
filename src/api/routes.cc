#include "api/routes.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace kelvin::api {

namespace {

constexpr Need kOpen = Need::Nothing;
constexpr Need kHost = Need::OurHost;
constexpr Need kKey = Need::AdminKey;

constexpr auto kRoutes = std::to_array<Route>({
    {"GET", "/api/v1/status", kKey, Payload::None, show_status},
    {"PUT", "/api/v1/content/{sha256}", kKey, Payload::Octets, put_content},
    {"POST", "/api/v1/deploy", kKey, Payload::Json, deploy},
    {"GET", "/api/v1/apps", kKey, Payload::None, list_apps},
    {"GET", "/api/v1/apps/{name}", kKey, Payload::None, describe_app},
    {"DELETE", "/api/v1/apps/{name}", kKey, Payload::None, delete_app},
    {"POST", "/api/v1/apps/{name}/rollback", kKey, Payload::Json, roll_back},
    {"POST", "/api/v1/apps/{name}/scale", kKey, Payload::Json, scale_app},
    {"POST", "/api/v1/apps/{name}/traffic", kKey, Payload::Json, split_traffic},
    {"POST", "/api/v1/apps/{name}/rollout", kKey, Payload::Json, steer_rollout},
    {"POST", "/api/v1/apps/{name}/park", kKey, Payload::Json, park_app},
    {"POST", "/api/v1/apps/{name}/wake", kKey, Payload::Json, wake_app},
    {"GET", "/api/v1/apps/{name}/logs", kKey, Payload::None, stream_logs},
    {"GET", "/api/v1/replicas", kKey, Payload::None, list_replicas},
    {"GET", "/api/v1/decisions", kKey, Payload::None, list_decisions},
    {"GET", "/api/v1/keys", kKey, Payload::None, list_keys},
    {"POST", "/api/v1/keys", kKey, Payload::Json, create_key},
    {"DELETE", "/api/v1/keys/{prefix}", kKey, Payload::None, delete_key},
    {"GET", "/api/v1/usage", kKey, Payload::None, show_usage},
    {"POST", "/api/v1/upgrade", kKey, Payload::Json, begin_upgrade},
    {"GET", "/api/v1/upgrade", kKey, Payload::None, show_upgrade},
    {"GET", "/api/v1/bill", kKey, Payload::None, show_bill},
    {"GET", "/api/openapi.json", kHost, Payload::None, show_document},
    {"GET", "/metrics", kKey, Payload::None, show_metrics},
    {"GET", "/healthz", kOpen, Payload::None, show_health},
    {"GET", "/readyz", kOpen, Payload::None, show_readiness},
    {"GET", "/ui", kHost, Payload::None, show_no_dashboard},
});

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    if (path.starts_with('/')) path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_parameter(std::string_view part) { return part.starts_with('{'); }

bool matches(std::string_view pattern, const std::vector<std::string>& parts) {
  const std::vector<std::string_view> wanted = split(pattern);
  if (wanted.size() != parts.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (is_parameter(wanted[i]) ? parts[i].empty() : wanted[i] != parts[i]) return false;
  }
  return true;
}

// A plus means a space in queries, as forms write them.
std::optional<std::string> decode_parameter(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, '+', ' ');
  return http::decode_path(plain);
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

OrProblem<Match> find_route(std::string_view method, std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(path)) {
    std::optional<std::string> decoded = http::decode_path(part);
    if (!decoded)
      return refuse(bad_request("The path holds a '%' that is not followed by two hex digits."));
    parts.push_back(std::move(*decoded));
  }
  const Route* of_path = nullptr;
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (!matches(route.pattern, parts)) continue;
    of_path = &route;
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    if (route.method != method) continue;
    Match match{.route = &route};
    const std::vector<std::string_view> wanted = split(route.pattern);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (is_parameter(wanted[i])) match.parameters.push_back(std::move(parts[i]));
    }
    return match;
  }
  if (of_path == nullptr) {
    return refuse({.status = 404,
                   .code = "no_such_path",
                   .detail = "The management API has nothing at this path.",
                   .next = "See /api/openapi.json for what there is."});
  }
  return refuse({.status = 405,
                 .code = "method_not_allowed",
                 .detail = "This path answers " + allowed + " only.",
                 .next = "See /api/openapi.json for what there is.",
                 .extra_fields = "Allow: " + allowed + "\r\n"});
}

OrProblem<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view behind = pair.substr(std::min(equals + 1, pair.size()));
    std::optional<std::string> name = decode_parameter(pair.substr(0, equals));
    std::optional<std::string> value = decode_parameter(behind);
    if (!name || !value) {
      return refuse(bad_request("The query holds a '%' that is not followed by two hex digits."));
    }
    if (!query.values_.emplace(*name, std::move(*value)).second) {
      return refuse(bad_request("The query names '" + *name + "' twice."));
    }
  }
  return query;
}

std::string Query::text(std::string_view name) {
  read_.emplace(name);
  const auto found = values_.find(name);
  return found == values_.end() ? std::string() : found->second;
}

OrProblem<std::optional<std::int64_t>> Query::integer(std::string_view name, std::int64_t least,
                                                      std::int64_t most) {
  const std::string value = text(name);
  if (value.empty()) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_whole = error == std::errc() && end == value.data() + value.size();
  if (is_whole && number >= least && number <= most) return number;
  return refuse(bad_request("'" + std::string(name) + "' is '" + value +
                            "'; it must be a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most) + "."));
}

OrProblem<bool> Query::is_set(std::string_view name) {
  const std::string value = text(name);
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  return refuse(bad_request("'" + std::string(name) + "' is '" + value + "'; it must be 1 or 0."));
}

OrProblem<void> Query::check_all_read() const {
  for (const auto& [name, value] : values_) {
    if (read_.contains(name)) continue;
    std::string known;
    for (const std::string& one : read_) known += (known.empty() ? "" : ", ") + one;
    return refuse(
        bad_request("The query names '" + name + "', which this path does not know.",
                    known.empty() ? "It takes no parameters." : "It knows: " + known + "."));
  }
  return {};
}

OrProblem<std::string> read_text(Call& call, Bytes most) {
  std::string text;
  const auto take = [&](std::string_view piece) {
    text += piece;
    return true;
  };
  switch (call.connection.read_body(call.head, most, take)) {
    case Connection::Body::Whole:
      return text;
    case Connection::Body::TooLong:
      return refuse({.status = 413,
                     .code = "body_too_long",
                     .detail = "The body is longer than " + std::to_string(most.count) + " bytes.",
                     .next = "Send less."});
    case Connection::Body::Broken:
    case Connection::Body::Left:
      break;
  }
  return refuse(bad_request("The body broke off before its end.", "Send the request again."));
}

}  // namespace kelvin::api
