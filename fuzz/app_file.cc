// Fuzzes the app file: whatever the text, the answer is an app that keeps every limit, or complaints that a terminal
// can show and that stand inside the file.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "appfile/appfile.h"
#include "appfile/values.h"
#include "base/check.h"
#include "base/utf8.h"

using namespace kelvin;
using namespace kelvin::appfile;

namespace {

bool is_plain(std::string_view text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(),
                                       [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

bool is_argument(std::string_view text) {
  return is_utf8(text) && text.find('\0') == std::string_view::npos;
}

void check_app(const ParsedApp& app) {
  const model::AppSpec& spec = app.spec;
  const Limits limits;
  KELVIN_CHECK(is_dns_label(spec.name));
  KELVIN_CHECK(!spec.command.empty() && spec.command.size() <= limits.arguments_max);
  KELVIN_CHECK(!spec.command.front().empty());
  for (const std::string& argument : spec.command) {
    KELVIN_CHECK(is_argument(argument) && argument.size() <= limits.argument_bytes_max);
    KELVIN_CHECK(!spec.model.empty() || argument.find("{model}") == std::string::npos);
  }
  for (const auto& [name, value] : spec.environment) {
    KELVIN_CHECK(is_environment_name(name) && is_argument(value) && name != "PATH" &&
                 name != "PORT");
  }
  KELVIN_CHECK(is_plain(spec.model) && is_plain(spec.served_model));
  KELVIN_CHECK(spec.ready_path.empty() || is_url_path(spec.ready_path));
  KELVIN_CHECK(spec.alive_path.empty() || is_url_path(spec.alive_path));
  KELVIN_CHECK(!spec.needs.empty() && spec.needs.size() <= limits.needs_max);
  for (const model::AcceleratorNeed& need : spec.needs) {
    KELVIN_CHECK(need.count >= 1 && need.count <= limits.cpu_slots_max);
    KELVIN_CHECK((need.kind == "any") == (need.memory_each.count != 0));
  }
  KELVIN_CHECK(spec.scale.replicas_min <= spec.scale.replicas_max && spec.scale.replicas_max >= 1);
  KELVIN_CHECK(spec.fixed_port == 0 || spec.scale.replicas_max == 1);
  KELVIN_CHECK(spec.scale.concurrency >= 1 && spec.start.attempts >= 1 &&
               spec.queue.requests_max >= 1);
  for (const Duration length : {spec.timeout, spec.start.progress, spec.queue.wait}) {
    KELVIN_CHECK(length >= limits.duration_min && length <= limits.duration_max);
  }
  for (const std::string& origin : spec.cors) KELVIN_CHECK(read_origin(origin) == origin);
}

void check_complaints(const std::vector<Complaint>& complaints, std::string_view text) {
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  KELVIN_CHECK(!complaints.empty() && complaints.size() <= Limits{}.complaints_max);
  Position before;
  for (const Complaint& c : complaints) {
    KELVIN_CHECK(is_plain(to_text(c)) && is_plain(c.found) && is_plain(c.expected) &&
                 !c.message.empty());
    const Position at{c.line, c.column};
    KELVIN_CHECK(before <= at && c.line <= static_cast<std::uint64_t>(lines) && c.column >= 1);
    before = at;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto app = parse(text, "kelvin.yaml");
  if (app) {
    check_app(*app);
  } else {
    check_complaints(app.error(), text);
  }
  return 0;
}
