// replicas: the life of every replica on this machine, on the cluster's thread.
//
// Launching -> Loading -> Ready <-> Parking -> Parked; each may end. Only the keeper's word that a replica has ended
// makes it Gone: then its processes, its group and its FIFOs are gone too, and folders, port and record follow.
//
// Readiness is asked every millisecond at first (a small program is ready in a few), every 5 ms from 50 ms on and every
// 20 ms after a second. A port counts only once the socket that listens there belongs to the replica.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/local/log_tail.h"
#include "cluster/local/note.h"
#include "cluster/local/probe.h"
#include "cluster/local/registry.h"
#include "keeper/client.h"
#include "model/effect.h"
#include "model/event.h"
#include "obs/log.h"
#include "os/loop.h"
#include "os/process_set.h"
#include "runtime/listener.h"
#include "runtime/progress_watch.h"

namespace kelvin::cluster::local {

struct ReplicasSetup {
  std::string data;         // the data folder
  std::string search_path;  // PATH of replicas
  os::Loop* loop = nullptr;
  keeper::Client* keeper = nullptr;
  Registry* registry = nullptr;
  obs::Log* log = nullptr;
  std::function<void(model::Event)> sink;
};

class Replicas {
 public:
  explicit Replicas(ReplicasSetup setup);
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  ~Replicas();

  // Before the loop runs: takes over what an earlier platform left. Frozen replicas are Parked, those whose port listens
  // are Ready, the rest goes on Loading.
  Result<std::vector<model::ReplicaFound>> adopt();

  void start(const model::StartReplica& order);
  void park(const model::ParkReplica& order);
  // It was thawed by another thread.
  void resumed(ReplicaId replica);
  void stop(const model::StopReplica& order);

  // Hears what the keeper has said and will say, on the loop.
  void listen_to_keeper();
  bool is_empty() const { return replicas_.empty(); }

 private:
  enum class Stage : std::uint8_t { Launching, Loading, Ready, Parking, Parked };
  struct Replica {
    Note note;
    Stage stage = Stage::Launching;
    Instant stage_since;
    os::ProcessSet processes;
    keeper::SpawnOrder order;        // while Launching
    std::uint64_t spawn_number = 0;  // of the request that the keeper has not answered
    int spawns = 0;                  // how often it was asked
    bool owns_port = false;
    std::unique_ptr<Probe> probe;
    os::Loop::TimerId probe_timer;
    os::Loop::TimerId sample_timer;
    os::Loop::TimerId freeze_timer;
    os::Loop::TimerId kill_timer;
    runtime::ProgressWatch watch;
    std::unique_ptr<LogTail> tail;
    std::optional<model::StopReplica> stop;
    std::optional<model::Exit> verdict;  // why we end it ourselves
  };

  Replica* find(ReplicaId id);
  std::string log_path(const Note& note) const;
  std::string home_path(ReplicaId id) const;
  Result<keeper::SpawnOrder> prepare(Replica& replica, const model::StartReplica& order);
  void ask_to_spawn(Replica& replica);
  Status choose_port(Replica& replica, std::uint16_t fixed);
  void launched(Replica& replica, const keeper::Record& record);

  void begin_loading(Replica& replica);
  void ask_readiness(ReplicaId id);
  void hear_readiness(ReplicaId id, const Outcome& outcome);
  void ask_again(Replica& replica);
  void check_owner(Replica& replica);
  void become_ready(Replica& replica);
  void sample(ReplicaId id);
  void report_progress(Replica& replica);
  void ask_alive(ReplicaId id);
  void wait_for_freeze(ReplicaId id, Instant until);
  void quieten(Replica& replica);
  void begin_stop(Replica& replica);
  void kill(ReplicaId id);

  void hear_keeper();
  void hear(keeper::Message& message);
  void hear_end(const keeper::Record& record);
  void launch_failed(ReplicaId id, std::string why);
  void gone(ReplicaId id, model::Exit exit);
  model::Exit exit_of(const Replica& replica, const keeper::Ended& ended) const;
  void revive_keeper();
  void compare_with(const std::vector<keeper::Record>& records);
  std::optional<model::ReplicaFound> adopt_one(const keeper::Record& record);
  void post_moved(const Replica& replica, model::State to);

  ReplicasSetup setup_;
  runtime::Ports ports_;
  std::map<ReplicaId, std::unique_ptr<Replica>> replicas_;
  std::map<std::uint64_t, ReplicaId> spawning_;  // by the number of the request
  os::Loop::WatchId keeper_watch_ = 0;
};

}  // namespace kelvin::cluster::local
