// Usage and ledger: appended in batches, summed for people.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "store/sqlite_store.h"

namespace kelvin::store {

namespace {

using RowName = std::pair<std::uint64_t, std::uint64_t>;  // replica, sequence

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::string_view to_text(model::Account account) {
  switch (account) {
    case model::Account::WorkspaceReceivable:
      return "workspace_receivable";
    case model::Account::Revenue:
      return "revenue";
  }
  return "?";
}

// Entries that do not balance, or that belong to no row of the batch, are a bug of whoever made them: nothing of such
// a batch is written.
Status check_entries(const model::UsageBatch& batch) {
  std::set<RowName> rows;
  for (const model::Usage& row : batch.rows) rows.emplace(row.replica.value, row.sequence);
  std::map<RowName, Money> sums;
  for (const model::LedgerEntry& entry : batch.entries) {
    const RowName name(entry.replica.value, entry.sequence);
    if (!rows.contains(name)) {
      return fail(Code::Internal, Blame::Platform, Retry::Never,
                  "a ledger entry without its usage row");
    }
    sums[name] = sums[name] + entry.amount;
  }
  for (const auto& [name, sum] : sums) {
    if (sum != Money{}) {
      return fail(Code::Internal, Blame::Platform, Retry::Never,
                  "the ledger entries of a usage row do not sum to zero");
    }
  }
  return {};
}

void bind_row(Statement& add, const model::Usage& row, std::int64_t unix_minus_boot_ns) {
  add.bind(1, stored(row.replica.value)).bind(2, stored(row.sequence));
  add.bind(3, stored(row.app.value)).bind(4, row.app_name).bind(5, stored(row.revision.value));
  add.bind(6, row.workspace).bind(7, stored(row.node.value)).bind(8, row.kind);
  add.bind(9, std::int64_t{row.accelerators}).bind(10, model::to_text(row.phase));
  add.bind(11, row.span.from.ns + unix_minus_boot_ns).bind(12, row.span.to.ns + unix_minus_boot_ns);
  add.bind(13, row.total_ms).bind(14, row.busy_ms).bind(15, std::int64_t{row.is_billable});
}

// The rows that were not there before.
Result<std::set<RowName>> insert_rows(Database& writer, const model::UsageBatch& batch,
                                      std::int64_t unix_minus_boot_ns) {
  // Not OR IGNORE, which would also swallow a row that breaks the schema.
  KELVIN_TRY(
      Statement add,
      writer.prepare(
          "INSERT INTO usage (replica, sequence, app, app_name, revision, workspace, node, kind, "
          "accelerators, phase, from_unix_ns, to_unix_ns, total_ms, busy_ms, is_billable) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) "
          "ON CONFLICT (replica, sequence) DO NOTHING;"));
  std::set<RowName> fresh;
  for (const model::Usage& row : batch.rows) {
    bind_row(add, row, unix_minus_boot_ns);
    KELVIN_TRY_VOID(add.run());
    if (writer.rows_changed() > 0) fresh.emplace(row.replica.value, row.sequence);
  }
  return fresh;
}

Status insert_entries(Database& writer, const model::UsageBatch& batch,
                      const std::set<RowName>& fresh) {
  KELVIN_TRY(
      Statement add,
      writer.prepare("INSERT INTO ledger (replica, sequence, account, workspace, app, amount_nano) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6);"));
  for (const model::LedgerEntry& entry : batch.entries) {
    if (!fresh.contains(RowName(entry.replica.value, entry.sequence))) continue;
    add.bind(1, stored(entry.replica.value)).bind(2, stored(entry.sequence));
    add.bind(3, to_text(entry.account)).bind(4, entry.workspace);
    add.bind(5, stored(entry.app.value)).bind(6, entry.amount.nano);
    KELVIN_TRY_VOID(add.run());
  }
  return {};
}

// A row belongs to the time in which it begins, so that neighbouring ranges count it once.
// `?1` workspace, `?2` app or empty, `?3` and `?4` range in nanoseconds.
constexpr std::string_view kWithinRange =
    "u.workspace = ?1 AND (?2 = '' OR u.app_name = ?2) AND u.from_unix_ns >= ?3 AND u.from_unix_ns "
    "< ?4";

std::int64_t to_ns(std::int64_t unix_ms) {
  constexpr std::int64_t kMsMax = INT64_MAX / 1'000'000;
  return std::clamp(unix_ms, -kMsMax, kMsMax) * 1'000'000;
}

void bind_filter(Statement& read, const ports::UsageFilter& filter) {
  read.bind(1, filter.workspace).bind(2, filter.app);
  read.bind(3, to_ns(filter.from_unix_ms)).bind(4, to_ns(filter.to_unix_ms));
}

model::Phase parse_phase(std::string_view text) {
  for (const model::State state : model::kStates) {
    if (model::to_text(model::phase_of(state)) == text) return model::phase_of(state);
  }
  return model::Phase::Busy;
}

}  // namespace

Status SqliteStore::append_usage(const model::UsageBatch& batch, std::int64_t unix_minus_boot_ns) {
  KELVIN_TRY_VOID(check_entries(batch));
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  KELVIN_TRY(const std::set<RowName> fresh, insert_rows(writer_, batch, unix_minus_boot_ns));
  KELVIN_TRY_VOID(insert_entries(writer_, batch, fresh));
  return transaction.commit();
}

Result<std::uint64_t> SqliteStore::usage_sequence(ReplicaId replica) {
  const std::scoped_lock lock(reading_);
  KELVIN_TRY(
      Statement read,
      reader_.prepare("SELECT COALESCE(MAX(sequence) + 1, 0) FROM usage WHERE replica = ?1;"));
  read.bind(1, stored(replica.value));
  KELVIN_TRY_VOID(read.step());
  return static_cast<std::uint64_t>(read.integer_at(0));
}

Result<std::vector<ports::UsageSum>> SqliteStore::sum_usage(const ports::UsageFilter& filter) {
  const std::scoped_lock lock(reading_);
  const std::string range(kWithinRange);
  const std::string times =
      "MAX(u.accelerators, 1) AS n, u.is_billable AS b FROM usage u WHERE " + range;
  KELVIN_TRY(
      Statement read,
      reader_.prepare("SELECT app_name, kind, phase, SUM(ms * n), SUM(ms * n * b), COUNT(*) FROM ("
                      "SELECT u.app_name, u.kind, u.phase, u.total_ms - u.busy_ms AS ms, " +
                      times +
                      " AND (u.busy_ms = 0 OR u.total_ms <> u.busy_ms) UNION ALL "
                      "SELECT u.app_name, u.kind, 'busy' AS phase, u.busy_ms AS ms, " +
                      times + " AND u.busy_ms > 0) GROUP BY app_name, kind, phase;"));
  bind_filter(read, filter);
  std::vector<ports::UsageSum> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) break;
    out.push_back({.app = read.text_at(0),
                   .kind = read.text_at(1),
                   .phase = parse_phase(read.text_at(2)),
                   .total_ms = read.integer_at(3),
                   .billable_ms = read.integer_at(4),
                   .rows = static_cast<std::uint64_t>(read.integer_at(5))});
  }
  std::ranges::sort(
      out, {}, [](const ports::UsageSum& sum) { return std::tie(sum.app, sum.kind, sum.phase); });
  return out;
}

