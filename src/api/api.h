// api: the management API: takes connections from the gateway, authorises, translates to events and store calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/limits.h"
#include "base/bytes.h"
#include "base/result.h"
#include "model/node.h"
#include "model/view.h"
#include "obs/log.h"
#include "obs/metrics.h"
#include "ports/clock.h"
#include "ports/content.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/logs.h"
#include "ports/management.h"
#include "ports/store.h"

namespace kelvin::api {

struct UpgradeOrder {
  std::string
      binary;  // path of a file on this machine; empty: the one this platform was started from
  Duration drain = 10min;  // how long running requests may go on in the process that is replaced
};
enum class UpgradeStage : std::uint8_t { None, Preparing, Draining, Done, Failed };
// The last upgrade that this process has seen.
struct UpgradeView {
  UpgradeStage stage = UpgradeStage::None;
  std::string why;                // with Failed: a sentence's middle
  std::string from_version;       // with Draining and Done
  std::int32_t draining_pid = 0;  // with Draining
  std::uint32_t draining_connections = 0;
};

// Functions may be called from any thread; an empty one means that nobody knows.
struct ApiOptions {
  std::string data_folder;
  std::string listen;      // "HOST:PORT" as bound
  bool is_secure = false;  // it speaks TLS
  std::vector<std::string>
      other_hosts;  // by which the server may be called too: HOST:PORT as bound, or a name
  std::string version;
  std::uint64_t epoch = 0;
  std::string admin_token;         // a key's text; it may manage and cannot be deleted
  Instant started;                 // of this platform process
  std::function<bool()> is_ready;  // for /readyz
  std::function<std::uint32_t(const model::ReplicaView&)> in_flight_of;  // from the slot table
  std::function<std::optional<Bytes>(const model::ReplicaView&)>
      memory_of;  // what it uses of its claim
  std::function<std::vector<model::Node>()> nodes;
  std::function<Status(const UpgradeOrder&)> ask_upgrade;  // returns when it has been taken note of
  std::function<UpgradeView()> upgrade;
  // Each adds its families to the page of /metrics.
  std::vector<std::function<void(obs::MetricsWriter&)>> metric_sources;
  Limits limits;
};

// All of them outlive the Api.
struct ApiPorts {
  ports::Control& control;
  ports::Store& store;
  ports::Content& content;
  ports::Logs& logs;
  ports::DataPlane& data_plane;
  const ports::Clock& clock;
  obs::Log& log;
};

class Api final : public ports::Management {
 public:
  Api(ApiOptions options, const ApiPorts& ports);
  ~Api() override;
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Reads the keys, hands them to the data plane and begins to answer. Connections taken before this wait.
  [[nodiscard]] Status start();
  // Ends log streams and whatever moves no byte, waits for the rest, and closes what waits. Idempotent.
  void stop();
  // The same, but gives what waits to `next`.
  void stop_for(ports::Management& next);

  void take(int fd, std::string received) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kelvin::api
