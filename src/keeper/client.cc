// client: the platform's side of the keeper.
#include "keeper/client.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/clock.h"
#include "os/files.h"
#include "os/spawn.h"
#include "os/system_error.h"
#include "os/unix_socket.h"

namespace kelvin::keeper {
namespace {

constexpr Duration kStartMax = 20s;
constexpr int kMeetTriesMax = 5;
constexpr int kMeetPauseMs = 2;

tl::unexpected<Error> keeper_gone() {
  return fail(Code::Unavailable, Blame::Platform, Retry::AfterDelay,
              "the keeper has closed the connection");
}

// False when `until` passes first.
bool wait_for(int fd, short events, Instant until) {
  while (true) {
    const std::int64_t left = whole_ms(until - os::boot_now());
    if (left < 0) return false;
    pollfd item{.fd = fd, .events = events};
    const int got = ::poll(&item, 1, static_cast<int>(left + 1));
    if (got > 0) return true;
    if (got < 0 && errno != EINTR) return false;
  }
}

Result<os::Fd> duplicate(int fd) {
  os::Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy.is_open()) return os::fail_errno("duplicate a descriptor", errno);
  return copy;
}

// The last line that a keeper which could not start has written.
std::string last_line(const std::string& path) {
  std::string text = os::read_file(path).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect_or_spawn(ClientOptions options) {
  std::unique_ptr<Client> client(new Client(std::move(options)));
  KELVIN_TRY_VOID(client->meet());
  return client;
}

// A keeper that is being killed lets go of its connections, its socket and its lock one after the other: for a moment
// it still takes connections that it will never answer, or keeps its successor out.
Status Client::meet() {
  Status met;
  for (int tried = 0; tried < kMeetTriesMax; ++tried) {
    if (tried > 0) ::poll(nullptr, 0, kMeetPauseMs);
    met = connect();
    if (met) met = hello();
    if (met || met.error().code != Code::Unavailable) return met;
  }
  return met;
}

Status Client::connect() {
  const std::string run_folder = options_.data + "/run";
  KELVIN_TRY_VOID(os::make_dirs(run_folder, 0700));
  const std::string path = run_folder + "/keeper.sock";
  auto socket = os::connect_unix(path);
  if (!socket && socket.error().code != Code::Invalid) {
    auto started = start_keeper();
    socket = os::connect_unix(path);
    // Where the socket answers, another platform process was faster in starting a keeper: its keeper is as good.
    if (!socket && !started) return started;
  }
  if (!socket) return fail(std::move(socket).error(), "reach the keeper");
  socket_ = std::move(*socket);
  return {};
}

Status Client::start_keeper() const {
  const std::string log = options_.data + "/run/keeper.log";
  KELVIN_TRY(const os::Fd errors,
             os::open_file(log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  int raw[2] = {-1, -1};
  if (::pipe2(raw, O_CLOEXEC) != 0) return os::fail_errno("make pipe", errno);
  const os::Fd ready(raw[0]);
  os::Fd said(raw[1]);
  const os::DetachedSpec spec{.arguments = {options_.program, "keeper", "--data", options_.data},
                              .out = said.get(),
                              .err = errors.get()};
  KELVIN_TRY_VOID(os::spawn_detached(spec));
  said.reset();
  char word = 0;
  if (!wait_for(ready.get(), POLLIN, os::boot_now() + kStartMax)) {
    return fail(Code::TimedOut, Blame::Platform, Retry::AfterDelay,
                "the keeper did not start within 20 s");
  }
  if (::read(ready.get(), &word, 1) == 1) return {};
  const std::string why = last_line(log);
  return fail(
      Code::Unavailable, Blame::Platform, Retry::AfterDelay,
      "the keeper did not start: " + (why.empty() ? "cannot run " + options_.program : why));
}

Status Client::hello() {
  Request request{.verb = Verb::Hello};
  std::vector<int> fds;
  if (slots_.is_open()) {
    request.offers.push_back("slots");
    fds.push_back(slots_.get());
  }
  for (const auto& [address, socket] : listeners_) {
    request.offers.push_back(address);
    fds.push_back(socket.get());
  }
  KELVIN_TRY(Answer answer, call(std::move(request), std::move(fds)));
  if (answer.fds.size() != 1) {
    return fail(Code::Internal, Blame::Platform, Retry::Never, "the keeper sent no slot table");
  }
  keeper_pid_ = answer.message.pid;
  missing_ = std::move(answer.message.missing);
  slots_ = std::move(answer.fds.front());
  return {};
}

Status Client::send(const Request& request, const std::vector<int>& fds) {
  KELVIN_TRY(const std::string text, encode(request));
  const Instant until = os::boot_now() + kAnswerMax;
  while (true) {
    auto sent = os::send_datagram(socket_.get(), text, fds);
    if (sent || sent.error().code != Code::Exhausted) return sent;
    if (!wait_for(socket_.get(), POLLOUT, until)) return sent;
  }
}

Result<Client::Answer> Client::call(Request request, std::vector<int> fds) {
  request.id = ++last_id_;
  KELVIN_TRY_VOID(send(request, fds));
  const Instant until = os::boot_now() + kAnswerMax;
  while (wait_for(socket_.get(), POLLIN, until)) {
    KELVIN_TRY(auto datagram, os::receive_datagram(socket_.get()));
    if (!datagram) continue;
    if (datagram->bytes.empty()) return keeper_gone();
    KELVIN_TRY(Message message, decode_message(datagram->bytes));
    // A keeper of another version cannot read the number of a request, and answers with 0 and why.
    const bool is_refusal = message.id == 0 && message.error.has_value();
    if (message.id != request.id && !is_refusal) {
      kept_.push_back(std::move(message));
      continue;
    }
    if (message.error) return tl::unexpected<Error>(std::move(*message.error));
    return Answer{std::move(message), std::move(datagram->fds)};
  }
  return fail(Code::TimedOut, Blame::Platform, Retry::AfterDelay,
              "the keeper did not answer within 10 s");
}

Result<os::SlotMemory> Client::slots() const {
  KELVIN_TRY(os::Fd copy, duplicate(slots_.get()));
  return os::SlotMemory::map(std::move(copy));
}

Result<os::Fd> Client::listen(const std::string& address) {
  KELVIN_TRY(Answer answer, call({.verb = Verb::Listen, .address = address}));
  if (answer.fds.size() != 1)
    return fail(Code::Internal, Blame::Platform, Retry::Never, "the keeper sent no socket");
  os::Fd& kept = listeners_[address];
  kept = std::move(answer.fds.front());
  return duplicate(kept.get());
}

Result<std::vector<Record>> Client::list() {
  std::vector<Record> records;
  while (true) {
    Request request{.verb = Verb::List};
    if (!records.empty()) request.replica = records.back().replica;
    KELVIN_TRY(Answer answer, call(std::move(request)));
    std::move(answer.message.records.begin(), answer.message.records.end(),
              std::back_inserter(records));
    if (!answer.message.has_more || answer.message.records.empty()) return records;
  }
}

Status Client::quit() {
  KELVIN_TRY([[maybe_unused]] const Answer answer, call({.verb = Verb::Quit}));
  return {};
}

Result<std::uint64_t> Client::spawn(const SpawnOrder& order) {
  const Request request{.id = ++last_id_, .verb = Verb::Spawn, .order = order};
  KELVIN_TRY_VOID(send(request, {}));
  return request.id;
}

Status Client::forget(const std::string& replica) {
  return send({.id = ++last_id_, .verb = Verb::Forget, .replica = replica}, {});
}

Result<std::vector<Message>> Client::receive() {
  std::vector<Message> messages(std::make_move_iterator(kept_.begin()),
                                std::make_move_iterator(kept_.end()));
  kept_.clear();
  while (true) {
    auto datagram = os::receive_datagram(socket_.get());
    const bool is_gone = !datagram || (*datagram && (*datagram)->bytes.empty());
    if (is_gone && messages.empty()) return keeper_gone();
    // What came before the death is handed out first; the next call finds the end again.
    if (is_gone || !*datagram) return messages;
    if (auto message = decode_message((*datagram)->bytes)) messages.push_back(std::move(*message));
  }
}

Status Client::reconnect() {
  socket_.reset();
  return meet();
}

}  // namespace kelvin::keeper
