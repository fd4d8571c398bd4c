// usage: facts about time, and the money that follows from them.
//
// A row covers at most 10 s of one replica in one state. For Ready and Draining, busy and the rest stand in the same
// row. Times are exact unions of nanosecond spans; `busy_ms` and `total_ms` are whole milliseconds, rounded down per
// row with the remainder carried to the replica's next row, so that sums over rows lose less than 1 ms per replica.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/money.h"
#include "base/time.h"
#include "model/replica.h"

namespace kelvin::model {

struct Usage {
  ReplicaId replica;
  std::uint64_t sequence =
      0;  // from 0 per replica: (replica, sequence) is the row's identity, never billed twice
  AppId app;
  RevisionId revision;
  std::string workspace;
  std::string app_name;
  NodeId node;
  std::string kind;                // accelerator kind
  std::uint32_t accelerators = 0;  // how many the lease holds; 0 while parked
  Phase phase = Phase::Idle;       // of the time that was not busy
  Span span;                       // [from, to), at most 10 s
  std::int64_t total_ms = 0;
  std::int64_t busy_ms = 0;  // part of total_ms during which at least one request was being served
  bool is_billable = true;   // false: a failed start, a crash loop, or our own fault
};

enum class Account : std::uint8_t { WorkspaceReceivable, Revenue };

// One side of a posting. The two entries of a posting sum to zero.
struct LedgerEntry {
  ReplicaId replica;
  std::uint64_t sequence = 0;  // of the usage row it derives from
  Account account = Account::WorkspaceReceivable;
  std::string workspace;
  AppId app;
  Money amount;  // debit positive, credit negative
};

struct UsageBatch {
  std::vector<Usage> rows;
  std::vector<LedgerEntry> entries;
};

}  // namespace kelvin::model
