// meter: phases and busy time of replicas -> usage rows -> ledger entries, in integers.
//
// Each replica has a line of stretches, one per state it was in, and a cursor: everything before it
// stands in rows that were given out. A row is certain, and may be given out, when nothing that is
// still on its way can change it:
//
//   any state but Ready and Draining   up to the present
//   Ready, Draining                    up to the smallest complete_up_to over all gateway loops
//   a start or resume under way        when its outcome is known, because a failed one is not
//   billed
//
// Busy spans of all loops are united as they come, so overlaps count once and a repeated report
// changes nothing; what arrives for a time before the cursor is dropped, so it is never billed
// twice. Milliseconds are rounded down per row and the rest is carried to the replica's next row.
// The total keeps back as much as busy does until the last row, so that busy_ms <= total_ms in
// every row and, at the end of its life, each sum has lost less than 1 ms.
//
// Worked example, one loop: Ready at 0 s; requests in [1.0, 2.0) and [1.5, 2.5); at 9 s the meter
// asks the loop, which answers "complete up to 9.001 s". The row is [0, 9.001) with total_ms 9001
// and busy_ms 1500.
//
// How control uses it: call start, moved, busy and gone as facts come in, and at the end of every
// step
//   if (now >= meter.next_due()) { auto [batch, ask_busy] = meter.collect(now); ... AppendUsage,
//   AskBusy ... }
// with next_due() being one of the moments for which it wants a Tick.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "core/meter/price.h"
#include "model/event.h"
#include "model/kept.h"
#include "model/replica.h"
#include "model/usage.h"

namespace kelvin::meter {

struct Limits {
  Duration row_max = 10s;  // longer stretches become several rows
  Duration collect_after =
      9s;  // a row is wanted at this age: room for the loops' answer before row_max
  Duration batch_slack = 3s;  // replicas due this soon go into the same batch
  Duration ask_again = 1s;    // when a loop has not answered
  Duration silence_max =
      120s;  // a loop silent for so long is left out; what it says later is not billed
  Duration hold_max =
      3600s;  // rows whose outcome is unknown for so long are given out as not billable
  std::size_t stretches_max =
      64;  // per replica; beyond, the oldest is closed with the busy time known so far
  std::size_t spans_max =
      1U << 16U;  // per replica; further busy spans are dropped, not billed, and counted
};

struct Settings {
  std::uint32_t loops = 1;  // gateway loops, numbered from 0
  PricePlan plan = active_plan();
  Limits limits{};
};

using Facts = model::MeterFacts;

// Waived: failed starts, crash loops, lost nodes and whatever else is the platform's fault.
enum class Billing : std::uint8_t { Due, Waived };

// Counts of what should not happen; each was left out of the bill.
struct Anomalies {
  std::uint64_t spans_late =
      0;  // for a time whose row was given out already; repeated reports count here too
  std::uint64_t spans_outside = 0;  // not, or not wholly, in Ready or Draining
  std::uint64_t spans_dropped = 0;  // beyond spans_max
  std::uint64_t spans_unknown = 0;  // of a replica or loop that is not known
  std::uint64_t rows_forced = 0;    // replicas' lines closed without a loop's report
  auto operator<=>(const Anomalies&) const = default;
};

struct Collected {
  model::UsageBatch batch;  // rows in order per replica; entries by the plan
  bool ask_busy = false;    // some rows wait for the loops: emit AskBusy
};

enum class Reach : std::uint8_t {
  Due,         // replicas whose rows are due, or nearly
  Everything,  // all that is certain, at shutdown
};

class Meter {
 public:
  explicit Meter(Settings settings);

  // Begins a replica's line in `state`. Fetch, start and load time is held back until it is Ready
  // or gone.
  void start(Facts facts, model::State state, Instant at);

  // The replica changes state. Resuming -> Parked is a failed resume, whose time is not billed.
  void moved(ReplicaId replica, model::State to, Instant at);

  // Unites the spans with what is known; idempotent.
  void busy(const model::BusyMeasured& report);

  // The line of a replica that an earlier platform process has metered goes on where that one
  // stopped. False when the replica has a line already.
  bool go_on(model::MeterLine line);
  // Every line, for the process that takes over; it waits for the reports of that process's loops.
  [[nodiscard]] std::vector<model::MeterLine> lines() const;

  // These loops report no more: nothing waits for them.
  void loops_ended(std::uint32_t first, std::uint32_t count);

  // Ends the line. Waived: no row that was not yet given out is billable. The replica is forgotten
  // with its last row.
  void gone(ReplicaId replica, Instant at, Billing billing);

  [[nodiscard]] Collected collect(Instant now, Reach reach = Reach::Due);

  // When collect has something to do next; never() when nothing is metered. May lie in the past.
  [[nodiscard]] Instant next_due() const;

  // Up to where every loop has reported.
  [[nodiscard]] Instant watermark() const { return watermark_; }

  [[nodiscard]] const Anomalies& anomalies() const { return anomalies_; }
  [[nodiscard]] std::size_t replicas() const { return lines_.size(); }
  [[nodiscard]] bool has(ReplicaId replica) const { return lines_.contains(replica); }

 private:
  using Outcome = model::Settlement;
  using Stretch = model::MeterStretch;
  struct Line : model::MeterLine {
    Instant due = Instant::never();
  };

  using Lines = std::map<ReplicaId, Line>;

  void enter(Line& line, model::State state, Instant at);
  void settle(Line& line, Outcome outcome);
  void unite(Line& line, const std::vector<Span>& spans);
  void fold(Line& line, Instant up_to);
  Duration take_busy(Line& line, Span within);
  void set_due(Line& line);
  void raise_watermark();
  void force_silent_loops(Instant now);
  [[nodiscard]] Instant certain_up_to(const Line& line, const Stretch& stretch, Instant now) const;
  void give_out(Line& line, Instant now, model::UsageBatch& batch);
  void add_row(Line& line, const Stretch& stretch, Instant to, model::UsageBatch& batch);

  Settings settings_;
  Lines lines_;
  std::set<std::pair<Instant, ReplicaId>> dues_;
  std::vector<Instant> complete_up_to_;  // per loop
  Instant watermark_;                    // the smallest of them
  std::optional<Instant> asked_first_;   // first AskBusy that not every loop has answered
  std::optional<Instant> asked_last_;
  Anomalies anomalies_;
};

}  // namespace kelvin::meter
