// shell: the control thread, which runs control::step on real time.
//
// Take an event, step, carry out the effects in order, feed the slot table's answers back at once, then take the next
// event. What control reads of the world comes only through events; what others read of the world is copied out on
// this thread between two events.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "core/control/control.h"
#include "obs/decision_log.h"
#include "obs/log.h"
#include "os/slot_table.h"
#include "os/thread.h"
#include "ports/clock.h"
#include "ports/cluster.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/store.h"
#include "shell/timetables.h"
#include "shell/usage_writer.h"

namespace kelvin::shell {

// Everything outlives the shell.
struct ShellPorts {
  const ports::Clock& clock;
  ports::Cluster& cluster;
  ports::DataPlane& data_plane;
  ports::Store& store;
  os::SlotTable& slots;
  obs::DecisionLog& decisions;
  obs::Log& log;
  // Gateway loops of this process; a request at a later one is in the process that was taken over from, and so is its
  // slot.
  std::uint32_t loops_here = std::numeric_limits<std::uint32_t>::max();
};

// What the control thread leaves to the next one, here or in another process.
struct Left {
  control::Handed handed;
  std::vector<model::Event> events;  // that came and were not looked at
};

class Shell final : public ports::Control {
 public:
  explicit Shell(const control::Settings& settings);
  ~Shell() override;
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  // Tells control what the store knows, what an earlier control handed over and what runs on the nodes, then starts the
  // control thread. Events posted before this wait.
  [[nodiscard]] Status start(const ShellPorts& outside, control::Handed before = {});

  // Ends the control thread between two events, once the usage that is certain is in the store. Absent when that did not
  // come about within `patience`: then nothing has changed. Afterwards this may only be destroyed.
  std::optional<Left> hand_over(Duration patience);

  // Refuses what waits, drains and stops every replica. False when some are still there after `patience`; they are
  // left to the next start, which adopts them.
  bool shut_down(Duration patience);

  UsageWriter::Figures usage_figures() const;

  void post(model::Event event) override;
  std::vector<model::AppView> apps() override;
  std::optional<model::AppView> find_app(AppId app) override;
  std::optional<model::AppView> find_named_app(const model::AppName& name) override;
  std::optional<model::RequestView> find_request(RequestId request) override;
  std::vector<model::ReplicaView> replicas(AppId app) override;
  std::vector<model::Revision> revisions(AppId app) override;
  std::vector<model::Decision> decisions(const DecisionFilter& filter) override;

 private:
  using Look = std::function<void(const control::World&)>;
  using Item = std::variant<model::Event, Look>;

  void run();
  std::optional<std::vector<Item>> take_items();
  void tell_whether_empty();
  void handle(const model::Event& event);
  void handle_one(const model::Event& event);
  void look_at_schedules();
  void carry_out(model::Effects effects);
  Status recover(control::Handed before);
  void restore_kept(control::Handed before, const std::vector<model::Event>& found);
  Status restore_replica(model::ReplicaFound found);

  template <class Value>
  Value look(std::function<Value(const control::World&)> question);

  struct Executor;

  const control::WorldPtr world_;
  std::unique_ptr<ShellPorts> outside_;
  std::unique_ptr<UsageWriter> usage_;
  std::unique_ptr<Timetables> timetables_;  // control thread only
  std::deque<model::Event> answers_;        // of the slot table; control thread only

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable ended_;
  std::vector<Item> items_;
  bool is_closing_ = false;  // the control thread is to end
  bool is_ending_ = false;   // shut_down waits for the last replica
  bool is_empty_ = false;    // there is none any more
  std::unique_ptr<os::Thread> thread_;
};

}  // namespace kelvin::shell
