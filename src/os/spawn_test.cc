#include "os/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <sstream>

#include "os/clock.h"
#include "os/files.h"
#include "os/process_set.h"

namespace kelvin::os {
namespace {

// Waits until the descriptor is readable; false after ten seconds.
bool wait_readable(int fd) {
  pollfd item{.fd = fd, .events = POLLIN};
  return ::poll(&item, 1, 10'000) == 1;
}

// Gives way until `is_so`, for what no descriptor tells; false after ten seconds.
template <class Condition>
bool comes_true(Condition is_so) {
  const Instant until = boot_now() + 10s;
  while (!is_so()) {
    if (boot_now() > until) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

struct Output {
  Fd read_end;
  Fd write_end;
  std::string all() {
    write_end.reset();
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = ::read(read_end.get(), buffer, sizeof buffer)) > 0)
      text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }
};

Output make_output() {
  int raw[2];
  EXPECT_EQ(::pipe2(raw, O_CLOEXEC), 0);
  return {.read_end = Fd(raw[0]), .write_end = Fd(raw[1])};
}

SpawnSpec shell(const std::string& script, const Output& output) {
  return {.program = "/bin/sh",
          .arguments = {"sh", "-c", script},
          .environment = {"PATH=/usr/bin:/bin"},
          .folder = "/",
          .out = output.write_end.get(),
          .err = output.write_end.get()};
}

std::optional<SpawnFailure> run_to_outcome(Spawned& child) {
  child.release();
  EXPECT_TRUE(wait_readable(child.outcome_fd()));
  return child.outcome().value();
}

ExitStatus wait_for(const Pidfd& pidfd) {
  EXPECT_TRUE(wait_readable(pidfd.fd()));
  return pidfd.exit_status(Pidfd::Reap::Yes).value().value();
}

TEST(Spawn, RunsAProgramWithItsEnvironmentAndNothingElse) {
  Output output = make_output();
  const Fd leaked(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  auto child =
      spawn(shell("env | grep -v -e ^PWD -e ^_; pwd; ls /proc/self/fd | wc -l; grep NoNewPrivs "
                  "/proc/self/status",
                  output));
  ASSERT_TRUE(child) << child.error().what;
  EXPECT_FALSE(run_to_outcome(*child));
  EXPECT_EQ(wait_for(child->take_pidfd()).code, 0);
  // ls itself holds the folder it lists: 0, 1, 2 and one more.
  EXPECT_EQ(output.all(), "PATH=/usr/bin:/bin\n/\n4\nNoNewPrivs:\t1\n");
}

TEST(Spawn, LeadsASessionOfItsOwn) {
  Output output = make_output();
  auto child = spawn(shell("exec cat /proc/self/stat", output));
  ASSERT_TRUE(child);
  EXPECT_FALSE(run_to_outcome(*child));
  wait_for(child->take_pidfd());
  const std::string pid = std::to_string(child->pid());
  EXPECT_NE(output.all().find(" " + pid + " " + pid + " "), std::string::npos);
}

TEST(Spawn, DropsRootWhenGivenAUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: an ordinary user cannot become another";
  Output output = make_output();
  SpawnSpec spec = shell("id -u; id -g; id -G; grep CapEff /proc/self/status", output);
  spec.user = SpawnUser{.uid = 600'123, .gid = 600'123};
  auto child = spawn(spec);
  ASSERT_TRUE(child);
  EXPECT_FALSE(run_to_outcome(*child));
  wait_for(child->take_pidfd());
  EXPECT_EQ(output.all(), "600123\n600123\n600123\nCapEff:\t0000000000000000\n");
}

TEST(Spawn, DoesNothingWhenItsParentNeverGivesTheWord) {
  Output output = make_output();
  Pidfd pidfd;
  {
    auto child = spawn(shell("echo ran", output));
    ASSERT_TRUE(child);
    pidfd = child->take_pidfd();
  }
  EXPECT_EQ(wait_for(pidfd), (ExitStatus{.code = 127}));
  EXPECT_EQ(output.all(), "");
}

TEST(Spawn, SaysWhyAProgramCannotRun) {
  const auto folder = *TempDir::create("kelvin-spawn");
  Output output = make_output();
  const auto failure_of = [&](const std::string& program) {
    SpawnSpec spec = shell("", output);
    spec.program = program;
    auto child = spawn(spec);
    const auto failure = run_to_outcome(*child);
    EXPECT_EQ(wait_for(child->take_pidfd()).code, 127);
    return failure ? to_text(*failure, spec) : "";
  };
  EXPECT_EQ(failure_of("/no/such/program"), "command not found: /no/such/program");
  const std::string script = folder.path() + "/script";
  ASSERT_TRUE(write_file_atomic(script, "#!/no/such/interpreter\n", {.mode = 0755}));
  EXPECT_EQ(failure_of(script), "the interpreter that " + script + " asks for was not found");
  ASSERT_TRUE(write_file_atomic(script, "x", {.mode = 0644}));
  EXPECT_EQ(failure_of(script), "permission denied: " + script);
  ASSERT_TRUE(write_file_atomic(script,
                                "\x7f"
                                "ELF nonsense",
                                {.mode = 0755}));
  EXPECT_NE(failure_of(script).find("is not a program for this machine"), std::string::npos);
}

TEST(Spawn, NamesTheFolderThatIsClosedToTheReplicasUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: an ordinary user cannot become another";
  const auto folder = *TempDir::create("kelvin-spawn");  // mode 0700
  ASSERT_TRUE(write_file_atomic(folder.path() + "/script", "#!/bin/sh\n", {.mode = 0755}));
  Output output = make_output();
  SpawnSpec spec = shell("", output);
  spec.user = SpawnUser{.uid = 600'123, .gid = 600'123};
  spec.program = folder.path() + "/script";
  auto child = spawn(spec);
  const auto failure = run_to_outcome(*child);
  wait_for(child->take_pidfd());
  ASSERT_TRUE(failure);
  EXPECT_NE(to_text(*failure, spec).find("may not enter " + folder.path() + ")"),
            std::string::npos);
}

// Freezing, killing and accounting of real processes, with whatever this machine offers.
enum class Hierarchies { AsTheyAre, OldOnly };

class RealGroup : public testing::TestWithParam<Hierarchies> {
 protected:
  void SetUp() override {
    CgroupSources sources;
    if (GetParam() == Hierarchies::OldOnly) {
      // The same machine, as if nothing of version 2 were mounted.
      std::istringstream mounts(read_file(sources.mountinfo).value());
      std::string kept;
      for (std::string line; std::getline(mounts, line);) {
        if (line.find(" - cgroup2 ") == std::string::npos) kept += line + "\n";
      }
      sources.mountinfo = folder_.path() + "/mountinfo";
      ASSERT_TRUE(write_file_atomic(sources.mountinfo, kept));
    }
    parent_ = CgroupParent::prepare(sources, "test-" + std::to_string(::getpid()));
    if (!parent_.is_usable()) GTEST_SKIP() << "this user or machine has no such control groups";
    group_ = parent_.create("r1-1").value();
  }
  void TearDown() override {
    if (parent_.is_usable()) {
      EXPECT_TRUE(comes_true([&] {
        (void)group_.kill();
        return group_.remove().has_value();
      }));
      parent_.remove();
    }
  }
  ProcessSet start(const std::string& script, std::optional<ExitStatus>* status = nullptr) {
    Output output = make_output();
    SpawnSpec spec = shell(script, output);
    spec.cgroup = group_;
    auto child = spawn(spec);
    EXPECT_TRUE(child);
    EXPECT_FALSE(run_to_outcome(*child));
    const ProcessSet set(group_, child->pid());
    pidfd_ = child->take_pidfd();
    if (status != nullptr) *status = wait_for(pidfd_);
    return set;
  }

  TempDir folder_ = *TempDir::create("kelvin-group");
  CgroupParent parent_{CgroupPaths{}};
  Cgroup group_;
  Pidfd pidfd_;
};

TEST_P(RealGroup, HoldsItsProcessesFreezesAndKillsThem) {
  const ProcessSet set = start("sleep 1000 & sleep 1000 & wait");
  EXPECT_TRUE(comes_true([&] { return set.pids().size() == 3; }));
  EXPECT_FALSE(set.is_frozen().value());
  ASSERT_TRUE(set.freeze());
  EXPECT_TRUE(comes_true([&] { return set.is_frozen().value(); }));
  ASSERT_TRUE(set.thaw());
  EXPECT_FALSE(set.is_frozen().value());
  ASSERT_TRUE(set.freeze());
  EXPECT_TRUE(comes_true([&] { return set.is_frozen().value(); }));
  EXPECT_TRUE(comes_true([&] {
    set.kill();
    return set.pids().empty();
  })) << "frozen processes die too";
  EXPECT_EQ(wait_for(pidfd_), (ExitStatus{.by_signal = true, .code = SIGKILL}));
}

TEST_P(RealGroup, CountsProcessorTime) {
  std::optional<ExitStatus> status;
  start("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done", &status);
  EXPECT_GT(group_.cpu_time().value(), 1ms);
}

TEST_P(RealGroup, CountsWhatItsThreadsRead) {
  const ProcessSet set = start("exec cat /dev/zero > /dev/null");
  EXPECT_TRUE(comes_true([&] { return set.bytes_read() > 8_MiB; }));
}

TEST_P(RealGroup, DoesNotCountWhatChildrenReadThatHaveEnded) {
  const ProcessSet set = start("head -c 8388608 /dev/zero > /dev/null; exec sleep 1000");
  EXPECT_TRUE(comes_true([&] { return process_name(set.pids().at(0)) == "sleep"; }));
  EXPECT_LT(set.bytes_read(), 1_MiB);
}

TEST_P(RealGroup, TellsThatTheKernelKilledForMemory) {
  if (!group_.set_limits({.memory = 16_MiB})) GTEST_SKIP() << "this user may not limit memory";
  std::optional<ExitStatus> status;
  start("exec awk 'BEGIN { for (s = \"x\"; ; s = s s) n = length(s) }'", &status);
  EXPECT_EQ(status, (ExitStatus{.by_signal = true, .code = SIGKILL}));
  EXPECT_EQ(group_.oom_counts()->kills, 1U);
}

INSTANTIATE_TEST_SUITE_P(On, RealGroup,
                         testing::Values(Hierarchies::AsTheyAre, Hierarchies::OldOnly),
                         [](const auto& info) {
                           return info.param == Hierarchies::OldOnly ? "OldHierarchies"
                                                                     : "Hierarchies";
                         });

TEST(SpawnSuccessor, KeepsOneDescriptorOpen) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const std::string script = "echo from-the-child >&" + std::to_string(writer.get());
  const auto made = spawn_successor(
      {.program = "/bin/sh", .arguments = {"sh", "-c", script}, .kept = writer.get()});
  ASSERT_TRUE(made) << made.error().what;
  writer.reset();
  char text[32] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 15);
  EXPECT_EQ(std::string(text), "from-the-child\n");
  EXPECT_EQ(wait_for(made->pidfd), (ExitStatus{}));
}

TEST(SpawnSuccessor, SaysWhyAProgramCannotBeRun) {
  const auto absent = spawn_successor({.program = "/nowhere", .arguments = {"x"}});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().what, "command not found: /nowhere");
  EXPECT_FALSE(spawn_successor({.program = "/etc/passwd", .arguments = {"x"}}));
}

TEST(ProcessSet, FreezesAndKillsASessionWithoutControlGroups) {
  Output output = make_output();
  auto child = spawn(shell("sleep 1000 & sleep 1000 & wait", output));
  ASSERT_TRUE(child);
  EXPECT_FALSE(run_to_outcome(*child));
  const Pidfd pidfd = child->take_pidfd();
  const ProcessSet set(Cgroup{}, child->pid());
  EXPECT_TRUE(comes_true([&] { return set.pids().size() == 3; }));
  ASSERT_TRUE(set.freeze());
  EXPECT_TRUE(comes_true([&] { return set.is_frozen().value(); }));
  ASSERT_TRUE(set.thaw());
  EXPECT_TRUE(comes_true([&] { return !set.is_frozen().value(); }));
  EXPECT_GT(set.memory_used()->count, 0U);
  set.kill();
  EXPECT_EQ(wait_for(pidfd), (ExitStatus{.by_signal = true, .code = SIGKILL}));
  EXPECT_TRUE(comes_true([&] { return set.pids().empty(); }));
}

}  // namespace
}  // namespace kelvin::os
