// protocol: what the platform and the keeper say to each other over run/keeper.sock.
//
// Also the text form of records: both are JSON, and the library that reads it stays within this file.
#include "keeper/protocol.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "os/unix_socket.h"

namespace kelvin::keeper {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 6> kVerbs = {"hello", "spawn",  "listen",
                                                    "list",  "forget", "quit"};

tl::unexpected<Error> unreadable(const std::string& why) {
  return fail(Code::Invalid, Blame::Platform, Retry::Never,
              "unreadable message of or to the keeper: " + why);
}

Json to_json(const Ended& ended) {
  Json json{{"at_boot_ns", ended.at.ns},
            {"oom_kills", ended.oom.kills},
            {"limit_hits", ended.oom.limit_hits}};
  if (ended.status) json[ended.status->by_signal ? "signal" : "code"] = ended.status->code;
  return json;
}

Ended ended_from(const Json& json) {
  Ended ended;
  ended.at.ns = json.at("at_boot_ns").get<std::int64_t>();
  ended.oom.kills = json.at("oom_kills").get<std::uint64_t>();
  ended.oom.limit_hits = json.at("limit_hits").get<std::uint64_t>();
  if (json.contains("code")) ended.status = os::ExitStatus{.code = json.at("code").get<int>()};
  if (json.contains("signal"))
    ended.status = os::ExitStatus{.by_signal = true, .code = json.at("signal").get<int>()};
  return ended;
}

Json to_json(const os::CgroupPaths& paths) {
  return {{"unified", paths.unified},
          {"freezer", paths.freezer},
          {"memory", paths.memory},
          {"pids", paths.pids},
          {"cpuacct", paths.cpuacct}};
}

os::CgroupPaths paths_from(const Json& json) {
  return {.unified = json.at("unified").get<std::string>(),
          .freezer = json.at("freezer").get<std::string>(),
          .memory = json.at("memory").get<std::string>(),
          .pids = json.at("pids").get<std::string>(),
          .cpuacct = json.at("cpuacct").get<std::string>()};
}

Json to_json(const Record& record) {
  Json json{{"v", kProtocolVersion}, {"replica", record.replica},
            {"boot", record.boot},   {"note", record.note},
            {"log", record.log},     {"cgroup", to_json(record.cgroup)},
            {"pid", record.pid},     {"start_ticks", record.start_ticks}};
  if (record.ended) json["ended"] = to_json(*record.ended);
  return json;
}

Record record_from(const Json& json) {
  Record record{.replica = json.at("replica").get<std::string>(),
                .boot = json.at("boot").get<std::string>(),
                .note = json.at("note").get<std::string>(),
                .log = json.at("log").get<std::string>(),
                .cgroup = paths_from(json.at("cgroup")),
                .pid = json.at("pid").get<pid_t>(),
                .start_ticks = json.at("start_ticks").get<std::uint64_t>()};
  if (json.contains("ended")) record.ended = ended_from(json.at("ended"));
  return record;
}

Json to_json(const SpawnOrder& order) {
  Json json{{"replica", order.replica},
            {"program", order.program},
            {"arguments", order.arguments},
            {"environment", order.environment},
            {"folder", order.folder},
            {"memory_bytes", order.limits.memory.count},
            {"pids", order.limits.pids},
            {"log", order.log},
            {"note", order.note}};
  if (order.user) json["user"] = {{"uid", order.user->uid}, {"gid", order.user->gid}};
  return json;
}

SpawnOrder order_from(const Json& json) {
  SpawnOrder order{.replica = json.at("replica").get<std::string>(),
                   .program = json.at("program").get<std::string>(),
                   .arguments = json.at("arguments").get<std::vector<std::string>>(),
                   .environment = json.at("environment").get<std::vector<std::string>>(),
                   .folder = json.at("folder").get<std::string>(),
                   .limits = {.memory = {json.at("memory_bytes").get<std::uint64_t>()},
                              .pids = json.at("pids").get<std::uint64_t>()},
                   .log = json.at("log").get<std::string>(),
                   .note = json.at("note").get<std::string>()};
  if (json.contains("user")) {
    order.user = os::SpawnUser{.uid = json.at("user").at("uid").get<uid_t>(),
                               .gid = json.at("user").at("gid").get<gid_t>()};
  }
  return order;
}

Json to_json(const Error& error) {
  return {{"code", static_cast<int>(error.code)},
          {"blame", static_cast<int>(error.blame)},
          {"retry", static_cast<int>(error.retry)},
          {"what", error.what}};
}

// Numbers out of range become the most general value: both sides are the same program or its next version.
Error error_from(const Json& json) {
  const int code = json.at("code").get<int>();
  const int blame = json.at("blame").get<int>();
  const int retry = json.at("retry").get<int>();
  return {
      .code = code < 0 || code > static_cast<int>(Code::Internal) ? Code::Internal
                                                                  : static_cast<Code>(code),
      .blame = blame < 0 || blame > static_cast<int>(Blame::Platform) ? Blame::Platform
                                                                      : static_cast<Blame>(blame),
      .retry = retry < 0 || retry > static_cast<int>(Retry::AfterDelay) ? Retry::Never
                                                                        : static_cast<Retry>(retry),
      .what = json.at("what").get<std::string>()};
}

// Runs `read` on the parsed text; whatever the library throws becomes an error.
template <class Value, class Read>
Result<Value> decode_with(std::string_view text, Read read) {
  try {
    const Json json = Json::parse(text);
    if (const int version = json.at("v").get<int>(); version != kProtocolVersion) {
      return fail(Code::Conflict, Blame::Platform, Retry::Never,
                  "the keeper and the platform speak different versions (" +
                      std::to_string(version) + " and " + std::to_string(kProtocolVersion) +
                      "); stop `kelvin serve` of the other version first");
    }
    return read(json);
  } catch (const Json::exception& problem) {
    return unreadable(problem.what());
  }
}

}  // namespace

