// store: what must outlive every process.
//
// Users' things (apps, revisions, keys) are durable when the call returns. Usage is appended in batches; a row that
// is already there (same replica and sequence) is left alone, so a repeated append never bills twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "model/app.h"
#include "model/key.h"
#include "model/usage.h"
#include "model/view.h"

namespace kelvin::ports {

struct StoredRevision {
  model::Revision revision;
  bool is_active = false;
};

// How one app's requests are split by hand; never empty.
struct StoredTraffic {
  AppId app;
  std::vector<model::RevisionShare> shares;  // by revision
};

// One app's rollout by steps, also one that was rolled back.
struct StoredRollout {
  AppId app;
  model::Rollout rollout;
};

struct UsageFilter {
  std::string workspace = "default";
  std::string app;  // empty: all
  std::int64_t from_unix_ms = 0;
  std::int64_t to_unix_ms = INT64_MAX;
};

// One app's time in one phase, summed over its replicas and accelerators.
struct UsageSum {
  std::string app;
  std::string kind;
  model::Phase phase = model::Phase::Idle;
  std::int64_t total_ms =
      0;  // accelerator-milliseconds where accelerators were held, replica-ms else
  std::int64_t billable_ms = 0;
  std::uint64_t rows = 0;
};

struct BillLine {
  std::string app;
  std::string kind;
  std::int64_t busy_ms = 0;  // billable accelerator-milliseconds
  Money rate_per_ms;
  Money amount;  // sum of the ledger's postings
};

// May be called from any thread; calls wait for the disk.
class Store {
 public:
  virtual ~Store() = default;

  // Grows by one at every call; durable before it returns.
  virtual Result<std::uint64_t> next_epoch() = 0;

  virtual Result<std::vector<StoredRevision>> revisions() = 0;
  // Gives the revision its id and number (and the app its id, when it is new) and makes it the active one.
  virtual Result<model::Revision> add_revision(model::Revision revision) = 0;
  virtual Status activate_revision(AppId app, RevisionId revision) = 0;
  virtual Status set_scale(AppId app, std::uint32_t replicas_min, std::uint32_t replicas_max) = 0;
  // Replaces the app's shares; none: the active revision takes all. A rollback clears them, a deploy does not.
  virtual Status set_traffic(AppId app, const std::vector<model::RevisionShare>& shares) = 0;
  virtual Result<std::vector<StoredTraffic>> traffic() = 0;  // of apps that have shares, by app
  // In place of what was known of the app's rollout; nothing: there is none. One that was rolled back makes `from` the
  // active revision in place of `to`. A deploy, a rollback and set_traffic clear it. An app that is gone is no failure.
  virtual Status keep_rollout(AppId app, const std::optional<model::Rollout>& rollout) = 0;
  virtual Result<std::vector<StoredRollout>> rollouts() = 0;  // by app
  virtual Status delete_app(AppId app) = 0;

  virtual Result<std::vector<model::Key>> keys() = 0;
  virtual Result<model::Key> add_key(model::Key key) = 0;
  virtual Status delete_key(KeyId key) = 0;

  // One transaction: rows and entries, or nothing. `unix_minus_boot_ns` turns Instants into wall time.
  virtual Status append_usage(const model::UsageBatch& batch, std::int64_t unix_minus_boot_ns) = 0;
  // First free sequence per replica, for adoption; 0 where it has none.
  virtual Result<std::uint64_t> usage_sequence(ReplicaId replica) = 0;
  virtual Result<std::vector<UsageSum>> sum_usage(const UsageFilter& filter) = 0;
  virtual Result<std::vector<BillLine>> bill(const UsageFilter& filter) = 0;
};

}  // namespace kelvin::ports
