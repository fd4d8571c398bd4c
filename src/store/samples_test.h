// samples_test: a store in a folder of its own, and things to put into it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "os/files.h"
#include "store/sqlite_store.h"

namespace kelvin::store {

struct Fixture {
  std::string path() const { return folder.path() + "/kelvin.db"; }
  std::unique_ptr<SqliteStore> open() const {
    Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(path());
    EXPECT_TRUE(store.has_value()) << store.error().what;
    return store ? std::move(*store) : nullptr;
  }
  os::TempDir folder = *os::TempDir::create("kelvin-store");
};

inline model::Revision revision_of(const std::string& name) {
  model::Revision revision;
  revision.spec.name = name;
  revision.spec.command = {"serve-" + name};
  revision.folder = "/data/trees/" + name + "/folder";
  revision.program = "/usr/bin/serve-" + name;
  revision.model_path = "/data/trees/" + name + "/model/m.gguf";
  revision.created_unix_ms = 1'700'000'000'000;
  return revision;
}

// Ten seconds of a ready replica, of which `busy_ms` were busy; priced at 833 a millisecond.
inline void add_row(model::UsageBatch& batch, ReplicaId replica, std::uint64_t sequence,
                    std::int64_t busy_ms) {
  const auto start = static_cast<std::int64_t>(sequence) * 10'000'000'000;
  batch.rows.push_back({.replica = replica,
                        .sequence = sequence,
                        .app = {1},
                        .revision = {1},
                        .workspace = "default",
                        .app_name = "gemma",
                        .node = {1},
                        .kind = "h100",
                        .accelerators = 2,
                        .phase = model::Phase::Idle,
                        .span = {{start}, {start + 10'000'000'000}},
                        .total_ms = 10'000,
                        .busy_ms = busy_ms});
  model::LedgerEntry entry{.replica = replica,
                           .sequence = sequence,
                           .workspace = "default",
                           .app = {1},
                           .amount = {busy_ms * 2 * 833}};
  if (busy_ms == 0) return;
  batch.entries.push_back(entry);
  entry.account = model::Account::Revenue;
  entry.amount = -entry.amount;
  batch.entries.push_back(entry);
}

// What one SQL question answers, asked on a connection of its own.
std::int64_t ask(const std::string& path, const std::string& sql);

// The message of a statement that fails; "ok" when it does not.
std::string try_sql(const std::string& path, const std::string& sql);

}  // namespace kelvin::store
