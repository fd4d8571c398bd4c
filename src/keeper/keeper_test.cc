// The keeper as a process of its own, driven through its socket: this program is also the keeper that it starts.
#include "keeper/keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "keeper/client.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process_set.h"
#include "os/tcp.h"
#include "os/unix_socket.h"

namespace kelvin::keeper {
namespace {

template <class Condition>
bool comes_true(Condition is_so) {
  const Instant until = os::boot_now() + 10s;
  while (!is_so()) {
    if (os::boot_now() > until) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

std::unique_ptr<Client> connect_to(const std::string& data) {
  auto client = Client::connect_or_spawn({.data = data, .program = "/proc/self/exe"});
  EXPECT_TRUE(client) << client.error().what;
  return client ? std::move(*client) : nullptr;
}

class RealKeeper : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(os::make_dirs(data_.path() + "/logs"));
    client_ = connect_to(data_.path());
    ASSERT_TRUE(client_);
  }
  void TearDown() override {
    if (!client_) return;
    if (!client_->list()) ASSERT_TRUE(client_->reconnect());
    const auto records = client_->list().value();
    for (const Record& record : records)
      os::ProcessSet(os::Cgroup(record.cgroup), record.pid).kill();
    EXPECT_TRUE(comes_true([&] { return client_->quit().has_value(); }))
        << "every replica has ended";
    for (const Record& record : records) {
      EXPECT_TRUE(comes_true([&] { return !os::Cgroup(record.cgroup).exists(); }))
          << "groups are removed";
    }
  }

  SpawnOrder order(const std::string& id, const std::string& script) const {
    return {.replica = id,
            .program = "/bin/sh",
            .arguments = {"sh", "-c", script},
            .environment = {"PATH=/usr/bin:/bin"},
            .folder = "/",
            .log = data_.path() + "/logs/" + id + ".log",
            .note = "note of " + id};
  }
  // The next message, waiting for it.
  Message next() {
    while (true) {
      if (queue_.empty()) {
        pollfd item{.fd = client_->fd(), .events = POLLIN};
        if (::poll(&item, 1, 10'000) != 1) {
          ADD_FAILURE() << "no message came";
          return {};
        }
        std::vector<Message> received = client_->receive().value();
        std::move(received.begin(), received.end(), std::back_inserter(queue_));
        continue;
      }
      Message message = std::move(queue_.front());
      queue_.pop_front();
      return message;
    }
  }
  Record start(const std::string& id, const std::string& script) {
    return start(order(id, script));
  }
  Record start(const SpawnOrder& what) {
    const auto number = client_->spawn(what);
    Message message = next();
    EXPECT_EQ(message.id, *number);
    EXPECT_FALSE(message.error) << message.error->what;
    EXPECT_EQ(message.records.size(), 1U);
    return message.records.empty() ? Record{} : message.records[0];
  }
  Record next_end() {
    const Message message = next();
    EXPECT_EQ(message.id, 0U);
    return message.records.empty() ? Record{} : message.records[0];
  }
  std::string log_of(const std::string& id) const {
    // Without the times.
    std::string text = os::read_file(data_.path() + "/logs/" + id + ".log").value_or("");
    std::string lines;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      const auto space = text.find(' ', at);
      lines += text.substr(space + 1, end - space);
      at = end + 1;
    }
    return lines;
  }
  std::vector<std::string> run_files() const {
    return os::list_dir(data_.path() + "/run/replicas").value_or(std::vector<std::string>{});
  }
  void kill_keeper() {
    const auto keeper = os::Pidfd::open(client_->keeper_pid());
    ASSERT_TRUE(keeper);
    ASSERT_TRUE(keeper->signal(SIGKILL));
    pollfd item{.fd = keeper->fd(), .events = POLLIN};
    ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  }

  os::TempDir data_ = *os::TempDir::create("kelvin-keeper");
  std::unique_ptr<Client> client_;
  std::deque<Message> queue_;
};

TEST_F(RealKeeper, TellsTheExitCodeAndKeepsTheOutput) {
  start("r1-1", "echo out; echo err >&2; exit 3");
  const Record record = next_end();
  EXPECT_EQ(record.replica, "r1-1");
  EXPECT_EQ(record.note, "note of r1-1");
  EXPECT_EQ(record.ended->status, (os::ExitStatus{.code = 3}));
  const std::string log = log_of("r1-1");
  EXPECT_NE(log.find("o out\n"), std::string::npos);
  EXPECT_NE(log.find("e err\n"), std::string::npos);
  EXPECT_FALSE(os::Cgroup(record.cgroup).exists() && !os::Cgroup(record.cgroup).pids()->empty());
  EXPECT_EQ(client_->list()->size(), 1U) << "recorded until forgotten";
  ASSERT_TRUE(client_->forget("r1-1"));
  EXPECT_TRUE(comes_true([&] { return client_->list()->empty(); }));
  EXPECT_TRUE(run_files().empty());
}

TEST_F(RealKeeper, TellsTheSignal) {
  start("r1-1", "kill -SEGV $$");
  EXPECT_EQ(next_end().ended->status, (os::ExitStatus{.by_signal = true, .code = SIGSEGV}));
}

TEST_F(RealKeeper, SaysWhyAProgramDidNotStartAndLeavesNothing) {
  SpawnOrder wrong = order("r1-1", "");
  wrong.program = "/no/such/server";
  ASSERT_TRUE(client_->spawn(wrong));
  const Message message = next();
  ASSERT_TRUE(message.error);
  EXPECT_EQ(message.error->what, "command not found: /no/such/server");
  EXPECT_TRUE(client_->list()->empty());
  EXPECT_TRUE(run_files().empty());
  start("r1-1", "exit 0");
  next_end();
}

TEST_F(RealKeeper, RefusesTheSameReplicaTwice) {
  start("r1-1", "exec sleep 1000");
  ASSERT_TRUE(client_->spawn(order("r1-1", "")));
  EXPECT_EQ(next().error->code, Code::Conflict);
  ASSERT_TRUE(client_->spawn(order("../x", "")));
  EXPECT_EQ(next().error->code, Code::Invalid);
}

TEST_F(RealKeeper, KillsWhatTheMainProcessLeavesBehind) {
  const Record record = start("r1-1", "sleep 1000 & exit 0");
  const Record ended = next_end();
  EXPECT_EQ(ended.ended->status, (os::ExitStatus{}));
  EXPECT_TRUE(os::ProcessSet(os::Cgroup(record.cgroup), record.pid).pids().empty());
}

TEST_F(RealKeeper, KillsWhatHasLeftItsSession) {
  for (const std::string& phrase : client_->missing()) {
    if (phrase.starts_with("a hold on processes")) GTEST_SKIP() << phrase;
  }
  // The main process waits until the other has its session, and says so by a name in the temporary folder.
  const std::string mark = data_.path() + "/away";
  const Record record =
      start("r1-1", "setsid sh -c 'echo $$ > " + mark + ".part; mv " + mark + ".part " + mark +
                        "; exec sleep 1000' & while [ ! -e " + mark + " ]; do :; done");
  next_end();
  const pid_t away = std::stoi(os::read_file(mark).value());
  EXPECT_FALSE(os::read_process_stat(away) && os::read_process_stat(away)->state != 'Z');
}

TEST_F(RealKeeper, NamesOutOfMemory) {
  SpawnOrder hungry =
      order("r1-1", "exec awk 'BEGIN { for (s = \"x\"; ; s = s s) n = length(s) }'");
  hungry.limits.memory = 16_MiB;
  const Record record = start(hungry);
  if (!os::Cgroup(record.cgroup).memory_used()) {
    os::ProcessSet(os::Cgroup(record.cgroup), record.pid).kill();
    next_end();
    GTEST_SKIP() << "this user may not limit memory";
  }
  const Record ended = next_end();
  EXPECT_EQ(ended.ended->status, (os::ExitStatus{.by_signal = true, .code = SIGKILL}));
  EXPECT_EQ(ended.ended->oom.kills, 1U);
}

TEST_F(RealKeeper, KeepsEndsForAPlatformThatComesLater) {
  const std::string go = data_.path() + "/go";
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  start("r1-1", "read x < " + go + "; exit 4");
  client_.reset();
  ASSERT_TRUE(os::write_existing(go, "go\n"));
  client_ = connect_to(data_.path());
  ASSERT_TRUE(comes_true([&] { return client_->list()->at(0).ended.has_value(); }));
  EXPECT_EQ(client_->list()->at(0).ended->status, (os::ExitStatus{.code = 4}));
}

TEST_F(RealKeeper, HandsTheSameSocketToEveryPlatform) {
  const auto first = client_->listen("127.0.0.1:0");
  ASSERT_TRUE(first);
  const auto port = os::local_port(first->get()).value();
  client_.reset();
  client_ = connect_to(data_.path());
  const auto second = client_->listen("127.0.0.1:0");
  EXPECT_EQ(os::local_port(second->get()).value(), port);
  const auto refused = client_->listen("127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(refused.error().code, Code::Conflict);
}

TEST_F(RealKeeper, HoldsTheSlotTable) {
  client_->slots()->table().open({.slot = 5, .generation = 9});
  client_.reset();
  client_ = connect_to(data_.path());
  EXPECT_EQ(client_->slots()->table().read(5).generation, 9U);
}

TEST_F(RealKeeper, AdoptsReplicasOfAKilledKeeper) {
  const std::string go = data_.path() + "/go";
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  const os::Fd held(
      ::open(go.c_str(), O_RDWR | O_CLOEXEC));  // or the replica would read the end of it
  const Record before = start("r1-1", "echo one; while read x; do echo $x; done < " + go);
  ASSERT_TRUE(comes_true([&] { return log_of("r1-1") == "o one\n"; }));
  client_->slots()->table().open({.slot = 5, .generation = 9});
  const auto port = os::local_port(client_->listen("127.0.0.1:0")->get()).value();

  const pid_t killed = client_->keeper_pid();
  kill_keeper();
  EXPECT_FALSE(client_->receive());
  ASSERT_TRUE(os::write_existing(go, "two\n")) << "the replica goes on, and its output waits";
  ASSERT_TRUE(client_->reconnect());
  EXPECT_NE(client_->keeper_pid(), killed);
  const auto records = client_->list().value();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].pid, before.pid);
  EXPECT_FALSE(records[0].ended);
  EXPECT_EQ(client_->slots()->table().read(5).generation, 9U) << "the slots in use go on";
  EXPECT_EQ(os::local_port(client_->listen("127.0.0.1:0")->get()).value(), port);
  EXPECT_TRUE(comes_true([&] { return log_of("r1-1") == "o one\no two\n"; })) << log_of("r1-1");

