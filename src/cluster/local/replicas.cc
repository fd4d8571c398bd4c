// replicas: the life of every replica on this machine, on the cluster's thread.
#include "cluster/local/replicas.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/ids.h"
#include "os/clock.h"
#include "os/files.h"
#include "runtime/exit_cause.h"
#include "runtime/launch.h"

namespace kelvin::cluster::local {
namespace {

using model::ExitCause;
using model::State;

constexpr Duration kSampleInterval = 250ms;
constexpr Duration kAliveInterval = 5s;
constexpr Duration kAliveTimeout = 5s;
constexpr Duration kReadyTimeout = 5s;
// The freezer takes well under a millisecond; only a process that hangs in the kernel keeps it longer.
constexpr Duration kFreezeMax = 5s;
constexpr Duration kFreezeInterval = 500us;
constexpr Duration kKillInterval = 10ms;
constexpr Duration kReviveInterval = 1s;
// A replica that takes its keeper down each time is not tried for ever.
constexpr int kSpawnsMax = 3;
// A bomb of processes ends here; an engine with hundreds of threads does not.
constexpr std::uint64_t kPidsMax = 16'384;
// Log files kept per app, the most recent ones.
constexpr std::size_t kLogsMax = 50;
constexpr std::size_t kTailBytesMax = 256 << 10;

Duration interval_after(Duration loading) {
  if (loading < 50ms) return 1ms;
  return loading < 1s ? Duration(5ms) : Duration(20ms);
}

// Removes the oldest files where an app's folder holds more than kLogsMax logs.
void prune_logs(const std::string& folder) {
  std::vector<std::pair<std::int64_t, std::string>> logs;
  for (const std::string& name : os::list_dir(folder).value_or(std::vector<std::string>{})) {
    struct stat found{};
    const std::string path = folder + "/" + name;
    if (name.ends_with(".log") && ::stat(path.c_str(), &found) == 0)
      logs.emplace_back(found.st_mtime, path);
  }
  if (logs.size() < kLogsMax) return;
  std::sort(logs.begin(), logs.end());
  for (std::size_t i = 0; i + kLogsMax <= logs.size(); ++i) {
    static_cast<void>(os::remove_file(logs[i].second));
    static_cast<void>(os::remove_file(logs[i].second + ".1"));
  }
}

}  // namespace

Replicas::Replicas(ReplicasSetup setup)
    : setup_(std::move(setup)), ports_(static_cast<std::uint32_t>(os::unix_now_ns() >> 10)) {}

Replicas::~Replicas() {
  setup_.loop->unwatch(keeper_watch_);
  for (auto& [id, replica] : replicas_) quieten(*replica);
}

Replicas::Replica* Replicas::find(ReplicaId id) {
  const auto found = replicas_.find(id);
  return found == replicas_.end() ? nullptr : found->second.get();
}

std::string Replicas::log_path(const Note& note) const {
  return setup_.data + "/logs/" + std::to_string(note.app.value) + "/" +
         model::to_text(note.replica) + ".log";
}

std::string Replicas::home_path(ReplicaId id) const {
  return setup_.data + "/replicas/" + model::to_text(id);
}

void Replicas::post_moved(const Replica& replica, State to) {
  setup_.sink(model::ReplicaMoved{.replica = replica.note.replica,
                                  .to = to,
                                  .port = replica.note.port,
                                  .pid = replica.processes.leader()});
}

// --- start ----------------------------------------------------------------------------------------------------------

void Replicas::start(const model::StartReplica& order) {
  const model::AppSpec& spec = order.revision->spec;
  auto made = std::make_unique<Replica>();
  Replica& replica = *made;
  replica.stage_since = os::boot_now();
  replica.note = {.replica = order.replica,
                  .revision = order.revision->id,
                  .app = order.revision->app,
                  .lease = order.lease,
                  .slot = order.slot,
                  .created = replica.stage_since,
                  .memory_limit = spec.memory,
                  .ready_path = spec.ready_path,
                  .alive_path = spec.alive_path};
  replicas_.insert_or_assign(order.replica, std::move(made));
  setup_.sink(model::ReplicaMoved{.replica = order.replica, .to = State::Starting});
  auto prepared = prepare(replica, order);
  if (!prepared) {
    launch_failed(order.replica, std::move(prepared).error().what);
    return;
  }
  replica.order = std::move(*prepared);
  ask_to_spawn(replica);
}

// A keeper that has died is asked in vain: the next one is asked again when compare_with finds no record there. That
// is safe, as a process without a record never got the word to run its program.
void Replicas::ask_to_spawn(Replica& replica) {
  const ReplicaId id = replica.note.replica;
  ++replica.spawns;
  const auto number = setup_.keeper->spawn(replica.order);
  if (number) {
    replica.spawn_number = *number;
    spawning_.emplace(*number, id);
  } else if (number.error().code != Code::Unavailable) {
    launch_failed(id, number.error().what);
  }
}

Status Replicas::choose_port(Replica& replica, std::uint16_t fixed) {
  if (fixed == 0) {
    KELVIN_TRY(replica.note.port, ports_.take());
    return {};
  }
  const runtime::Listener there = runtime::find_listener(fixed, {});
  if (there.who == runtime::Listening::Stranger) {
    return fail(Code::Conflict, Blame::Client, Retry::AfterDelay,
                runtime::in_use_text(fixed, there));
  }
  replica.note.port = fixed;
  replica.note.has_fixed_port = true;
  ports_.mark(fixed);
  return {};
}

Result<keeper::SpawnOrder> Replicas::prepare(Replica& replica, const model::StartReplica& order) {
  const model::Revision& revision = *order.revision;
  KELVIN_TRY_VOID(choose_port(replica, revision.spec.fixed_port));
  const auto user = runtime::user_of(order.slot);
  const std::string home = home_path(order.replica);
  KELVIN_TRY_VOID(runtime::make_homes(home, user));
  const std::string log = log_path(replica.note);
  const std::string log_folder = log.substr(0, log.rfind('/'));
  KELVIN_TRY_VOID(os::make_dirs(log_folder, 0700));
  prune_logs(log_folder);
  replica.tail = std::make_unique<LogTail>(log);
  const runtime::LaunchWish wish{.program = revision.program,
                                 .command = revision.spec.command,
                                 .model_path = revision.model_path,
                                 .port = replica.note.port,
                                 .environment = revision.spec.environment,
                                 .home = home + "/home",
                                 .temporary = home + "/tmp",
                                 .search_path = setup_.search_path};
  return keeper::SpawnOrder{.replica = model::to_text(order.replica),
                            .program = revision.program,
                            .arguments = runtime::fill_arguments(wish),
                            .environment = runtime::fill_environment(wish),
                            .folder = revision.folder,
                            .user = user,
                            .limits = {.memory = revision.spec.memory, .pids = kPidsMax},
                            .log = log,
                            .note = encode(replica.note)};
}

void Replicas::launched(Replica& replica, const keeper::Record& record) {
  replica.spawn_number = 0;
  replica.order = {};
  replica.processes = os::ProcessSet(os::Cgroup(record.cgroup), record.pid);
  setup_.registry->put(replica.note.replica,
                       {.processes = replica.processes, .port = replica.note.port});
  begin_loading(replica);
  post_moved(replica, State::Loading);
  if (replica.stop) begin_stop(replica);
}

void Replicas::launch_failed(ReplicaId id, std::string why) {
  Replica* const replica = find(id);
  if (replica == nullptr) return;
  // A stop that was asked for while it was being made has come true as well.
  if (replica->stop) {
    gone(id, {.cause = replica->stop->cause, .detail = replica->stop->why});
    return;
  }
  gone(id, {.cause = ExitCause::LaunchFailed, .detail = std::move(why)});
}

// --- loading --------------------------------------------------------------------------------------------------------

void Replicas::begin_loading(Replica& replica) {
  const ReplicaId id = replica.note.replica;
  const Instant now = os::boot_now();
  replica.stage = Stage::Loading;
  replica.stage_since = now;
  replica.probe_timer = setup_.loop->at(now, [this, id] { ask_readiness(id); });
  replica.sample_timer = setup_.loop->at(now + kSampleInterval, [this, id] { sample(id); });
}

void Replicas::ask_readiness(ReplicaId id) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stage != Stage::Loading) return;
  Question question{.port = replica->note.port, .timeout = kReadyTimeout};
  // Whose port it is comes first: a stranger is not asked for paths.
  if (replica->owns_port) question.path = replica->note.ready_path;
  replica->probe =
      std::make_unique<Probe>(*setup_.loop, std::move(question),
                              [this, id](const Outcome& outcome) { hear_readiness(id, outcome); });
}