// Each posting's own rate makes the lines, so that a line's amount is its rate times its time also when prices changed
// within the range. A posting for time that was not busy (another plan) has the rate 0 and its amount all the same.
Result<std::vector<ports::BillLine>> SqliteStore::bill(const ports::UsageFilter& filter) {
  const std::scoped_lock lock(reading_);
  const std::string range(kWithinRange);
  KELVIN_TRY(
      Statement read,
      reader_.prepare("SELECT app_name, kind, SUM(busy), rate, SUM(amount) FROM ("
                      "SELECT app_name, kind, busy, amount, "
                      "CASE WHEN busy > 0 THEN amount / busy ELSE 0 END AS rate FROM ("
                      "SELECT u.app_name, u.kind, u.busy_ms * MAX(u.accelerators, 1) AS busy, "
                      "COALESCE(l.amount_nano, 0) AS amount FROM usage u LEFT JOIN ledger l "
                      "ON l.replica = u.replica AND l.sequence = u.sequence "
                      "AND l.account = 'workspace_receivable' WHERE " +
                      range +
                      " AND u.is_billable = 1) WHERE busy > 0 OR amount <> 0) "
                      "GROUP BY app_name, kind, rate ORDER BY app_name, kind, rate;"));
  bind_filter(read, filter);
  std::vector<ports::BillLine> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) return out;
    out.push_back({.app = read.text_at(0),
                   .kind = read.text_at(1),
                   .busy_ms = read.integer_at(2),
                   .rate_per_ms = {read.integer_at(3)},
                   .amount = {read.integer_at(4)}});
  }
}

}  // namespace kelvin::store
