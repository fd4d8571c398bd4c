// sqlite_store: ports::Store in one SQLite file.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ports/store.h"
#include "store/database.h"

namespace kelvin::store {

// Writers take turns on one connection; the long reads (revisions, keys, usage, bill) have another, so that they hold
// up no deploy.
class SqliteStore final : public ports::Store {
 public:
  // Makes the file (mode 0600) or opens it, and brings its schema up to date. Conflict when a newer kelvin wrote it;
  // Refused when it cannot be written; Exhausted when the disk is full.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

  // Of the schema that this program writes; it reads every older one.
  static std::uint32_t schema();

  Result<std::uint64_t> next_epoch() override;

  Result<std::vector<ports::StoredRevision>> revisions() override;
  Result<model::Revision> add_revision(model::Revision revision) override;
  Status activate_revision(AppId app, RevisionId revision) override;
  Status set_scale(AppId app, std::uint32_t replicas_min, std::uint32_t replicas_max) override;
  Status set_traffic(AppId app, const std::vector<model::RevisionShare>& shares) override;
  Result<std::vector<ports::StoredTraffic>> traffic() override;
  Status keep_rollout(AppId app, const std::optional<model::Rollout>& rollout) override;
  Result<std::vector<ports::StoredRollout>> rollouts() override;
  Status delete_app(AppId app) override;

  Result<std::vector<model::Key>> keys() override;
  Result<model::Key> add_key(model::Key key) override;
  Status delete_key(KeyId key) override;

  Status append_usage(const model::UsageBatch& batch, std::int64_t unix_minus_boot_ns) override;
  Result<std::uint64_t> usage_sequence(ReplicaId replica) override;
  Result<std::vector<ports::UsageSum>> sum_usage(const ports::UsageFilter& filter) override;
  Result<std::vector<ports::BillLine>> bill(const ports::UsageFilter& filter) override;

 private:
  SqliteStore(Database writer, Database reader)
      : writer_(std::move(writer)), reader_(std::move(reader)) {}

  Result<AppId> ensure_app(model::Revision& revision);
  Status clear_scale(AppId app);
  Status clear_traffic(AppId app);
  Status insert_revision(model::Revision& revision);
  Status clear_rollout(AppId app);
  Status insert_rollout(AppId app, const model::Rollout& rollout);
  Status undo_activation(AppId app, const model::Rollout& rollout);

  std::mutex writing_;
  Database writer_;
  std::mutex reading_;
  Database reader_;
};

}  // namespace kelvin::store
