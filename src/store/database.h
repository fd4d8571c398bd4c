// database: one SQLite connection and its prepared statements, with failures as Errors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kelvin::store {

// A prepared statement. Must end before its Database. Parameters count from 1, columns from 0; what is bound must live
// until the next reset, because it is not copied.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view value);
  Statement& bind_bytes(int parameter, std::span<const std::uint8_t> value);
  Statement& bind_null(int parameter);

  // True: there is a row to read.
  Result<bool> step();
  // Steps to the end and makes the statement ready for the next values.
  Status run();

  std::int64_t integer_at(int column) const;
  bool is_null_at(int column) const;
  std::string text_at(int column) const;
  std::span<const std::uint8_t> bytes_at(int column) const;  // until the next step

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* raw) const noexcept;
  };
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}
  void note(int outcome);

  std::unique_ptr<sqlite3_stmt, Finalizer> raw_;
  int bind_outcome_ = 0;  // the first bind that failed, told by step()
};

// One connection; its owner lets one thread in at a time.
class Database {
 public:
  enum class Access : std::uint8_t { Write, Read };

  // The file must exist. Foreign keys on, WAL with a sync at every commit, five seconds of patience with other
  // processes' locks.
  static Result<Database> open(const std::string& path, Access access);

  Result<Statement> prepare(std::string_view sql);
  // Any number of statements without parameters and results.
  Status execute(const std::string& sql);

  std::int64_t last_id() const;
  int rows_changed() const;  // by the last statement

 private:
  struct Closer {
    void operator()(sqlite3* raw) const noexcept;
  };
  explicit Database(sqlite3* raw) : raw_(raw) {}

  std::unique_ptr<sqlite3, Closer> raw_;
};

// Rolls back unless it was committed.
class Transaction {
 public:
  // Takes the right to write at once, so that no two transactions meet halfway.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace kelvin::store
