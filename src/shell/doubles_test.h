// doubles_test: stand-ins for the outside of the shell, labelled so; they record what they are asked.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ports/clock.h"
#include "ports/cluster.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/store.h"

namespace kelvin::shell {

// Every look at it takes a millisecond, so that what comes later is later.
class FakeClock final : public ports::Clock {
 public:
  Instant now() const override { return {ns.fetch_add(1'000'000)}; }
  std::int64_t unix_ns(Instant at) const override { return at.ns + 1'000; }
  mutable std::atomic<std::int64_t> ns{1'000'000'000};
};

// Moves every replica through its life as soon as it is asked to.
class FakeCluster final : public ports::Cluster {
 public:
  Result<std::vector<model::Event>> connect(std::function<void(model::Event)> sink) override {
    sink_ = std::move(sink);
    return found;
  }
  void start(const model::StartReplica& order) override {
    sink_(model::ReplicaMoved{.replica = order.replica, .to = model::State::Starting});
    sink_(model::ReplicaMoved{
        .replica = order.replica, .to = model::State::Loading, .port = 9000, .pid = 77});
    sink_(model::ReplicaMoved{
        .replica = order.replica, .to = model::State::Ready, .port = 9000, .pid = 77});
  }
  void park(const model::ParkReplica& order) override {
    sink_(model::ReplicaMoved{.replica = order.replica, .to = model::State::Parked});
  }
  void resume(const model::ResumeReplica& order) override {
    sink_(model::ReplicaMoved{.replica = order.replica, .to = model::State::Ready});
  }
  void stop(const model::StopReplica& order) override {
    sink_(model::ReplicaMoved{.replica = order.replica,
                              .to = model::State::Gone,
                              .exit = model::Exit{.cause = order.cause}});
  }

  std::vector<model::Event> found;

 private:
  std::function<void(model::Event)> sink_;
};

// Lets a test wait for what the control thread asks of the gateway.
class FakeDataPlane final : public ports::DataPlane {
 public:
  void change_route(const model::Route& route) override {
    note([&] { routes.push_back(route); });
  }
  void change_keys(std::shared_ptr<const std::vector<model::Key>> /*keys*/) override {}
  void hand_over(const model::Handover& handover) override {
    note([&] { handovers.push_back(handover); });
  }
  void refuse(const model::RefuseRequest& refusal) override {
    note([&] { refusals.push_back(refusal); });
  }
  void tell_progress(const model::TellProgress& progress) override {
    note([&] { told.push_back(progress); });
  }
  void close_connections(ReplicaId replica) override {
    note([&] { closed.push_back(replica); });
  }
  // One loop that never has anything to report.
  void ask_busy() override {
    control->post(model::BusyMeasured{.loop = 0, .complete_up_to = clock->now(), .entries = {}});
  }

  template <class Condition>
  [[nodiscard]] bool wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return condition(*this); });
  }

  std::vector<model::Route> routes;
  std::vector<model::Handover> handovers;
  std::vector<model::RefuseRequest> refusals;
  std::vector<model::TellProgress> told;
  std::vector<ReplicaId> closed;
  ports::Control* control = nullptr;
  const ports::Clock* clock = nullptr;

 private:
  template <class Change>
  void note(Change change) {
    const std::scoped_lock lock(mutex_);
    change();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Keeps usage in memory and can be told to fail.
class FakeStore final : public ports::Store {
 public:
  Result<std::uint64_t> next_epoch() override { return 1; }
  Result<std::vector<ports::StoredRevision>> revisions() override { return stored; }
  Result<model::Revision> add_revision(model::Revision revision) override { return revision; }
  Status activate_revision(AppId, RevisionId) override { return {}; }
  Status set_scale(AppId, std::uint32_t, std::uint32_t) override { return {}; }
  Status set_traffic(AppId, const std::vector<model::RevisionShare>&) override { return {}; }
  Result<std::vector<ports::StoredTraffic>> traffic() override { return shares; }
  Status keep_rollout(AppId app, const std::optional<model::Rollout>& rollout) override {
    const std::scoped_lock lock(mutex_);
    tries += 1;
    if (failures_left > 0) {
      failures_left -= 1;
      return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay, "out of disk space");
    }
    kept.push_back({app, rollout.value_or(model::Rollout{})});
    return {};
  }
  Result<std::vector<ports::StoredRollout>> rollouts() override { return stored_rollouts; }
  Status delete_app(AppId) override { return {}; }
  Result<std::vector<model::Key>> keys() override { return std::vector<model::Key>{}; }
  Result<model::Key> add_key(model::Key key) override { return key; }
  Status delete_key(KeyId) override { return {}; }
  Status append_usage(const model::UsageBatch& batch, std::int64_t unix_minus_boot_ns) override {
    const std::scoped_lock lock(mutex_);
    offset_ns = unix_minus_boot_ns;
    tries += 1;
    if (failures_left > 0) {
      failures_left -= 1;
      return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay, "out of disk space");
    }
    rows.insert(rows.end(), batch.rows.begin(), batch.rows.end());
    return {};
  }
  Result<std::uint64_t> usage_sequence(ReplicaId) override { return first_free_sequence; }
  Result<std::vector<ports::UsageSum>> sum_usage(const ports::UsageFilter&) override {
    return std::vector<ports::UsageSum>{};
  }
  Result<std::vector<ports::BillLine>> bill(const ports::UsageFilter&) override {
    return std::vector<ports::BillLine>{};
  }

  std::size_t row_count() {
    const std::scoped_lock lock(mutex_);
    return rows.size();
  }

  std::vector<ports::StoredRevision> stored;
  std::vector<ports::StoredTraffic> shares;
  std::vector<ports::StoredRollout> stored_rollouts;
  std::vector<ports::StoredRollout> kept;  // one without revisions: none
  std::uint64_t first_free_sequence = 0;
  int failures_left = 0;
  int tries = 0;
  std::int64_t offset_ns = 0;
  std::vector<model::Usage> rows;

 private:
  std::mutex mutex_;
};

}  // namespace kelvin::shell
