#include "appfile/app_reader.h"

#include <algorithm>
#include <array>

namespace kelvin::appfile {

namespace {

std::string quoted(std::string_view text) { return "'" + shorten(text) + "'"; }

Range range_of(const Limits& limits) {
  return {static_cast<std::uint64_t>(limits.duration_min.count()),
          static_cast<std::uint64_t>(limits.duration_max.count())};
}

// `{model}` without quotes is a YAML map with the key `model` and no value.
bool is_unquoted_placeholder(const Node& node) {
  return node.kind == Node::Kind::Map && node.items.size() == 2 &&
         node.items[0].kind == Node::Kind::Scalar && node.items[1].kind == Node::Kind::Nothing;
}

// What a command written as one line would be as a list: split at white space, quotes left to the reader.
std::string as_list(std::string_view line) {
  std::string list = "[";
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t\n", at), line.size());
    const std::string_view word = line.substr(at, end - at);
    const bool is_plain = word.find_first_of("{}[],&*#?|<>=!%@`\"'\\:") == std::string_view::npos;
    if (list.size() > 1) list += ", ";
    if (is_plain) {
      list += word;
    } else {
      list += '"';
      for (const char c : word) {
        if (c == '"' || c == '\\') list += '\\';
        list += c;
      }
      list += '"';
    }
    at = end;
  }
  return list + "]";
}

constexpr std::size_t kSuggestionBytes = 200;

constexpr std::array<std::string_view, 25> kGpuKinds{
    "a10",       "a100",         "a10g",     "a30",      "a40",      "b200",      "b300",
    "gb200",     "gh200",        "h100",     "h200",     "l4",       "l40",       "l40s",
    "mi300x",    "mi325x",       "rtx-3090", "rtx-4090", "rtx-5090", "rtx-a4000", "rtx-a5000",
    "rtx-a6000", "rtx-6000-ada", "t4",       "v100"};
constexpr std::array<std::string_view, 4> kReservedVariables{"HOME", "PATH", "PORT", "TMPDIR"};
constexpr std::array<std::string_view, 2> kParkWords{"auto", "never"};
constexpr std::array<std::string_view, 2> kProtocols{"http1", "h2c"};

}  // namespace

const AppReader::Key AppReader::kAppKeys[] = {
    {"name", &AppReader::read_name},         {"command", &AppReader::read_command},
    {"image", &AppReader::read_image},       {"model", &AppReader::read_model},
    {"gpu", &AppReader::read_gpu},           {"cpu", &AppReader::read_cpu},
    {"memory", &AppReader::read_memory},     {"port", &AppReader::read_port},
    {"protocol", &AppReader::read_protocol}, {"ready", &AppReader::read_ready},
    {"alive", &AppReader::read_alive},       {"env", &AppReader::read_env},
    {"secrets", &AppReader::read_secrets},   {"scale", &AppReader::read_scale},
    {"park", &AppReader::read_park},         {"served_model", &AppReader::read_served_model},
    {"start", &AppReader::read_start},       {"rollout", &AppReader::read_rollout},
    {"timeout", &AppReader::read_timeout},   {"queue", &AppReader::read_queue},
    {"cors", &AppReader::read_cors},         {"affinity", &AppReader::read_affinity},
};
const AppReader::Key AppReader::kGpuKeys[] = {{"memory", &AppReader::read_gpu_memory},
                                              {"count", &AppReader::read_gpu_count}};
const AppReader::Key AppReader::kScaleKeys[] = {{"min", &AppReader::read_scale_min},
                                                {"max", &AppReader::read_scale_max},
                                                {"concurrency", &AppReader::read_scale_concurrency},
                                                {"urgency", &AppReader::read_scale_urgency},
                                                {"schedule", &AppReader::read_schedule}};
const AppReader::Key AppReader::kScheduleKeys[] = {{"cron", &AppReader::read_schedule_cron},
                                                   {"until", &AppReader::read_schedule_until},
                                                   {"for", &AppReader::read_schedule_for},
                                                   {"zone", &AppReader::read_schedule_zone},
                                                   {"min", &AppReader::read_schedule_min}};