void Replicas::hear_readiness(ReplicaId id, const Outcome& outcome) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stage != Stage::Loading) return;
  switch (outcome.answer) {
    case Answer::Accepted:
      if (!replica->owns_port) check_owner(*replica);
      if (replica->verdict) return;
      if (replica->owns_port && replica->note.ready_path.empty()) {
        become_ready(*replica);
      } else if (replica->owns_port) {
        ask_readiness(id);
      } else {
        ask_again(*replica);
      }
      return;
    case Answer::Status:
      if (is_ready_status(outcome.status)) {
        become_ready(*replica);
        return;
      }
      replica->watch.observe_readiness(outcome.status);
      report_progress(*replica);
      break;
    case Answer::Refused:
    case Answer::Broken:
    case Answer::TimedOut:
      break;
  }
  ask_again(*replica);
}

void Replicas::ask_again(Replica& replica) {
  const Instant now = os::boot_now();
  const ReplicaId id = replica.note.replica;
  replica.probe_timer = setup_.loop->at(now + interval_after(now - replica.stage_since),
                                        [this, id] { ask_readiness(id); });
}

void Replicas::check_owner(Replica& replica) {
  const runtime::Listener there =
      runtime::find_listener(replica.note.port, replica.processes.pids());
  replica.owns_port = there.who == runtime::Listening::Ours;
  if (there.who != runtime::Listening::Stranger) return;
  replica.verdict = model::Exit{.cause = ExitCause::LaunchFailed,
                                .detail = runtime::in_use_text(replica.note.port, there)};
  quieten(replica);
  kill(replica.note.replica);
}

