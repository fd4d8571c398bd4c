// record: what the keeper writes down about each replica, so that another keeper can go on.
//
// One JSON file per replica, "run/replicas/ID.json". It is written before the process exists (pid 0), once more with the
// pid before the process runs its program, and a last time with how it ended. It stays until the platform forgets the
// replica. The identity of the boot tells records of before a restart of the machine, whose processes are gone for sure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

namespace kelvin::keeper {

struct Ended {
  std::optional<os::ExitStatus>
      status;  // absent: it died while nobody watched, "exit status unknown"
  os::OomCounts oom;
  Instant at;  // when the keeper saw it
  bool operator==(const Ended&) const = default;
};

struct Record {
  std::string replica;  // "r3-17": the name of the file
  std::string boot;     // os::boot_id() when it was written
  std::string note;     // the platform's own words; the keeper does not read them
  std::string log;      // path of the log file
  os::CgroupPaths cgroup;
  pid_t pid = 0;                  // 0: not made yet
  std::uint64_t start_ticks = 0;  // with pid: this process and no later one of the same number
  std::optional<Ended> ended;
};

std::string encode(const Record& record);
Result<Record> decode_record(std::string_view text);

}  // namespace kelvin::keeper
