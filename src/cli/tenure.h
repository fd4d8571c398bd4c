// tenure: what only one process of a data folder holds at a time: its lock, its store, the keeper, control and the
// management API. A gateway needs none of it to serve a warm request, and outlives a tenure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/api.h"
#include "base/result.h"
#include "cli/data_folder.h"
#include "cluster/local/local_cluster.h"
#include "cluster/local/local_content.h"
#include "cluster/local/local_logs.h"
#include "obs/decision_log.h"
#include "obs/log.h"
#include "shell/shell.h"
#include "store/sqlite_store.h"

namespace kelvin::cli {

struct PlatformOptions;

struct Tenure {
  // Lock, store and keeper. Conflict when another process has them.
  static Result<std::unique_ptr<Tenure>> open(const PlatformOptions& options, obs::Log& log,
                                              DataFolder::For purpose);
  ~Tenure();

  // In the order in which they are made; shell and api come when the gateway is there.
  DataFolder folder;
  std::string admin_token;
  std::unique_ptr<store::SqliteStore> store;
  std::uint64_t epoch = 0;
  std::unique_ptr<cluster::local::LocalContent> content;
  std::unique_ptr<cluster::local::LocalCluster> cluster;
  std::unique_ptr<cluster::local::LocalLogs> logs;
  obs::DecisionLog decisions;
  std::unique_ptr<shell::Shell> shell;
  std::unique_ptr<api::Api> api;

 private:
  explicit Tenure(DataFolder owned_folder) : folder(std::move(owned_folder)) {}
};

}  // namespace kelvin::cli
