#include "openapi_fit.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "api/openapi.h"

namespace kelvin::api {

namespace {

using Json = nlohmann::json;

const Json& document() {
  static const Json kDocument = Json::parse(openapi_document());
  return kDocument;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return false;
}

std::string fit(const Json& value, const Json& schema, const std::string& where);

std::string fit_object(const Json& value, const Json& schema, const std::string& where) {
  for (const Json& key : schema.value("required", Json::array())) {
    if (!value.contains(key.get<std::string>())) return where + " lacks " + key.dump();
  }
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [key, member] : value.items()) {
    if (!properties.contains(key)) {
      if (schema.value("additionalProperties", true)) continue;
      return where + " has " + key + ", which the document does not know";
    }
    if (std::string problem = fit(member, properties[key], where + "/" + key); !problem.empty())
      return problem;
  }
  return {};
}

std::string fit_value(const Json& value, const Json& schema, const std::string& where) {
  if (schema.contains("const") && value != schema["const"])
    return where + " is not " + schema["const"].dump();
  if (schema.contains("enum")) {
    const Json& allowed = schema["enum"];
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
      return where + " is " + value.dump();
  }
  if (schema.contains("minimum") && value.is_number() && value < schema["minimum"])
    return where + " is too small";
  if (schema.contains("minLength") && value.is_string() &&
      value.get<std::string>().size() < schema["minLength"]) {
    return where + " is too short";
  }
  return {};
}

std::string fit(const Json& value, const Json& schema, const std::string& where) {
  if (schema.contains("$ref")) {
    const std::string pointer = schema["$ref"].get<std::string>().substr(1);
    return fit(value, document().at(Json::json_pointer(pointer)), where);
  }
  if (schema.contains("anyOf")) {
    std::string problems;
    for (const Json& one : schema["anyOf"]) {
      const std::string problem = fit(value, one, where);
      if (problem.empty()) return {};
      problems += problem + "; ";
    }
    return problems;
  }
  if (schema.contains("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    bool is_of_type = false;
    for (const Json& type : types)
      is_of_type = is_of_type || has_type(value, type.get<std::string>());
    if (!is_of_type) return where + " is " + value.dump() + ", not " + types.dump();
  }
  if (std::string problem = fit_value(value, schema, where); !problem.empty()) return problem;
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string problem = fit(value[i], schema["items"], where + "/" + std::to_string(i));
      if (!problem.empty()) return problem;
    }
  }
  return value.is_object() ? fit_object(value, schema, where) : std::string();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(c));
  return out;
}

}  // namespace

std::string described_parameters(std::string_view pattern) {
  std::set<std::string> names;
  for (const Json& one :
       document()["paths"][std::string(pattern)]["get"].value("parameters", Json::array())) {
    if (one["in"] == "query") names.insert(one["name"].get<std::string>());
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "It takes no parameters." : "It knows: " + out + ".";
}

std::string misfit(const Shown& shown) {
  const std::string what = std::string(shown.method) + " " + std::string(shown.pattern);
  const Json& operation = document()["paths"][std::string(shown.pattern)][lower(shown.method)];
  const auto response = operation["responses"].find(std::to_string(shown.status));
  if (response == operation["responses"].end()) {
    return what + " answered " + std::to_string(shown.status) + ", which is not in the document";
  }
  const Json& content = (*response)["content"];
  const auto media = content.find(std::string(shown.content_type));
  if (media == content.end()) return what + " answered " + std::string(shown.content_type);
  if (shown.content_type == "text/plain") return {};
  const Json& schema = (*media)["schema"];
  std::string_view rest = shown.body;
  while (!rest.empty()) {  // one value, or one a line
    const std::string_view line =
        shown.content_type == "application/x-ndjson" ? rest.substr(0, rest.find('\n')) : rest;
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const Json value = Json::parse(line, nullptr, false);
    if (value.is_discarded()) return what + " answered no JSON: " + std::string(line);
    if (std::string problem = fit(value, schema, ""); !problem.empty())
      return what + ": " + problem;
  }
  return {};
}

}  // namespace kelvin::api
