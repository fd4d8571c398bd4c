// samples_test: a store in a folder of its own, and things to put into it.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

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
inline std::int64_t ask(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(raw, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
      << sqlite3_errmsg(raw);
  std::int64_t answer = -1;
  if (sqlite3_step(statement) == SQLITE_ROW) answer = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(raw);
  return answer;
}

// The message of a statement that fails; "ok" when it does not.
inline std::string try_sql(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  const int outcome = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr);
  std::string message = outcome == SQLITE_OK ? "ok" : sqlite3_errmsg(raw);
  sqlite3_close(raw);
  return message;
}

}  // namespace kelvin::store