  ASSERT_TRUE(os::write_existing(go, "three\n"));
  EXPECT_TRUE(comes_true([&] { return log_of("r1-1") == "o one\no two\no three\n"; }));
  os::ProcessSet(os::Cgroup(before.cgroup), before.pid).kill();
  EXPECT_FALSE(next_end().ended->status) << "exit status unknown";
}

TEST_F(RealKeeper, KnowsThatAReplicaDiedWhileNobodyWatched) {
  const Record before = start("r1-1", "exec sleep 1000");
  const auto replica = os::Pidfd::open(before.pid);
  kill_keeper();
  ASSERT_TRUE(replica->signal(SIGKILL));
  pollfd item{.fd = replica->fd(), .events = POLLIN};
  ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  ASSERT_TRUE(client_->reconnect());
  EXPECT_TRUE(comes_true([&] { return client_->list()->at(0).ended.has_value(); }));
  EXPECT_FALSE(client_->list()->at(0).ended->status);
}

TEST_F(RealKeeper, EndsGroupsWithoutARecord) {
  const Record before = start("r1-1", "exec sleep 1000");
  if (before.cgroup.all().empty()) GTEST_SKIP() << "this user may not make control groups";
  const auto replica = os::Pidfd::open(before.pid);
  kill_keeper();
  ASSERT_TRUE(os::remove_file(data_.path() + "/run/replicas/r1-1.json"));
  ASSERT_TRUE(client_->reconnect());
  pollfd item{.fd = replica->fd(), .events = POLLIN};
  EXPECT_EQ(::poll(&item, 1, 10'000), 1) << "it dies";
  EXPECT_TRUE(comes_true([&] { return !os::Cgroup(before.cgroup).exists(); }));
  EXPECT_TRUE(client_->list()->empty());
  EXPECT_TRUE(comes_true([&] { return run_files().empty(); }));
}

TEST_F(RealKeeper, LeavesReplicasRunningAtSigterm) {
  const Record before = start("r1-1", "exec sleep 1000");
  const auto keeper = os::Pidfd::open(client_->keeper_pid());
  ASSERT_TRUE(keeper->signal(SIGTERM));
  pollfd item{.fd = keeper->fd(), .events = POLLIN};
  ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  ASSERT_TRUE(client_->reconnect());
  EXPECT_EQ(client_->list()->at(0).pid, before.pid);
  EXPECT_FALSE(client_->list()->at(0).ended);
}

TEST_F(RealKeeper, RefusesToQuitWhileReplicasLive) {
  start("r1-1", "exec sleep 1000");
  EXPECT_EQ(client_->quit().error().code, Code::Conflict);
}

TEST_F(RealKeeper, RefusesASecondKeeper) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({.data = data_.path()}), 5);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "kelvin keeper: another keeper runs for " + data_.path() + " (pid " +
                std::to_string(client_->keeper_pid()) + ")\n");
}

