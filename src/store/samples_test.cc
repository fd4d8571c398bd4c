#include "store/samples_test.h"

#include <sqlite3.h>

namespace kelvin::store {

std::int64_t ask(const std::string& path, const std::string& sql) {
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

std::string try_sql(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  const int outcome = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr);
  std::string message = outcome == SQLITE_OK ? "ok" : sqlite3_errmsg(raw);
  sqlite3_close(raw);
  return message;
}

}  // namespace kelvin::store
