#include "api/bodies.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

namespace kelvin::api {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kDrainMsMax = 24ULL * 60 * 60 * 1000;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kPathBytesMax = 4095;
constexpr std::size_t kSharesMax = 100;  // of at least one percent each

tl::unexpected<Problem> wrong(const std::string& where, const std::string& must) {
  return refuse(
      bad_request("'" + where + "' must be " + must + ".", "See /api/openapi.json for the body."));
}

OrProblem<Json> parse_object(std::string_view text, std::initializer_list<std::string_view> known) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return refuse(
        bad_request("The body is not a JSON object.", "See /api/openapi.json for the body."));
  }
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    return refuse(bad_request("The body has the key '" + key + "', which this path does not know.",
                              "See /api/openapi.json for the body."));
  }
  return json;
}

const Json* find(const Json& from, const char* key) {
  const auto found = from.find(key);
  return found == from.end() || found->is_null() ? nullptr : &*found;
}

OrProblem<std::string> text_at(const Json& from, const std::string& where, const char* key) {
  const Json* value = find(from, key);
  if (value == nullptr || !value->is_string()) return wrong(where + key, "a text");
  return value->get<std::string>();
}

// Absent and null mean false.
OrProblem<bool> boolean_at(const Json& from, const std::string& where, const char* key) {
  const Json* value = find(from, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return wrong(where + key, "true or false");
  return value->get<bool>();
}

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
};

// Absent and null are absent.
OrProblem<std::optional<std::uint64_t>> integer_at(const Json& from, const char* key, Range range) {
  const Json* value = find(from, key);
  if (value == nullptr) return std::nullopt;
  const bool is_inside = value->is_number_unsigned() &&
                         value->get<std::uint64_t>() >= range.least &&
                         value->get<std::uint64_t>() <= range.most;
  if (is_inside) return value->get<std::uint64_t>();
  return wrong(key, "a whole number from " + std::to_string(range.least) + " to " +
                        std::to_string(range.most));
}

// Relative, and nothing in it that leads elsewhere.
bool is_plain_path(std::string_view path) {
  if (path.size() > kPathBytesMax || path.find('\0') != std::string_view::npos) return false;
  while (true) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

enum class PathRule : std::uint8_t { Plain, Empty };

OrProblem<ports::ContentFile> file_at(const Json& from, const std::string& where, PathRule rule) {
  if (!from.is_object()) return wrong(where, "an object");
  ports::ContentFile file;
  KELVIN_ANSWER_TRY(file.path, text_at(from, where + ".", "path"));
  if (rule == PathRule::Empty ? !file.path.empty() : !is_plain_path(file.path)) {
    return wrong(where + ".path", rule == PathRule::Empty
                                      ? "empty for a model that is one file"
                                      : "a relative path without empty, '.' and '..' parts");
  }
  KELVIN_ANSWER_TRY(file.is_executable, boolean_at(from, where + ".", "is_executable"));
  KELVIN_ANSWER_TRY(file.sha256, text_at(from, where + ".", "sha256"));
  if (!is_sha256(file.sha256)) return wrong(where + ".sha256", "64 lower-case hex digits");
  const Json* bytes = find(from, "bytes");
  if (bytes == nullptr || !bytes->is_number_unsigned())
    return wrong(where + ".bytes", "a whole number");
  file.size = {bytes->get<std::uint64_t>()};
  return file;
}

OrProblem<std::vector<ports::ContentFile>> files_at(const Json& from, const char* key,
                                                    PathRule rule) {
  const Json* list = find(from, key);
  std::vector<ports::ContentFile> files;
  if (list == nullptr) return files;
  if (!list->is_array()) return wrong(key, "a list of files");
  std::set<std::string> paths;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = std::string(key) + "[" + std::to_string(i) + "]";
    KELVIN_ANSWER_TRY(ports::ContentFile file, file_at((*list)[i], where, rule));
    if (!paths.insert(file.path).second) return wrong(where + ".path", "different from the others");
    files.push_back(std::move(file));
  }
  return files;
}

OrProblem<void> read_model(const Json& json, ports::ContentTree& tree) {
  if (find(json, "model_name") != nullptr) {
    KELVIN_ANSWER_TRY(tree.model_name, text_at(json, "", "model_name"));
    const bool is_one_part =
        is_plain_path(tree.model_name) && tree.model_name.find('/') == std::string::npos;
    if (!is_one_part) return wrong("model_name", "the last part of the model's path");
  }
  KELVIN_ANSWER_TRY(tree.model_is_folder, boolean_at(json, "", "model_is_folder"));
  const PathRule rule = tree.model_is_folder ? PathRule::Plain : PathRule::Empty;
  KELVIN_ANSWER_TRY(tree.model, files_at(json, "model", rule));
  if (tree.model_name.empty() && !tree.model.empty())
    return wrong("model", "empty without a model_name");
  const bool is_file = !tree.model_name.empty() && !tree.model_is_folder;
  if (is_file && tree.model.size() != 1)
    return wrong("model", "one entry for a model that is one file");
  return {};
}

}  // namespace

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

