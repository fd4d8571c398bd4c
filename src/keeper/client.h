// client: the platform's side of the keeper.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "keeper/protocol.h"
#include "os/fd.h"
#include "os/slot_memory.h"

namespace kelvin::keeper {

struct ClientOptions {
  std::string data;  // the data folder
  std::string
      program;  // path of the kelvin binary, run as `PROGRAM keeper --data DATA` when no keeper answers
};

// Used by one thread at a time. Calls that return a Result wait for the keeper, at most kAnswerMax; messages that come
// meanwhile are kept for receive().
class Client {
 public:
  static constexpr Duration kAnswerMax = 10s;

  // Connects to the keeper of the data folder, starting one when none answers, and says Hello.
  static Result<std::unique_ptr<Client>> connect_or_spawn(ClientOptions options);

  pid_t keeper_pid() const { return keeper_pid_; }
  // What this machine does not offer, as phrases for the user.
  const std::vector<std::string>& missing() const { return missing_; }
  // A mapping of the keeper's slot table.
  Result<os::SlotMemory> slots() const;
  // A listening socket for "127.0.0.1:27315": the keeper's own, or made by it. Conflict when the address is in use.
  Result<os::Fd> listen(const std::string& address);
  // Every record, in the order of their ids as text.
  Result<std::vector<Record>> list();
  // Conflict while replicas live.
  Status quit();

  // Sends and returns the number that the answering message will carry.
  Result<std::uint64_t> spawn(const SpawnOrder& order);
  // Sends; the answer is dropped.
  Status forget(const std::string& replica);

  // Readable when receive() has something, or the keeper has died. Messages kept during a waiting call do not show
  // here: call receive() after each.
  int fd() const { return socket_.get(); }
  // All messages that have come, maybe none. Unavailable when the keeper has died: reconnect() then.
  Result<std::vector<Message>> receive();
  // After the keeper's death: starts another one and hands it the slot table and the listening sockets. Answers to
  // requests from before never come; list() tells what became of them.
  Status reconnect();

 private:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  struct Answer {
    Message message;
    std::vector<os::Fd> fds;
  };
  Status meet();
  Status connect();
  Status start_keeper() const;
  Status hello();
  Result<Answer> call(Request request, std::vector<int> fds = {});
  Status send(const Request& request, const std::vector<int>& fds);

  ClientOptions options_;
  os::Fd socket_;
  std::uint64_t last_id_ = 0;
  std::deque<Message> kept_;
  pid_t keeper_pid_ = 0;
  std::vector<std::string> missing_;
  os::Fd slots_;
  std::map<std::string, os::Fd> listeners_;
};

}  // namespace kelvin::keeper
