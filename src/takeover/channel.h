// channel: the connection between two platform processes.
//
// First the two speak in turn (receive()); from start() on a thread of the channel's own reads. Sending never waits:
// what the socket does not take is kept and sent by whoever reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "os/event_fd.h"
#include "os/fd.h"
#include "os/thread.h"
#include "takeover/message.h"

namespace kelvin::takeover {

struct Received {
  Message message;
  os::Fd fd;  // open with ManagementTaken only
};

class Channel {
 public:
  // Two connected stream sockets; one may be handed to a child by its number.
  struct Ends {
    os::Fd here;
    os::Fd there;  // stays open across exec
  };
  static Result<Ends> pair();

  // Invalid when it is no stream socket of this machine.
  static Result<std::unique_ptr<Channel>> create(os::Fd socket);
  // Stops reading and closes.
  ~Channel();

  // Any thread, at once. Lost where the other end is gone, which the reader is told. The channel ends when more than
  // kUnsentBytesMax wait: the other process does not read, and what it misses cannot be made up for.
  void post(Message message, os::Fd fd = {});
  static constexpr std::size_t kUnsentBytesMax = 128U << 20U;

  // Before start(): the next message. TimedOut at `until`, Refused when `cancel` (-1: none) becomes readable,
  // Unavailable when the other end has closed, Invalid when what it says is wrong.
  Result<Received> receive(Instant until, int cancel = -1);

  // `on_message` and then once `on_end`, on the channel's thread; neither may end the channel itself.
  struct Ears {
    std::function<void(Received)> on_message;
    std::function<void(const Error& why)> on_end;
  };
  void start(Ears ears);

  // Ends the channel's thread: nothing is heard from here on, on_end neither. What is posted is still sent by flush().
  void stop_listening();

  // Waits until everything posted has been taken by the socket; false when `until` passed or the other end is gone.
  bool flush(Instant until);
  // on_end follows, here and at the other end.
  void close();
  // The same, and waits for it. Not on the channel's thread.
  void end();

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    os::Fd fd;
  };
  Channel(os::Fd socket, os::EventFd wake) : socket_(std::move(socket)), wake_(std::move(wake)) {}

  void run();
  bool send_some();
  Result<bool> read_some();
  Result<std::optional<Received>> take_message();
  Result<std::optional<Received>> next_message();
  bool has_unsent();

  os::Fd socket_;
  os::EventFd wake_;
  Ears ears_;
  std::mutex sending_;
  std::deque<Outgoing> outgoing_;  // guarded by sending_, as the next two
  std::size_t unsent_ = 0;
  bool is_broken_ = false;
  std::string received_;
  std::deque<os::Fd> received_fds_;
  std::atomic<bool> is_stopped_{false};
  os::Thread thread_;
};

}  // namespace kelvin::takeover
