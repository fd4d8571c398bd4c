// platform: `kelvin serve` as one object: every part made in the order in which it may be used, and ended in reverse.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "cli/listen_options.h"
#include "gateway/limits.h"
#include "gateway/notary.h"
#include "obs/log.h"

namespace kelvin::cli {

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
};

class Platform {
 public:
  // Conflict when another platform uses the data folder or the address is taken.
  static Result<std::unique_ptr<Platform>> start(const PlatformOptions& options, obs::Log& log);
  ~Platform();

  // "http://127.0.0.1:27315", as bound; of several addresses the one for programs of this machine.
  std::string url() const;

  // Takes no further connection, lets running requests end, then stops the replicas and the keeper, or leaves them to
  // the next start. False when something did not end within `patience`.
  bool shut_down(Farewell farewell, Duration patience);

 private:
  struct Parts;
  explicit Platform(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kelvin::cli
