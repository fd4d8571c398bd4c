// migrations: the SQL that makes and changes the schema, embedded at build from schema/sqlite.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "store/database.h"

namespace kelvin::store {

// In order; after the n-th (from 1) the database's user_version is n.
[[nodiscard]] std::span<const std::string_view> migrations();

// Brings the database to the newest schema, in one transaction. Conflict when it was written by a newer kelvin.
[[nodiscard]] Status migrate(Database& database);

}  // namespace kelvin::store