TEST_F(RealKeeper, ListsMoreRecordsThanFitOneMessage) {
  for (int i = 0; i < 40; ++i) {
    SpawnOrder one = order("r1-" + std::to_string(i), "exit 0");
    one.note = std::string(4000, 'n');
    ASSERT_TRUE(client_->spawn(one));
    next();
    next();
  }
  EXPECT_EQ(client_->list()->size(), 40U);
}

TEST_F(RealKeeper, AnswersAnUnreadableMessageByAnError) {
  const auto socket = os::connect_unix(data_.path() + "/run/keeper.sock");
  ASSERT_TRUE(socket);
  ASSERT_TRUE(os::send_datagram(socket->get(), "not JSON"));
  pollfd item{.fd = socket->get(), .events = POLLIN};
  ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  const auto answer = os::receive_datagram(socket->get());
  EXPECT_EQ(decode_message((*answer)->bytes)->error->code, Code::Invalid);
}

TEST(Client, SaysWhyAKeeperDidNotStart) {
  const auto data = *os::TempDir::create("kelvin-keeper");
  const auto client = Client::connect_or_spawn({.data = data.path(), .program = "/no/such/kelvin"});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().what, "the keeper did not start: cannot run /no/such/kelvin");
}

}  // namespace
}  // namespace kelvin::keeper

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "keeper") == 0)
    return kelvin::keeper::run({.data = argv[3]});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
