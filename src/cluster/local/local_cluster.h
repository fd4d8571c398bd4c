// local_cluster: this machine as the place where replicas run.
//
// One thread with a loop does everything but resuming, which thaws on the caller's thread: a request waits for it, and
// the thaw is one write to a file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/local/registry.h"
#include "cluster/local/replicas.h"
#include "keeper/client.h"
#include "model/node.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/loop.h"
#include "os/slot_memory.h"
#include "os/thread.h"
#include "ports/cluster.h"

namespace kelvin::cluster::local {

// PATH of replicas where the operator gives none.
constexpr const char* kDefaultSearchPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct ClusterOptions {
  std::string data;     // the data folder; absolute, and it exists
  std::string program;  // path of the kelvin binary, run as the keeper when none answers
  std::optional<std::uint32_t> cpu_slots;  // accelerators of kind "cpu"; absent: one per core
  std::string node_name;                   // empty: the machine's name
  std::string search_path = kDefaultSearchPath;
};

class LocalCluster final : public ports::Cluster {
 public:
  // Connects to the keeper, starting one when none answers. Refused when the platform runs as root and the users of
  // replicas could not enter the data folder. `log` outlives the cluster.
  static Result<std::unique_ptr<LocalCluster>> open(ClusterOptions options, obs::Log& log);
  // Ends the thread; replicas and keeper go on.
  ~LocalCluster() override;

  // The keeper's slot table, mapped. Only before connect(), as the next.
  Result<os::SlotMemory> slots() const { return keeper_->slots(); }
  // A listening socket that the keeper holds: the same one after a restart of the platform. Conflict when the address
  // is in use by another program.
  Result<os::Fd> listen(const std::string& address) { return keeper_->listen(address); }

  // The node, then what runs already. Unavailable when the keeper does not answer.
  Result<std::vector<model::Event>> connect(std::function<void(model::Event)> sink) override;
  void start(const model::StartReplica& order) override;
  void park(const model::ParkReplica& order) override;
  // Posts Ready or MoveFailed before it returns.
  void resume(const model::ResumeReplica& order) override;
  void stop(const model::StopReplica& order) override;

  // Any thread. Absent when the replica has no process.
  std::optional<Bytes> memory_of(ReplicaId replica) const;
  std::optional<Duration> cpu_time_of(ReplicaId replica) const;

  // Whole sentences about what this machine or user does not offer, for the user at the start; mostly empty.
  std::vector<std::string> limitations() const;

  // Any thread.
  model::Node node() const { return node_; }

  // Nothing is carried out or posted from here on. Idempotent.
  void end_thread();

  // At the end of `kelvin serve`, when every replica is Gone: ends the thread, then the keeper. Conflict when replicas
  // still live; then the keeper goes on with them.
  Status quit_keeper();

 private:
  LocalCluster(ClusterOptions options, obs::Log& log) : options_(std::move(options)), log_(log) {}

  const ClusterOptions options_;
  obs::Log& log_;
  model::Node node_;
  std::unique_ptr<keeper::Client> keeper_;
  Registry registry_;
  std::unique_ptr<os::Loop> loop_;
  std::unique_ptr<Replicas> replicas_;
  std::function<void(model::Event)> sink_;
  os::Thread thread_;
};

}  // namespace kelvin::cluster::local
