// bodies: the JSON that clients send, read strictly: unknown keys and wrong types are refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/reply.h"
#include "base/time.h"
#include "model/event.h"
#include "model/key.h"
#include "ports/content.h"

namespace kelvin::api {

struct DeployBody {
  std::string file;  // text of the app file
  std::string file_name;
  ports::ContentTree tree;
};
struct RollbackBody {
  std::optional<std::uint32_t> to;  // absent: the revision before
};
struct ScaleBody {
  std::optional<std::uint32_t> replicas_min;
  std::optional<std::uint32_t> replicas_max;
};
struct TrafficBody {
  struct Share {
    std::uint32_t revision = 0;  // its number
    std::uint32_t percent = 0;
  };
  std::vector<Share> shares;  // empty: the active revision takes all
};
struct RolloutBody {
  model::RolloutWish wish = model::RolloutWish::Pause;
};
struct UpgradeBody {
  std::string binary;             // empty: not named
  std::optional<Duration> drain;  // absent: the default
};
struct KeyBody {
  std::string name;
  model::Scopes scopes;
  std::uint32_t weight = 1;
};

// Each fails with 400.
[[nodiscard]] OrProblem<DeployBody> parse_deploy(std::string_view json);
[[nodiscard]] OrProblem<RollbackBody> parse_rollback(std::string_view json);
[[nodiscard]] OrProblem<ScaleBody> parse_scale(std::string_view json, std::uint32_t replicas_max);
// Each revision once, percents that sum to 100; or none.
[[nodiscard]] OrProblem<TrafficBody> parse_traffic(std::string_view json);
[[nodiscard]] OrProblem<RolloutBody> parse_rollout(std::string_view json);
[[nodiscard]] OrProblem<KeyBody> parse_key(std::string_view json);
[[nodiscard]] OrProblem<UpgradeBody> parse_upgrade(std::string_view json);
// `{}` or nothing.
[[nodiscard]] OrProblem<void> parse_nothing(std::string_view json);

[[nodiscard]] bool is_sha256(std::string_view text);

}  // namespace kelvin::api
