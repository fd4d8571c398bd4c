// cgroup: control groups, whichever hierarchy holds what is needed.
#include "os/cgroup.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::os {
namespace {

tl::unexpected<Error> nobody_holds(std::string_view need) {
  return fail(Code::Unavailable, Blame::Host, Retry::Never,
              "no control group hierarchy offers " + std::string(need));
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Result<std::uint64_t> read_number(const std::string& path) {
  KELVIN_TRY(const std::string text, read_file(path));
  if (const auto value = parse_number(text)) return *value;
  return fail(Code::Invalid, Blame::Host, Retry::Never, path + " does not hold a number");
}

// Value of "name N" in a file of such lines; 0 when the name is not there.
Result<std::uint64_t> read_named(const std::string& path, std::string_view name) {
  KELVIN_TRY(const std::string text, read_file(path));
  for (const std::string_view line : split(text, '\n')) {
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
      return parse_number(line.substr(name.size() + 1)).value_or(0);
    }
  }
  return 0U;
}

bool holds(const std::string& folder, const char* file) {
  return !folder.empty() && path_exists(folder + "/" + file);
}

}  // namespace

std::vector<std::string> CgroupPaths::all() const {
  std::vector<std::string> paths;
  for (const auto& path : {unified, freezer, memory, pids, cpuacct}) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

bool Cgroup::exists() const {
  const auto paths = paths_.all();
  return std::any_of(paths.begin(), paths.end(),
                     [](const std::string& path) { return path_exists(path); });
}

Status Cgroup::set_limits(const CgroupLimits& limits) const {
  if (limits.memory.count > 0) {
    const std::string text = std::to_string(limits.memory.count);
    if (holds(paths_.memory, "memory.limit_in_bytes")) {
      KELVIN_TRY_VOID(write_existing(paths_.memory + "/memory.limit_in_bytes", text));
      // Absent where the kernel does not account swap; then swap is not limited.
      static_cast<void>(write_existing(paths_.memory + "/memory.memsw.limit_in_bytes", text));
    } else if (holds(paths_.unified, "memory.max")) {
      KELVIN_TRY_VOID(write_existing(paths_.unified + "/memory.max", text));
      static_cast<void>(write_existing(paths_.unified + "/memory.swap.max", "0"));
    } else {
      return nobody_holds("memory limits");
    }
  }
  if (limits.pids > 0) {
    const std::string& folder = paths_.pids.empty() ? paths_.unified : paths_.pids;
    if (!holds(folder, "pids.max")) return nobody_holds("limits on the number of processes");
    KELVIN_TRY_VOID(write_existing(folder + "/pids.max", std::to_string(limits.pids)));
  }
  return {};
}

Status Cgroup::freeze() const {
  if (holds(paths_.unified, "cgroup.freeze"))
    return write_existing(paths_.unified + "/cgroup.freeze", "1");
  if (!paths_.freezer.empty()) return write_existing(paths_.freezer + "/freezer.state", "FROZEN");
  return nobody_holds("freezing");
}

Status Cgroup::thaw() const {
  if (holds(paths_.unified, "cgroup.freeze"))
    return write_existing(paths_.unified + "/cgroup.freeze", "0");
  if (!paths_.freezer.empty()) return write_existing(paths_.freezer + "/freezer.state", "THAWED");
  return nobody_holds("freezing");
}

Result<bool> Cgroup::is_frozen() const {
  if (holds(paths_.unified, "cgroup.freeze")) {
    KELVIN_TRY(const std::uint64_t frozen, read_named(paths_.unified + "/cgroup.events", "frozen"));
    return frozen == 1;
  }
  if (!paths_.freezer.empty()) {
    KELVIN_TRY(const std::string state, read_file(paths_.freezer + "/freezer.state"));
    return state.starts_with("FROZEN");
  }
  return nobody_holds("freezing");
}

Status Cgroup::kill() const {
  if (holds(paths_.unified, "cgroup.kill"))
    return write_existing(paths_.unified + "/cgroup.kill", "1");
  // Frozen processes cannot fork while their numbers are read, and v1 delivers the signal at the thaw.
  static_cast<void>(freeze());
  auto members = pids();
  if (members) {
    for (const pid_t pid : *members) ::kill(pid, SIGKILL);
  }
  static_cast<void>(thaw());
  if (!members) return tl::unexpected<Error>(std::move(members).error());
  return {};
}

Result<std::vector<pid_t>> Cgroup::pids() const {
  const auto folders = paths_.all();
  if (folders.empty()) return nobody_holds("membership");
  KELVIN_TRY(const std::string text, read_file(folders.front() + "/cgroup.procs"));
  std::vector<pid_t> pids;
  for (const std::string_view line : split(text, '\n')) {
    if (const auto pid = parse_number(line)) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

Result<Bytes> Cgroup::memory_used() const {
  const bool is_v1 = !paths_.memory.empty();
  if (!is_v1 && !holds(paths_.unified, "memory.current")) return nobody_holds("memory accounting");
  KELVIN_TRY(const std::uint64_t used, read_number(is_v1 ? paths_.memory + "/memory.usage_in_bytes"
                                                         : paths_.unified + "/memory.current"));
  return Bytes{used};
}

Result<Duration> Cgroup::cpu_time() const {
  // cpu.stat holds usage_usec in every v2 group but the root, with or without the cpu controller.
  if (holds(paths_.unified, "cpu.stat")) {
    KELVIN_TRY(const std::uint64_t us, read_named(paths_.unified + "/cpu.stat", "usage_usec"));
    return Duration(us * 1000);
  }
  if (paths_.cpuacct.empty()) return nobody_holds("processor time");
  KELVIN_TRY(const std::uint64_t ns, read_number(paths_.cpuacct + "/cpuacct.usage"));
  return Duration(ns);
}

Result<OomCounts> Cgroup::oom_counts() const {
  OomCounts counts;
  if (!paths_.memory.empty()) {
    KELVIN_TRY(counts.kills, read_named(paths_.memory + "/memory.oom_control", "oom_kill"));
    KELVIN_TRY(counts.limit_hits, read_number(paths_.memory + "/memory.failcnt"));
    return counts;
  }
  if (!holds(paths_.unified, "memory.events")) return nobody_holds("out of memory events");
  KELVIN_TRY(counts.kills, read_named(paths_.unified + "/memory.events", "oom_kill"));
  KELVIN_TRY(counts.limit_hits, read_named(paths_.unified + "/memory.events", "max"));
  return counts;
}

Status Cgroup::remove() const {
  Status first;
  for (const std::string& path : paths_.all()) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT || !first) continue;
    first = fail_errno("remove control group " + path, errno);
  }
  return first;
}

namespace {

struct Mounts {
  std::string unified;                    // mount point of v2
  std::map<std::string, std::string> v1;  // controller -> mount point
  std::map<std::string, std::string>
      self;  // controller ("" for v2) -> our own group, below the mount point
};

// Lines of mountinfo: "36 35 98:0 ROOT MOUNT_POINT OPTIONS ... - TYPE SOURCE SUPER_OPTIONS" (proc(5)).
void read_mounts(const std::string& text, Mounts& mounts,
                 std::map<std::string, std::string>& roots) {
  for (const std::string_view line : split(text, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const std::string point(before[4]);
    if (after[0] == "cgroup2") {
      mounts.unified = point;
      roots[""] = before[3];
    }
    if (after[0] != "cgroup") continue;
    for (const std::string_view option : split(after[2], ',')) {
      mounts.v1.emplace(option, point);
      roots.emplace(option, before[3]);
    }
  }
}

// Lines of /proc/self/cgroup: "4:memory:/path", "0::/path" for v2. A mount may show only part of the hierarchy (a
// container): what lies above its root is cut off, and a group outside it counts as its root.
void read_self(const std::string& text, const std::map<std::string, std::string>& roots,
               Mounts& mounts) {
  for (const std::string_view line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string path(line.substr(second + 1));
    const std::string_view list = line.substr(first + 1, second - first - 1);
    auto names = split(list, ',');
    if (list.empty()) names.push_back("");
    for (const std::string_view name : names) {
      const auto root = roots.find(std::string(name));
      const std::string above = root == roots.end() || root->second == "/" ? "" : root->second;
      const bool is_inside = path.starts_with(above) && path.find("/..") == std::string::npos;
      std::string below = is_inside ? path.substr(above.size()) : "";
      if (below == "/") below.clear();
      mounts.self[std::string(name)] = below;
    }
  }
}

// Makes BASE/kelvin/NAME; removes again what it made when it cannot.
bool make_parent(const std::string& base, const std::string& name) {
  struct stat found{};
  if (::stat(base.c_str(), &found) != 0) return false;
  if (make_dirs(base + "/kelvin/" + name))
    return ::access((base + "/kelvin/" + name).c_str(), W_OK) == 0;
  ::rmdir((base + "/kelvin").c_str());
  return false;
}

void remove_parent(const std::string& folder) {
  if (folder.empty()) return;
  ::rmdir(folder.c_str());
  ::rmdir(
      folder.substr(0, folder.rfind('/')).c_str());  // "kelvin", when no other data folder uses it
}

// Hands a v2 controller down from BASE to BASE/kelvin/NAME's children. False where processes of ours live in BASE
// itself (the kernel allows controllers only in groups without processes) or it is not ours.
bool hand_down(const std::string& base, const std::string& name, const std::string& controller) {
  for (const std::string& folder : {base, base + "/kelvin", base + "/kelvin/" + name}) {
    if (!write_existing(folder + "/cgroup.subtree_control", "+" + controller)) return false;
  }
  return true;
}

bool offers(const std::string& folder, const std::string& controller) {
  const auto text = read_file(folder + "/cgroup.controllers");
  if (!text) return false;
  const std::string flat = text->substr(0, text->find('\n'));
  const auto names = split(flat, ' ');
  return std::find(names.begin(), names.end(), controller) != names.end();
}

// The v2 folder to use and which wanted controllers it has. Our own group first: where it cannot hold every controller
// that the machine offers, the root of the hierarchy may.
std::pair<std::string, std::set<std::string>> choose_unified(const Mounts& mounts,
                                                             const std::string& name,
                                                             const std::set<std::string>& wanted) {
  std::pair<std::string, std::set<std::string>> best;
  std::set<std::string> bases;
  const auto self = mounts.self.find("");
  std::vector<std::string> candidates{
      mounts.unified + (self == mounts.self.end() ? "" : self->second), mounts.unified};
  for (const std::string& base : candidates) {
    if (mounts.unified.empty() || !bases.insert(base).second || !make_parent(base, name)) continue;
    const std::string folder = base + "/kelvin/" + name;
    std::set<std::string> held;
    for (const std::string& controller : wanted) {
      if (offers(base, controller) && hand_down(base, name, controller)) held.insert(controller);
    }
    if (best.first.empty() || held.size() > best.second.size()) {
      remove_parent(best.first);
      best = {folder, held};
    } else {
      remove_parent(folder);
    }
    if (best.second == wanted) break;
  }
  return best;
}

std::string choose_v1(const Mounts& mounts, const std::string& controller,
                      const std::string& name) {
  const auto point = mounts.v1.find(controller);
  if (point == mounts.v1.end()) return {};
  const auto self = mounts.self.find(controller);
  const std::string own = point->second + (self == mounts.self.end() ? "" : self->second);
  for (const std::string& base : {own, point->second}) {
    if (make_parent(base, name)) return base + "/kelvin/" + name;
  }
  return {};
}

}  // namespace

CgroupParent CgroupParent::prepare(const CgroupSources& sources, std::string_view name) {
  const std::string folder_name(name);
  Mounts mounts;
  std::map<std::string, std::string> roots;
  read_mounts(read_file(sources.mountinfo).value_or(""), mounts, roots);
  read_self(read_file(sources.self).value_or(""), roots, mounts);

  CgroupParent parent(CgroupPaths{});
  CgroupPaths& base = parent.base_;
  base.memory = choose_v1(mounts, "memory", folder_name);
  base.pids = choose_v1(mounts, "pids", folder_name);
  std::set<std::string> wanted;
  if (base.memory.empty()) wanted.insert("memory");
  if (base.pids.empty()) wanted.insert("pids");
  const auto [unified, held] = choose_unified(mounts, folder_name, wanted);
  base.unified = unified;
  if (!holds(unified, "cgroup.freeze")) base.freezer = choose_v1(mounts, "freezer", folder_name);
  if (!holds(unified, "cpu.stat")) base.cpuacct = choose_v1(mounts, "cpuacct", folder_name);

  // Without a freezer a group would hold processes that cannot be held: then none is used, for any need.
  if (base.freezer.empty() && !holds(base.unified, "cgroup.freeze")) {
    parent.remove();
    base = {};
  }
  const bool is_usable = parent.is_usable();
  auto& missing = parent.missing_;
  if (!is_usable) {
    missing.push_back("the freezer (no writable control group; replicas are parked by SIGSTOP)");
    missing.push_back(
        "a hold on processes that leave their replica's session (no writable control group)");
  }
  if (!is_usable || (base.memory.empty() && !held.contains("memory"))) {
    missing.push_back("memory limits and naming of out of memory (no writable memory controller)");
  }
  if (!is_usable || (base.pids.empty() && !held.contains("pids"))) {
    missing.push_back("limits on the number of processes (no writable pids controller)");
  }
  return parent;
}

CgroupPaths CgroupParent::paths_of(std::string_view id) const {
  const auto below = [&](const std::string& folder) {
    return folder.empty() ? "" : folder + "/" + std::string(id);
  };
  return {.unified = below(base_.unified),
          .freezer = below(base_.freezer),
          .memory = below(base_.memory),
          .pids = below(base_.pids),
          .cpuacct = below(base_.cpuacct)};
}

Result<Cgroup> CgroupParent::create(std::string_view id) const {
  const Cgroup group(paths_of(id));
  // One mount may hold several controllers (cpu,cpuacct): its folder is made once.
  const auto all = group.paths().all();
  const std::set<std::string> paths(all.begin(), all.end());
  std::vector<std::string> made;
  for (const std::string& path : paths) {
    if (::mkdir(path.c_str(), 0755) == 0) {
      made.push_back(path);
      continue;
    }
    auto error = fail_errno("make control group " + path, errno);
    for (const std::string& other : made) ::rmdir(other.c_str());
    return error;
  }
  return group;
}

std::vector<std::string> CgroupParent::list() const {
  std::set<std::string> ids;
  for (const std::string& folder : base_.all()) {
    for (const std::string& name : list_dir(folder).value_or(std::vector<std::string>{})) {
      struct stat found{};
      if (::stat((folder + "/" + name).c_str(), &found) == 0 && S_ISDIR(found.st_mode))
        ids.insert(name);
    }
  }
  return {ids.begin(), ids.end()};
}

void CgroupParent::remove() const {
  for (const std::string& folder : base_.all()) remove_parent(folder);
}

}  // namespace kelvin::os
