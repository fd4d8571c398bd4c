// children: the replicas of one data folder, as their parent sees them.
#include "keeper/children.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/clock.h"
#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::keeper {
namespace {

// A process that does not die from SIGKILL hangs in the kernel (a dead disk or network file system); after this time
// its replica is reported as ended anyway and the group is left for the next keeper to sweep.
constexpr Duration kSettleMax = 10s;
constexpr Duration kSettleInterval = 1ms;
// What a replica may print while no keeper reads, before its writes wait. The kernel may grant less.
constexpr int kFifoBytes = 1 << 20;
// Milliseconds that a start waits for what is left under its id.
constexpr int kClearTriesMax = 50;
// Of each stream, after the last process has died.
constexpr std::size_t kDrainBytesMax = 4 << 20;

const char* ending_of(Stream stream) { return stream == Stream::Out ? ".out" : ".err"; }

bool is_replica_id(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

// Up to one buffer of a FIFO into the log. False when there is nothing to read for good: no writer is left.
enum class Drained { More, Empty, Closed };
Drained read_some(int fifo, Stream stream, LogFile& log) {
  static thread_local std::array<char, 64 * 1024> buffer;
  const ssize_t got = ::read(fifo, buffer.data(), buffer.size());
  if (got > 0) {
    log.take(stream, {buffer.data(), static_cast<std::size_t>(got)}, os::unix_now_ms());
    return Drained::More;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Drained::Empty;
  return Drained::Closed;
}

// An earlier attempt under the same id may have died half-way, with its keeper; its held process is about to exit.
void clear_left_overs(const os::Cgroup& group) {
  for (int tried = 0; tried < kClearTriesMax && group.exists(); ++tried) {
    if (tried > 0) ::poll(nullptr, 0, 1);
    static_cast<void>(group.kill());
    if (group.remove()) return;
  }
}

}  // namespace

Children::~Children() {
  for (auto& [id, child] : children_) {
    for (Output& output : child->outputs) setup_.loop->unwatch(output.watch);
    setup_.loop->unwatch(child->pidfd_watch);
    setup_.loop->unwatch(child->outcome_watch);
  }
}

std::string Children::path_of(const std::string& replica, const char* ending) const {
  return setup_.folder + "/" + replica + ending;
}

Status Children::write(const Record& record) const {
  // Processes do not outlive the machine, so neither need their records: no wait for the disk.
  return os::write_file_atomic(path_of(record.replica, ".json"), encode(record),
                               {.mode = 0600, .durability = os::Durability::Process});
}

void Children::spawn(const SpawnOrder& order, std::function<void(Result<Record>)> done) {
  if (!is_replica_id(order.replica)) {
    done(fail(Code::Invalid, Blame::Platform, Retry::Never,
              "\"" + order.replica + "\" is no replica id"));
    return;
  }
  if (children_.contains(order.replica)) {
    done(fail(Code::Conflict, Blame::Platform, Retry::Never,
              "replica " + order.replica + " exists already"));
    return;
  }
  auto made = std::make_unique<Child>();
  Child& child = *made;
  child.record = {
      .replica = order.replica, .boot = os::boot_id(), .note = order.note, .log = order.log};
  child.log = std::make_unique<LogFile>(order.log, setup_.log_limits);
  child.done = std::move(done);
  children_.emplace(order.replica, std::move(made));
  Status status = prepare(child, order);
  if (status) status = launch(child, order);
  if (status) return;
  child.launch_error = std::move(status).error();
  if (child.pidfd.is_open())
    return;  // the held process exits by itself; see_death goes on from there
  discard(child);
}

Status Children::prepare(Child& child, const SpawnOrder& order) {
  for (const Stream stream : {Stream::Out, Stream::Err}) {
    const std::string path = path_of(order.replica, ending_of(stream));
    ::unlink(path.c_str());
    if (::mkfifo(path.c_str(), 0600) != 0) return os::fail_errno("make " + path, errno);
    // Some programs open /dev/stdout by name: the FIFO must be theirs for that.
    if (order.user && ::chown(path.c_str(), order.user->uid, order.user->gid) != 0) {
      return os::fail_errno("hand over " + path, errno);
    }
    KELVIN_TRY_VOID(open_output(child, stream));
  }
  if (setup_.groups->is_usable()) {
    clear_left_overs(os::Cgroup(setup_.groups->paths_of(order.replica)));
    KELVIN_TRY(const os::Cgroup group, setup_.groups->create(order.replica));
    child.record.cgroup = group.paths();
    // A limit that this machine cannot hold was named at the start of the platform.
    for (const os::CgroupLimits& limit : {os::CgroupLimits{.memory = order.limits.memory},
                                          os::CgroupLimits{.pids = order.limits.pids}}) {
      auto set = group.set_limits(limit);
      if (!set && set.error().code != Code::Unavailable) return set;
    }
  }
  return write(child.record);
}

Status Children::open_output(Child& child, Stream stream) {
  Output& output = child.outputs[static_cast<std::size_t>(stream)];
  const std::string path = path_of(child.record.replica, ending_of(stream));
  KELVIN_TRY(output.fifo, os::open_file(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
  ::fcntl(output.fifo.get(), F_SETPIPE_SZ, kFifoBytes);
  KELVIN_TRY(output.watch,
             setup_.loop->watch(output.fifo.get(), EPOLLIN, [this, &child, stream](std::uint32_t) {
               read_output(child, stream);
             }));
  return {};
}

Status Children::launch(Child& child, const SpawnOrder& order) {
  // For reading and writing: a FIFO that its writer holds for reading never breaks, whoever else lets go.
  KELVIN_TRY(const os::Fd out, os::open_file(path_of(order.replica, ".out"), O_RDWR | O_NOFOLLOW));
  KELVIN_TRY(const os::Fd err, os::open_file(path_of(order.replica, ".err"), O_RDWR | O_NOFOLLOW));
  child.spec = {.program = order.program,
                .arguments = order.arguments,
                .environment = order.environment,
                .folder = order.folder,
                .user = order.user,
                .cgroup = os::Cgroup(child.record.cgroup),
                .out = out.get(),
                .err = err.get()};
  KELVIN_TRY(os::Spawned held, os::spawn(child.spec));
  child.record.pid = held.pid();
  child.processes = os::ProcessSet(child.spec.cgroup, held.pid());
  child.pidfd = held.take_pidfd();
  KELVIN_TRY_VOID(watch_process(child));
  if (const auto stat = os::read_process_stat(held.pid()))
    child.record.start_ticks = stat->start_ticks;
  KELVIN_TRY_VOID(write(child.record));
  child.held.emplace(std::move(held));
  KELVIN_TRY(child.outcome_watch,
             setup_.loop->watch(child.held->outcome_fd(), EPOLLIN,
                                [this, id = order.replica](std::uint32_t) { learn_outcome(id); }));
  child.held->release();
  return {};
}

void Children::learn_outcome(const std::string& replica) {
  const auto found = children_.find(replica);
  if (found == children_.end() || !found->second->held) return;
  Child& child = *found->second;
  const auto outcome = child.held->outcome();
  if (!outcome) return;
  setup_.loop->unwatch(child.outcome_watch);
  child.held.reset();
  if (*outcome) {
    child.launch_error = Error{.code = (*outcome)->error == EACCES ? Code::Refused : Code::NotFound,
                               .blame = Blame::Client,
                               .retry = Retry::Never,
                               .what = to_text(**outcome, child.spec)};
    return;  // the process is about to exit; see_death goes on from there
  }
  if (const auto done = std::exchange(child.done, {})) done(child.record);
}

Status Children::watch_process(Child& child) {
  KELVIN_TRY(
      child.pidfd_watch,
      setup_.loop->watch(child.pidfd.fd(), EPOLLIN,
                         [this, id = child.record.replica](std::uint32_t) { see_death(id); }));
  return {};
}

void Children::read_output(Child& child, Stream stream) {
  Output& output = child.outputs[static_cast<std::size_t>(stream)];
  if (read_some(output.fifo.get(), stream, *child.log) != Drained::Closed) return;
  // Every writer has closed it: watching on would only spin.
  setup_.loop->unwatch(output.watch);
}

void Children::close_outputs(Child& child) {
  for (const Stream stream : {Stream::Out, Stream::Err}) {
    Output& output = child.outputs[static_cast<std::size_t>(stream)];
    setup_.loop->unwatch(output.watch);
    for (std::size_t read = 0; output.fifo.is_open() && read < kDrainBytesMax; read += 64 * 1024) {
      if (read_some(output.fifo.get(), stream, *child.log) != Drained::More) break;
    }
    output.fifo.reset();
    static_cast<void>(os::remove_file(path_of(child.record.replica, ending_of(stream))));
  }
  if (child.log) child.log->finish(os::unix_now_ms());
}

void Children::see_death(const std::string& replica) {
  const auto found = children_.find(replica);
  if (found == children_.end()) return;
  Child& child = *found->second;
  // An exec that failed is told just before the death, and both may come in one round.
  learn_outcome(replica);
  child.dead_since = os::boot_now();
  setup_.loop->unwatch(child.pidfd_watch);
  // Killed before the leader is reaped: until then its number, which names the group, is nobody else's.
  child.processes.kill();
  if (const auto status = child.pidfd.exit_status(os::Pidfd::Reap::Yes)) child.status = *status;
  settle(replica);
}

void Children::settle(const std::string& replica) {
  const auto found = children_.find(replica);
  if (found == children_.end()) return;
  Child& child = *found->second;
  const bool has_processes = !child.processes.pids().empty();
  if (has_processes && os::boot_now() - child.dead_since < kSettleMax) {
    child.processes.kill();
    setup_.loop->at(os::boot_now() + kSettleInterval, [this, replica] { settle(replica); });
    return;
  }
  if (child.launch_error) {
    discard(child);
  } else {
    finish(child);
  }
}

void Children::finish(Child& child) {
  close_outputs(child);
  Record& record = child.record;
  const os::Cgroup group(record.cgroup);
  record.ended = Ended{.status = child.status,
                       .oom = group.oom_counts().value_or(os::OomCounts{}),
                       .at = os::boot_now()};
  static_cast<void>(write(record));
  end_group(group, os::boot_now() + kSettleMax);
  child.pidfd = {};
  child.log.reset();
  if (const auto done = std::exchange(child.done, {})) done(record);
  if (child.is_unwanted) {
    static_cast<void>(forget(std::string(record.replica)));
    return;
  }
  setup_.on_ended(record);
}

void Children::end_unwanted(const std::string& replica) {
  const auto found = children_.find(replica);
  if (found == children_.end() || found->second->record.ended) return;
  found->second->is_unwanted = true;
  found->second->processes.kill();
}

void Children::discard(Child& child) {
  const std::string replica = child.record.replica;
  setup_.loop->unwatch(child.outcome_watch);
  close_outputs(child);
  end_group(os::Cgroup(child.record.cgroup), os::boot_now() + kSettleMax);
  static_cast<void>(os::remove_file(path_of(replica, ".json")));
  const auto done = std::exchange(child.done, {});
  const Error error = child.launch_error.value_or(Error{});
  children_.erase(replica);
  if (done) done(tl::unexpected<Error>(error));
}

// Kills what is in the group and removes it, trying again while the kernel is not done with it.
void Children::end_group(const os::Cgroup& group, Instant until) {
  if (!group.exists()) return;
  static_cast<void>(group.kill());
  if (group.remove() || os::boot_now() > until) return;
  setup_.loop->at(os::boot_now() + kSettleInterval,
                  [this, group, until] { end_group(group, until); });
}

Status Children::forget(const std::string& replica) {
  const auto found = children_.find(replica);
  if (found == children_.end()) {
    return fail(Code::NotFound, Blame::Platform, Retry::Never, "no record of replica " + replica);
  }
  if (!found->second->record.ended) {
    return fail(Code::Conflict, Blame::Platform, Retry::Never, "replica " + replica + " lives");
  }
  KELVIN_TRY_VOID(os::remove_file(path_of(replica, ".json")));
  children_.erase(found);
  return {};
}

std::vector<Record> Children::records_after(const std::string& replica) const {
  std::vector<Record> records;
  for (auto next = children_.upper_bound(replica); next != children_.end(); ++next) {
    // One whose program does not run yet is told by the answer to its Spawn.
    const Child& child = *next->second;
    if (!child.done && !child.launch_error && !child.is_unwanted)
      records.push_back(next->second->record);
  }
  return records;
}

bool Children::has_live() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const auto& item) { return !item.second->record.ended; });
}

void Children::adopt() {
  const auto names = os::list_dir(setup_.folder).value_or(std::vector<std::string>{});
  for (const std::string& name : names) {
    if (!name.ends_with(".json")) continue;
    const std::string path = setup_.folder + "/" + name;
    const auto text = os::read_file(path);
    auto record = text ? decode_record(*text) : tl::unexpected<Error>(text.error());
    // One that cannot be read names nothing; its group, if any, is swept as one without a record.
    if (record && is_replica_id(record->replica) && record->replica + ".json" == name) {
      adopt_one(std::move(*record));
    } else {
      static_cast<void>(os::remove_file(path));
    }
  }
  for (const std::string& name : names) {
    if (!name.ends_with(".json") && !children_.contains(name.substr(0, name.find('.')))) {
      static_cast<void>(os::remove_file(setup_.folder + "/" + name));
    }
  }
}

bool Children::is_alive(const Record& record) const {
  if (record.boot != os::boot_id()) return false;
  const auto stat = os::read_process_stat(record.pid);
  if (!stat || stat->start_ticks != record.start_ticks || stat->state == 'Z') return false;
  const os::Cgroup group(record.cgroup);
  if (record.cgroup.all().empty()) return true;
  const auto members = group.pids().value_or(std::vector<pid_t>{});
  return std::find(members.begin(), members.end(), record.pid) != members.end();
}

void Children::adopt_one(Record record) {
  if (record.pid == 0) {
    // Its keeper died between record and process, or before the process got the word to run its program.
    end_group(os::Cgroup(record.cgroup), os::boot_now() + kSettleMax);
    static_cast<void>(os::remove_file(path_of(record.replica, ".json")));
    return;
  }
  const std::string replica = record.replica;
  auto made = std::make_unique<Child>();
  Child& child = *made;
  child.record = std::move(record);
  children_.emplace(replica, std::move(made));
  if (child.record.ended) return;
  child.processes = os::ProcessSet(os::Cgroup(child.record.cgroup), child.record.pid);
  child.log = std::make_unique<LogFile>(child.record.log, setup_.log_limits);
  for (const Stream stream : {Stream::Out, Stream::Err})
    static_cast<void>(open_output(child, stream));
  // Opened first, asked after: the descriptor then names the process that the record means.
  if (auto pidfd = os::Pidfd::open(child.record.pid); pidfd && is_alive(child.record)) {
    child.pidfd = std::move(*pidfd);
    if (watch_process(child)) return;
  }
  // A number that names another process by this time names no session of the replica's either: the kernel gives it out
  // again only when no process of that session is left.
  if (child.record.boot != os::boot_id() || os::read_process_stat(child.record.pid)) {
    child.processes = os::ProcessSet(os::Cgroup(child.record.cgroup), 0);
  }
  child.dead_since = os::boot_now();
  settle(replica);
}

void Children::sweep(const os::CgroupParent& groups) {
  for (const std::string& id : groups.list()) {
    const os::CgroupPaths paths = groups.paths_of(id);
    const bool is_known = std::any_of(children_.begin(), children_.end(), [&](const auto& item) {
      return !item.second->record.ended && item.second->record.cgroup == paths;
    });
    if (!is_known) end_group(os::Cgroup(paths), os::boot_now() + kSettleMax);
  }
}

}  // namespace kelvin::keeper
