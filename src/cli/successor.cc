#include "cli/successor.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <variant>

#include "keeper/protocol.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/spawn.h"
#include "os/system_error.h"
#include "store/sqlite_store.h"

namespace kelvin::cli {

namespace {

// From the start of the program to its first word.
constexpr Duration kHelloMax = 20s;
constexpr int kLastWordsMs = 2000;

tl::unexpected<Error> unfit(std::string why) {
  return fail(Code::Refused, Blame::Client, Retry::Never, std::move(why));
}

Result<std::string> resolved(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return unfit(path + ": " + os::errno_text(errno));
  std::string text = real;
  ::free(real);
  return text;
}

Status check_versions(const takeover::Hello& hello) {
  if (hello.protocol != takeover::kProtocolVersion) {
    return unfit("kelvin " + hello.version + " takes over by another protocol (" +
                 std::to_string(hello.protocol) + ", here " +
                 std::to_string(takeover::kProtocolVersion) +
                 "); stop this one with --keep-replicas and start the other");
  }
  if (hello.keeper_protocol != keeper::kProtocolVersion) {
    return unfit("kelvin " + hello.version + " speaks another protocol with the keeper (" +
                 std::to_string(hello.keeper_protocol) + ", here " +
                 std::to_string(keeper::kProtocolVersion) +
                 "); stop this one, then start the other");
  }
  if (hello.schema < store::SqliteStore::schema()) {
    return unfit("kelvin " + hello.version + " is older than the database: it knows schema " +
                 std::to_string(hello.schema) + ", which has " +
                 std::to_string(store::SqliteStore::schema()));
  }
  return {};
}

}  // namespace

Result<std::string> check_binary(const std::string& named, const std::string& data) {
  KELVIN_TRY(std::string path, resolved(named));
  KELVIN_TRY(const std::string data_folder, resolved(data));
  if (path.starts_with(data_folder + "/"))
    return unfit(path + " lies in the data folder, where deploys write");
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return unfit(path + ": " + os::errno_text(errno));
  if (!S_ISREG(found.st_mode)) return unfit(path + " is no file");
  if (found.st_uid != 0 && found.st_uid != ::geteuid())
    return unfit(path + " belongs to another user (uid " + std::to_string(found.st_uid) + ")");
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return unfit(path + " can be written by others than its owner; chmod go-w it");
  if (::access(path.c_str(), X_OK) != 0) return unfit(path + " cannot be executed");
  return path;
}

std::vector<std::string> successor_arguments(std::vector<std::string> own, int fd) {
  std::vector<std::string> arguments;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] == "--take-over") {
      ++i;  // its value
    } else if (!own[i].starts_with("--take-over=")) {
      arguments.push_back(std::move(own[i]));
    }
  }
  arguments.push_back("--take-over");
  arguments.push_back(std::to_string(fd));
  return arguments;
}

Result<std::unique_ptr<Successor>> Successor::start(const std::string& binary, int cancel) {
  KELVIN_TRY(const std::string line, os::read_file("/proc/self/cmdline"));
  std::vector<std::string> own;
  for (std::size_t from = 0; from < line.size();) {
    const std::size_t end = std::min(line.find('\0', from), line.size());
    own.push_back(line.substr(from, end - from));
    from = end + 1;
  }
  KELVIN_TRY(takeover::Channel::Ends ends, takeover::Channel::pair());
  KELVIN_TRY(auto channel, takeover::Channel::create(std::move(ends.here)));
  std::vector<std::string> arguments = successor_arguments(std::move(own), ends.there.get());
  arguments.front() = binary;
  KELVIN_TRY(os::Successor made,
             os::spawn_successor(
                 {.program = binary, .arguments = std::move(arguments), .kept = ends.there.get()}));
  ends.there.reset();
  std::unique_ptr<Successor> successor(
      new Successor(made.pid, std::move(made.pidfd), std::move(channel)));
  KELVIN_TRY_VOID(successor->meet(cancel));
  return successor;
}

Status Successor::meet(int cancel) {
  auto said = channel_->receive(os::boot_now() + kHelloMax, cancel);
  if (!said) {
    said.error().what += last_words();
    return fail(std::move(said).error(), "the other binary said nothing");
  }
  auto* hello = std::get_if<takeover::Hello>(&said->message);
  if (hello == nullptr) return unfit("the other binary did not say hello");
  hello_ = std::move(*hello);
  return check_versions(hello_);
}

Successor::~Successor() { kill(); }

void Successor::kill() {
  if (!pidfd_.is_open()) return;
  channel_->close();
  (void)pidfd_.signal(SIGKILL);
  pollfd item{.fd = pidfd_.fd(), .events = POLLIN, .revents = 0};
  while (::poll(&item, 1, -1) < 0 && errno == EINTR) {
  }
  (void)pidfd_.exit_status(os::Pidfd::Reap::Yes);
  pidfd_ = {};
}

std::unique_ptr<takeover::Channel> Successor::let_go() {
  pidfd_ = {};
  return std::move(channel_);
}

std::string Successor::last_words() const {
  pollfd item{.fd = pidfd_.fd(), .events = POLLIN, .revents = 0};
  if (::poll(&item, 1, kLastWordsMs) != 1) return {};
  const auto status = pidfd_.exit_status(os::Pidfd::Reap::KeepZombie);
  if (!status || !*status) return {};
  return std::string(" (it ended ") + ((*status)->by_signal ? "by signal " : "with status ") +
         std::to_string((*status)->code) + "; the platform's log may say why)";
}

}  // namespace kelvin::cli
