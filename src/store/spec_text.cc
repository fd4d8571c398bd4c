#include "store/spec_text.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace kelvin::store {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const model::AcceleratorNeed& need) {
  return {
      {"kind", need.kind}, {"count", need.count}, {"memory_each_bytes", need.memory_each.count}};
}

template <class Value>
void read(const Json& from, const char* key, Value& value) {
  const auto found = from.find(key);
  if (found != from.end()) value = found->get<Value>();
}

void read(const Json& from, const char* key, Bytes& value) { read(from, key, value.count); }

void read(const Json& from, const char* key, Duration& value) {
  std::int64_t ns = value.count();
  read(from, key, ns);
  value = Duration(ns);
}

const Json& part(const Json& from, const char* key) {
  static const Json kNothing = Json::object();
  const auto found = from.find(key);
  return found == from.end() ? kNothing : *found;
}

// The words that stand in the database; none: no affinity.
constexpr std::array<std::pair<model::AffinityBy, const char*>, 3> kAffinities{
    {{model::AffinityBy::Header, "header"},
     {model::AffinityBy::Cookie, "cookie"},
     {model::AffinityBy::Prefix, "prefix"}}};

Json to_json(const model::AffinityRule& rule) {
  Json json = Json::object();
  for (const auto& [by, word] : kAffinities) {
    if (by == rule.by) json = {{"by", word}, {"name", rule.name}, {"bytes", rule.bytes}};
  }
  return json;
}

void read_affinity(const Json& from, model::AffinityRule& rule) {
  std::string by;
  read(from, "by", by);
  for (const auto& [one, word] : kAffinities) {
    if (by == word) rule.by = one;
  }
  read(from, "name", rule.name);
  read(from, "bytes", rule.bytes);
}

Json to_json(const model::ScheduleRule& rule) {
  return {{"begins", rule.begins},
          {"ends", rule.ends},
          {"length_ns", rule.length.count()},
          {"zone", rule.zone},
          {"min", rule.replicas_min}};
}

void read_schedule(const Json& scale, std::vector<model::ScheduleRule>& schedule) {
  const auto found = scale.find("schedule");
  if (found == scale.end()) return;
  for (const Json& one : *found) {
    model::ScheduleRule& rule = schedule.emplace_back();
    read(one, "begins", rule.begins);
    read(one, "ends", rule.ends);
    read(one, "length_ns", rule.length);
    read(one, "zone", rule.zone);
    read(one, "min", rule.replicas_min);
  }
}

model::AppSpec to_spec(const Json& from) {
  model::AppSpec spec;
  read(from, "name", spec.name);
  read(from, "command", spec.command);
  read(from, "model", spec.model);
  read(from, "environment", spec.environment);
  if (const Json& needs = part(from, "needs"); !needs.empty()) {
    spec.needs.clear();
    for (const Json& one : needs) {
      model::AcceleratorNeed& need = spec.needs.emplace_back();
      read(one, "kind", need.kind);
      read(one, "count", need.count);
      read(one, "memory_each_bytes", need.memory_each);
    }
  }
  read(from, "memory_bytes", spec.memory);
  read(from, "fixed_port", spec.fixed_port);
  bool speaks_h2c = false;
  read(from, "speaks_h2c", speaks_h2c);
  spec.protocol = speaks_h2c ? model::Protocol::H2c : model::Protocol::Http1;
  read(from, "ready_path", spec.ready_path);
  read(from, "alive_path", spec.alive_path);
  const Json& scale = part(from, "scale");
  read(scale, "min", spec.scale.replicas_min);
  read(scale, "max", spec.scale.replicas_max);
  read(scale, "concurrency", spec.scale.concurrency);
  read(scale, "urgency_milli", spec.scale.urgency_milli);
  read_schedule(scale, spec.scale.schedule);
  bool may_park = true;
  read(from, "may_park", may_park);
  spec.park = may_park ? model::ParkRule::Auto : model::ParkRule::Never;
  read(from, "served_model", spec.served_model);
  read(part(from, "start"), "progress_ns", spec.start.progress);
  read(part(from, "start"), "attempts", spec.start.attempts);
  const Json& rollout = part(from, "rollout");
  read(rollout, "steps", spec.rollout.steps);
  read(rollout, "every_ns", spec.rollout.every);
  read(rollout, "errors_milli", spec.rollout.errors_milli);
  read(rollout, "requests", spec.rollout.requests);
  read(from, "timeout_ns", spec.timeout);
  read(part(from, "queue"), "requests_max", spec.queue.requests_max);
  read(part(from, "queue"), "wait_ns", spec.queue.wait);
  read(from, "cors", spec.cors);
  read_affinity(part(from, "affinity"), spec.affinity);
  return spec;
}

}  // namespace

std::string to_stored_text(const model::AppSpec& spec) {
  Json needs = Json::array();
  for (const model::AcceleratorNeed& need : spec.needs) needs.push_back(to_json(need));
  Json schedule = Json::array();
  for (const model::ScheduleRule& rule : spec.scale.schedule) schedule.push_back(to_json(rule));
  const Json out = {
      {"name", spec.name},
      {"command", spec.command},
      {"model", spec.model},
      {"environment", spec.environment},
      {"needs", needs},
      {"memory_bytes", spec.memory.count},
      {"fixed_port", spec.fixed_port},
      {"speaks_h2c", spec.protocol == model::Protocol::H2c},
      {"ready_path", spec.ready_path},
      {"alive_path", spec.alive_path},
      {"scale",
       {{"min", spec.scale.replicas_min},
        {"max", spec.scale.replicas_max},
        {"concurrency", spec.scale.concurrency},
        {"urgency_milli", spec.scale.urgency_milli},
        {"schedule", schedule}}},
      {"may_park", spec.park == model::ParkRule::Auto},
      {"served_model", spec.served_model},
      {"start", {{"progress_ns", spec.start.progress.count()}, {"attempts", spec.start.attempts}}},
      {"rollout",
       {{"steps", spec.rollout.steps},
        {"every_ns", spec.rollout.every.count()},
        {"errors_milli", spec.rollout.errors_milli},
        {"requests", spec.rollout.requests}}},
      {"timeout_ns", spec.timeout.count()},
      {"queue", {{"requests_max", spec.queue.requests_max}, {"wait_ns", spec.queue.wait.count()}}},
      {"cors", spec.cors},
      {"affinity", to_json(spec.affinity)},
  };
  // Texts come from an app file, which is UTF-8; what is not would otherwise throw.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<model::AppSpec> parse_stored_text(std::string_view text) {
  try {
    const Json from = Json::parse(text);
    if (from.is_object()) return to_spec(from);
    return fail(Code::Internal, Blame::Platform, Retry::Never, "a stored app is not a JSON object");
  } catch (const Json::exception& problem) {
    return fail(Code::Internal, Blame::Platform, Retry::Never,
                std::string("a stored app cannot be read: ") + problem.what());
  }
}

}  // namespace kelvin::store
