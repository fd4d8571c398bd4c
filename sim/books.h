// books: the simulated store of usage and ledger, and what really happened, to compare it with.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/meter/price.h"
#include "model/usage.h"
#include "sim/ground.h"

namespace kelvin::sim {

// What the programs really did, as the loops saw it.
struct ReplicaTruth {
  std::vector<Span> served;  // per request, first byte sent to last byte read
  bool was_ready = false;
  bool is_disturbed =
      false;  // a crash of its process, its node or the platform may have lost busy time
  bool is_gone = false;
  Instant gone_at;
  bool was_stopped = false;  // its end was ordered, and not because it failed
};

class Books {
 public:
  explicit Books(Ground& ground) : ground_(ground) {}

  // One transaction. A row that is there already is left alone, and must be the same row.
  void append(const model::UsageBatch& batch);

  [[nodiscard]] std::uint64_t next_sequence(ReplicaId replica) const;
  [[nodiscard]] std::size_t rows() const { return stored_; }

  ReplicaTruth& truth(ReplicaId replica) { return truth_[replica]; }
  // The platform has crashed: what it had not stored yet is lost for the bill.
  void disturb_living();

  // Each row is sound, and entries are those of the rows.
  void check_rows() const;
  // Nothing is billed beyond what was served, and all of it where nothing crashed.
  void check_against_truth() const;

 private:
  void check_replica(ReplicaId replica, const ReplicaTruth& truth) const;

  void check_is_alive(const model::Usage& row) const;
  void check_entries(const model::Usage& row, const std::vector<model::LedgerEntry>& entries) const;

  using RowKey = std::pair<ReplicaId, std::uint64_t>;
  struct Booked {
    model::Usage row;
    std::vector<model::LedgerEntry> entries;
  };
  Ground& ground_;
  meter::PricePlan plan_ = meter::active_plan();
  std::map<ReplicaId, std::vector<Booked>> rows_;  // by sequence, without gaps
  std::size_t stored_ = 0;
  std::map<ReplicaId, ReplicaTruth> truth_;
};

}  // namespace kelvin::sim
