// The local cluster with a real keeper and real processes: this program is also the keeper that it starts.
#include "cluster/local/local_cluster.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>

#include "keeper/keeper.h"
#include "model/ids.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/tcp.h"

namespace kelvin::cluster::local {
namespace {

using model::ExitCause;
using model::State;

constexpr const char* kPython = "/usr/bin/python3";
// Answers on PORT what its arguments say, one status per request to /health, the last one for ever; logs "up".
constexpr const char* kServer = R"(
import http.server, os, sys
statuses = [int(s) for s in sys.argv[1:]] or [200]
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer)
print("up", flush=True)
server.serve_forever()
)";

template <class Condition>
bool comes_true(Condition is_so) {
  const Instant until = os::boot_now() + 20s;
  while (!is_so()) {
    if (os::boot_now() > until) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

class RealCluster : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::chmod(data_.path().c_str(), 0711), 0);
    ASSERT_TRUE(os::make_dirs(folder(), 0755));
    ASSERT_TRUE(os::write_file_atomic(folder() + "/server.py", kServer, {.mode = 0644}));
    open();
  }
  void TearDown() override {
    for (const ReplicaId id : started_) cluster_->stop({.replica = id, .grace = 0s});
    EXPECT_TRUE(comes_true([&] {
      const std::lock_guard lock(mutex_);
      return gone_ == started_.size();
    })) << "every replica that was started is told to be gone, once";
    EXPECT_TRUE(cluster_->quit_keeper());
    cluster_.reset();
    EXPECT_TRUE(
        os::list_dir(data_.path() + "/replicas").value_or(std::vector<std::string>{}).empty())
        << "homes";
    EXPECT_TRUE(os::list_dir(data_.path() + "/run/replicas")->empty()) << "records and FIFOs";
  }

  void open() {
    auto opened = LocalCluster::open(
        {.data = data_.path(), .program = "/proc/self/exe", .cpu_slots = 3}, log_);
    ASSERT_TRUE(opened) << opened.error().what;
    cluster_ = std::move(*opened);
    auto found = cluster_->connect([this](model::Event event) {
      const std::lock_guard lock(mutex_);
      const auto* moved = std::get_if<model::ReplicaMoved>(&event);
      if (moved != nullptr && moved->to == State::Gone) ++gone_;
      events_.push_back(std::move(event));
      arrived_.notify_all();
    });
    ASSERT_TRUE(found) << found.error().what;
    found_ = std::move(*found);
  }
  std::string folder() const { return data_.path() + "/app"; }

  std::shared_ptr<model::Revision> revision(std::vector<std::string> command) const {
    auto made = std::make_shared<model::Revision>();
    made->id = {9};
    made->app = {7};
    made->spec.name = "app";
    made->program = command.front();
    made->spec.command = std::move(command);
    made->folder = folder();
    return made;
  }
  std::shared_ptr<model::Revision> shell(const std::string& script) const {
    return revision({"/bin/sh", "-c", script});
  }
  std::shared_ptr<model::Revision> server(std::vector<std::string> statuses = {}) const {
    statuses.insert(statuses.begin(), {kPython, "server.py"});
    return revision(std::move(statuses));
  }
  ReplicaId start(std::shared_ptr<const model::Revision> what) {
    const ReplicaId id = model::make_replica_id(1, ++counter_);
    started_.push_back(id);
    cluster_->start({.replica = id,
                     .revision = std::move(what),
                     .lease = {.node = {1}, .accelerators = {2}},
                     .slot = 40});
    return id;
  }
  // The next event of this kind, passing over others.
  template <class Kind>
  Kind next() {
    std::unique_lock lock(mutex_);
    while (true) {
      while (!events_.empty()) {
        const model::Event event = std::move(events_.front());
        events_.pop_front();
        if (const Kind* wanted = std::get_if<Kind>(&event)) return *wanted;
      }
      if (!arrived_.wait_for(lock, std::chrono::seconds(20), [&] { return !events_.empty(); })) {
        ADD_FAILURE() << "no such event came";
        return {};
      }
    }
  }
  model::ReplicaMoved expect_move(State to) {
    auto moved = next<model::ReplicaMoved>();
    EXPECT_EQ(moved.to, to) << model::to_text(moved.to)
                            << (moved.exit ? ": " + model::to_text(*moved.exit) : std::string());
    return moved;
  }
  model::ReplicaMoved expect_ready() {
    expect_move(State::Starting);
    expect_move(State::Loading);
    return expect_move(State::Ready);
  }
  model::Exit expect_gone() {
    const auto moved = next<model::ReplicaMoved>();
    EXPECT_EQ(moved.to, State::Gone);
    return moved.exit.value_or(model::Exit{});
  }
  void expect_line(const std::string& line) {
    for (int tried = 0; tried < 5; ++tried) {
      if (next<model::ReplicaProgressed>().what == "it says: " + line) return;
    }
    ADD_FAILURE() << "no progress named the line \"" << line << '"';
  }
  void stop_now(ReplicaId id) {
    cluster_->stop({.replica = id, .why = "the test is over", .grace = 0s});
    expect_move(State::Gone);
  }
  bool answers(std::uint16_t port) const {
    auto loop = os::Loop::create().value();
    std::optional<Outcome> answer;
    const Probe probe(*loop, {.port = port, .path = "/", .timeout = 5s},
                      [&](const Outcome& outcome) { answer = outcome; });
    while (!answer) loop->run_once(os::boot_now() + 10s);
    return answer->answer == Answer::Status;
  }
  void kill_keeper() {
    const auto pid = os::read_file(data_.path() + "/run/keeper.lock").value();
    const auto keeper = os::Pidfd::open(std::stoi(pid));
    ASSERT_TRUE(keeper);
    ASSERT_TRUE(keeper->signal(SIGKILL));
    pollfd item{.fd = keeper->fd(), .events = POLLIN};
    ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  }

  os::TempDir data_ = *os::TempDir::create("kelvin-cluster");
  obs::Log log_ = obs::Log::silent();
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<model::Event> events_;
  std::vector<model::Event> found_;
  std::uint64_t counter_ = 0;
  std::vector<ReplicaId> started_;
  std::size_t gone_ = 0;  // guarded by mutex_, as events_
  std::unique_ptr<LocalCluster> cluster_;
};

