// process_set: all processes of one replica, by its control group or, without one, by its session.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "os/cgroup.h"

namespace kelvin::os {

// What /proc/PID/stat says.
struct ProcessStat {
  char state = '?';  // R, S, D, T (stopped), Z (zombie), ...
  pid_t group = 0;
  pid_t session = 0;
  std::uint64_t start_ticks = 0;  // since boot; with the pid it names one process for good
};
// NotFound when there is no such process.
Result<ProcessStat> read_process_stat(pid_t pid);
// The name in /proc/PID/comm, empty when there is none.
std::string process_name(pid_t pid);
// Identity of this boot of the machine.
std::string boot_id();

// A view; owns nothing. `leader` was made with a session and a process group of its own. With a control group every
// process in it belongs; without one every process of the leader's session does.
class ProcessSet {
 public:
  ProcessSet() = default;
  ProcessSet(Cgroup group, pid_t leader) : cgroup_(std::move(group)), leader_(leader) {}

  pid_t leader() const { return leader_; }
  const Cgroup& cgroup() const { return cgroup_; }
  bool has_cgroup() const { return !cgroup_.paths().all().empty(); }

  // To the leader's process group, as a terminal would.
  Status signal(int number) const;
  // Asks every process to stop where it is (freezer, else SIGSTOP); is_frozen says when they have.
  Status freeze() const;
  Status thaw() const;
  Result<bool> is_frozen() const;
  // Kills everything; call again until pids() is empty.
  void kill() const;
  std::vector<pid_t> pids() const;
  Result<Bytes> memory_used() const;
  Result<Duration> cpu_time() const;
  // Bytes that the threads alive now have read themselves, from files and sockets alike; not what their children did.
  Bytes bytes_read() const;

 private:
  std::vector<pid_t> pids_of_session() const;

  Cgroup cgroup_;
  pid_t leader_ = 0;
};

}  // namespace kelvin::os