const AppReader::Key AppReader::kStartKeys[] = {{"progress", &AppReader::read_start_progress},
                                                {"attempts", &AppReader::read_start_attempts}};
const AppReader::Key AppReader::kRolloutKeys[] = {{"steps", &AppReader::read_rollout_steps},
                                                  {"every", &AppReader::read_rollout_every},
                                                  {"errors", &AppReader::read_rollout_errors},
                                                  {"requests", &AppReader::read_rollout_requests}};
const AppReader::Key AppReader::kQueueKeys[] = {{"max", &AppReader::read_queue_max},
                                                {"wait", &AppReader::read_queue_wait}};
const AppReader::Key AppReader::kAffinityKeys[] = {{"header", &AppReader::read_affinity_header},
                                                   {"cookie", &AppReader::read_affinity_cookie},
                                                   {"prefix", &AppReader::read_affinity_prefix}};

tl::expected<ParsedApp, std::vector<Complaint>> AppReader::read(const Node& root) && {
  app_.file = reader_.file();
  read_map(root, {.prefix = "", .keys = kAppKeys});
  check_required(root);
  check_model_use();
  check_probes();
  check_scale();
  check_schedule_minima();
  check_rollout();
  check_needs();
  std::vector<Complaint> complaints = std::move(reader_).take_complaints(limits_.complaints_max);
  if (!complaints.empty()) return tl::unexpected(std::move(complaints));
  return std::move(app_);
}

// --- keys ------------------------------------------------------------------------------------------------------------

void AppReader::read_map(const Node& map, const Table& table) {
  std::vector<const Node*> before;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const Node& key = map.items[i];
    const Node& value = map.items[i + 1];
    const Key* known = find_key(key, table, before);
    before.push_back(&key);
    if (known == nullptr) continue;
    const std::string name = std::string(table.prefix) + key.text;
    // A missing value stands nowhere; the place to look at is its key.
    app_.positions[name] = value.kind == Node::Kind::Nothing ? key.at : value.at;
    if (value.is_refused) continue;
    if (value.kind == Node::Kind::Nothing) {
      reader_.complain({.line = key.at.line,
                        .column = key.at.column,
                        .found = "nothing",
                        .expected = "a value",
                        .message = name + " has no value; write one, or leave the key out"});
      continue;
    }
    (this->*known->read)(value);
  }
}

const AppReader::Key* AppReader::find_key(const Node& key, const Table& table,
                                          const std::vector<const Node*>& before) {
  if (key.kind != Node::Kind::Scalar) {
    reader_.complain({.line = key.at.line,
                      .column = key.at.column,
                      .found = describe(key),
                      .expected = "a key",
                      .message = "a key is a word, but here stands " + describe(key)});
    return nullptr;
  }
  const auto first = std::find_if(before.begin(), before.end(), [&](const Node* k) {
    return k->kind == Node::Kind::Scalar && k->text == key.text;
  });
  if (first != before.end()) {
    reader_.complain({.line = key.at.line,
                      .column = key.at.column,
                      .found = "a second " + quoted(key.text),
                      .expected = "each key once",
                      .message = "key " + quoted(key.text) +
                                 " stands twice; the first is on line " +
                                 std::to_string((*first)->at.line)});
    return nullptr;
  }
  for (const Key& known : table.keys) {
    if (known.name == key.text) return &known;
  }
  complain_unknown(key, table);
  return nullptr;
}

void AppReader::complain_unknown(const Node& key, const Table& table) {
  std::vector<std::string_view> names;
  for (const Key& known : table.keys) names.push_back(known.name);
  const std::string_view near = nearest(key.text, names);
  std::string message = "unknown key " + quoted(key.text);
  if (!table.prefix.empty())
    message += " in " + std::string(table.prefix.substr(0, table.prefix.size() - 1));
  if (!near.empty()) {
    meant_.insert(std::string(table.prefix) + std::string(near));
    message += "; did you mean '" + std::string(near) + "'?";
  } else {
    std::vector<std::string> homes;
    for (const Table& other :
         {Table{"scale.", kScaleKeys}, Table{"start.", kStartKeys}, Table{"rollout.", kRolloutKeys},
          Table{"queue.", kQueueKeys}, Table{"affinity.", kAffinityKeys}}) {
      const bool is_home = std::any_of(other.keys.begin(), other.keys.end(),
                                       [&](const Key& k) { return k.name == key.text; });
      if (is_home) homes.emplace_back(other.prefix.substr(0, other.prefix.size() - 1));
    }
    const std::vector<std::string_view> views(homes.begin(), homes.end());
    message +=
        homes.empty() ? "; known keys are " + join(names) : "; it belongs under " + join(views);
  }
  reader_.complain({.line = key.at.line,
                    .column = key.at.column,
                    .found = quoted(key.text),
                    .expected = join(names),
                    .message = std::move(message)});
}