void Replicas::become_ready(Replica& replica) {
  const ReplicaId id = replica.note.replica;
  quieten(replica);
  replica.stage = Stage::Ready;
  replica.stage_since = os::boot_now();
  if (!replica.note.alive_path.empty()) {
    replica.probe_timer =
        setup_.loop->at(replica.stage_since + kAliveInterval, [this, id] { ask_alive(id); });
  }
  post_moved(replica, State::Ready);
}

void Replicas::sample(ReplicaId id) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stage != Stage::Loading) return;
  // Lines first: of several signs the first is told, and what the program says of itself tells most.
  if (replica->tail) {
    replica->tail->read(kTailBytesMax,
                        [&](const LogEntry& entry) { replica->watch.observe_line(entry.text); });
  }
  if (const auto used = replica->processes.memory_used()) replica->watch.observe_memory(*used);
  if (const auto time = replica->processes.cpu_time()) replica->watch.observe_cpu(*time);
  replica->watch.observe_read(replica->processes.bytes_read());
  report_progress(*replica);
  replica->sample_timer =
      setup_.loop->at(os::boot_now() + kSampleInterval, [this, id] { sample(id); });
}

void Replicas::report_progress(Replica& replica) {
  if (auto seen = replica.watch.take(os::boot_now())) {
    setup_.sink(model::ReplicaProgressed{.replica = replica.note.replica,
                                         .progress = seen->progress,
                                         .what = std::move(seen->what)});
  }
}

// --- ready, parked --------------------------------------------------------------------------------------------------

