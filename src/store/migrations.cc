#include "store/migrations.h"

#include <string>

namespace kelvin::store {

namespace {

// Stays on 0 where it was made by another program.
Result<std::int64_t> user_version(Database& database) {
  KELVIN_TRY(Statement statement, database.prepare("PRAGMA user_version;"));
  KELVIN_TRY_VOID(statement.step());
  return statement.integer_at(0);
}

}  // namespace

Status migrate(Database& database) {
  const auto known = static_cast<std::int64_t>(migrations().size());
  KELVIN_TRY(Transaction transaction, Transaction::begin(database));
  KELVIN_TRY(const std::int64_t present, user_version(database));
  if (present > known) {
    return fail(Code::Conflict, Blame::Host, Retry::Never,
                "the database was written by a newer kelvin (schema " + std::to_string(present) +
                    ", this one knows " + std::to_string(known) +
                    "); use that version, or another data folder");
  }
  for (std::int64_t next = present; next < known; ++next) {
    const std::string_view sql = migrations()[static_cast<std::size_t>(next)];
    KELVIN_TRY_VOID(database.execute(std::string(sql)));
    KELVIN_TRY_VOID(database.execute("PRAGMA user_version = " + std::to_string(next + 1) + ";"));
  }
  return transaction.commit();
}

}  // namespace kelvin::store
