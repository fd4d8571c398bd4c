// cgroup: control groups, whichever hierarchy holds what is needed.
//
// A machine has cgroup v2 only, v1 controllers only, or v1 controllers beside a v2 hierarchy without any. Freezing,
// killing, limits and accounting are therefore looked for one by one: v2 where the file exists there, else the v1
// controller. A group of ours is one folder per hierarchy used, "BASE/kelvin/NAME/ID", where BASE is the group of the
// calling process if groups can be made there (a delegated service, a container), else the root of the hierarchy.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace kelvin::os {

// Folders of one group; empty where that hierarchy is not used. A plain value, so that it can be written down and found
// again by another process.
struct CgroupPaths {
  std::string unified;  // v2
  std::string freezer;  // v1, as the rest
  std::string memory;
  std::string pids;
  std::string cpuacct;
  bool operator==(const CgroupPaths&) const = default;

  std::vector<std::string> all() const;  // those that are not empty
};

struct CgroupLimits {
  Bytes memory{};          // 0: none; swap does not add to it
  std::uint64_t pids = 0;  // 0: none
};

struct OomCounts {
  std::uint64_t kills = 0;       // processes that the kernel killed for this group's memory limit
  std::uint64_t limit_hits = 0;  // times the limit was reached
  bool operator==(const OomCounts&) const = default;
};

// Reads and writes one group; owns nothing. Functions whose need no hierarchy holds answer Unavailable.
class Cgroup {
 public:
  Cgroup() = default;
  explicit Cgroup(CgroupPaths paths) : paths_(std::move(paths)) {}

  const CgroupPaths& paths() const { return paths_; }
  bool exists() const;

  Status set_limits(const CgroupLimits& limits) const;
  // Asks for it and returns; is_frozen says when every process has stopped.
  Status freeze() const;
  // Processes run again when it returns, and the wait for a frozen group's end is over.
  Status thaw() const;
  Result<bool> is_frozen() const;
  // Kills every process in it, also frozen ones. Where the kernel has no cgroup.kill, processes that fork meanwhile may
  // be left: call it again until pids() is empty.
  Status kill() const;
  Result<std::vector<pid_t>> pids() const;
  Result<Bytes> memory_used() const;
  Result<Duration> cpu_time() const;
  Result<OomCounts> oom_counts() const;
  // Removes the folders; Conflict while processes are in it.
  Status remove() const;

 private:
  CgroupPaths paths_;
};

// Where the machine says what is mounted and where we are; another value only in tests.
struct CgroupSources {
  std::string mountinfo = "/proc/self/mountinfo";
  std::string self = "/proc/self/cgroup";
};

// The folder "kelvin/NAME" in each hierarchy, below which each replica gets its group.
class CgroupParent {
 public:
  // Makes the folders. Never fails: what cannot be had is listed by missing().
  static CgroupParent prepare(const CgroupSources& sources, std::string_view name);
  // One that was prepared before, maybe by another process.
  explicit CgroupParent(CgroupPaths base) : base_(std::move(base)) {}

  const CgroupPaths& base() const { return base_; }
  // False: no groups at all; fall back on process groups.
  bool is_usable() const { return !base_.unified.empty() || !base_.freezer.empty(); }
  // What this machine or user does not offer, each a phrase such as "memory limits (no writable memory controller)".
  const std::vector<std::string>& missing() const { return missing_; }

  CgroupPaths paths_of(std::string_view id) const;
  // Makes the group, empty and without limits. Left-overs under the same id are an error (Conflict).
  Result<Cgroup> create(std::string_view id) const;
  // Ids of the groups that exist.
  std::vector<std::string> list() const;
  // Removes our folders as far as they are empty.
  void remove() const;

 private:
  CgroupPaths base_;
  std::vector<std::string> missing_;
};

}  // namespace kelvin::os