TEST_F(RealCluster, TellsItsNode) {
  const auto node = std::get<model::NodeChanged>(found_.at(0)).node;
  EXPECT_EQ(node.pools.at(0).kind, "cpu");
  EXPECT_EQ(node.pools.at(0).count, 3U);
  EXPECT_GT(node.memory.count, (64_MiB).count);
  EXPECT_FALSE(node.name.empty());
}

TEST_F(RealCluster, StartsServesAndStopsAReplica) {
  const ReplicaId id = start(server());
  expect_move(State::Starting);
  const auto loading = expect_move(State::Loading);
  EXPECT_GT(loading.port, 0);
  EXPECT_GT(loading.pid, 1);
  const auto ready = expect_move(State::Ready);
  EXPECT_EQ(ready.pid, loading.pid);
  EXPECT_TRUE(answers(ready.port));
  EXPECT_GT(cluster_->memory_of(id)->count, (1_MiB).count);
  cluster_->stop({.replica = id, .why = "scale down", .grace = 10s});
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::Stopped);
  EXPECT_EQ(exit.code, SIGTERM);
  EXPECT_EQ(exit.detail, "scale down");
  EXPECT_FALSE(cluster_->memory_of(id));
}

TEST_F(RealCluster, GivesPortModelHomeAndUser) {
  auto what = shell(
      "echo $PORT {port} {model} $HOME $TMPDIR $(id -u) $A $(pwd) $(touch $HOME/x $TMPDIR/y && "
      "echo can); exec sleep 1000");
  what->model_path = "/some/model.gguf";
  what->spec.environment = {{"A", "b"}};
  const ReplicaId id = start(what);
  expect_move(State::Starting);
  const auto loading = expect_move(State::Loading);
  const std::string port = std::to_string(loading.port);
  const std::string home = data_.path() + "/replicas/" + model::to_text(id);
  const std::string uid = std::to_string(::geteuid() == 0 ? 600'040 : ::geteuid());
  const std::string log = data_.path() + "/logs/7/" + model::to_text(id) + ".log";
  const std::string line = " o " + port + " " + port + " /some/model.gguf " + home + "/home " +
                           home + "/tmp " + uid + " b " + folder() + " can\n";
  EXPECT_TRUE(comes_true([&] {
    return os::read_file(log).value_or("").find(line) != std::string::npos;
  })) << os::read_file(log).value_or("")
      << line;
  stop_now(id);
  EXPECT_FALSE(os::path_exists(home));
}

TEST_F(RealCluster, SaysWhyAProgramCannotBeLaunched) {
  start(revision({"/no/such/llama-server"}));
  expect_move(State::Starting);
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::LaunchFailed);
  EXPECT_EQ(exit.detail, "command not found: /no/such/llama-server");
}

