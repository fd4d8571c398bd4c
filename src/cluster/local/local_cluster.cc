// local_cluster: this machine as the place where replicas run.
#include "cluster/local/local_cluster.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "os/files.h"

namespace kelvin::cluster::local {
namespace {

std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "local";
  return name.data();
}

// Cores that this process may run on.
std::uint32_t core_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&allowed)));
}

// "MemAvailable:   123 kB" of /proc/meminfo.
Bytes available_memory() {
  std::istringstream lines(os::read_file("/proc/meminfo").value_or(""));
  std::string name;
  std::uint64_t kib = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream(line) >> name >> kib;
    if (name == "MemAvailable:") return {kib << 10};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LocalCluster>> LocalCluster::open(ClusterOptions options, obs::Log& log) {
  if (::geteuid() == 0) {
    if (const std::string closed = os::closed_folder(options.data + "/"); !closed.empty()) {
      return fail(Code::Refused, Blame::Client, Retry::Never,
                  "replicas run as users of their own, who may not enter " + closed +
                      "; choose another data folder with --data, or `chmod o+x " + closed + "`");
    }
  }
  std::unique_ptr<LocalCluster> cluster(new LocalCluster(std::move(options), log));
  const ClusterOptions& chosen = cluster->options_;
  cluster->node_ = {.id = {1},
                    .name = chosen.node_name.empty() ? machine_name() : chosen.node_name,
                    .memory = available_memory(),
                    .pools = {{.kind = "cpu", .count = chosen.cpu_slots.value_or(core_count())}}};
  KELVIN_TRY(cluster->loop_, os::Loop::create());
  KELVIN_TRY(cluster->keeper_,
             keeper::Client::connect_or_spawn({.data = chosen.data, .program = chosen.program}));
  return cluster;
}

LocalCluster::~LocalCluster() { end_thread(); }

void LocalCluster::end_thread() {
  if (loop_) loop_->stop();
  thread_.join();
}

Result<std::vector<model::Event>> LocalCluster::connect(std::function<void(model::Event)> sink) {
  sink_ = std::move(sink);
  replicas_ = std::make_unique<Replicas>(ReplicasSetup{.data = options_.data,
                                                       .search_path = options_.search_path,
                                                       .loop = loop_.get(),
                                                       .keeper = keeper_.get(),
                                                       .registry = &registry_,
                                                       .log = &log_,
                                                       .sink = sink_});
  KELVIN_TRY(const auto found, replicas_->adopt());
  // What adopted replicas hold is not available, yet theirs to claim.
  for (const model::ReplicaFound& replica : found) {
    node_.memory = node_.memory + memory_of(replica.replica).value_or(Bytes{});
  }
  std::vector<model::Event> events{model::NodeChanged{node_}};
  events.insert(events.end(), found.begin(), found.end());
  loop_->post([this] { replicas_->listen_to_keeper(); });
  thread_ = os::Thread("kelvin-cluster", [this] { loop_->run(); });
  return events;
}

void LocalCluster::start(const model::StartReplica& order) {
  loop_->post([this, order] { replicas_->start(order); });
}

void LocalCluster::park(const model::ParkReplica& order) {
  loop_->post([this, order] { replicas_->park(order); });
}

void LocalCluster::resume(const model::ResumeReplica& order) {
  const auto running = registry_.find(order.replica);
  if (!running) return;  // Gone was posted or is about to be
  if (auto thawed = running->processes.thaw(); !thawed) {
    sink_(model::MoveFailed{.replica = order.replica,
                            .tried = model::State::Ready,
                            .what = std::move(thawed).error().what});
    return;
  }
  sink_(model::ReplicaMoved{.replica = order.replica,
                            .to = model::State::Ready,
                            .port = running->port,
                            .pid = running->processes.leader()});
  loop_->post([this, id = order.replica] { replicas_->resumed(id); });
}

void LocalCluster::stop(const model::StopReplica& order) {
  loop_->post([this, order] { replicas_->stop(order); });
}

std::optional<Bytes> LocalCluster::memory_of(ReplicaId replica) const {
  const auto running = registry_.find(replica);
  if (!running) return std::nullopt;
  const auto used = running->processes.memory_used();
  return used ? std::optional(*used) : std::nullopt;
}

std::optional<Duration> LocalCluster::cpu_time_of(ReplicaId replica) const {
  const auto running = registry_.find(replica);
  if (!running) return std::nullopt;
  const auto time = running->processes.cpu_time();
  return time ? std::optional(*time) : std::nullopt;
}

std::vector<std::string> LocalCluster::limitations() const {
  std::vector<std::string> sentences;
  for (const std::string& phrase : keeper_->missing()) {
    sentences.push_back("This machine or user does not offer " + phrase + ".");
  }
  if (::geteuid() != 0) {
    sentences.push_back("Replicas run as this user, not as users of their own: that takes root.");
  }
  return sentences;
}

Status LocalCluster::quit_keeper() {
  end_thread();
  return keeper_->quit();
}

}  // namespace kelvin::cluster::local
