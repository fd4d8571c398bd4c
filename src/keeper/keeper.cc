// keeper: the parent of all replicas of one data folder, a process of its own that outlives the platform.
//
// One thread, one loop: the socket of the platform, log FIFOs, pidfds of children. It decides nothing; what it does, it
// is told by the platform (protocol.h) or by the death of a child.
#include "keeper/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "keeper/children.h"
#include "keeper/protocol.h"
#include "os/files.h"
#include "os/hash.h"
#include "os/loop.h"
#include "os/signal_fd.h"
#include "os/slot_memory.h"
#include "os/tcp.h"
#include "os/unix_socket.h"

namespace kelvin::keeper {
namespace {

constexpr std::size_t kConnectionsMax = 16;
constexpr std::size_t kListenersMax = 64;

class Keeper {
 public:
  Keeper(std::string run_folder, os::CgroupParent groups, std::unique_ptr<os::Loop> loop,
         os::SlotMemory slots)
      : run_folder_(std::move(run_folder)),
        groups_(std::move(groups)),
        loop_(std::move(loop)),
        slots_(std::make_unique<os::SlotMemory>(std::move(slots))) {}

  Status start(LogLimits log_limits);
  void run() { loop_->run(); }

 private:
  using ConnectionId = std::uint64_t;
  struct Connection {
    os::Fd socket;
    os::Loop::WatchId watch = 0;
  };

  Status sweep_groups();
  void accept();
  void receive(ConnectionId id);
  void close(ConnectionId id);
  void send(ConnectionId id, const Message& message, int fd = -1);
  void answer(ConnectionId id, Request request, std::vector<os::Fd> fds);
  void take_offers(const Request& request, std::vector<os::Fd> fds);
  void answer_hello(ConnectionId id, const Request& request);
  void answer_spawn(ConnectionId id, const Request& request);
  void answer_listen(ConnectionId id, const Request& request);
  void answer_list(ConnectionId id, const Request& request);
  void answer_quit(ConnectionId id, const Request& request);
  void reply(ConnectionId id, const Request& request, Status status);

  std::string run_folder_;
  os::CgroupParent groups_;
  std::unique_ptr<os::Loop> loop_;
  std::unique_ptr<os::SlotMemory> slots_;
  bool slots_are_fresh_ = true;  // nobody has been given them yet
  std::unique_ptr<Children> children_;
  std::map<std::string, os::Fd> listeners_;
  os::Fd socket_;
  std::map<ConnectionId, Connection> connections_;
  ConnectionId last_connection_ = 0;
  ConnectionId platform_ = 0;  // who said Hello last: told when replicas end
};

Status Keeper::start(LogLimits log_limits) {
  KELVIN_TRY_VOID(os::make_dirs(run_folder_ + "/replicas", 0700));
  children_ = std::make_unique<Children>(Children::Setup{.folder = run_folder_ + "/replicas",
                                                         .loop = loop_.get(),
                                                         .groups = &groups_,
                                                         .on_ended =
                                                             [this](const Record& record) {
                                                               if (platform_ != 0)
                                                                 send(platform_,
                                                                      Message{.records = {record}});
                                                             },
                                                         .log_limits = log_limits});
  children_->adopt();
  KELVIN_TRY_VOID(sweep_groups());
  KELVIN_TRY(socket_, os::listen_unix(run_folder_ + "/keeper.sock", 0600));
  KELVIN_TRY([[maybe_unused]] const auto watch,
             loop_->watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { accept(); }));
  return {};
}

// An earlier keeper may have been started in another group of its own, and have put its replicas below that one. Every
// parent folder ever used is therefore written down, and each is swept at start.
Status Keeper::sweep_groups() {
  const std::string path = run_folder_ + "/cgroups";
  const auto line_of = [](const os::CgroupPaths& base) {
    return base.unified + "\t" + base.freezer + "\t" + base.memory + "\t" + base.pids + "\t" +
           base.cpuacct + "\n";
  };
  std::set<std::string> lines;
  std::istringstream before(os::read_file(path).value_or(""));
  for (std::string line; std::getline(before, line);) {
    std::vector<std::string> parts;
    std::istringstream fields(line + "\t");
    for (std::string part; std::getline(fields, part, '\t');) parts.push_back(part);
    if (parts.size() != 5) continue;
    const os::CgroupParent parent(os::CgroupPaths{.unified = parts[0],
                                                  .freezer = parts[1],
                                                  .memory = parts[2],
                                                  .pids = parts[3],
                                                  .cpuacct = parts[4]});
    children_->sweep(parent);
    if (parent.base() != groups_.base()) parent.remove();
    if (!parent.list().empty()) lines.insert(line + "\n");
  }
  if (groups_.is_usable()) lines.insert(line_of(groups_.base()));
  std::string text;
  for (const std::string& line : lines) text += line;
  return os::write_file_atomic(path, text, {.mode = 0600, .durability = os::Durability::Process});
}

void Keeper::accept() {
  auto accepted = os::accept_unix(socket_.get());
  if (!accepted || !*accepted) return;
  os::Fd socket = std::move(**accepted);
  const auto uid = os::peer_uid(socket.get());
  if (!uid || *uid != ::geteuid() || connections_.size() >= kConnectionsMax)
    return;  // closed by its end
  const ConnectionId id = ++last_connection_;
  auto watch = loop_->watch(socket.get(), EPOLLIN, [this, id](std::uint32_t) { receive(id); });
  if (!watch) return;
  connections_.emplace(id, Connection{std::move(socket), *watch});
}

void Keeper::close(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  loop_->unwatch(found->second.watch);
  connections_.erase(found);
  if (platform_ == id) platform_ = 0;
}

void Keeper::receive(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  auto datagram = os::receive_datagram(found->second.socket.get());
  if (datagram && !*datagram) return;
  if (!datagram || (*datagram)->bytes.empty()) {
    close(id);
    return;
  }
  auto request = decode_request((*datagram)->bytes);
  if (!request) {
    send(id, Message{.error = std::move(request).error()});
    return;
  }
  answer(id, std::move(*request), std::move((*datagram)->fds));
}

// A platform that does not read is dropped: when it connects again, it asks for the list, and has missed nothing.
void Keeper::send(ConnectionId id, const Message& message, int fd) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const auto fds = fd >= 0 ? std::span<const int>(&fd, 1) : std::span<const int>();
  if (!os::send_datagram(found->second.socket.get(), encode(message), fds)) close(id);
}