void AppReader::read_group(const Node& value, std::string_view name, std::span<const Key> keys) {
  if (value.kind == Node::Kind::Map) {
    const std::string prefix = std::string(name) + ".";
    read_map(value, {.prefix = prefix, .keys = keys});
    return;
  }
  std::vector<std::string_view> names;
  for (const Key& known : keys) names.push_back(known.name);
  reader_.reject(value, name, "a map with the keys " + join(names));
}

// --- what runs -------------------------------------------------------------------------------------------------------

void AppReader::read_name(const Node& value) {
  const std::string expected = "1 to 63 of a-z, 0-9 and '-', with no '-' first or last";
  const std::optional<std::string> name = reader_.read_text(value, "name", expected);
  if (!name) return;
  if (is_dns_label(*name)) {
    app_.spec.name = *name;
    return;
  }
  std::string meant;
  for (const char c : name->substr(0, 63)) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    meant += is_upper                             ? static_cast<char>(c - 'A' + 'a')
             : (c == '_' || c == ' ' || c == '.') ? '-'
                                                  : c;
  }
  const bool is_close = is_dns_label(meant) && name->size() <= 63;
  reader_.reject(value, "name", expected, is_close ? "did you mean '" + meant + "'?" : "");
}

void AppReader::read_command(const Node& value) {
  const std::string expected = "a list of the program and its arguments";
  if (value.kind == Node::Kind::Scalar &&
      value.text.find_first_not_of(" \t\n") != std::string::npos) {
    reader_.reject(value, "command", expected,
                   "write command: " + shorten(as_list(value.text), kSuggestionBytes));
    return;
  }
  const std::span<const Node> items =
      reader_.read_list(value, "command", expected, limits_.arguments_max);
  for (std::size_t i = 0; i < items.size(); ++i) read_argument(items[i], i);
}

void AppReader::read_argument(const Node& value, std::size_t index) {
  const std::string name = "command." + std::to_string(index);
  const std::string shown = index == 0 ? "the program in command" : "an argument of command";
  app_.positions[name] = value.at;
  if (is_unquoted_placeholder(value)) {
    const std::string word = shorten(value.items[0].text);
    reader_.complain(
        {.line = value.at.line,
         .column = value.at.column,
         .found = "{" + word + "}",
         .expected = "\"{" + word + "}\"",
         .message = "{" + word + "} without quotes is a map in YAML; write \"{" + word + "}\""});
    return;
  }
  const std::string expected = "text";
  std::optional<std::string> text = reader_.read_text(value, shown, expected);
  if (!text) return;
  if (index == 0 && text->empty()) {
    reader_.reject(value, shown, "the name or path of a program");
  } else if (text->size() > limits_.argument_bytes_max) {
    reader_.reject(value, shown,
                   "at most " + std::to_string(limits_.argument_bytes_max) + " bytes");
  } else {
    app_.spec.command.push_back(*std::move(text));
  }
}

void AppReader::read_image(const Node& value) {
  reader_.complain(
      {.line = value.at.line,
       .column = value.at.column,
       .found = describe(value),
       .expected = "no image",
       .message =
           "images come with a later version of Kelvin; install the program on the server and "
           "name it in command"});
}