OrProblem<DeployBody> parse_deploy(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json,
                    parse_object(text, {"file", "file_name", "folder", "model_name",
                                        "model_is_folder", "model"}));
  DeployBody body;
  KELVIN_ANSWER_TRY(body.file, text_at(json, "", "file"));
  KELVIN_ANSWER_TRY(body.file_name, text_at(json, "", "file_name"));
  KELVIN_ANSWER_TRY(body.tree.folder, files_at(json, "folder", PathRule::Plain));
  KELVIN_ANSWER_TRY_VOID(read_model(json, body.tree));
  return body;
}

OrProblem<RollbackBody> parse_rollback(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"to"}));
  KELVIN_ANSWER_TRY(const std::optional<std::uint64_t> to, integer_at(json, "to", {1, UINT32_MAX}));
  RollbackBody body;
  if (to) body.to = static_cast<std::uint32_t>(*to);
  return body;
}

OrProblem<ScaleBody> parse_scale(std::string_view text, std::uint32_t replicas_max) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"min", "max"}));
  KELVIN_ANSWER_TRY(const std::optional<std::uint64_t> least,
                    integer_at(json, "min", {0, replicas_max}));
  KELVIN_ANSWER_TRY(const std::optional<std::uint64_t> most,
                    integer_at(json, "max", {1, replicas_max}));
  if (!least && !most) return wrong("min' or 'max", "given");
  ScaleBody body;
  if (least) body.replicas_min = static_cast<std::uint32_t>(*least);
  if (most) body.replicas_max = static_cast<std::uint32_t>(*most);
  return body;
}

OrProblem<TrafficBody> parse_traffic(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"shares"}));
  const Json* list = find(json, "shares");
  if (list == nullptr || !list->is_array() || list->size() > kSharesMax)
    return wrong("shares", "a list of at most " + std::to_string(kSharesMax) + " shares");
  TrafficBody body;
  std::set<std::uint32_t> revisions;
  std::uint64_t sum = 0;
  for (const Json& one : *list) {
    if (!one.is_object() || one.size() != 2)
      return wrong("shares", "a list of objects with revision and percent");
    KELVIN_ANSWER_TRY(const auto revision, integer_at(one, "revision", {1, UINT32_MAX}));
    KELVIN_ANSWER_TRY(const auto percent, integer_at(one, "percent", {1, 100}));
    if (!revision || !percent)
      return wrong("shares", "a list of objects with revision and percent");
    body.shares.push_back({.revision = static_cast<std::uint32_t>(*revision),
                           .percent = static_cast<std::uint32_t>(*percent)});
    if (!revisions.insert(body.shares.back().revision).second)
      return wrong("shares", "a list with each revision once");
    sum += *percent;
  }
  if (!body.shares.empty() && sum != 100)
    return wrong("shares", "empty or sum to 100 percent, not to " + std::to_string(sum));
  return body;
}

OrProblem<UpgradeBody> parse_upgrade(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"binary", "drain_ms"}));
  UpgradeBody body;
  if (find(json, "binary") != nullptr) {
    KELVIN_ANSWER_TRY(body.binary, text_at(json, "", "binary"));
    if (!body.binary.starts_with('/')) return wrong("binary", "an absolute path");
  }
  KELVIN_ANSWER_TRY(const std::optional<std::uint64_t> drain_ms,
                    integer_at(json, "drain_ms", {0, kDrainMsMax}));
  if (drain_ms) body.drain = std::chrono::milliseconds(*drain_ms);
  return body;
}

OrProblem<RolloutBody> parse_rollout(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"wish"}));
  KELVIN_ANSWER_TRY(const std::string wish, text_at(json, "", "wish"));
  if (wish == "pause") return RolloutBody{model::RolloutWish::Pause};
  if (wish == "resume") return RolloutBody{model::RolloutWish::Resume};
  if (wish == "promote") return RolloutBody{model::RolloutWish::Promote};
  if (wish == "abort") return RolloutBody{model::RolloutWish::Abort};
  return wrong("wish", "pause, resume, promote or abort");
}

OrProblem<KeyBody> parse_key(std::string_view text) {
  KELVIN_ANSWER_TRY(const Json json, parse_object(text, {"name", "scopes", "weight"}));
  KeyBody body;
  KELVIN_ANSWER_TRY(body.name, text_at(json, "", "name"));
  bool is_printable = true;
  for (const char c : body.name)
    is_printable = is_printable && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (body.name.empty() || body.name.size() > kNameBytesMax || !is_printable) {
    return wrong("name", "a text of 1 to " + std::to_string(kNameBytesMax) +
                             " bytes without control characters");
  }
  const std::string must = "a list of one or more of \"invoke\" and \"admin\"";
  const Json* scopes = find(json, "scopes");
  if (scopes == nullptr || !scopes->is_array() || scopes->empty()) return wrong("scopes", must);
  for (const Json& scope : *scopes) {
    if (scope == "invoke") {
      body.scopes.invoke = true;
    } else if (scope == "admin") {
      body.scopes.admin = true;
    } else {
      return wrong("scopes", must);
    }
  }
  KELVIN_ANSWER_TRY(const auto weight, integer_at(json, "weight", {1, model::kKeyWeightMax}));
  if (weight) body.weight = static_cast<std::uint32_t>(*weight);
  return body;
}

OrProblem<void> parse_nothing(std::string_view text) {
  if (text.empty()) return {};
  KELVIN_ANSWER_TRY_VOID(parse_object(text, {}));
  return {};
}

}  // namespace kelvin::api
