// note: what the platform writes beside the keeper's record of a replica, to know it again after its own death.
#include "cluster/local/note.h"

#include <nlohmann/json.hpp>

namespace kelvin::cluster::local {

using Json = nlohmann::json;

std::string encode(const Note& note) {
  const Json json{{"v", 1},
                  {"replica", note.replica.value},
                  {"revision", note.revision.value},
                  {"app", note.app.value},
                  {"node", note.lease.node.value},
                  {"kind", note.lease.kind},
                  {"accelerators", note.lease.accelerators},
                  {"memory_claim_bytes", note.lease.memory.count},
                  {"slot", note.slot},
                  {"port", note.port},
                  {"has_fixed_port", note.has_fixed_port},
                  {"created_boot_ns", note.created.ns},
                  {"memory_limit_bytes", note.memory_limit.count},
                  {"ready_path", note.ready_path},
                  {"alive_path", note.alive_path}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Note> decode_note(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("v").get<int>() != 1) {
      return fail(Code::Invalid, Blame::Platform, Retry::Never,
                  "a note of another version of Kelvin");
    }
    return Note{.replica = {json.at("replica").get<std::uint64_t>()},
                .revision = {json.at("revision").get<std::uint64_t>()},
                .app = {json.at("app").get<std::uint64_t>()},
                .lease = {.node = {json.at("node").get<std::uint64_t>()},
                          .kind = json.at("kind").get<std::string>(),
                          .accelerators = json.at("accelerators").get<std::vector<std::uint32_t>>(),
                          .memory = {json.at("memory_claim_bytes").get<std::uint64_t>()}},
                .slot = json.at("slot").get<std::uint32_t>(),
                .port = json.at("port").get<std::uint16_t>(),
                .has_fixed_port = json.at("has_fixed_port").get<bool>(),
                .created = {json.at("created_boot_ns").get<std::int64_t>()},
                .memory_limit = {json.at("memory_limit_bytes").get<std::uint64_t>()},
                .ready_path = json.at("ready_path").get<std::string>(),
                .alive_path = json.at("alive_path").get<std::string>()};
  } catch (const Json::exception& problem) {
    return fail(Code::Invalid, Blame::Platform, Retry::Never,
                std::string("unreadable note: ") + problem.what());
  }
}

}  // namespace kelvin::cluster::local
