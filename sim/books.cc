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
  if (!is_sound) violate(name_of(row) + " is not sound");
}

void check_entries(const model::Usage& row, const std::vector<model::LedgerEntry>& entries) {
  Money sum;
  Money owed;
  for (const model::LedgerEntry& entry : entries) {
    sum = sum + entry.amount;
    if (entry.account == model::Account::WorkspaceReceivable) owed = owed + entry.amount;
  }
  if (sum != Money{}) violate("the ledger entries of " + name_of(row) + " do not sum to zero");
  if (owed != meter::price_of(meter::active_plan(), row)) {
    violate("the ledger entries of " + name_of(row) + " are not its price");
  }
}

}  // namespace

void Books::append(const model::UsageBatch& batch) {
  std::set<RowKey> fresh;
  for (const model::Usage& row : batch.rows) {
    const RowKey key{row.replica, row.sequence};
    const auto [it, is_fresh] = rows_.emplace(key, row);
    if (is_fresh) {
      check_row(row);
      const auto next = std::next(it);
      if (it != rows_.begin() && std::prev(it)->first.first == row.replica) {
        if (std::prev(it)->second.span.to > row.span.from)
          violate(name_of(row) + " overlaps the one before");
      }
      if (next != rows_.end() && next->first.first == row.replica) {
        if (next->second.span.from < row.span.to) violate(name_of(row) + " overlaps the one after");
      }
      fresh.insert(key);
    } else if (!is_same(it->second, row)) {
      violate(name_of(row) + " was stored before with other content");
    }
  }
  for (const model::LedgerEntry& entry : batch.entries) {
    const RowKey key{entry.replica, entry.sequence};
    if (rows_.find(key) == rows_.end()) violate("a ledger entry derives from no usage row");
    if (fresh.count(key) > 0) entries_[key].push_back(entry);
  }
  for (const RowKey& key : fresh) {
    const auto found = entries_.find(key);
    check_entries(rows_.at(key),
                  found == entries_.end() ? std::vector<model::LedgerEntry>{} : found->second);
  }
}

std::uint64_t Books::next_sequence(ReplicaId replica) const {
  auto it = rows_.upper_bound({replica, ~std::uint64_t{0}});
  if (it == rows_.begin() || std::prev(it)->first.first != replica) return 0;
  return std::prev(it)->first.second + 1;
}

void Books::disturb_living() {
  for (auto& [replica, truth] : truth_) {
    // The last rows of a replica that has gone may still have been on their way.
    if (!truth.is_gone || ground_.now() < truth.gone_at + 180s) truth.is_disturbed = true;
  }
}

void Books::check_rows() const {
  Money sum;
  for (const auto& [key, row] : rows_) {
    const auto found = entries_.find(key);
    check_entries(row, found == entries_.end() ? std::vector<model::LedgerEntry>{} : found->second);
  }
  for (const auto& [key, entries] : entries_) {
    for (const model::LedgerEntry& entry : entries) sum = sum + entry.amount;
  }
  if (sum != Money{}) violate("the ledger does not sum to zero");
}

void Books::check_against_truth() const {
  for (const auto& [replica, truth] : truth_) check_replica(replica, truth);
}

void Books::check_replica(ReplicaId replica, const ReplicaTruth& truth) const {
  std::int64_t billed_ms = 0;
  std::int64_t busy_ms = 0;
  bool is_any_billable = false;
  for (auto it = rows_.lower_bound({replica, 0}); it != rows_.end() && it->first.first == replica;
       ++it) {
    busy_ms += it->second.busy_ms;
    is_any_billable |= it->second.is_billable;
    if (it->second.is_billable) billed_ms += it->second.busy_ms;
  }
  const std::int64_t true_ms = whole_ms(united(truth.served));
  const std::string numbers =
      " (stored " + std::to_string(busy_ms) + " ms, served " + std::to_string(true_ms) + " ms)";
  if (billed_ms > true_ms)
    violate(model::to_text(replica) + " is billed for more than it served" + numbers);
  if (truth.is_gone && !truth.is_disturbed && busy_ms != true_ms) {
    violate(model::to_text(replica) + " is not billed for what it served" + numbers);
  }
  const bool is_failed_start = !truth.was_ready && truth.is_gone && !truth.was_stopped;
  if (is_failed_start && is_any_billable)
    violate("a failed start is billable: " + model::to_text(replica));
}

}  // namespace kelvin::sim
