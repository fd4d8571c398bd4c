#include "store/database.h"

#include <sqlite3.h>

#include <cerrno>

namespace kelvin::store {

namespace {

constexpr int kBusyPatienceMs = 5000;

// The file's own name is enough for people: the folder is the one they gave to serve.
std::string file_of(sqlite3* raw) {
  const char* path = sqlite3_db_filename(raw, "main");
  return path == nullptr ? "the database" : path;
}

tl::unexpected<Error> fail_sqlite(sqlite3* raw, int outcome) {
  const std::string file = file_of(raw);
  const std::string why = raw == nullptr ? sqlite3_errstr(outcome) : sqlite3_errmsg(raw);
  const bool is_disk_full =
      (outcome & 0xff) == SQLITE_FULL ||
      ((outcome & 0xff) == SQLITE_IOERR && raw != nullptr && sqlite3_system_errno(raw) == ENOSPC);
  if (is_disk_full) {
    return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay,
                "out of disk space while writing " + file + "; free some space, then try again");
  }
  switch (outcome & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::Unavailable, Blame::Host, Retry::AfterDelay,
                  file + " is locked by another process: " + why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return fail(Code::Refused, Blame::Host, Retry::Never,
                  file + " cannot be written: " + why + "; check the rights of the data folder");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return fail(Code::Invalid, Blame::Host, Retry::Never,
                  file + " is not a sound database: " + why +
                      "; restore it from a backup, or move it away to start afresh");
    case SQLITE_CONSTRAINT:
      return fail(Code::Conflict, Blame::Platform, Retry::Never, file + ": " + why);
    case SQLITE_IOERR:
      return fail(Code::Unavailable, Blame::Host, Retry::AfterDelay, file + ": " + why);
    default:
      return fail(Code::Internal, Blame::Platform, Retry::Never, file + ": " + why);
  }
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* raw) const noexcept { sqlite3_finalize(raw); }

void Statement::note(int outcome) {
  if (bind_outcome_ == SQLITE_OK) bind_outcome_ = outcome;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  note(sqlite3_bind_int64(raw_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* text = value.data() == nullptr ? "" : value.data();
  note(sqlite3_bind_text64(raw_.get(), parameter, text, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_bytes(int parameter, std::span<const std::uint8_t> value) {
  note(sqlite3_bind_blob64(raw_.get(), parameter, value.data(), value.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  note(sqlite3_bind_null(raw_.get(), parameter));
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* connection = sqlite3_db_handle(raw_.get());
  if (bind_outcome_ != SQLITE_OK) return fail_sqlite(connection, bind_outcome_);
  const int outcome = sqlite3_step(raw_.get());
  if (outcome == SQLITE_ROW) return true;
  if (outcome == SQLITE_DONE) return false;
  return fail_sqlite(connection, outcome);
}

Status Statement::run() {
  Result<bool> row = step();
  while (row && *row) row = step();
  sqlite3_reset(raw_.get());
  bind_outcome_ = SQLITE_OK;
  if (!row) return tl::unexpected(std::move(row).error());
  return {};
}

std::int64_t Statement::integer_at(int column) const {
  return sqlite3_column_int64(raw_.get(), column);
}

bool Statement::is_null_at(int column) const {
  return sqlite3_column_type(raw_.get(), column) == SQLITE_NULL;
}

std::string Statement::text_at(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw_.get(), column));
  const int bytes = sqlite3_column_bytes(raw_.get(), column);
  return text == nullptr ? std::string() : std::string(text, static_cast<std::size_t>(bytes));
}

std::span<const std::uint8_t> Statement::bytes_at(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(raw_.get(), column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

void Database::Closer::operator()(sqlite3* raw) const noexcept { sqlite3_close_v2(raw); }

Result<Database> Database::open(const std::string& path, Access access) {
  sqlite3* raw = nullptr;
  const int outcome =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(raw);
  if (outcome != SQLITE_OK) return fail_sqlite(raw, outcome);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyPatienceMs);
  // The journal's file shrinks back to 64 MiB after a burst.
  KELVIN_TRY_VOID(
      database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                       "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;"));
  if (access == Access::Read) KELVIN_TRY_VOID(database.execute("PRAGMA query_only = ON;"));
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int outcome =
      sqlite3_prepare_v3(raw_.get(), sql.data(), static_cast<int>(sql.size()), 0, &raw, nullptr);
  if (outcome != SQLITE_OK) return fail_sqlite(raw_.get(), outcome);
  return Statement(raw);
}

Status Database::execute(const std::string& sql) {
  const int outcome = sqlite3_exec(raw_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (outcome != SQLITE_OK) return fail_sqlite(raw_.get(), outcome);
  return {};
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(raw_.get()); }
int Database::rows_changed() const { return sqlite3_changes(raw_.get()); }

Result<Transaction> Transaction::begin(Database& database) {
  KELVIN_TRY_VOID(database.execute("BEGIN IMMEDIATE;"));
  return Transaction(&database);
}

Transaction::~Transaction() {
  // SQLite may have rolled back by itself, on a full disk for instance; the error then says that nothing is open.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK;");
}

Status Transaction::commit() {
  KELVIN_TRY_VOID(database_->execute("COMMIT;"));
  database_ = nullptr;
  return {};
}

}  // namespace kelvin::store