void Keeper::reply(ConnectionId id, const Request& request, Status status) {
  Message message{.id = request.id};
  if (!status) message.error = std::move(status).error();
  send(id, message);
}

void Keeper::answer(ConnectionId id, Request request, std::vector<os::Fd> fds) {
  switch (request.verb) {
    case Verb::Hello:
      take_offers(request, std::move(fds));
      answer_hello(id, request);
      return;
    case Verb::Spawn:
      answer_spawn(id, request);
      return;
    case Verb::Listen:
      answer_listen(id, request);
      return;
    case Verb::List:
      answer_list(id, request);
      return;
    case Verb::Forget:
      reply(id, request, children_->forget(request.replica));
      return;
    case Verb::Quit:
      answer_quit(id, request);
      return;
  }
}

// What a platform kept while its keeper died: the slot words in use, and the sockets that clients are connected through.
void Keeper::take_offers(const Request& request, std::vector<os::Fd> fds) {
  for (std::size_t i = 0; i < std::min(fds.size(), request.offers.size()); ++i) {
    const std::string& offer = request.offers[i];
    if (offer == "slots" && slots_are_fresh_) {
      if (auto slots = os::SlotMemory::map(std::move(fds[i]))) {
        slots_ = std::make_unique<os::SlotMemory>(std::move(*slots));
      }
    } else if (offer != "slots" && listeners_.size() < kListenersMax) {
      listeners_.emplace(offer, std::move(fds[i]));  // one that is there already stays
    }
  }
}

void Keeper::answer_hello(ConnectionId id, const Request& request) {
  platform_ = id;
  slots_are_fresh_ = false;
  send(id, Message{.id = request.id, .pid = ::getpid(), .missing = groups_.missing()},
       slots_->fd());
}

void Keeper::answer_spawn(ConnectionId id, const Request& request) {
  children_->spawn(request.order, [this, id, number = request.id](Result<Record> made) {
    if (!connections_.contains(id)) {
      // Its platform has died meanwhile, and the next one has not been told of this replica.
      if (made) children_->end_unwanted(made->replica);
      return;
    }
    Message message{.id = number};
    if (made) {
      message.pid = made->pid;
      message.records.push_back(std::move(*made));
    } else {
      message.error = std::move(made).error();
    }
    send(id, message);
  });
}

