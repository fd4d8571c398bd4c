// platform: `kelvin serve` as one object: every part made in the order in which it may be used, and ended in reverse.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "cli/listen_options.h"
#include "core/control/control.h"
#include "gateway/limits.h"
#include "gateway/notary.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/signal_fd.h"

namespace kelvin::cli {

class Successor;

// What happens to the replicas when the platform is asked to end.
enum class Farewell { StopReplicas, KeepReplicas };

struct PlatformOptions {
  std::string data;
  ListenPlan listen;                       // port 0 takes a free one
  std::optional<std::uint32_t> cpu_slots;  // absent: one per core
  std::optional<std::uint32_t> loops;      // of the gateway, 1 to 16; absent: one per core
  gateway::GatewayLimits limits;
  gateway::RecordOptions records;  // what is written down about requests, and where
  std::string program;             // path of this very binary, for the keeper
  // Where an app's program is looked for when it is deployed, and the PATH of its replicas. Empty: the system's folders.
  std::string search_path;
  std::string notify_socket;  // of the supervisor; empty: none
};

class Platform {
 public:
  // Conflict when another platform uses the data folder or the address is taken.
  static Result<std::unique_ptr<Platform>> start(const PlatformOptions& options, obs::Log& log);
  // In the place of the process at the other end of `socket`, which is told how that went.
  static Result<std::unique_ptr<Platform>> take_over(const PlatformOptions& options, obs::Log& log,
                                                     os::Fd socket);
  ~Platform();

  // "http://127.0.0.1:27315", as bound; of several addresses the one for programs of this machine.
  std::string url() const;

  // Takes no further connection, lets running requests end, then stops the replicas and the keeper, or leaves them to
  // the next start. False when something did not end within `patience`.
  bool shut_down(Farewell farewell, Duration patience);

  // Readable when upgrade() is to be called.
  int upgrade_fd() const;
  // Starts the other binary and hands everything over to it. False: it did not come about, and this process goes on
  // as before. It is called off when `cancel` becomes readable before the switch. Unavailable: neither process could
  // take control; this one is to end.
  Result<bool> upgrade(int cancel);
  // After upgrade() was true: serves the connections that are left until the last has ended, at most for the time that
  // was asked for. From the first signal on, `patience` at most; a second one ends it at once. True: nothing was cut
  // off.
  bool drain(const os::SignalFd& signals, Duration patience);

 private:
  struct Parts;
  Result<control::Handed> hand_over_control();
  Result<bool> switch_to(Successor& successor);
  Result<bool> take_back(control::Handed handed, const Error& why);
  void begin_draining(Successor& successor);
  explicit Platform(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kelvin::cli
