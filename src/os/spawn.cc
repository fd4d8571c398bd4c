// spawn: makes a child process in a control group, held back until its parent has written it down.
#include "os/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::os {
namespace {

using Step = SpawnFailure::Step;

// Everything the child needs, made before the clone: after it nothing may allocate or lock.
struct ChildPlan {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* folder = nullptr;
  const SpawnUser* user = nullptr;
  const int* joins = nullptr;
  std::size_t join_count = 0;
  rlim_t open_files_max = 0;
  int in = -1;
  int out = -1;
  int err = -1;
  int go = -1;
  int go_writer = -1;
  int outcome = -1;
};

[[noreturn]] void give_up(const ChildPlan& plan, Step step) {
  const SpawnFailure failure{.step = step, .error = errno};
  static_cast<void>(!::write(plan.outcome, &failure, sizeof failure));
  ::_exit(127);
}

void reset_signals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number <= 64; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_on_exec_from_3() {
  if (::syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Kernels before 5.11: one by one, as far as descriptors of a small parent reach.
  for (int fd = 3; fd < 4096; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// Raw calls: the wrappers of the C library would signal the parent's other threads, which do not exist here.
bool become(const SpawnUser& user) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

void set_limits(const ChildPlan& plan) {
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit files{.rlim_cur = plan.open_files_max, .rlim_max = plan.open_files_max};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) give_up(plan, Step::Limits);
  // The parent may be protected from the kernel's out of memory killer; its children are not.
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) static_cast<void>(!::write(score, "0", 1));
}

[[noreturn]] void run_child(const ChildPlan& plan) {
  for (std::size_t i = 0; i < plan.join_count; ++i) {
    if (::write(plan.joins[i], "0", 1) != 1) give_up(plan, Step::JoinGroup);
  }
  ::setsid();
  reset_signals();
  // Or the child would wait for ever for the word of a parent that has died.
  ::close(plan.go_writer);
  char word = 0;
  ssize_t got = -1;
  do {
    got = ::read(plan.go, &word, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(127);

  if (::dup2(plan.in, 0) < 0 || ::dup2(plan.out, 1) < 0 || ::dup2(plan.err, 2) < 0)
    give_up(plan, Step::Streams);
  set_limits(plan);
  close_on_exec_from_3();
  if (plan.user != nullptr && !become(*plan.user)) give_up(plan, Step::User);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(plan, Step::User);
  ::umask(022);
  if (plan.folder != nullptr && ::chdir(plan.folder) != 0) give_up(plan, Step::Folder);
  ::execve(plan.program, plan.arguments, plan.environment);
  give_up(plan, Step::Program);
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Result<Pipe> make_pipe() {
  int raw[2] = {-1, -1};
  if (::pipe2(raw, O_CLOEXEC) != 0) return fail_errno("make pipe", errno);
  return Pipe{Fd(raw[0]), Fd(raw[1])};
}

// Group folders that the child must join by itself: v1 always, v2 only where clone3 cannot do it.
//
// On v1 the child moves as a thread ("tasks"), of which it has one. The kernel then skips the lock against changing
// thread groups, whose writer waits for an RCU grace period, some 12 ms (cgroup_procs_write_start in
// kernel/cgroup/cgroup.c). v2 has no such file.
Result<std::vector<Fd>> open_joins(const CgroupPaths& paths, bool with_unified) {
  std::vector<Fd> joins;
  for (const std::string& path : paths.all()) {
    if (path == paths.unified && !with_unified) continue;
    const bool is_unified = path == paths.unified;
    KELVIN_TRY(Fd file, open_file(path + (is_unified ? "/cgroup.procs" : "/tasks"), O_WRONLY));
    joins.push_back(std::move(file));
  }
  return joins;
}

struct Cloned {
  pid_t pid = -1;
  int pidfd = -1;
};

Cloned clone_into(int group_fd) {
  Cloned cloned;
  clone_args args{};
  args.flags = CLONE_PIDFD | (group_fd >= 0 ? CLONE_INTO_CGROUP : 0);
  args.pidfd = reinterpret_cast<std::uint64_t>(&cloned.pidfd);
  args.exit_signal = SIGCHLD;
  args.cgroup = group_fd >= 0 ? static_cast<std::uint64_t>(group_fd) : 0;
  cloned.pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  return cloned;
}

// Kernels before 5.7 and sandboxes without clone3.
Cloned clone_plainly() {
  Cloned cloned;
  const unsigned long flags = CLONE_PIDFD | SIGCHLD;
  cloned.pid =
      static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, &cloned.pidfd, nullptr, 0UL));
  return cloned;
}

Result<Cloned> clone_child(const CgroupPaths& paths, ChildPlan& plan) {
  const auto run_with = [&plan](const std::vector<Fd>& joins, auto&& make) {
    std::vector<int> raw;
    for (const Fd& join : joins) raw.push_back(join.get());
    plan.joins = raw.data();
    plan.join_count = raw.size();
    const Cloned cloned = make();
    if (cloned.pid == 0) run_child(plan);
    return cloned;
  };
  Fd group;
  if (!paths.unified.empty())
    group.reset(::open(paths.unified.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  KELVIN_TRY(const auto joins, open_joins(paths, false));
  const Cloned cloned = run_with(joins, [&] { return clone_into(group.get()); });
  if (cloned.pid > 0) return cloned;
  KELVIN_TRY(const auto all_joins, open_joins(paths, true));
  const Cloned plain = run_with(all_joins, clone_plainly);
  if (plain.pid < 0) return fail_errno("make process", errno);
  return plain;
}

rlim_t open_files_limit(std::uint64_t wanted) {
  rlimit current{};
  if (::getrlimit(RLIMIT_NOFILE, &current) != 0) return 1024;
  return std::min<rlim_t>(wanted, current.rlim_max);
}

std::string denied_text(const std::string& path, const SpawnSpec& spec) {
  const std::string closed = spec.user ? closed_folder(path) : "";
  if (closed.empty()) return "permission denied: " + path;
  return "permission denied: " + path +
         " (replicas run as a user of their own, who may not enter " + closed + ")";
}

std::string program_text(int error, const SpawnSpec& spec) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      if (path_exists(spec.program))
        return "the interpreter that " + spec.program + " asks for was not found";
      return "command not found: " + spec.program;
    case EACCES:
      return denied_text(spec.program, spec);
    case ENOEXEC:
      return spec.program + " is not a program for this machine (exec format error)";
    case E2BIG:
      return "the arguments and the environment are too long";
    default:
      return "cannot execute " + spec.program + ": " + errno_text(error);
  }
}

}  // namespace

std::string to_text(const SpawnFailure& failure, const SpawnSpec& spec) {
  const std::string text = errno_text(failure.error);
  switch (failure.step) {
    case Step::JoinGroup:
      return "cannot join the control group: " + text;
    case Step::Streams:
      return "cannot connect the output: " + text;
    case Step::Limits:
      return "cannot set resource limits: " + text;
    case Step::User:
      return "cannot become the replica's user: " + text;
    case Step::Folder:
      if (failure.error == EACCES) return denied_text(spec.folder + "/", spec);
      return "cannot enter the working directory " + spec.folder + ": " + text;
    case Step::Program:
      return program_text(failure.error, spec);
  }
  return text;
}

void Spawned::release() {
  const char word = 'g';
  static_cast<void>(!::write(go_.get(), &word, 1));
  go_.reset();
}

std::optional<std::optional<SpawnFailure>> Spawned::outcome() const {
  SpawnFailure failure;
  const ssize_t got = ::read(outcome_.get(), &failure, sizeof failure);
  if (got < 0) return std::nullopt;
  if (got == sizeof failure) return std::optional<SpawnFailure>(failure);
  return std::optional<SpawnFailure>{};  // closed by the exec
}

Result<Spawned> spawn(const SpawnSpec& spec) {
  KELVIN_TRY(Pipe go, make_pipe());
  KELVIN_TRY(Pipe outcome, make_pipe());
  KELVIN_TRY(const Fd null_in, open_file("/dev/null", O_RDONLY));
  KELVIN_TRY(const Fd null_out, open_file("/dev/null", O_WRONLY));
  const auto arguments = pointers_to(spec.arguments);
  const auto environment = pointers_to(spec.environment);
  ChildPlan plan{.program = spec.program.c_str(),
                 .arguments = arguments.data(),
                 .environment = environment.data(),
                 .folder = spec.folder.empty() ? nullptr : spec.folder.c_str(),
                 .user = spec.user ? &*spec.user : nullptr,
                 .open_files_max = open_files_limit(spec.open_files_max),
                 .in = null_in.get(),
                 .out = spec.out >= 0 ? spec.out : null_out.get(),
                 .err = spec.err >= 0 ? spec.err : null_out.get(),
                 .go = go.read_end.get(),
                 .go_writer = go.write_end.get(),
                 .outcome = outcome.write_end.get()};
  KELVIN_TRY(const Cloned cloned, clone_child(spec.cgroup.paths(), plan));
  ::fcntl(outcome.read_end.get(), F_SETFL, O_NONBLOCK);
  return Spawned(cloned.pid, Pidfd(Fd(cloned.pidfd)), std::move(go.write_end),
                 std::move(outcome.read_end));
}

Status spawn_detached(const DetachedSpec& spec) {
  const auto arguments = pointers_to(spec.arguments);
  const pid_t between = ::fork();
  if (between < 0) return fail_errno("make process", errno);
  if (between == 0) {
    ::setsid();
    const pid_t child = ::fork();
    if (child != 0) ::_exit(child < 0 ? 1 : 0);
    reset_signals();
    const int in = ::open("/dev/null", O_RDONLY);
    if (in < 0 || ::dup2(in, 0) < 0 || ::dup2(spec.out, 1) < 0 || ::dup2(spec.err, 2) < 0)
      ::_exit(127);
    close_on_exec_from_3();
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::Unavailable, Blame::Host, Retry::AfterDelay,
              "cannot start " + spec.arguments[0]);
}

Result<Successor> spawn_successor(const SuccessorSpec& spec) {
  KELVIN_TRY(Pipe outcome, make_pipe());
  const auto arguments = pointers_to(spec.arguments);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("make process", errno);
  if (child == 0) {
    reset_signals();
    close_on_exec_from_3();
    ::fcntl(spec.kept, F_SETFD, 0);
    ::execv(spec.program.c_str(), arguments.data());
    const int error = errno;
    static_cast<void>(!::write(outcome.write_end.get(), &error, sizeof error));
    ::_exit(127);
  }
  outcome.write_end.reset();
  KELVIN_TRY(Pidfd pidfd, Pidfd::open(child));
  int error = 0;
  ssize_t got = -1;
  do {
    got = ::read(outcome.read_end.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof error) return Successor{.pid = child, .pidfd = std::move(pidfd)};
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return fail(Code::Refused, Blame::Client, Retry::Never,
              program_text(error, SpawnSpec{.program = spec.program}));
}

}  // namespace kelvin::os