void Replicas::ask_alive(ReplicaId id) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stage != Stage::Ready) return;
  const Question question{
      .port = replica->note.port, .path = replica->note.alive_path, .timeout = kAliveTimeout};
  replica->probe =
      std::make_unique<Probe>(*setup_.loop, question, [this, id](const Outcome& outcome) {
        Replica* const asked = find(id);
        if (asked == nullptr || asked->stage != Stage::Ready) return;
        const bool is_alive =
            outcome.answer == Answer::Status && outcome.status >= 200 && outcome.status < 300;
        if (!is_alive) {
          setup_.sink(
              model::ReplicaSuspected{.replica = id,
                                      .suspicion = model::Suspicion::AliveFailed,
                                      .detail = asked->note.alive_path + " " + outcome.what});
        }
        asked->probe_timer =
            setup_.loop->at(os::boot_now() + kAliveInterval, [this, id] { ask_alive(id); });
      });
}

void Replicas::park(const model::ParkReplica& order) {
  Replica* const replica = find(order.replica);
  if (replica == nullptr) return;  // Gone was posted
  if (replica->stage != Stage::Ready || replica->stop) {
    setup_.sink(model::MoveFailed{
        .replica = order.replica, .tried = State::Parked, .what = "it is not ready"});
    return;
  }
  quieten(*replica);
  if (auto frozen = replica->processes.freeze(); !frozen) {
    resumed(order.replica);
    setup_.sink(model::MoveFailed{
        .replica = order.replica, .tried = State::Parked, .what = std::move(frozen).error().what});
    return;
  }
  replica->stage = Stage::Parking;
  wait_for_freeze(order.replica, os::boot_now() + kFreezeMax);
}

void Replicas::wait_for_freeze(ReplicaId id, Instant until) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stage != Stage::Parking) return;
  const auto frozen = replica->processes.is_frozen();
  if (frozen && *frozen) {
    replica->stage = Stage::Parked;
    post_moved(*replica, State::Parked);
    return;
  }
  const Instant now = os::boot_now();
  if (now < until) {
    replica->freeze_timer =
        setup_.loop->at(now + kFreezeInterval, [this, id, until] { wait_for_freeze(id, until); });
    return;
  }
  static_cast<void>(replica->processes.thaw());
  resumed(id);
  setup_.sink(
      model::MoveFailed{.replica = id,
                        .tried = State::Parked,
                        .what = "a process did not freeze within 5 s: it waits in the kernel"});
}

void Replicas::resumed(ReplicaId id) {
  Replica* const replica = find(id);
  if (replica == nullptr || replica->stop) return;
  replica->stage = Stage::Ready;
  if (replica->note.alive_path.empty()) return;
  setup_.loop->cancel(replica->probe_timer);
  replica->probe_timer =
      setup_.loop->at(os::boot_now() + kAliveInterval, [this, id] { ask_alive(id); });
}

// --- stop -----------------------------------------------------------------------------------------------------------

// No question, sample or wait of its own goes on; what must end it stays.
void Replicas::quieten(Replica& replica) {
  replica.probe.reset();
  setup_.loop->cancel(replica.probe_timer);
  setup_.loop->cancel(replica.sample_timer);
  setup_.loop->cancel(replica.freeze_timer);
}

void Replicas::stop(const model::StopReplica& order) {
  Replica* const replica = find(order.replica);
  if (replica == nullptr) return;  // Gone was posted
  replica->stop = order;
  if (replica->stage != Stage::Launching) begin_stop(*replica);  // else as soon as it is launched
}

void Replicas::begin_stop(Replica& replica) {
  const ReplicaId id = replica.note.replica;
  quieten(replica);
  const bool is_frozen = replica.stage == Stage::Parking || replica.stage == Stage::Parked;
  replica.stage = Stage::Ready;
  if (replica.stop->grace <= Duration::zero()) {
    kill(id);
    return;
  }
  if (is_frozen) static_cast<void>(replica.processes.thaw());
  // Where the group is empty already, the end is on its way.
  static_cast<void>(replica.processes.signal(SIGTERM));
  setup_.loop->cancel(replica.kill_timer);
  replica.kill_timer =
      setup_.loop->at(os::boot_now() + replica.stop->grace, [this, id] { kill(id); });
}

