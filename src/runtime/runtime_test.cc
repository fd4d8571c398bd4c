#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"
#include "os/tcp.h"
#include "runtime/exit_cause.h"
#include "runtime/launch.h"
#include "runtime/listener.h"
#include "runtime/progress_watch.h"

namespace kelvin::runtime {
namespace {

using model::ExitCause;
using model::Progress;

TEST(Launch, FillsInPortAndModel) {
  const LaunchWish wish{
      .command = {"serve", "--port={port}", "-m", "{model}", "{other}", "{port}{port}"},
      .model_path = "/m/{port}.gguf",
      .port = 81};
  EXPECT_EQ(fill_arguments(wish), (std::vector<std::string>{"serve", "--port=81", "-m",
                                                            "/m/{port}.gguf", "{other}", "8181"}));
}

TEST(Launch, GivesACleanEnvironment) {
  ASSERT_EQ(::setenv("KELVIN_SECRET_OF_THE_SERVER", "x", 1), 0);
  const LaunchWish wish{.port = 81,
                        .environment = {{"LOG", "info"}, {"HOME", "/mine"}, {"PORT", "1"}},
                        .home = "/h",
                        .temporary = "/t",
                        .search_path = "/bin"};
  EXPECT_EQ(fill_environment(wish), (std::vector<std::string>{"HOME=/mine", "LOG=info", "PATH=/bin",
                                                              "PORT=81", "TMPDIR=/t"}));
}

TEST(Launch, MakesFreshHomes) {
  const auto folder = *os::TempDir::create("kelvin-homes");
  const std::string base = folder.path() + "/r1-1";
  ASSERT_TRUE(make_homes(base, user_of(7)));
  const std::string left = base + "/tmp/left";
  ASSERT_TRUE(os::write_file_atomic(left, "x"));
  ASSERT_TRUE(make_homes(base, user_of(7)));
  EXPECT_FALSE(os::path_exists(left));
  struct stat found{};
  ASSERT_EQ(::stat((base + "/tmp").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  EXPECT_EQ(found.st_uid, ::geteuid() == 0 ? kFirstReplicaUser + 7 : ::geteuid());
}

TEST(ExitCause, TellsExitsSignalsAndUnknowns) {
  EXPECT_EQ(cause_of({.status = os::ExitStatus{.code = 3}}).cause, ExitCause::Exited);
  EXPECT_EQ(cause_of({.status = os::ExitStatus{.code = 3}}).code, 3);
  const auto killed = cause_of({.status = os::ExitStatus{.by_signal = true, .code = SIGSEGV}});
  EXPECT_EQ(killed.cause, ExitCause::Killed);
  EXPECT_EQ(killed.detail, "SIGSEGV, Segmentation fault");
  EXPECT_EQ(cause_of({}).cause, ExitCause::Unknown);
}

TEST(ExitCause, CallsOutOfMemoryByItsName) {
  const os::OomCounts hit{.kills = 1, .limit_hits = 9};
  const auto killed = cause_of({.status = os::ExitStatus{.by_signal = true, .code = SIGKILL},
                                .oom = hit,
                                .memory_limit = 64_MiB});
  EXPECT_EQ(killed.cause, ExitCause::OutOfMemory);
  EXPECT_EQ(killed.detail, "the limit was 64 MiB");
  EXPECT_EQ(cause_of({.status = os::ExitStatus{.code = 1}, .oom = hit}).cause,
            ExitCause::OutOfMemory)
      << "a parent that fails because the kernel took its child";
  EXPECT_EQ(cause_of({.status = os::ExitStatus{.code = 0}, .oom = hit}).cause, ExitCause::Exited);
  EXPECT_EQ(cause_of({.oom = hit}).cause, ExitCause::OutOfMemory);
}

TEST(Listener, TellsOursFromStrangers) {
  const auto socket = os::listen_tcp("127.0.0.1:0");
  const std::uint16_t port = os::local_port(socket->get()).value();
  EXPECT_EQ(find_listener(port, {::getpid()}).who, Listening::Ours);
  const Listener stranger = find_listener(port, {1});
  EXPECT_EQ(stranger.who, Listening::Stranger);
  EXPECT_EQ(stranger.pid, ::getpid());
  EXPECT_EQ(in_use_text(port, stranger), "port " + std::to_string(port) +
                                             " is in use by another program (pid " +
                                             std::to_string(::getpid()) + ", runtime_test)");
}

TEST(Listener, SeesOnlyListeningSockets) {
  std::uint16_t port = 0;
  {
    const auto socket = os::listen_tcp("127.0.0.1:0");
    port = os::local_port(socket->get()).value();
  }
  EXPECT_EQ(find_listener(port, {::getpid()}).who, Listening::Nobody);
}

TEST(Ports, GivesEachPortOnce) {
  Ports ports(123);
  const auto first = ports.take().value();
  const auto second = ports.take().value();
  EXPECT_NE(first, second);
  EXPECT_TRUE(os::listen_tcp("127.0.0.1:" + std::to_string(first)));
}

TEST(Ports, PassesOverAPortInUse) {
  Ports probe(77);
  const auto port = probe.take().value();
  const auto socket = os::listen_tcp("127.0.0.1:" + std::to_string(port));
  ASSERT_TRUE(socket);
  EXPECT_NE(Ports(77).take().value(), port);
}

TEST(ProgressWatch, CallsGrowthOfMemoryStrong) {
  ProgressWatch watch;
  watch.observe_memory(100_MiB);
  EXPECT_EQ(watch.take({0})->what, "memory grew to 100 MiB");
  watch.observe_memory({(100_MiB).count + (500 << 10)});
  EXPECT_FALSE(watch.take({2'000'000'000})) << "less than a hundredth";
  watch.observe_memory(102_MiB);
  EXPECT_EQ(watch.take({4'000'000'000})->progress, Progress::Strong);
  watch.observe_memory(50_MiB);
  watch.observe_memory(101_MiB);
  EXPECT_FALSE(watch.take({6'000'000'000})) << "growing back is no progress";
}

TEST(ProgressWatch, IgnoresDigitsOfLines) {
  ProgressWatch watch;
  watch.observe_line("waiting 1 s");
  EXPECT_EQ(watch.take({0})->progress, Progress::Strong);
  watch.observe_line("waiting 22 s");
  const auto seen = watch.take({2'000'000'000});
  EXPECT_EQ(seen->progress, Progress::Weak);
  EXPECT_EQ(seen->what, "it repeats a line: waiting 22 s");
  watch.observe_line("loaded");
  EXPECT_EQ(watch.take({4'000'000'000})->progress, Progress::Strong);
}

TEST(ProgressWatch, KeepsTheStrongestAndWaitsASecond) {
  ProgressWatch watch;
  watch.observe_cpu(20ms);
  EXPECT_EQ(watch.take({0})->progress, Progress::Weak);
  watch.observe_cpu(40ms);
  watch.observe_read(2_MiB);
  EXPECT_FALSE(watch.take({999'999'999}));
  EXPECT_EQ(watch.take({1'000'000'000})->what, "it has read 2 MiB");
  EXPECT_FALSE(watch.take({3'000'000'000}));
}

TEST(ProgressWatch, CallsAnotherReadinessStatusStrong) {
  ProgressWatch watch;
  watch.observe_readiness(0);
  EXPECT_FALSE(watch.take({0}));
  watch.observe_readiness(503);
  EXPECT_EQ(watch.take({0})->what, "the readiness path answers 503");
  watch.observe_readiness(503);
  EXPECT_FALSE(watch.take({2'000'000'000}));
  watch.observe_readiness(204);
  EXPECT_TRUE(watch.take({4'000'000'000}));
}

}  // namespace
}  // namespace kelvin::runtime
