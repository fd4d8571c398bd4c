// gateway: the data plane.
//
// One loop per CPU, each with its own connections; see loop.h. Bytes of requests and replies live and die here: control
// hears of a request only when it must wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gateway/addresses.h"
#include "gateway/limits.h"
#include "gateway/metrics.h"
#include "gateway/notary.h"
#include "os/slot_table.h"
#include "ports/clock.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/management.h"

namespace kelvin::gateway {

struct Shared;
class Loop;
class TlsContexts;
struct AppGate;

// A listening socket; it stays the caller's and outlives the gateway.
struct Listening {
  int fd = -1;
  bool is_secure = false;  // speaks TLS
};

struct GatewayOptions {
  std::vector<Listening> listening;
  TlsContexts* tls = nullptr;  // outlives the gateway; needed where anything listening is secure
  std::uint32_t loops = 1;     // 1 to 16
  GatewayLimits limits;
  bool is_open = true;  // apps may be called without a key
  std::vector<std::string>
      own_hosts;  // names of this server beside localhost and addresses; lower case, no port
  std::uint64_t epoch = 1;  // of this platform start; part of every request id
  RecordOptions records;    // what is written down about requests, and where
  // Which connections count as one address, and which not at all.
  AddressPrefix (*count_as)(std::string_view address) = prefix_of;
};

// They outlive the gateway. Nothing of them is called before start().
struct GatewayPorts {
  ports::Control* control = nullptr;
  os::SlotTable* slots = nullptr;
  ports::Management* management = nullptr;
  ports::Clock* clock = nullptr;
  obs::Log* log = nullptr;  // null: silent
};

class Gateway : public ports::DataPlane {
 public:
  // Fails when the access log cannot be opened, the collector's address is none, or the system has no descriptors left.
  static Result<std::unique_ptr<Gateway>> create(GatewayOptions options, const GatewayPorts& ports);
  // Ends what is still open: clients get a broken connection, slots are given back, the last BusyMeasured is posted.
  ~Gateway() override;

  // Accepts connections from here on.
  void start();
  // No further connection is taken, idle ones are closed, and every reply is the last of its connection. Idempotent.
  void stop_accepting();
  // For an upgrade, where another process takes connections from the same sockets: none that is in their backlog is
  // left behind, and idle ones are not closed, as a client might send at that moment: each may send one request more.
  void retire();
  // Posts a Demand again for every request that waits, once for each; returns when all loops have.
  void announce_waiting();
  // True: control is told of every slot that is given back, and not only while a request of this gateway waits.
  void tell_every_slot(bool tells);
  // stop_accepting, then waits until every connection has ended; false when `at_most` passed before.
  bool drain(Duration at_most);
  // The waiting alone, after stop_accepting or retire.
  bool wait_until_drained(Duration at_most);

  MetricsSnapshot metrics() const;
  // Per app; the two of no app first.
  std::vector<AppSnapshot> app_metrics() const;
  AccessLogFigures access_log_figures() const;
  TraceFigures trace_figures() const;
  std::uint32_t loops() const { return static_cast<std::uint32_t>(loops_.size()); }

  void change_route(const model::Route& route) override;
  void change_keys(std::shared_ptr<const std::vector<model::Key>> keys) override;
  void hand_over(const model::Handover& handover) override;
  void refuse(const model::RefuseRequest& refusal) override;
  void tell_progress(const model::TellProgress& progress) override;
  void close_connections(ReplicaId replica) override;
  void ask_busy() override;

 private:
  explicit Gateway(std::unique_ptr<Shared> shared);

  // What outlives the routes of one app.
  struct AppKept {
    std::shared_ptr<AppGate> gate;
    std::int64_t created_unix_s = 0;
  };

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::mutex apps_mutex_;
  std::map<AppId, AppKept> apps_;  // guarded by apps_mutex_
  bool is_started_ = false;
  std::atomic<bool> is_stopped_{false};
};

}  // namespace kelvin::gateway