std::string encode(const Record& record) {
  return to_json(record).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Record> decode_record(std::string_view text) {
  return decode_with<Record>(text, record_from);
}

Result<std::string> encode(const Request& request) {
  Json json{{"v", kProtocolVersion},
            {"id", request.id},
            {"do", kVerbs[static_cast<std::size_t>(request.verb)]}};
  if (!request.replica.empty()) json["replica"] = request.replica;
  if (!request.address.empty()) json["address"] = request.address;
  if (!request.offers.empty()) json["offers"] = request.offers;
  if (request.verb == Verb::Spawn) json["order"] = to_json(request.order);
  try {
    std::string text = json.dump();
    if (text.size() <= os::kDatagramBytesMax && request.order.note.size() <= kNoteBytesMax)
      return text;
  } catch (const Json::exception&) {
    return fail(Code::Invalid, Blame::Client, Retry::Never,
                "the command or the environment is not UTF-8");
  }
  return fail(Code::Invalid, Blame::Client, Retry::Never,
              "the command and the environment are longer than 60 KiB together");
}

std::string encode(const Message& message) {
  Json json{{"v", kProtocolVersion}, {"id", message.id}};
  if (message.error) json["error"] = to_json(*message.error);
  if (message.pid != 0) json["pid"] = message.pid;
  if (!message.missing.empty()) json["missing"] = message.missing;
  if (message.has_more) json["more"] = true;
  for (const Record& record : message.records) json["records"].push_back(to_json(record));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Request> decode_request(std::string_view text) {
  return decode_with<Request>(text, [](const Json& json) -> Result<Request> {
    Request request{.id = json.at("id").get<std::uint64_t>()};
    const std::string verb = json.at("do").get<std::string>();
    const auto found = std::find(kVerbs.begin(), kVerbs.end(), verb);
    if (found == kVerbs.end()) return unreadable("unknown request \"" + verb + "\"");
    request.verb = static_cast<Verb>(found - kVerbs.begin());
    request.replica = json.value("replica", "");
    request.address = json.value("address", "");
    request.offers = json.value("offers", std::vector<std::string>{});
    if (request.verb == Verb::Spawn) request.order = order_from(json.at("order"));
    return request;
  });
}

Result<Message> decode_message(std::string_view text) {
  return decode_with<Message>(text, [](const Json& json) -> Result<Message> {
    Message message{.id = json.at("id").get<std::uint64_t>()};
    if (json.contains("error")) message.error = error_from(json.at("error"));
    message.pid = json.value("pid", 0);
    message.missing = json.value("missing", std::vector<std::string>{});
    message.has_more = json.value("more", false);
    if (json.contains("records")) {
      for (const Json& record : json.at("records")) message.records.push_back(record_from(record));
    }
    return message;
  });
}

}  // namespace kelvin::keeper
