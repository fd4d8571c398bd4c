// platform: one life of the platform process: the control thread with the real control::step, the gateway loops, the
// shell's way of carrying out effects, and the queue to the store.
//
// Effects are carried out one by one with other actors in between; outcomes of slot operations are fed back before
// any other event, as the real shell does. It may die before any effect.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/control/control.h"
#include "sim/actor.h"
#include "sim/books.h"
#include "sim/clients.h"
#include "sim/line_watch.h"
#include "sim/loop.h"
#include "sim/machine.h"
#include "sim/queue_watch.h"
#include "sim/scenario.h"
#include "sim/watch.h"

namespace kelvin::sim {

// Faults that are in force, whichever platform process lives.
struct Weather {
  bool is_slow = false;  // messages take up to seconds
  bool is_store_failing = false;
  std::map<AppId, std::uint32_t>
      floors;  // what schedules keep warm by a clock that nobody here has
};

class Platform {
 public:
  struct Outside {
    Ground& ground;
    Machine& machine;
    Books& books;
    Clients& clients;
    const Scenario& scenario;
    const Weather& weather;
    const bool& is_low_app_open;
    std::function<void(const model::KeepRollout&)> keep_rollout;  // the store does
  };

  Platform(const Outside& outside, std::uint64_t epoch);
  ~Platform() { crash(); }
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // The first events of a life: revisions, nodes, replicas, RecoveryFinished.
  void recover(std::vector<model::Event> events);
  // From a user.
  void post(model::Event event) { post_from(kApi, std::move(event)); }
  void arrive(Client& client);
  void leave(Client& client);

  // `on_crash` is called before the effect after the next `effects` ones, or at once for 0.
  void crash_after(std::uint64_t effects, std::function<void()> on_crash);
  void crash_no_more() { effects_to_crash_.reset(); }
  void crash();

  [[nodiscard]] const control::World& world() const { return *world_; }
  [[nodiscard]] bool has_stored_everything() const { return batches_.empty(); }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::uint32_t waiting() const;
  // What must come in time, looked at now and then.
  void check_in_time();

 private:
  // Who posts: events of one producer keep their order, those of different ones do not.
  enum Producer : std::uint32_t { kApi, kCluster, kFirstLoop };

  void post_from(std::uint32_t producer, model::Event event);
  void take_up(const model::Event& event);
  void go_on();
  void rest();

  void carry_out(const model::Effect& effect);
  void on(const model::StartReplica& effect);
  void on(const model::ParkReplica& effect);
  void on(const model::ResumeReplica& effect);
  void on(const model::StopReplica& effect);
  void on(const model::OpenSlots& effect);
  void on(const model::CloseSlots& effect);
  void on(const model::RouteChanged& effect);
  void on(const model::CloseConnections& effect);
  void on(const model::Handover& effect);
  void on(const model::RefuseRequest& effect);
  void on(const model::TellProgress& effect);
  void on(const model::AskBusy& effect);
  void on(const model::FollowSchedule& effect);
  void on(const model::KeepRollout& effect);
  void on(const model::AppendUsage& effect);
  void on(const model::RecordDecision&) {}

  void tell_loop(std::size_t loop, model::Effect message, std::function<void()> done = nullptr);
  void store_next();
  Duration message_delay();

  Outside outside_;
  Ground& ground_;
  Actor control_;
  control::WorldPtr world_;
  Watch watch_;
  QueueWatch watch_queue_;
  LineWatch watch_line_;
  Shared shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::map<std::uint32_t, Instant> last_arrival_;  // per producer, and per loop for messages to it
  std::map<std::size_t, Instant> last_told_;
  std::deque<model::Effect> effects_;
  std::deque<model::Event> outcomes_;
  std::deque<model::UsageBatch> batches_;
  bool is_storing_ = false;
  Instant timer_ = Instant::never();
  std::uint64_t timers_set_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t ticks_at_once_ = 0;
  Instant last_tick_;
  // The last word about each, on its way to the store.
  std::map<AppId, model::KeepRollout> rollouts_;
  std::optional<std::uint64_t> effects_to_crash_;
  std::function<void()> on_crash_;
  bool has_crashed_ = false;
};

}  // namespace kelvin::sim