void AppReader::read_model(const Node& value) {
  const std::string expected = "the path of a file or folder";
  std::optional<std::string> path = reader_.read_text(value, "model", expected);
  if (!path) return;
  if (path->find("://") != std::string::npos) {
    reader_.complain(
        {.line = value.at.line,
         .column = value.at.column,
         .found = quoted(*path),
         .expected = expected,
         .message =
             "models by URL come with a later version of Kelvin; download the model and write "
             "its path"});
  } else if (path->starts_with('~')) {
    reader_.reject(value, "model", expected, "'~' has no meaning here; write the path in full");
  } else if (path->empty() || path->size() > limits_.path_bytes_max ||
             has_control_characters(*path)) {
    reader_.reject(value, "model", expected);
  } else {
    app_.spec.model = *std::move(path);
  }
}

void AppReader::read_env(const Node& value) {
  const std::string expected = "a map of names and values";
  if (value.kind != Node::Kind::Map) {
    reader_.reject(value, "env", expected,
                   value.kind == Node::Kind::List ? "write NAME: value, without the dash" : "");
    return;
  }
  if (value.items.size() / 2 > limits_.environment_max) {
    reader_.reject(value, "env",
                   "at most " + std::to_string(limits_.environment_max) + " variables");
    return;
  }
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
    read_variable(value.items[i], value.items[i + 1]);
}

void AppReader::read_variable(const Node& name, const Node& value) {
  const std::string shown = "the variable " + describe(name);
  const auto complain = [&](std::string expected, std::string message) {
    reader_.complain({.line = name.at.line,
                      .column = name.at.column,
                      .found = describe(name),
                      .expected = std::move(expected),
                      .message = std::move(message)});
  };
  const bool is_name = name.kind == Node::Kind::Scalar && is_environment_name(name.text) &&
                       name.text.size() <= limits_.environment_name_bytes_max;
  if (!is_name) {
    return complain("a name of letters, digits and '_', with no digit first",
                    "env has " + describe(name) +
                        " as a name; expected letters, digits and '_', with no digit first");
  }
  if (std::find(kReservedVariables.begin(), kReservedVariables.end(), name.text) !=
      kReservedVariables.end()) {
    return complain("another name", "env cannot set " + name.text +
                                        ": Kelvin sets HOME, PATH, PORT and TMPDIR itself");
  }
  if (app_.spec.environment.contains(name.text))
    return complain("each name once", shown + " stands twice in env");
  app_.positions["env." + name.text] = value.kind == Node::Kind::Nothing ? name.at : value.at;
  if (value.kind == Node::Kind::Nothing && !value.is_refused) {
    return complain("a value", shown + " has no value; write \"\" for an empty one");
  }
  const std::string at_most =
      "text of at most " + std::to_string(limits_.environment_value_bytes_max) + " bytes";
  const std::optional<std::string> text = reader_.read_text(value, shown, at_most);
  if (!text) return;
  if (text->size() > limits_.environment_value_bytes_max)
    return reader_.reject(value, shown, at_most);
  app_.spec.environment[name.text] = *text;
}

void AppReader::read_secrets(const Node& value) {
  reader_.complain({.line = value.at.line,
                    .column = value.at.column,
                    .found = describe(value),
                    .expected = "no secrets",
                    .message = "secrets come with a later version of Kelvin; leave the key out"});
}

// --- what it needs ---------------------------------------------------------------------------------------------------

void AppReader::read_gpu(const Node& value) {
  if (value.kind == Node::Kind::Map) {
    gpu_by_memory_ = {.kind = "any"};
    read_group(value, "gpu", kGpuKeys);
    if (gpu_by_memory_.memory_each.count == 0 && !app_.positions.contains("gpu.memory")) {
      reader_.reject(value, "gpu", "a map with the keys memory and count", "memory is missing");
    }
    app_.spec.needs = {gpu_by_memory_};
    return;
  }
  const std::string expected =
      "none, a kind such as h100 or a100:2, a list of kinds, or {memory: 24GiB, count: 1}";
  if (value.kind == Node::Kind::Scalar) {
    const std::optional<model::AcceleratorNeed> need = read_gpu_kind(value);
    if (need) app_.spec.needs = {*need};
    return;
  }
  std::vector<model::AcceleratorNeed> needs;
  for (const Node& item : reader_.read_list(value, "gpu", expected, limits_.needs_max)) {
    if (item.kind != Node::Kind::Scalar) {
      reader_.reject(item, "a kind in gpu", "a kind such as h100 or a100:2");
      continue;
    }
    const std::optional<model::AcceleratorNeed> need = read_gpu_kind(item);
    if (!need) continue;
    if (std::find(needs.begin(), needs.end(), *need) != needs.end()) {
      reader_.reject(item, "a kind in gpu", "each kind once");
    }
    needs.push_back(*need);
  }
  if (!needs.empty()) app_.spec.needs = std::move(needs);
}