TEST_F(RealCluster, TellsTheExitCodeOfAProgramThatEndsAtOnce) {
  start(shell("exit 3"));
  expect_move(State::Starting);
  expect_move(State::Loading);
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::Exited);
  EXPECT_EQ(exit.code, 3);
}

TEST_F(RealCluster, CallsOutOfMemoryByItsName) {
  auto hungry = shell("exec awk 'BEGIN { for (s = \"x\"; ; s = s s) n = length(s) }'");
  hungry->spec.memory = 24_MiB;
  for (const std::string& sentence : cluster_->limitations()) {
    if (sentence.find("memory limits") != std::string::npos) GTEST_SKIP() << sentence;
  }
  start(hungry);
  expect_move(State::Starting);
  expect_move(State::Loading);
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::OutOfMemory);
  EXPECT_EQ(exit.detail, "the limit was 24 MiB");
}

TEST_F(RealCluster, WaitsForTheReadinessPath) {
  auto what = server({"503", "204", "200"});
  what->spec.ready_path = "/health";
  start(what);
  expect_move(State::Starting);
  expect_move(State::Loading);
  const auto progressed = next<model::ReplicaProgressed>();
  EXPECT_EQ(progressed.progress, model::Progress::Strong);
  expect_move(State::Ready);
}

TEST_F(RealCluster, ReportsProgressOfASilentStart) {
  const ReplicaId id = start(shell("echo loading weights; exec sleep 1000"));
  expect_line("loading weights");
  cluster_->stop({.replica = id,
                  .cause = ExitCause::NoProgress,
                  .why = "nothing moved for 60 s",
                  .grace = 10s});
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::NoProgress);
  EXPECT_EQ(exit.detail, "nothing moved for 60 s");
}

TEST_F(RealCluster, ParksAndResumes) {
  const ReplicaId id = start(server());
  const auto ready = expect_ready();
  for (int round = 0; round < 3; ++round) {
    cluster_->park({.replica = id});
    EXPECT_EQ(expect_move(State::Parked).pid, ready.pid);
    cluster_->resume({.replica = id});
    expect_move(State::Ready);
    EXPECT_TRUE(answers(ready.port));
  }
}

TEST_F(RealCluster, StopsAParkedReplica) {
  const ReplicaId id = start(server());
  expect_ready();
  cluster_->park({.replica = id});
  expect_move(State::Parked);
  cluster_->stop({.replica = id, .grace = 10s});
  EXPECT_EQ(expect_gone().code, SIGTERM) << "it is thawed to end in its own way";
}

TEST_F(RealCluster, RefusesToParkWhatIsNotReady) {
  const ReplicaId id = start(shell("exec sleep 1000"));
  expect_move(State::Starting);
  expect_move(State::Loading);
  cluster_->park({.replica = id});
  EXPECT_EQ(next<model::MoveFailed>().tried, State::Parked);
}

TEST_F(RealCluster, KillsWhatIgnoresSigterm) {
  const ReplicaId id = start(
      shell("trap '' TERM; (trap '' TERM; sleep 1000) & echo set; while :; do sleep 1000; done"));
  expect_line("set");
  cluster_->stop({.replica = id, .grace = 5ms});
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::Stopped);
  EXPECT_EQ(exit.code, SIGKILL);
}

TEST_F(RealCluster, StopsAReplicaThatIsBeingLaunched) {
  const ReplicaId id = start(shell("exec sleep 1000"));
  cluster_->stop({.replica = id, .why = "not wanted", .grace = 0s});
  expect_move(State::Starting);
  auto moved = next<model::ReplicaMoved>();
  while (moved.to != State::Gone) moved = next<model::ReplicaMoved>();
  EXPECT_EQ(moved.exit->cause, ExitCause::Stopped);
}

TEST_F(RealCluster, NamesTheStrangerOnAFixedPort) {
  const auto stranger = os::listen_tcp("127.0.0.1:0");
  const std::uint16_t port = os::local_port(stranger->get()).value();
  auto what = server();
  what->spec.fixed_port = port;
  start(what);
  expect_move(State::Starting);
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::LaunchFailed);
  EXPECT_EQ(exit.detail, "port " + std::to_string(port) + " is in use by another program (pid " +
                             std::to_string(::getpid()) + ", " + os::process_name(::getpid()) +
                             ")");
}

