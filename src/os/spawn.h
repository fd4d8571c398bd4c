// spawn: makes a child process in a control group, held back until its parent has written it down.
//
// clone3 puts the child into its v2 group as it is made; v1 groups it joins itself before anything else. It then waits
// for its parent's word, becomes its user, and executes the program. A parent that dies before giving the word leaves no
// child behind: the child sees the end of the pipe and exits without having run the program.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/pidfd.h"

namespace kelvin::os {

struct SpawnUser {
  uid_t uid = 0;
  gid_t gid = 0;
};

// The child gets a session and a process group of its own, default signals, no-new-privileges, no core dumps, standard
// input from /dev/null and no descriptor but 0, 1 and 2.
struct SpawnSpec {
  std::string program;                   // path to execute; not looked up
  std::vector<std::string> arguments;    // argv, the name first
  std::vector<std::string> environment;  // "NAME=value"; the whole of it
  std::string folder;                    // working directory; empty: the parent's
  std::optional<SpawnUser>
      user;  // absent: stay who we are; else all capabilities and other groups are dropped
  Cgroup cgroup;
  std::uint64_t open_files_max = 65'536;  // as far as the parent's hard limit allows
  int out = -1;                           // becomes 1; stays the caller's
  int err = -1;                           // becomes 2; stays the caller's
};

// Where a child failed before its program ran, and the error number.
struct SpawnFailure {
  enum class Step : std::uint8_t { JoinGroup, Streams, Limits, User, Folder, Program };
  Step step = Step::Program;
  int error = 0;
};
// A sentence such as "command not found: /opt/x/server".
std::string to_text(const SpawnFailure& failure, const SpawnSpec& spec);

// A child that waits. Ending it without release() makes the child exit; its parent still reaps it.
class Spawned {
 public:
  Spawned(pid_t pid, Pidfd pidfd, Fd go, Fd outcome)
      : pid_(pid), pidfd_(std::move(pidfd)), go_(std::move(go)), outcome_(std::move(outcome)) {}

  pid_t pid() const { return pid_; }
  // The child goes on to its program.
  void release();
  // Readable once the outcome is known.
  int outcome_fd() const { return outcome_.get(); }
  // After release. Absent: not known yet. Inside: absent when the program runs.
  std::optional<std::optional<SpawnFailure>> outcome() const;
  Pidfd take_pidfd() { return std::move(pidfd_); }

 private:
  pid_t pid_ = 0;
  Pidfd pidfd_;
  Fd go_;
  Fd outcome_;
};

// Only async-signal-safe work is done between clone and exec, so it may be called with other threads running. The
// caller's own descriptors 0, 1 and 2 must be open.
Result<Spawned> spawn(const SpawnSpec& spec);

// Starts a program that outlives its caller and is not its child: in a session of its own, with the caller's
// environment. `out` becomes its standard output, `err` its standard error; both stay the caller's.
struct DetachedSpec {
  std::vector<std::string> arguments;  // the first is the path of the program
  int out = -1;
  int err = -1;
};
Status spawn_detached(const DetachedSpec& spec);

// Starts a program that is to go on in its caller's place: a child in the same session and group, with the caller's
// environment and standard streams, and with `kept` open under the same number.
struct SuccessorSpec {
  std::string program;                 // path to execute; not looked up
  std::vector<std::string> arguments;  // argv, the name first
  int kept = -1;                       // stays the caller's
};
struct Successor {
  pid_t pid = 0;
  Pidfd pidfd;
};
// Refused, saying why, when the program cannot be executed.
Result<Successor> spawn_successor(const SuccessorSpec& spec);

}  // namespace kelvin::os
