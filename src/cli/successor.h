// successor: the program that takes over in an upgrade, from its file to its process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/pidfd.h"
#include "takeover/channel.h"

namespace kelvin::cli {

// The file that `named` leads to, with every link resolved. Refused, saying why, for one that somebody besides root and
// this user could have written, that lies in the data folder (deploys write there), or that cannot be executed.
[[nodiscard]] Result<std::string> check_binary(const std::string& named, const std::string& data);

// The command line of a process that takes over: that of this one, with `--take-over FD`.
[[nodiscard]] std::vector<std::string> successor_arguments(std::vector<std::string> own, int fd);

// A child that has said Hello. Unless it is let go, it is killed and reaped at the end.
class Successor {
 public:
  // Starts the program and waits for its Hello. Refused when `cancel` becomes readable meanwhile.
  static Result<std::unique_ptr<Successor>> start(const std::string& binary, int cancel);
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  pid_t pid() const { return pid_; }
  const takeover::Hello& hello() const { return hello_; }
  takeover::Channel& channel() { return *channel_; }
  // Kills and reaps it.
  void kill();
  // It has taken over: it outlives this process.
  std::unique_ptr<takeover::Channel> let_go();
  // " (it ended with status 1)", where it has ended; waits a moment for that.
  std::string last_words() const;

 private:
  Successor(pid_t pid, os::Pidfd pidfd, std::unique_ptr<takeover::Channel> channel)
      : pid_(pid), pidfd_(std::move(pidfd)), channel_(std::move(channel)) {}
  Status meet(int cancel);

  pid_t pid_;
  os::Pidfd pidfd_;
  std::unique_ptr<takeover::Channel> channel_;
  takeover::Hello hello_;
};

}  // namespace kelvin::cli