// Again and again until the keeper tells the end: without cgroup.kill, processes may be born while others are killed.
void Replicas::kill(ReplicaId id) {
  Replica* const replica = find(id);
  if (replica == nullptr) return;
  replica->processes.kill();
  setup_.loop->cancel(replica->kill_timer);
  replica->kill_timer = setup_.loop->at(os::boot_now() + kKillInterval, [this, id] { kill(id); });
}

// --- the keeper -----------------------------------------------------------------------------------------------------

void Replicas::listen_to_keeper() {
  auto watch =
      setup_.loop->watch(setup_.keeper->fd(), EPOLLIN, [this](std::uint32_t) { hear_keeper(); });
  keeper_watch_ = watch.value_or(0);
  hear_keeper();  // messages that came during a waiting call do not show on the descriptor
}

void Replicas::hear_keeper() {
  auto messages = setup_.keeper->receive();
  if (!messages) {
    revive_keeper();
    return;
  }
  for (keeper::Message& message : *messages) hear(message);
}

void Replicas::hear(keeper::Message& message) {
  if (message.id == 0) {
    for (const keeper::Record& record : message.records) hear_end(record);
    return;
  }
  const auto found = spawning_.find(message.id);
  if (found == spawning_.end()) return;  // an answer to Forget
  const ReplicaId id = found->second;
  spawning_.erase(found);
  Replica* const replica = find(id);
  if (message.error) {
    launch_failed(id, std::move(message.error->what));
  } else if (replica != nullptr && !message.records.empty()) {
    launched(*replica, message.records.front());
  }
}

void Replicas::hear_end(const keeper::Record& record) {
  const auto id = model::parse_replica_id(record.replica);
  Replica* const replica = id ? find(*id) : nullptr;
  if (replica == nullptr) {
    static_cast<void>(setup_.keeper->forget(record.replica));
    return;
  }
  gone(*id, exit_of(*replica, record.ended.value_or(keeper::Ended{})));
  static_cast<void>(setup_.keeper->forget(record.replica));
}

model::Exit Replicas::exit_of(const Replica& replica, const keeper::Ended& ended) const {
  const int code = ended.status ? ended.status->code : 0;
  if (replica.verdict)
    return {.cause = replica.verdict->cause, .code = code, .detail = replica.verdict->detail};
  if (replica.stop)
    return {.cause = replica.stop->cause, .code = code, .detail = replica.stop->why};
  model::Exit exit = runtime::cause_of(
      {.status = ended.status, .oom = ended.oom, .memory_limit = replica.note.memory_limit});
  if (replica.stage == Stage::Loading && exit.cause == ExitCause::Exited && !replica.owns_port) {
    // Most programs exit when their port is taken; whose it is helps more than their status.
    const runtime::Listener there = runtime::find_listener(replica.note.port, {});
    if (there.who == runtime::Listening::Stranger)
      exit.detail = runtime::in_use_text(replica.note.port, there);
  }
  return exit;
}

void Replicas::gone(ReplicaId id, model::Exit exit) {
  Replica* const replica = find(id);
  if (replica == nullptr) return;
  quieten(*replica);
  setup_.loop->cancel(replica->kill_timer);
  spawning_.erase(replica->spawn_number);
  setup_.registry->erase(id);
  ports_.give_back(replica->note.port);
  if (auto removed = os::remove_tree(home_path(id)); !removed) {
    setup_.log->warn("the folder of a replica stays", {{"why", removed.error().what}});
  }
  model::ReplicaMoved moved{.replica = id,
                            .to = State::Gone,
                            .port = replica->note.port,
                            .pid = replica->processes.leader(),
                            .exit = std::move(exit)};
  replicas_.erase(id);
  setup_.sink(std::move(moved));
}

void Replicas::revive_keeper() {
  setup_.log->warn("the keeper has died; another one is started");
  setup_.loop->unwatch(keeper_watch_);
  auto revived = setup_.keeper->reconnect();
  auto records =
      revived ? setup_.keeper->list() : tl::unexpected<Error>(std::move(revived).error());
  if (!records) {
    setup_.log->error("no keeper", {{"why", records.error().what}});
    setup_.loop->at(os::boot_now() + kReviveInterval, [this] { revive_keeper(); });
    return;
  }
  compare_with(*records);
  listen_to_keeper();
}