std::optional<model::AcceleratorNeed> AppReader::read_gpu_kind(const Node& value) {
  if (value.text == "none") return model::AcceleratorNeed{};
  const std::string_view text = value.text;
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (std::find(kGpuKinds.begin(), kGpuKinds.end(), kind) == kGpuKinds.end()) {
    std::vector<std::string_view> known{"none"};
    known.insert(known.end(), kGpuKinds.begin(), kGpuKinds.end());
    const std::string_view near = nearest(kind, known);
    reader_.reject(value, "gpu", join(known),
                   near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
    return std::nullopt;
  }
  std::uint64_t count = 1;
  if (colon != std::string_view::npos) {
    const Read<std::uint64_t> number = read_number(text.substr(colon + 1));
    if (!number || !Range{1, limits_.gpus_max}.holds(*number)) {
      reader_.reject(value, "gpu",
                     std::string(kind) + ":N with N from 1 to " + std::to_string(limits_.gpus_max));
      return std::nullopt;
    }
    count = *number;
  }
  return model::AcceleratorNeed{.kind = std::string(kind),
                                .count = static_cast<std::uint32_t>(count)};
}

void AppReader::read_gpu_memory(const Node& value) {
  const Range range{limits_.memory_min.count, limits_.memory_max.count};
  if (const auto size = reader_.read_bytes(value, "gpu.memory", range))
    gpu_by_memory_.memory_each = *size;
}

void AppReader::read_gpu_count(const Node& value) {
  if (const auto count = reader_.read_count(value, "gpu.count", {1, limits_.gpus_max})) {
    gpu_by_memory_.count = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_cpu(const Node& value) {
  cpu_slots_ = reader_.read_count(value, "cpu", {1, limits_.cpu_slots_max});
}

void AppReader::read_memory(const Node& value) {
  const Range range{limits_.memory_min.count, limits_.memory_max.count};
  if (const auto size = reader_.read_bytes(value, "memory", range)) app_.spec.memory = *size;
}

void AppReader::read_port(const Node& value) {
  const std::string expected = "auto or a number from 1 to 65535";
  const std::optional<std::string> text = reader_.read_text(value, "port", expected);
  if (!text || *text == "auto") return;
  const Read<std::uint64_t> port = read_number(*text);
  if (!port || !Range{1, 65535}.holds(*port) || value.is_quoted)
    return reader_.reject(value, "port", expected);
  app_.spec.fixed_port = static_cast<std::uint16_t>(*port);
}

// --- how it is asked -------------------------------------------------------------------------------------------------

std::optional<std::string> AppReader::read_path(const Node& value, std::string_view name) {
  const std::string expected = "a path that begins with '/', such as /health";
  std::optional<std::string> path = reader_.read_text(value, name, expected);
  if (!path) return std::nullopt;
  if (is_url_path(*path) && path->size() <= limits_.url_path_bytes_max) return path;
  const bool is_close = is_url_path("/" + *path) && path->size() < limits_.url_path_bytes_max &&
                        path->find("://") == std::string::npos && !path->empty();
  reader_.reject(value, name, expected, is_close ? "did you mean '/" + shorten(*path) + "'?" : "");
  return std::nullopt;
}

void AppReader::read_protocol(const Node& value) {
  // Nearest in letters would be http1, which is not what these mean.
  for (const std::string_view meant : {"h2", "http2", "http/2", "grpc"})
    if (value.kind == Node::Kind::Scalar && value.text == meant)
      return reader_.reject(value, "protocol", join(kProtocols), "did you mean 'h2c'?");
  const std::optional<std::string> word = reader_.read_word(value, "protocol", kProtocols);
  if (word) app_.spec.protocol = *word == "h2c" ? model::Protocol::H2c : model::Protocol::Http1;
}

void AppReader::read_ready(const Node& value) {
  if (auto path = read_path(value, "ready")) app_.spec.ready_path = *std::move(path);
}

void AppReader::read_alive(const Node& value) {
  if (auto path = read_path(value, "alive")) app_.spec.alive_path = *std::move(path);
}

void AppReader::read_served_model(const Node& value) {
  const std::string expected =
      "a model's name of 1 to " + std::to_string(limits_.served_model_bytes_max) + " bytes";
  const std::optional<std::string> name = reader_.read_text(value, "served_model", expected);
  if (!name) return;
  const bool is_name = !name->empty() && name->size() <= limits_.served_model_bytes_max &&
                       !has_control_characters(*name);
  if (!is_name) return reader_.reject(value, "served_model", expected);
  app_.spec.served_model = *name;
}

void AppReader::read_timeout(const Node& value) {
  if (const auto length = reader_.read_time(value, "timeout", range_of(limits_)))
    app_.spec.timeout = *length;
}

void AppReader::read_cors(const Node& value) {
  const std::string expected = "a list of origins such as https://example.com";
  for (const Node& item : reader_.read_list(value, "cors", expected, limits_.origins_max)) {
    const std::string one = "an origin such as https://example.com";
    const std::optional<std::string> text = reader_.read_text(item, "an origin in cors", one);
    if (!text) continue;
    Read<std::string> origin = read_origin(*text);
    if (!origin) {
      reader_.reject(item, "an origin in cors", one, origin.error());
    } else if (std::find(app_.spec.cors.begin(), app_.spec.cors.end(), *origin) !=
               app_.spec.cors.end()) {
      reader_.reject(item, "an origin in cors", "each origin once");
    } else {
      app_.spec.cors.push_back(*std::move(origin));
    }
  }
}

// --- how it cools and starts -----------------------------------------------------------------------------------------

void AppReader::read_park(const Node& value) {
  const std::optional<std::string> word = reader_.read_word(value, "park", kParkWords);
  if (word) app_.spec.park = *word == "never" ? model::ParkRule::Never : model::ParkRule::Auto;
}

void AppReader::read_start(const Node& value) { read_group(value, "start", kStartKeys); }

void AppReader::read_start_progress(const Node& value) {
  if (const auto length = reader_.read_time(value, "start.progress", range_of(limits_))) {
    app_.spec.start.progress = *length;
  }
}

void AppReader::read_start_attempts(const Node& value) {
  if (const auto count = reader_.read_count(value, "start.attempts", {1, limits_.attempts_max})) {
    app_.spec.start.attempts = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_queue(const Node& value) { read_group(value, "queue", kQueueKeys); }

void AppReader::read_queue_max(const Node& value) {
  if (const auto count = reader_.read_count(value, "queue.max", {1, limits_.queue_max})) {
    app_.spec.queue.requests_max = static_cast<std::uint32_t>(*count);
  }
}

void AppReader::read_queue_wait(const Node& value) {
  if (const auto length = reader_.read_time(value, "queue.wait", range_of(limits_)))
    app_.spec.queue.wait = *length;
}

// --- where its requests go -------------------------------------------------------------------------------------------

void AppReader::read_affinity(const Node& value) {
  read_group(value, "affinity", kAffinityKeys);
  if (value.kind != Node::Kind::Map || value.items.size() == 2) return;
  reader_.complain({.line = value.at.line,
                    .column = value.at.column,
                    .found = std::to_string(value.items.size() / 2) + " keys",
                    .expected = "one of header, cookie or prefix",
                    .message = "affinity has " + std::to_string(value.items.size() / 2) +
                               " keys; expected one of header, cookie or prefix"});
}

void AppReader::read_affinity_name(const Node& value, std::string_view name, model::AffinityBy by) {
  const std::string expected = "a name of 1 to " + std::to_string(limits_.affinity_name_bytes_max) +
                               " letters, digits, '-' and '_'";
  const std::optional<std::string> text = reader_.read_text(value, name, expected);
  if (!text) return;
  const bool is_name = !text->empty() && text->size() <= limits_.affinity_name_bytes_max &&
                       std::all_of(text->begin(), text->end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '_';
                       });
  if (!is_name) return reader_.reject(value, name, expected);
  app_.spec.affinity = {.by = by, .name = *text};
}

void AppReader::read_affinity_header(const Node& value) {
  read_affinity_name(value, "affinity.header", model::AffinityBy::Header);
  for (char& c : app_.spec.affinity.name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
}

void AppReader::read_affinity_cookie(const Node& value) {
  read_affinity_name(value, "affinity.cookie", model::AffinityBy::Cookie);
}

void AppReader::read_affinity_prefix(const Node& value) {
  const auto bytes = reader_.read_count(value, "affinity.prefix", {1, limits_.affinity_prefix_max});
  if (!bytes) return;
  app_.spec.affinity = {
      .by = model::AffinityBy::Prefix, .name = {}, .bytes = static_cast<std::uint32_t>(*bytes)};
}

// --- the whole -------------------------------------------------------------------------------------------------------

void AppReader::check_required(const Node& root) {
  struct Required {
    std::string_view key;
    std::string_view meaning;
  };
  constexpr std::array<Required, 2> kRequired{
      {{"name", "name is missing; add name: NAME, by which the app is called"},
       {"command", "command is missing; add command: [PROGRAM, ARGUMENT, ...]"}}};
  for (const Required& required : kRequired) {
    // A key that is there in a wrong form has its complaint already.
    if (app_.positions.contains(std::string(required.key)) || meant_.contains(required.key))
      continue;
    // An image would have said what to run, and its own complaint says to name a command.
    if (required.key == "command" && app_.positions.contains("image")) continue;
    reader_.complain({.line = root.at.line,
                      .column = root.at.column,
                      .found = "no " + std::string(required.key),
                      .expected = std::string(required.key),
                      .message = std::string(required.meaning)});
  }
}

void AppReader::check_model_use() {
  if (app_.positions.contains("model") || meant_.contains("model")) return;
  for (std::size_t i = 0; i < app_.spec.command.size(); ++i) {
    if (app_.spec.command[i].find("{model}") == std::string::npos) continue;
    const Position at = position_of("command." + std::to_string(i));
    reader_.complain(
        {.line = at.line,
         .column = at.column,
         .found = "{model}",
         .expected = "a model key",
         .message = "command uses {model}, but the file has no model; add model: PATH"});
    return;
  }
}

// Both are asked by HTTP/1.1, which such an app does not speak.
void AppReader::check_probes() {
  if (app_.spec.protocol != model::Protocol::H2c) return;
  for (const std::string_view key : {"ready", "alive"}) {
    if (!app_.positions.contains(std::string(key))) continue;
    const Position at = position_of(key);
    reader_.complain(
        {.line = at.line,
         .column = at.column,
         .found = std::string(key),
         .expected = "no " + std::string(key) + ", or protocol: http1",
         .message = std::string(key) +
                    " is asked by HTTP/1.1, which an app of protocol: h2c does not "
                    "speak; leave it out: such an app is ready when its port accepts"});
  }
}

void AppReader::check_needs() {
  if (!cpu_slots_) return;
  bool has_cpu = false;
  for (model::AcceleratorNeed& need : app_.spec.needs) {
    if (need.kind != "cpu") continue;
    need.count = static_cast<std::uint32_t>(*cpu_slots_);
    has_cpu = true;
  }
  if (has_cpu) return;
  const Position at = position_of("cpu");
  reader_.complain(
      {.line = at.line,
       .column = at.column,
       .found = "cpu beside a gpu",
       .expected = "gpu: none, or no cpu",
       .message =
           "cpu counts the cores of an app without a GPU; leave it out, or write gpu: none"});
}

Position AppReader::position_of(std::string_view key) const {
  const auto it = app_.positions.find(std::string(key));
  return it == app_.positions.end() ? Position{} : it->second;
}

}  // namespace kelvin::appfile