void Keeper::answer_listen(ConnectionId id, const Request& request) {
  auto held = listeners_.find(request.address);
  if (held == listeners_.end()) {
    if (listeners_.size() == kListenersMax) {
      reply(id, request,
            fail(Code::Exhausted, Blame::Platform, Retry::Never,
                 "the keeper holds too many sockets"));
      return;
    }
    auto listener = os::listen_tcp(request.address);
    if (!listener) {
      reply(id, request, tl::unexpected<Error>(std::move(listener).error()));
      return;
    }
    held = listeners_.emplace(request.address, std::move(*listener)).first;
  }
  send(id, Message{.id = request.id}, held->second.get());
}

void Keeper::answer_list(ConnectionId id, const Request& request) {
  Message message{.id = request.id};
  std::size_t bytes = 0;
  for (Record& record : children_->records_after(request.replica)) {
    bytes += encode(record).size();
    message.has_more = !message.records.empty() && bytes > kPageBytesMax;
    if (message.has_more) break;
    message.records.push_back(std::move(record));
  }
  send(id, message);
}

void Keeper::answer_quit(ConnectionId id, const Request& request) {
  if (children_->has_live()) {
    reply(id, request,
          fail(Code::Conflict, Blame::Client, Retry::AfterDelay, "replicas still live"));
    return;
  }
  groups_.remove();
  static_cast<void>(os::remove_file(run_folder_ + "/keeper.sock"));
  static_cast<void>(os::remove_file(run_folder_ + "/cgroups"));
  reply(id, request, {});
  loop_->stop();
}

// The name tells data folders apart, below whichever group this process lies in.
std::string group_name(const std::string& data) {
  char* const real = ::realpath(data.c_str(), nullptr);
  const std::string path = real != nullptr ? real : data;
  ::free(real);
  return os::sha256_hex(path).substr(0, 12);
}

void protect_itself() {
  ::prctl(PR_SET_NAME, "kelvin-keeper", 0, 0, 0);
  ::setsid();
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  // Needs CAP_SYS_RESOURCE; without it the keeper is as likely a victim as anybody.
  static_cast<void>(os::write_existing("/proc/self/oom_score_adj", "-900"));
}

void let_go_of_streams() {
  const os::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.is_open()) return;
  ::dup2(null.get(), 0);
  ::dup2(null.get(), 1);
}

int cannot_start(const Error& error, int exit_code) {
  static_cast<void>(os::write_all(STDERR_FILENO, "kelvin keeper: " + error.what + "\n"));
  return exit_code;
}

}  // namespace

int run(const KeeperOptions& options) {
  const std::string run_folder = options.data + "/run";
  if (auto made = os::make_dirs(run_folder, 0700); !made) return cannot_start(made.error(), 1);
  auto lock = os::FileLock::take(run_folder + "/keeper.lock");
  if (!lock) {
    if (lock.error().code != Code::Conflict) return cannot_start(lock.error(), 1);
    const std::string pid = os::read_file(run_folder + "/keeper.lock").value_or("unknown");
    return cannot_start({.what = "another keeper runs for " + options.data + " (pid " + pid + ")"},
                        5);
  }
  static_cast<void>(lock->write(std::to_string(::getpid())));
  protect_itself();
  auto signals = os::SignalFd::create({SIGTERM, SIGINT});
  auto loop = os::Loop::create();
  auto slots = os::SlotMemory::create();
  if (!signals) return cannot_start(signals.error(), 1);
  if (!loop) return cannot_start(loop.error(), 1);
  if (!slots) return cannot_start(slots.error(), 1);
  os::Loop* const running = loop->get();
  Keeper keeper(run_folder, os::CgroupParent::prepare({}, group_name(options.data)),
                std::move(*loop), std::move(*slots));
  if (auto started = keeper.start(options.log_limits); !started)
    return cannot_start(started.error(), 1);
  const auto watch =
      running->watch(signals->fd(), EPOLLIN, [running](std::uint32_t) { running->stop(); });
  if (!watch) return cannot_start(watch.error(), 1);
  static_cast<void>(os::write_all(STDOUT_FILENO, "ready\n"));
  let_go_of_streams();
  keeper.run();
  return 0;
}

}  // namespace kelvin::keeper