// Answers of a dead keeper never come: the list of the next one says what became of its replicas.
void Replicas::compare_with(const std::vector<keeper::Record>& records) {
  spawning_.clear();
  std::map<ReplicaId, const keeper::Record*> by_id;
  for (const keeper::Record& record : records) {
    if (const auto id = model::parse_replica_id(record.replica)) by_id.emplace(*id, &record);
  }
  std::vector<ReplicaId> ids;
  for (const auto& [id, replica] : replicas_) ids.push_back(id);
  for (const ReplicaId id : ids) {
    Replica& replica = *replicas_.at(id);
    const auto found = by_id.find(id);
    const bool was_launching = replica.stage == Stage::Launching;
    if (found != by_id.end() && was_launching) launched(replica, *found->second);
    if (found != by_id.end() && found->second->ended) {
      hear_end(*found->second);
    } else if (found == by_id.end() && was_launching && !replica.stop &&
               replica.spawns < kSpawnsMax) {
      ask_to_spawn(replica);
    } else if (found == by_id.end() && was_launching) {
      launch_failed(id, "the keeper died meanwhile");
    } else if (found == by_id.end()) {
      gone(id, {.cause = ExitCause::Unknown});
    }
  }
}

// --- adoption -------------------------------------------------------------------------------------------------------

Result<std::vector<model::ReplicaFound>> Replicas::adopt() {
  KELVIN_TRY(const auto records, setup_.keeper->list());
  std::vector<model::ReplicaFound> found;
  for (const keeper::Record& record : records) {
    if (record.ended) {
      static_cast<void>(setup_.keeper->forget(record.replica));
    } else if (auto one = adopt_one(record)) {
      found.push_back(std::move(*one));
    } else {
      // Nobody could say what it is for; the keeper tells its end, and then it is forgotten.
      os::ProcessSet(os::Cgroup(record.cgroup), record.pid).kill();
    }
  }
  for (const std::string& name :
       os::list_dir(setup_.data + "/replicas").value_or(std::vector<std::string>{})) {
    const auto id = model::parse_replica_id(name);
    if (!id || find(*id) == nullptr)
      static_cast<void>(os::remove_tree(setup_.data + "/replicas/" + name));
  }
  return found;
}

std::optional<model::ReplicaFound> Replicas::adopt_one(const keeper::Record& record) {
  auto note = decode_note(record.note);
  if (!note || model::to_text(note->replica) != record.replica) return std::nullopt;
  const ReplicaId id = note->replica;
  auto made = std::make_unique<Replica>();
  Replica& replica = *made;
  replica.note = std::move(*note);
  replica.processes = os::ProcessSet(os::Cgroup(record.cgroup), record.pid);
  replica.tail = std::make_unique<LogTail>(record.log);
  replica.tail->skip_to_end();
  ports_.mark(replica.note.port);
  setup_.registry->put(id, {.processes = replica.processes, .port = replica.note.port});
  replicas_.insert_or_assign(id, std::move(made));

  model::ReplicaFound found{.replica = id,
                            .revision = replica.note.revision,
                            .state = State::Loading,
                            .lease = replica.note.lease,
                            .slot = replica.note.slot,
                            .port = replica.note.port,
                            .pid = record.pid,
                            .created = replica.note.created};
  const auto frozen = replica.processes.is_frozen();
  const auto listener = runtime::find_listener(replica.note.port, replica.processes.pids());
  replica.owns_port = listener.who == runtime::Listening::Ours;
  if (frozen && *frozen) {
    found.state = State::Parked;
    replica.stage = Stage::Parked;
    return found;
  }
  // A platform that died half-way through parking may have left it about to freeze.
  static_cast<void>(replica.processes.thaw());
  if (replica.owns_port && replica.note.ready_path.empty()) {
    found.state = State::Ready;
    resumed(id);
  } else {
    begin_loading(replica);
  }
  return found;
}

}  // namespace kelvin::cluster::local
