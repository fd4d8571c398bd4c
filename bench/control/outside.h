// outside: stand-ins for everything around shell and management API, labelled so: a store in memory, a data plane
// that nobody calls, and a cluster of many nodes whose workers do nothing and do it at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "os/clock.h"
#include "os/thread.h"
#include "ports/clock.h"
#include "ports/cluster.h"
#include "ports/content.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/logs.h"
#include "ports/store.h"

namespace bench {

namespace model = kelvin::model;
namespace ports = kelvin::ports;
using kelvin::Result;
using kelvin::Status;

class RealClock final : public ports::Clock {
 public:
  kelvin::Instant now() const override { return kelvin::os::boot_now(); }
  std::int64_t unix_ns(kelvin::Instant at) const override { return kelvin::os::unix_ns_at(at); }
};

// Says when each app's start was ordered, and moves every replica on from a thread of its own.
class ManyNodes final : public ports::Cluster {
 public:
  struct Size {
    std::uint32_t nodes = 100;
    std::uint32_t cpus = 128;  // of each
    std::size_t apps = 0;
  };
  explicit ManyNodes(const Size& size);
  ~ManyNodes() override;

  Result<std::vector<model::Event>> connect(std::function<void(model::Event)> sink) override;
  void start(const model::StartReplica& order) override;
  void park(const model::ParkReplica& order) override;
  void resume(const model::ResumeReplica& order) override;
  void stop(const model::StopReplica& order) override;

  // By app id - 1; 0 where none was ordered.
  std::int64_t ordered_ns(std::size_t app) const { return ordered_ns_[app]; }
  std::size_t ordered() const { return ordered_; }

 private:
  void tell(model::Event event);
  void work();

  const Size size_;
  std::function<void(model::Event)> sink_;
  std::vector<std::atomic<std::int64_t>> ordered_ns_;
  std::atomic<std::size_t> ordered_{0};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<model::Event> due_;
  bool is_closing_ = false;
  kelvin::os::Thread worker_;
};

class NobodyCalls final : public ports::DataPlane {
 public:
  void change_route(const model::Route& /*route*/) override {}
  void change_keys(std::shared_ptr<const std::vector<model::Key>> /*keys*/) override {}
  void hand_over(const model::Handover& /*handover*/) override { handed_over_ += 1; }
  void refuse(const model::RefuseRequest& /*refusal*/) override { refused_ += 1; }
  void tell_progress(const model::TellProgress& /*progress*/) override {}
  void close_connections(kelvin::ReplicaId replica) override {
    control->post(model::ConnectionsClosed{replica});
  }
  void ask_busy() override {
    control->post(model::BusyMeasured{.loop = 0, .complete_up_to = kelvin::os::boot_now()});
  }

  std::size_t handed_over() const { return handed_over_; }
  std::size_t refused() const { return refused_; }
  ports::Control* control = nullptr;

 private:
  std::atomic<std::size_t> handed_over_{0};
  std::atomic<std::size_t> refused_{0};
};

// Gives ids and forgets.
class MemoryStore final : public ports::Store {
 public:
  Result<std::uint64_t> next_epoch() override { return 1; }
  Result<std::vector<ports::StoredRevision>> revisions() override {
    return std::vector<ports::StoredRevision>{};
  }
  Result<model::Revision> add_revision(model::Revision revision) override {
    revision.id = {++made_};
    revision.app = {made_};
    return revision;
  }
  Status activate_revision(kelvin::AppId, kelvin::RevisionId) override { return {}; }
  Status set_scale(kelvin::AppId, std::uint32_t, std::uint32_t) override { return {}; }
  Status set_traffic(kelvin::AppId, const std::vector<model::RevisionShare>&) override {
    return {};
  }
  Result<std::vector<ports::StoredTraffic>> traffic() override {
    return std::vector<ports::StoredTraffic>{};
  }
  Status keep_rollout(kelvin::AppId, const std::optional<model::Rollout>&) override { return {}; }
  Result<std::vector<ports::StoredRollout>> rollouts() override {
    return std::vector<ports::StoredRollout>{};
  }
  Status delete_app(kelvin::AppId) override { return {}; }
  Result<std::vector<model::Key>> keys() override { return std::vector<model::Key>{}; }
  Result<model::Key> add_key(model::Key key) override { return key; }
  Status delete_key(kelvin::KeyId) override { return {}; }
  Status append_usage(const model::UsageBatch&, std::int64_t) override { return {}; }
  Result<std::uint64_t> usage_sequence(kelvin::ReplicaId) override { return 0; }
  Result<std::vector<ports::UsageSum>> sum_usage(const ports::UsageFilter&) override {
    return std::vector<ports::UsageSum>{};
  }
  Result<std::vector<ports::BillLine>> bill(const ports::UsageFilter&) override {
    return std::vector<ports::BillLine>{};
  }

 private:
  std::atomic<std::uint64_t> made_{0};
};

// Every program is found; nobody brings files.
class NoContent final : public ports::Content {
 public:
  bool has(std::string_view) override { return true; }
  Result<std::unique_ptr<ports::ContentWriter>> begin(std::string_view, kelvin::Bytes) override {
    return kelvin::fail(kelvin::Code::Refused, kelvin::Blame::Client, kelvin::Retry::Never,
                        "this store keeps nothing");
  }
  Result<ports::PlacedTree> place(const ports::ContentTree&) override {
    return ports::PlacedTree{.folder = "/srv/app", .model_path = ""};
  }
  Result<std::string> find_program(std::string_view name, std::string_view) override {
    return "/usr/bin/" + std::string(name);
  }
  Status collect(const std::vector<std::string>&) override { return {}; }
};

class NoLogs final : public ports::Logs {
 public:
  Status read(const ports::LogQuery&, const std::function<bool(const ports::LogLine&)>&,
              const std::function<bool()>&) override {
    return {};
  }
};

}  // namespace bench
