// machine: simulated nodes, their keeper and the processes on them; what the Cluster port stands for.
//
// It outlives the platform: a platform that starts again asks it what runs. Orders take time, and what comes of them
// goes to the sink as events. It judges what only the machine can know: whether accelerators are given to two
// processes at once, memory is overcommitted, work reaches a frozen process, or is cut off by a park or a stop.
//
// Faults that exist in reality and are played here: a start that is slow, fails, stalls or runs out of memory; a
// process that crashes in any state or hangs; a node that is lost and returns empty; a keeper that is away for a
// while (orders wait, exit causes become unknown). Events of one process keep their order, because one connection
// carries them; a repeated event comes right behind the first, as after a reconnection; progress may come late.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/effect.h"
#include "model/event.h"
#include "os/slot_table.h"
#include "sim/books.h"
#include "sim/ground.h"
#include "sim/scenario.h"

namespace kelvin::sim {

enum class Stage : std::uint8_t { Launching, Loading, Ready, Freezing, Frozen, Thawing, Dying };

// One request inside a process. `ended` is called once, on the side of the loop.
struct Exchange {
  std::uint64_t client = 0;
  Duration service{};
  std::function<void(bool is_broken)> ended;
};

class Machine {
 public:
  Machine(Ground& ground, Books& books, const Scenario& scenario);

  using Sink = std::function<void(model::Event)>;
  void connect(Sink sink) { sink_ = std::move(sink); }
  void disconnect();
  // The nodes and the processes that run, for a platform that starts. What was half done is brought to an end.
  [[nodiscard]] std::vector<model::Event> look_around();

  void start(const model::StartReplica& order);
  void park(ReplicaId replica);
  void resume(ReplicaId replica, const model::Lease& lease);
  void stop(const model::StopReplica& order);

  // False: nobody listens there.
  [[nodiscard]] bool send(ReplicaId replica, std::uint16_t port, Exchange exchange);
  // The loop closes the connection.
  void hang_up(ReplicaId replica, std::uint64_t client);

  os::SlotTable& slots() { return slots_; }
  [[nodiscard]] Instant keeper_back() const { return keeper_back_; }
  [[nodiscard]] Instant last_used(std::uint32_t slot) const {
    return {slot_memory_[slot].last_used_ns.load()};
  }
  [[nodiscard]] std::size_t living() const { return processes_.size(); }
  [[nodiscard]] std::vector<ReplicaId> all() const;
  [[nodiscard]] bool is_running(ReplicaId replica) const { return processes_.contains(replica); }
  [[nodiscard]] std::size_t accelerators_in_use() const { return in_use_.size(); }

  // --- faults ---
  void crash_some_process(Chance& chance);
  void hang_some_process(Chance& chance);
  void lose_some_node(Chance& chance);
  void return_nodes();
  void lose_keeper(Duration away);
  void forget_slots();  // the keeper's memory is gone with the keeper and the platform
  void repeat_events(bool is_on) { repeats_events_ = is_on; }
  void slow_starts(Duration more) { start_delay_ = more; }
  void fail_starts(std::uint32_t count) { starts_failing_ = count; }
  void heal();  // no more faults, and no program but the broken ones fails

 private:
  struct Process {
    ReplicaId id;
    std::shared_ptr<const model::Revision> revision;
    model::Lease lease;
    std::uint32_t slot = 0;
    std::uint16_t port = 0;
    std::int32_t pid = 0;
    Instant created;
    Stage stage = Stage::Launching;
    bool is_hung = false;
    model::ExitCause ordered_cause = model::ExitCause::Unknown;  // once it is told to stop
    std::map<std::uint64_t, Exchange> exchanges;
    Life life;  // of what its present stage has scheduled
  };
  using AcceleratorKey = std::pair<NodeId, std::pair<std::string, std::uint32_t>>;

  Process* find(ReplicaId replica);
  const Program& program_of(const Process& process) const;
  void later(Process& process, Duration delay, std::function<void(Process&)> action);
  void when_keeper_is_there(ReplicaId replica, std::function<void(Process&)> action);
  void occupy(Process& process);
  void release(const Process& process);
  void launch(Process& process);
  void load(Process& process);
  void make_ready(Process& process);
  void show_progress(Process& process);
  void die(Process& process, model::Exit exit);
  void break_exchanges(Process& process);
  void emit(model::Event event);
  void emit_move(const Process& process, model::State to);
  Process* pick_process(Chance& chance, const std::function<bool(const Process&)>& suits);

  Ground& ground_;
  Books& books_;
  Sink sink_;
  std::vector<os::SlotEntry> slot_memory_;
  os::SlotTable slots_;
  std::map<NodeId, model::Node> nodes_;
  std::map<ReplicaId, std::unique_ptr<Process>> processes_;
  std::map<AcceleratorKey, ReplicaId> in_use_;
  std::map<std::uint32_t, ReplicaId> slot_holders_;
  std::map<NodeId, std::uint64_t> claimed_;         // host memory, in bytes
  std::map<std::string, const Program*> programs_;  // by app
  Instant keeper_back_;
  Life orders_;  // of those on their way to the keeper
  std::uint16_t next_port_ = 20'000;
  bool repeats_events_ = false;
  bool is_healed_ = false;
  Duration start_delay_{};
  std::uint32_t starts_failing_ = 0;
};

}  // namespace kelvin::sim
