// platform_parts: what `kelvin serve` is made of, and how the parts are joined.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "cli/entrances.h"
#include "cli/management_door.h"
#include "cli/platform.h"
#include "cli/tenure.h"
#include "gateway/gateway.h"
#include "os/clock.h"
#include "os/event_fd.h"
#include "os/pidfd.h"
#include "os/slot_memory.h"
#include "takeover/channel.h"
#include "takeover/control_line.h"
#include "takeover/planes.h"

namespace kelvin::cli {

// The real clocks of this machine.
class SystemClock final : public ports::Clock {
 public:
  Instant now() const override { return os::boot_now(); }
  std::int64_t unix_ns(Instant at) const override { return os::unix_ns_at(at); }
};

// The process that was taken over from, while it drains.
struct Predecessor {
  std::unique_ptr<takeover::Channel> channel;
  os::Pidfd process;
  takeover::Handed handed;
};

struct Platform::Parts {
  Parts(PlatformOptions given, obs::Log& given_log) : options(std::move(given)), log(given_log) {}
  // Nothing is asked of control any more, then nothing of the gateway, then control goes.
  ~Parts();

  // The parts that stay when control goes to another process. The keeper holds the slot table and the listening
  // sockets.
  Status open_gateway(os::SlotSide side);
  // The parts that go. `before`: what an earlier control has handed over.
  Status begin_control(control::Handed before);
  Status open_api();
  Status begin_api();

  std::uint32_t own_loops() const;
  std::uint32_t other_loops() const { return predecessor ? predecessor->handed.loops : 0; }
  void to_control(model::Event event);
  void connect_line();

  // --- upgrade ---
  Status ask_upgrade(const api::UpgradeOrder& order);
  api::UpgradeView upgrade_view();
  void note_stage(api::UpgradeStage stage, std::string why = {});
  void listen_to_predecessor();
  void hear_predecessor(takeover::Received received);
  void predecessor_ended();
  // It ends, whatever it still has.
  void drop_predecessor();
  // False when it still lives then.
  bool wait_for_predecessor(Duration at_most);

  const PlatformOptions options;
  obs::Log& log;
  SystemClock clock;
  Instant started = clock.now();
  std::atomic<bool> is_ready{false};

  std::unique_ptr<Tenure> tenure;
  std::optional<os::SlotMemory> slot_memory;
  std::optional<os::SlotTable> slots;
  std::unique_ptr<Entrances> entrances;
  takeover::ControlLine line;
  std::optional<takeover::Planes> planes;
  ManagementDoor door;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<Predecessor> predecessor;

  std::mutex upgrade_mutex;
  api::UpgradeView upgrade;                       // guarded by upgrade_mutex, as the next
  std::optional<api::UpgradeOrder> upgrade_wish;  // until it is begun
  std::optional<os::EventFd> upgrade_asked;       // readable while there is a wish

  // After this process was replaced.
  std::unique_ptr<takeover::Channel> successor;
  std::optional<os::FileLock> drain_lock;
  Duration drain_max{};
};

}  // namespace kelvin::cli
