#include "sim/books.h"

#include <algorithm>
#include <string>

#include "model/ids.h"

namespace kelvin::sim {

namespace {

bool is_same(const model::Usage& a, const model::Usage& b) {
  return a.span == b.span && a.total_ms == b.total_ms && a.busy_ms == b.busy_ms &&
         a.is_billable == b.is_billable && a.phase == b.phase && a.accelerators == b.accelerators;
}

std::string name_of(const model::Usage& row) {
  return "usage row " + std::to_string(row.sequence) + " of " + model::to_text(row.replica);
}

// By counting how many requests run between all boundaries.
Duration united(const std::vector<Span>& spans) {
  std::map<Instant, int> steps;
  for (const Span& span : spans) {
    ++steps[span.from];
    --steps[span.to];
  }
  Duration sum{};
  Instant since;
  int depth = 0;
  for (const auto& [at, step] : steps) {
    if (depth > 0) sum += at - since;
    depth += step;
    since = at;
  }
  return sum;
}

void check_row(const model::Usage& row) {
  const Duration length = row.span.to - row.span.from;
  const bool is_sound = length > Duration{} && length <= 10s && row.busy_ms >= 0 &&
                        row.busy_ms <= row.total_ms && row.total_ms <= whole_ms(length) + 2;
  if (!is_sound) violate(Checker::Ledger, name_of(row) + " is not sound");
}

}  // namespace

// What the row says again, from the row alone: the ledger can be replayed.
void Books::check_entries(const model::Usage& row,
                          const std::vector<model::LedgerEntry>& entries) const {
  std::vector<model::LedgerEntry> replayed;
  meter::append_postings(plan_, row, replayed);
  const bool is_same = std::equal(entries.begin(), entries.end(), replayed.begin(), replayed.end(),
                                  [](const model::LedgerEntry& a, const model::LedgerEntry& b) {
                                    return a.replica == b.replica && a.sequence == b.sequence &&
                                           a.account == b.account && a.workspace == b.workspace &&
                                           a.app == b.app && a.amount == b.amount;
                                  });
  if (!is_same)
    violate(Checker::Ledger,
            "the ledger entries of " + name_of(row) + " are not those of its price");
  Money sum;
  Money owed;
  for (const model::LedgerEntry& entry : entries) {
    sum = sum + entry.amount;
    if (entry.account == model::Account::WorkspaceReceivable) owed = owed + entry.amount;
  }
  if (sum != Money{})
    violate(Checker::Ledger, "the ledger entries of " + name_of(row) + " do not sum to zero");
  if (owed != meter::price_of(plan_, row))
    violate(Checker::Ledger, "the ledger entries of " + name_of(row) + " are not its price");
}

void Books::append(const model::UsageBatch& batch) {
  std::set<RowKey> fresh;
  for (const model::Usage& row : batch.rows) {
    std::vector<Booked>& rows = rows_[row.replica];
    if (row.sequence < rows.size()) {
      if (!is_same(rows[row.sequence].row, row))
        violate(Checker::Ledger, name_of(row) + " was stored before with other content");
      continue;
    }
    check_row(row);
    check_is_alive(row);
    if (row.sequence > rows.size())
      violate(Checker::Ledger, name_of(row) + " does not follow the one before");
    if (!rows.empty() && rows.back().row.span.to > row.span.from)
      violate(Checker::Ledger, name_of(row) + " overlaps the one before");
    rows.push_back({.row = row});
    ++stored_;
    fresh.insert({row.replica, row.sequence});
  }
  for (const model::LedgerEntry& entry : batch.entries) {
    const auto rows = rows_.find(entry.replica);
    if (rows == rows_.end() || entry.sequence >= rows->second.size())
      violate(Checker::Ledger, "a ledger entry derives from no usage row");
    if (fresh.contains({entry.replica, entry.sequence}))
      rows->second[entry.sequence].entries.push_back(entry);
  }
  for (const auto& [replica, sequence] : fresh) {
    const Booked& booked = rows_.at(replica)[sequence];
    check_entries(booked.row, booked.entries);
  }
}

// Control hears of an end within seconds while all is calm.
void Books::check_is_alive(const model::Usage& row) const {
  constexpr Duration kNewsMost = 30s;
  const auto truth = truth_.find(row.replica);
  if (truth == truth_.end() || !truth->second.is_gone) return;
  const Instant gone = truth->second.gone_at;
  if (row.span.from > gone + kNewsMost && row.span.from > ground_.calm_since + kNewsMost)
    violate(Checker::Ledger, name_of(row) + " begins long after its end");
}

std::uint64_t Books::next_sequence(ReplicaId replica) const {
  const auto rows = rows_.find(replica);
  return rows == rows_.end() ? 0 : rows->second.size();
}

void Books::disturb_living() {
  for (auto& [replica, truth] : truth_) {
    // The last rows of a replica that has gone may still have been on their way.
    if (!truth.is_gone || ground_.now() < truth.gone_at + 180s) truth.is_disturbed = true;
  }
}

void Books::check_rows() const {
  Money sum;
  for (const auto& [replica, rows] : rows_) {
    for (const Booked& booked : rows) {
      check_entries(booked.row, booked.entries);
      for (const model::LedgerEntry& entry : booked.entries) sum = sum + entry.amount;
    }
  }
  if (sum != Money{}) violate(Checker::Ledger, "the ledger does not sum to zero");
}

void Books::check_against_truth() const {
  for (const auto& [replica, truth] : truth_) check_replica(replica, truth);
}

void Books::check_replica(ReplicaId replica, const ReplicaTruth& truth) const {
  std::int64_t billed_ms = 0;
  std::int64_t busy_ms = 0;
  bool is_any_billable = false;
  const auto rows = rows_.find(replica);
  for (const Booked& booked : rows == rows_.end() ? std::vector<Booked>{} : rows->second) {
    busy_ms += booked.row.busy_ms;
    is_any_billable |= booked.row.is_billable;
    if (booked.row.is_billable) billed_ms += booked.row.busy_ms;
  }
  const std::int64_t true_ms = whole_ms(united(truth.served));
  const std::string numbers =
      " (stored " + std::to_string(busy_ms) + " ms, served " + std::to_string(true_ms) + " ms)";
  if (billed_ms > true_ms)
    violate(Checker::Ledger,
            model::to_text(replica) + " is billed for more than it served" + numbers);
  if (truth.is_gone && !truth.is_disturbed && busy_ms != true_ms) {
    violate(Checker::Ledger,
            model::to_text(replica) + " is not billed for what it served" + numbers);
  }
  const bool is_failed_start = !truth.was_ready && truth.is_gone && !truth.was_stopped;
  if (is_failed_start && is_any_billable)
    violate(Checker::Ledger, "a failed start is billable: " + model::to_text(replica));
}

}  // namespace kelvin::sim
