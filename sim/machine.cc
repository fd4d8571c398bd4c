#include "sim/machine.h"

#include <algorithm>

#include "model/ids.h"

namespace kelvin::sim {

namespace {

using model::ExitCause;
using model::State;

constexpr std::uint16_t kFirstPort = 20'000;

std::string name_of(ReplicaId replica) { return model::to_text(replica); }

}  // namespace

Machine::Machine(Ground& ground, Books& books, const Scenario& scenario)
    : ground_(ground), books_(books), slot_memory_(scenario.slots), slots_(slot_memory_) {
  for (const model::Node& node : scenario.nodes) nodes_.emplace(node.id, node);
  for (const AppPlan& app : scenario.apps) programs_.emplace(app.spec.name, &app.program);
}

void Machine::disconnect() {
  sink_ = nullptr;
  for (auto& [id, process] : processes_) process->exchanges.clear();
}

std::vector<model::Event> Machine::look_around() {
  std::vector<model::Event> events;
  // What a dead platform had ordered and its keeper has not heard of is lost.
  orders_.renew();
  for (const auto& [id, node] : nodes_) events.push_back(model::NodeChanged{node});
  for (const ReplicaId id : all()) {
    Process& process = *processes_.at(id);
    State state = State::Ready;
    switch (process.stage) {
      case Stage::Launching:
      case Stage::Dying:
        die(process, {.cause = ExitCause::Unknown});
        continue;
      case Stage::Loading:
        state = State::Loading;
        break;
      case Stage::Ready:
      case Stage::Freezing:
        process.life.renew();
        process.stage = Stage::Ready;
        break;
      case Stage::Frozen:
      case Stage::Thawing:
        process.life.renew();
        if (process.stage == Stage::Thawing) release(process);
        process.stage = Stage::Frozen;
        state = State::Parked;
        break;
    }
    events.push_back(model::ReplicaFound{.replica = id,
                                         .revision = process.revision->id,
                                         .state = state,
                                         .lease = process.lease,
                                         .slot = process.slot,
                                         .port = process.port,
                                         .pid = process.pid,
                                         .created = process.created,
                                         .usage_sequence = books_.next_sequence(id)});
    if (repeats_events_ && ground_.one_in(3)) events.push_back(events.back());
  }
  return events;
}

std::vector<ReplicaId> Machine::all() const {
  std::vector<ReplicaId> ids;
  ids.reserve(processes_.size());
  for (const auto& [id, process] : processes_) ids.push_back(id);
  return ids;
}

Machine::Process* Machine::find(ReplicaId replica) {
  const auto it = processes_.find(replica);
  return it == processes_.end() ? nullptr : it->second.get();
}

const Program& Machine::program_of(const Process& process) const {
  const auto found = programs_.find(process.revision->spec.name);
  if (found == programs_.end()) violate(Checker::Lives, "a process of no app");
  return *found->second;
}

void Machine::later(Process& process, Duration delay, std::function<void(Process&)> action) {
  ground_.timeline.at(ground_.now() + delay, process.life,
                      [this, id = process.id, action = std::move(action)] {
                        if (Process* found = find(id)) action(*found);
                      });
}

// Orders reach a process through the keeper, which may be away.
void Machine::when_keeper_is_there(ReplicaId replica, std::function<void(Process&)> action) {
  const Instant moment = std::max(ground_.now(), keeper_back_) + ground_.between(5us, 80us);
  ground_.timeline.at(moment, orders_, [this, replica, action = std::move(action)] {
    if (Process* found = find(replica)) action(*found);
  });
}

void Machine::occupy(Process& process) {
  for (const std::uint32_t index : process.lease.accelerators) {
    const auto [it, is_free] = in_use_.emplace(
        AcceleratorKey{process.lease.node, {process.lease.kind, index}}, process.id);
    if (!is_free) {
      violate(Checker::Leases, "leases overlap: " + name_of(process.id) + " is given what " +
                                   name_of(it->second) + " holds");
    }
  }
}

void Machine::release(const Process& process) {
  for (const std::uint32_t index : process.lease.accelerators) {
    const auto held = in_use_.find({process.lease.node, {process.lease.kind, index}});
    if (held != in_use_.end() && held->second == process.id) in_use_.erase(held);
  }
}

void Machine::start(const model::StartReplica& order) {
  if (find(order.replica) != nullptr)
    violate(Checker::Lives, name_of(order.replica) + " is started twice");
  auto made = std::make_unique<Process>();
  Process& process = *made;
  process.id = order.replica;
  process.revision = order.revision;
  process.lease = order.lease;
  process.slot = order.slot;
  process.created = ground_.now();
  books_.truth(order.replica);
  const model::Node& node = nodes_.at(order.lease.node);
  const auto [slot, is_slot_free] = slot_holders_.emplace(order.slot, order.replica);
  if (!is_slot_free) {
    violate(Checker::Leases,
            name_of(order.replica) + " is given the slot of " + name_of(slot->second));
  }
  std::uint64_t& claimed = claimed_[node.id];
  claimed += order.lease.memory.count;
  if (claimed > node.memory.count)
    violate(Checker::Leases, "memory of node " + node.name + " is claimed twice");
  processes_.emplace(order.replica, std::move(made));
  occupy(process);
  when_keeper_is_there(order.replica, [this](Process& started) { launch(started); });
}

void Machine::launch(Process& process) {
  if (process.stage != Stage::Launching) return;
  if (!nodes_.at(process.lease.node).is_up) {
    die(process, {.cause = ExitCause::NodeLost});
    return;
  }
  const Program& program = program_of(process);
  Duration fetch{};
  if (program.fetch_one_in > 0 && ground_.one_in(program.fetch_one_in)) {
    emit_move(process, State::Fetching);
    fetch = ground_.between(100ms, 4s);
  }
  later(process, fetch, [this](Process& fetched) {
    emit_move(fetched, State::Starting);
    later(fetched, program_of(fetched).launch + start_delay_,
          [this](Process& launched) { load(launched); });
  });
}

void Machine::load(Process& process) {
  const Program& program = program_of(process);
  if (program.is_broken) {
    die(process, {.cause = ExitCause::Exited, .code = 2});
    return;
  }
  process.stage = Stage::Loading;
  process.port = next_port_++;
  if (next_port_ == 0) next_port_ = kFirstPort;
  process.pid = static_cast<std::int32_t>(1000 + next_port_);
  emit_move(process, State::Loading);
  const bool is_ordered_to_fail = starts_failing_ > 0;
  if (is_ordered_to_fail) --starts_failing_;
  const auto is_drawn = [&](std::uint64_t one_in) {
    return !is_healed_ && one_in > 0 && ground_.one_in(one_in);
  };
  if (program.stalls_one_in == 1 || is_drawn(program.stalls_one_in))
    return;  // control gives up at `start.progress`
  if (is_ordered_to_fail || is_drawn(program.fails_one_in)) {
    const bool is_memory = ground_.one_in(3);
    later(process, ground_.between(0us, program.load), [this, is_memory](Process& failing) {
      die(failing, {.cause = is_memory ? ExitCause::OutOfMemory : ExitCause::Exited,
                    .code = is_memory ? 9 : 1});
    });
    return;
  }
  later(process, program.progress_every, [this](Process& loading) { show_progress(loading); });
  later(process, program.load + start_delay_, [this](Process& loaded) { make_ready(loaded); });
}

void Machine::show_progress(Process& process) {
  if (process.stage != Stage::Loading) return;
  emit(model::ReplicaProgressed{
      .replica = process.id,
      .progress = ground_.one_in(4) ? model::Progress::Weak : model::Progress::Strong,
      .what = "memory grew"});
  later(process, program_of(process).progress_every,
        [this](Process& loading) { show_progress(loading); });
}

void Machine::make_ready(Process& process) {
  process.stage = Stage::Ready;
  books_.truth(process.id).was_ready = true;
  emit_move(process, State::Ready);
}

void Machine::park(ReplicaId replica) {
  when_keeper_is_there(replica, [this](Process& process) {
    if (process.stage == Stage::Dying) return;
    if (process.stage != Stage::Ready)
      violate(Checker::Lives, name_of(process.id) + " is parked while it is not ready");
    process.stage = Stage::Freezing;
    later(process, program_of(process).park, [this](Process& freezing) {
      if (!freezing.exchanges.empty())
        violate(Checker::Victims, name_of(freezing.id) + " is parked with work");
      if (!is_healed_ && ground_.one_in(30)) {
        freezing.stage = Stage::Ready;
        emit(model::MoveFailed{freezing.id, State::Parked, "the freezer did not answer"});
        return;
      }
      freezing.stage = Stage::Frozen;
      release(freezing);
      emit_move(freezing, State::Parked);
    });
  });
}

void Machine::resume(ReplicaId replica, const model::Lease& lease) {
  Process* process = find(replica);
  if (process == nullptr || process->stage == Stage::Dying) return;
  if (process->stage != Stage::Frozen)
    violate(Checker::Lives, name_of(replica) + " is resumed while it is not parked");
  if (lease.node != process->lease.node || lease.memory != process->lease.memory)
    violate(Checker::Lives, name_of(replica) + " is resumed on another node, or with other memory");
  process->lease = lease;
  occupy(*process);
  process->stage = Stage::Thawing;
  when_keeper_is_there(replica, [this](Process& ordered) {
    if (ordered.stage != Stage::Thawing) return;
    later(ordered, program_of(ordered).resume, [this](Process& thawing) {
      if (!is_healed_ && ground_.one_in(30)) {
        thawing.stage = Stage::Frozen;
        release(thawing);
        emit(
            model::MoveFailed{thawing.id, State::Ready, "the device did not take its memory back"});
        return;
      }
      thawing.stage = Stage::Ready;
      emit_move(thawing, State::Ready);
    });
  });
}

void Machine::stop(const model::StopReplica& order) {
  Process* found = find(order.replica);
  if (found == nullptr || found->stage == Stage::Dying) return;
  // What fails is stopped too, but that end is not one that somebody wished.
  if (order.cause == ExitCause::Stopped) books_.truth(order.replica).was_stopped = true;
  when_keeper_is_there(order.replica, [this, order](Process& process) {
    if (process.stage == Stage::Dying) return;
    if (!process.exchanges.empty() && order.cause == ExitCause::Stopped) {
      violate(Checker::Victims, name_of(process.id) + " is stopped with work: " + order.why);
    }
    process.stage = Stage::Dying;
    process.ordered_cause = order.cause;
    process.life.renew();
    break_exchanges(process);
    const Duration willing = process.is_hung ? Duration::max() : program_of(process).stop;
    later(process, std::min(willing, order.grace),
          [this, cause = order.cause](Process& dying) { die(dying, {.cause = cause, .code = 0}); });
  });
}

void Machine::die(Process& process, model::Exit exit) {
  const ReplicaId id = process.id;
  ground_.trace([&] { return name_of(id) + " dies: " + model::to_text(exit); });
  if (exit.cause != ExitCause::Stopped) books_.truth(id).is_disturbed |= books_.truth(id).was_ready;
  break_exchanges(process);
  release(process);
  const auto it = processes_.find(id);
  const std::unique_ptr<Process> dead = std::move(it->second);
  processes_.erase(it);
  slot_holders_.erase(dead->slot);
  claimed_[dead->lease.node] -= dead->lease.memory.count;
  ReplicaTruth& truth = books_.truth(id);
  truth.is_gone = true;
  truth.gone_at = ground_.now();
  if (keeper_back_ > ground_.now()) exit = {.cause = ExitCause::Unknown};
  emit(model::ReplicaMoved{.replica = id, .to = State::Gone, .exit = exit});
}

void Machine::break_exchanges(Process& process) {
  for (auto& [client, exchange] : process.exchanges) exchange.ended(true);
  process.exchanges.clear();
}

bool Machine::send(ReplicaId replica, std::uint16_t port, Exchange exchange) {
  Process* process = find(replica);
  if (process == nullptr || process->stage == Stage::Dying || process->port != port) return false;
  if (process->stage != Stage::Ready)
    violate(Checker::Lives, "work is sent to " + name_of(replica) + ", which is not ready");
  const std::uint32_t limit = process->revision->spec.scale.concurrency;
  if (process->exchanges.size() >= limit)
    violate(Checker::Limits, name_of(replica) + " has more work than it has slots");
  const std::uint64_t client = exchange.client;
  if (!process->is_hung) {
    later(*process, exchange.service, [client](Process& serving) {
      const auto it = serving.exchanges.find(client);
      if (it == serving.exchanges.end()) return;
      const Exchange done = std::move(it->second);
      serving.exchanges.erase(it);
      done.ended(false);
    });
  }
  process->exchanges.emplace(client, std::move(exchange));
  return true;
}

void Machine::hang_up(ReplicaId replica, std::uint64_t client) {
  if (Process* process = find(replica)) process->exchanges.erase(client);
}

void Machine::emit(model::Event event) {
  if (!sink_) return;
  const Instant moment = std::max(ground_.now(), keeper_back_);
  // While the keeper is away nobody hears of anything; it reports when it is back.
  if (moment > ground_.now()) {
    ground_.timeline.at(moment, [this, event = std::move(event)] {
      if (sink_) sink_(event);
    });
    return;
  }
  if (repeats_events_ && ground_.one_in(3)) sink_(event);
  sink_(std::move(event));
}

void Machine::emit_move(const Process& process, State to) {
  model::ReplicaMoved moved{.replica = process.id, .to = to};
  if (to != State::Fetching && to != State::Starting) {
    moved.port = process.port;
    moved.pid = process.pid;
  }
  emit(std::move(moved));
}

Machine::Process* Machine::pick_process(Chance& chance,
                                        const std::function<bool(const Process&)>& suits) {
  std::vector<Process*> suitable;
  for (const auto& [id, process] : processes_) {
    if (suits(*process)) suitable.push_back(process.get());
  }
  if (suitable.empty()) return nullptr;
  return suitable[chance.random.below(suitable.size())];
}

void Machine::crash_some_process(Chance& chance) {
  Process* process =
      pick_process(chance, [](const Process& one) { return one.stage != Stage::Dying; });
  if (process == nullptr) return;
  const bool is_memory = chance.one_in(2);
  die(*process, {.cause = is_memory ? ExitCause::OutOfMemory : ExitCause::Killed,
                 .code = is_memory ? 9 : 11});
}

void Machine::hang_some_process(Chance& chance) {
  Process* process =
      pick_process(chance, [](const Process& one) { return one.stage == Stage::Ready; });
  if (process == nullptr) return;
  ground_.trace([&] { return name_of(process->id) + " hangs"; });
  process->is_hung = true;
  // What it was about to answer will not come.
  process->life.renew();
}

void Machine::lose_some_node(Chance& chance) {
  std::vector<NodeId> up;
  for (const auto& [id, node] : nodes_) {
    if (node.is_up) up.push_back(id);
  }
  if (up.size() <= 2) return;
  model::Node& node = nodes_.at(up[chance.random.below(up.size())]);
  ground_.trace([&] { return "node " + node.name + " is lost"; });
  node.is_up = false;
  emit(model::NodeChanged{node});
  std::vector<ReplicaId> there;
  for (const auto& [id, process] : processes_) {
    if (process->lease.node == node.id) there.push_back(id);
  }
  for (const ReplicaId id : there) die(*processes_.at(id), {.cause = ExitCause::NodeLost});
}

void Machine::return_nodes() {
  for (auto& [id, node] : nodes_) {
    if (node.is_up) continue;
    node.is_up = true;
    emit(model::NodeChanged{node});
  }
}

void Machine::lose_keeper(Duration away) {
  keeper_back_ = std::max(keeper_back_, ground_.now() + away);
}

void Machine::forget_slots() {
  for (os::SlotEntry& entry : slot_memory_) {
    entry.word.store(os::SlotWord{}.pack());
    entry.last_used_ns.store(0);
  }
}

void Machine::heal() {
  is_healed_ = true;
  repeats_events_ = false;
  start_delay_ = {};
  starts_failing_ = 0;
  return_nodes();
}

}  // namespace kelvin::sim
