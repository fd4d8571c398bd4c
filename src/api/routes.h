// routes: every path of the management API, and the function that answers it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/connection.h"
#include "api/reply.h"
#include "api/service.h"
#include "http/message.h"
#include "model/key.h"

namespace kelvin::api {

// The part of a target behind "?". Reading takes a parameter out; what is left at the end was not known.
class Query {
 public:
  // 400 for a bad escape or a name that stands twice.
  static OrProblem<Query> parse(std::string_view text);

  // Empty when absent.
  std::string text(std::string_view name);
  // 400 when it is no whole number in [least, most].
  OrProblem<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t least,
                                                 std::int64_t most);
  // "1" or "0"; 400 for anything else.
  OrProblem<bool> is_set(std::string_view name);
  // 400, naming a parameter that nobody read.
  OrProblem<void> check_all_read() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::set<std::string, std::less<>> read_;
};

// One request on its way through its route.
struct Call {
  const http::RequestHead& head;
  std::vector<std::string> parameters;  // of the path, decoded, in order
  Query query;
  Connection& connection;
  std::string
      head_start;  // status line and fields that every reply begins with, for those that stream
};

enum class Need : std::uint8_t {
  Nothing,   // open to all who reach the port
  OurHost,   // not to web pages
  AdminKey,  // and only with a key
};
enum class Payload : std::uint8_t { None, Json, Octets };

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/api/v1/apps/{name}"
  Need need = Need::AdminKey;
  Payload payload = Payload::None;
  Answer (*answer)(Service&, Call&);
};

[[nodiscard]] std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;
  std::vector<std::string> parameters;
};
// 404 for a path that none has, 405 (with Allow) for a method, 400 for a bad escape.
[[nodiscard]] OrProblem<Match> find_route(std::string_view method, std::string_view path);

// The whole body of a JSON post; 413 beyond `most`, 400 when it breaks off.
[[nodiscard]] OrProblem<std::string> read_text(Call& call, Bytes most);

// system.cc
Answer show_status(Service& service, Call& call);
Answer show_metrics(Service& service, Call& call);
Answer begin_upgrade(Service& service, Call& call);
Answer show_upgrade(Service& service, Call& call);
Answer show_health(Service& service, Call& call);
Answer show_readiness(Service& service, Call& call);
Answer show_document(Service& service, Call& call);
Answer show_no_dashboard(Service& service, Call& call);
Answer list_decisions(Service& service, Call& call);
// content.cc
Answer put_content(Service& service, Call& call);
// deploy.cc
Answer deploy(Service& service, Call& call);
// apps.cc
Answer list_apps(Service& service, Call& call);
Answer describe_app(Service& service, Call& call);
Answer delete_app(Service& service, Call& call);
Answer roll_back(Service& service, Call& call);
Answer scale_app(Service& service, Call& call);
Answer split_traffic(Service& service, Call& call);
Answer steer_rollout(Service& service, Call& call);
Answer park_app(Service& service, Call& call);
Answer wake_app(Service& service, Call& call);
Answer list_replicas(Service& service, Call& call);
// logs.cc
Answer stream_logs(Service& service, Call& call);
// keys.cc
Answer list_keys(Service& service, Call& call);
Answer create_key(Service& service, Call& call);
Answer delete_key(Service& service, Call& call);
// usage.cc
Answer show_usage(Service& service, Call& call);
Answer show_bill(Service& service, Call& call);

}  // namespace kelvin::api
