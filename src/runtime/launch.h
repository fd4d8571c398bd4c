// launch: what a replica's process is given: arguments, environment, user, folders.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/spawn.h"

namespace kelvin::runtime {

// Users of replicas when the platform runs as root: this number plus the replica's slot, so that no two live replicas
// share one. Debian keeps 600100 to 4294967293 free of other uses but for sub-ids, which no account logs in with.
constexpr uid_t kFirstReplicaUser = 600'000;

struct LaunchWish {
  std::string program;               // absolute path
  std::vector<std::string> command;  // argv, with {port} and {model}
  std::string model_path;            // what {model} becomes
  std::uint16_t port = 0;            // what {port} and PORT become
  std::map<std::string, std::string> environment;
  std::string home;         // HOME
  std::string temporary;    // TMPDIR
  std::string search_path;  // PATH
};

// argv with every {port} and {model} filled in. Other braces stay as they are.
std::vector<std::string> fill_arguments(const LaunchWish& wish);
// "NAME=value", sorted by name: PATH, HOME, TMPDIR, PORT and what the app names. The app's values hold, but for PORT:
// the platform asks there whether the replica is ready.
std::vector<std::string> fill_environment(const LaunchWish& wish);

// The user of the replica in this slot; absent when the platform does not run as root.
std::optional<os::SpawnUser> user_of(std::uint32_t slot);

// BASE/home and BASE/tmp, empty, 0700, owned by `user`. What lay at BASE before is removed.
Status make_homes(const std::string& base, const std::optional<os::SpawnUser>& user);

}  // namespace kelvin::runtime