TEST_F(RealCluster, TakesNoStrangersPortForReadiness) {
  start(shell("exec sleep 1000"));
  expect_move(State::Starting);
  const auto loading = expect_move(State::Loading);
  const auto stranger = os::listen_tcp("127.0.0.1:" + std::to_string(loading.port));
  ASSERT_TRUE(stranger);
  const model::Exit exit = expect_gone();
  EXPECT_EQ(exit.cause, ExitCause::LaunchFailed);
  EXPECT_NE(exit.detail.find("is in use by another program (pid " + std::to_string(::getpid())),
            std::string::npos);
}

TEST_F(RealCluster, AdoptsReplicasOfAnEarlierPlatform) {
  auto with_path = server();
  with_path->spec.ready_path = "/health";
  const ReplicaId parked = start(server());
  const auto parked_ready = expect_ready();
  cluster_->park({.replica = parked});
  expect_move(State::Parked);
  const ReplicaId ready = start(server());
  expect_ready();
  const ReplicaId asked = start(with_path);
  expect_ready();
  const ReplicaId loading = start(shell("exec sleep 1000"));
  expect_move(State::Starting);
  expect_move(State::Loading);

  cluster_.reset();
  open();
  std::map<ReplicaId, model::ReplicaFound> found;
  for (const model::Event& event : found_) {
    if (const auto* one = std::get_if<model::ReplicaFound>(&event)) found[one->replica] = *one;
  }
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[parked].state, State::Parked);
  EXPECT_EQ(found[parked].port, parked_ready.port);
  EXPECT_EQ(found[parked].pid, parked_ready.pid);
  EXPECT_EQ(found[parked].revision, RevisionId{9});
  EXPECT_EQ(found[parked].slot, 40U);
  EXPECT_EQ(found[parked].lease.accelerators, std::vector<std::uint32_t>{2});
  EXPECT_EQ(found[ready].state, State::Ready);
  EXPECT_EQ(found[loading].state, State::Loading);
  const auto moved = expect_move(State::Ready);
  EXPECT_EQ(moved.replica, asked) << "a path is asked again";
  cluster_->resume({.replica = parked});
  EXPECT_EQ(expect_move(State::Ready).replica, parked);
  EXPECT_TRUE(answers(parked_ready.port));
}

TEST_F(RealCluster, GoesOnWhenItsKeeperIsKilled) {
  const ReplicaId id = start(server());
  const auto ready = expect_ready();
  kill_keeper();
  const ReplicaId next_id = start(server());
  auto moved = next<model::ReplicaMoved>();
  while (moved.to != State::Ready && moved.to != State::Gone) moved = next<model::ReplicaMoved>();
  EXPECT_EQ(moved.replica, next_id);
  EXPECT_EQ(moved.to, State::Ready) << model::to_text(moved.exit.value_or(model::Exit{}));
  EXPECT_TRUE(answers(ready.port));
  stop_now(id);
}

TEST_F(RealCluster, TellsThatAReplicaDiedWhileNobodyWatched) {
  const ReplicaId id = start(server());
  const auto ready = expect_ready();
  kill_keeper();
  ASSERT_EQ(::kill(ready.pid, SIGKILL), 0);
  const auto moved = expect_move(State::Gone);
  EXPECT_EQ(moved.replica, id);
  // The keeper that follows may come before or after the death.
  EXPECT_EQ(moved.exit->cause, ExitCause::Unknown);
}

TEST_F(RealCluster, SuspectsAReplicaWhoseAlivePathFails) {
  auto what = server({"500"});
  what->spec.alive_path = "/alive";
  const ReplicaId id = start(what);
  expect_ready();
  const auto suspected = next<model::ReplicaSuspected>();
  EXPECT_EQ(suspected.replica, id);
  EXPECT_EQ(suspected.suspicion, model::Suspicion::AliveFailed);
  EXPECT_EQ(suspected.detail, "/alive answered 500");
}

TEST(LocalCluster, RefusesADataFolderThatReplicasCannotEnter) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: otherwise replicas run as this user";
  const auto data = *os::TempDir::create("kelvin-cluster");  // mode 0700
  obs::Log log = obs::Log::silent();
  const auto cluster = LocalCluster::open({.data = data.path(), .program = "/proc/self/exe"}, log);
  ASSERT_FALSE(cluster);
  EXPECT_NE(cluster.error().what.find("may not enter " + data.path()), std::string::npos);
}

}  // namespace
}  // namespace kelvin::cluster::local

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "keeper") == 0)
    return kelvin::keeper::run({.data = argv[3], .log_limits = {}});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
