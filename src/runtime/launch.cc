// launch: what a replica's process is given: arguments, environment, user, folders.
#include "runtime/launch.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::runtime {
namespace {

void replace_all(std::string& text, std::string_view name, const std::string& value) {
  for (std::size_t at = text.find(name); at != std::string::npos;
       at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

}  // namespace

std::vector<std::string> fill_arguments(const LaunchWish& wish) {
  std::vector<std::string> arguments = wish.command;
  for (std::string& argument : arguments) {
    replace_all(argument, "{port}", std::to_string(wish.port));
    replace_all(argument, "{model}", wish.model_path);
  }
  return arguments;
}

std::vector<std::string> fill_environment(const LaunchWish& wish) {
  std::map<std::string, std::string> values = wish.environment;
  values.emplace("PATH", wish.search_path);
  values.emplace("HOME", wish.home);
  values.emplace("TMPDIR", wish.temporary);
  values["PORT"] = std::to_string(wish.port);
  std::vector<std::string> environment;
  environment.reserve(values.size());
  for (const auto& [name, value] : values) environment.push_back(name + "=" + value);
  return environment;
}

std::optional<os::SpawnUser> user_of(std::uint32_t slot) {
  if (::geteuid() != 0) return std::nullopt;
  const uid_t number = kFirstReplicaUser + slot;
  return os::SpawnUser{.uid = number, .gid = number};
}

Status make_homes(const std::string& base, const std::optional<os::SpawnUser>& user) {
  KELVIN_TRY_VOID(os::remove_tree(base));
  KELVIN_TRY_VOID(os::make_dirs(base, 0711));
  for (const std::string& folder : {base + "/home", base + "/tmp"}) {
    KELVIN_TRY_VOID(os::make_dirs(folder, 0700));
    if (user && ::chown(folder.c_str(), user->uid, user->gid) != 0)
      return os::fail_errno("hand over " + folder, errno);
  }
  return {};
}

}  // namespace kelvin::runtime
