// meter: whatever happens, in whatever order reports come, the sums are those of a recomputation by
// brute force.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/random.h"
#include "core/meter/meter.h"

namespace kelvin::meter {
namespace {

using model::State;
using model::Usage;

constexpr std::uint32_t kLoops = 3;
constexpr ReplicaId kReplica{1};

struct Move {
  State to = State::Starting;
  Instant at;
};
struct Request {
  std::uint32_t loop = 0;
  Span span;
};
enum class Delivery { InOrder, Reordered };

// Odd nanoseconds, milliseconds, seconds: all of them matter to rounding.
Duration draw_time(Random& random) {
  constexpr std::uint64_t kRanges[] = {2'000, 3'000'000, 400'000'000, 12'000'000'000};
  return Duration(static_cast<std::int64_t>(1 + random.below(kRanges[random.below(4)])));
}

// What happened to one replica, and what the meter made of it.
class Life {
 public:
  Life(std::uint64_t seed, PricePlan plan, Delivery delivery)
      : random_{seed},
        plan_(std::move(plan)),
        meter_({.loops = kLoops, .plan = plan_}),
        delivery_(delivery) {
    draw_moves();
    draw_requests();
  }

  void run() {
    meter_.start(
        {.replica = kReplica, .app = {1}, .revision = {1}, .kind = "h100", .accelerators = 3},
        State::Starting, Instant{});
    for (const Move& move : moves_) {
      run_until(move.at);
      if (move.to == State::Gone) {
        meter_.gone(kReplica, move.at, is_failed_ ? Billing::Waived : Billing::Due);
      } else {
        meter_.moved(kReplica, move.to, move.at);
      }
      collect();
    }
    for (int i = 0; i < 50 && meter_.replicas() > 0; ++i) {
      run_until(now_ + 1s);
      collect();
    }
  }

  void check() const {
    RC_ASSERT(meter_.replicas() == 0u);
    check_rows();
    check_money();
  }

 private:
  void enter(State state) {
    moves_.push_back({state, end_});
    end_ = end_ + draw_time(random_);
  }

  void draw_moves() {
    end_ = end_ + draw_time(random_);
    enter(State::Loading);
    is_failed_ = random_.below(8) == 0;
    if (!is_failed_) {
      enter(State::Ready);
      for (std::uint64_t naps = random_.below(4); naps > 0; --naps) {
        enter(State::Parking);
        enter(State::Parked);
        enter(State::Resuming);
        enter(State::Ready);
      }
      enter(State::Draining);
    }
    enter(State::Stopping);
    moves_.push_back({State::Gone, end_});
  }

  void draw_requests() {
    for (std::size_t i = 0; i + 1 < moves_.size(); ++i) {
      if (moves_[i].to != State::Ready && moves_[i].to != State::Draining) continue;
      // A request that is being served when the drain begins goes on in it.
      const bool drains_next = moves_[i + 1].to == State::Draining;
      const Span window{moves_[i].at, moves_[i + (drains_next ? 2 : 1)].at};
      for (std::uint64_t n = random_.below(30); n > 0; --n) {
        const std::uint64_t length = static_cast<std::uint64_t>((window.to - window.from).count());
        const Instant from =
            window.from + Duration(static_cast<std::int64_t>(random_.below(length)));
        const Instant to = std::min(window.to, from + draw_time(random_));
        requests_.push_back({static_cast<std::uint32_t>(random_.below(kLoops)), {from, to}});
      }
    }
  }

  // Lets time pass, with reports of the loops' own accord, reports that were asked for, repetitions
  // and collections.
  void run_until(Instant until) {
    while (now_ < until) {
      now_ = std::min(until, now_ + draw_time(random_));
      if (random_.below(3) == 0) send_report(static_cast<std::uint32_t>(random_.below(kLoops)));
      deliver();
      if (now_ < until) collect();
    }
  }

  // As control does at the end of a step.
  void collect() {
    if (now_ < meter_.next_due()) return;
    Collected collected = meter_.collect(now_);
    std::move(collected.batch.rows.begin(), collected.batch.rows.end(), std::back_inserter(rows_));
    std::move(collected.batch.entries.begin(), collected.batch.entries.end(),
              std::back_inserter(entries_));
    for (std::uint32_t loop = 0; collected.ask_busy && loop < kLoops; ++loop) send_report(loop);
  }

  // The loop's work since its last report; requests that still run are cut at the present.
  void send_report(std::uint32_t loop) {
    model::BusyMeasured report{.loop = loop, .complete_up_to = now_};
    model::BusyEntry entry{.replica = kReplica};
    for (const Request& request : requests_) {
      const Span part{std::max(request.span.from, reported_to_[loop]),
                      std::min(request.span.to, now_)};
      if (request.loop == loop && part.from < part.to) entry.spans.push_back(part);
    }
    reported_to_[loop] = now_;
    if (!entry.spans.empty()) report.entries.push_back(std::move(entry));
    under_way_.push_back(std::move(report));
  }

  void deliver() {
    while (!under_way_.empty() && random_.below(4) != 0) {
      const std::size_t i = delivery_ == Delivery::Reordered ? random_.below(under_way_.size()) : 0;
      meter_.busy(under_way_[i]);
      delivered_.push_back(std::move(under_way_[i]));
      under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (!delivered_.empty() && random_.below(3) == 0)
      meter_.busy(delivered_[random_.below(delivered_.size())]);
  }

  void check_rows() const {
    Instant end{};
    std::uint64_t sequence = 0;
    std::int64_t total_ms = 0;
    std::int64_t busy_ms = 0;
    for (const Usage& row : rows_) {
      RC_ASSERT(row.sequence == sequence++);
      RC_ASSERT(row.span.from == end);
      RC_ASSERT(row.span.to > row.span.from);
      RC_ASSERT(row.span.to - row.span.from <= Duration(10s));
      RC_ASSERT(row.busy_ms >= 0);
      RC_ASSERT(row.busy_ms <= row.total_ms);
      RC_ASSERT(row.is_billable == !is_failed_);
      end = row.span.to;
      total_ms += row.total_ms;
      busy_ms += row.busy_ms;
    }
    RC_ASSERT(end == end_);
    RC_ASSERT(total_ms == whole_ms(end_ - Instant{}));
    if (delivery_ == Delivery::InOrder) RC_ASSERT(busy_ms == whole_ms(union_of_requests()));
    RC_ASSERT(busy_ms <= whole_ms(union_of_requests()));
  }

  void check_money() const {
    Money sum;
    Money owed;
    for (const model::LedgerEntry& entry : entries_) {
      sum = sum + entry.amount;
      if (entry.account == model::Account::WorkspaceReceivable) owed = owed + entry.amount;
    }
    RC_ASSERT(sum == Money{});
    Money expected;
    for (const Usage& row : rows_) expected = expected + price_of(plan_, row);
    RC_ASSERT(owed == expected);
  }

  // By counting how many requests run between all boundaries, not by merging spans as the meter
  // does.
  Duration union_of_requests() const {
    std::map<Instant, int> steps;
    for (const Request& request : requests_) {
      ++steps[request.span.from];
      --steps[request.span.to];
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

  Random random_;
  PricePlan plan_;
  Meter meter_;
  Delivery delivery_;
  Instant now_;
  Instant end_;
  bool is_failed_ = false;
  std::vector<Move> moves_;
  std::vector<Request> requests_;
  Instant reported_to_[kLoops];
  std::vector<model::BusyMeasured> under_way_;
  std::vector<model::BusyMeasured> delivered_;
  std::vector<Usage> rows_;
  std::vector<model::LedgerEntry> entries_;
};

bool holds_for_any_life(Delivery delivery) {
  return rc::check("sums of rows and entries", [delivery](std::uint64_t seed) {
    Life life(seed, seed % 2 == 0 ? active_plan() : held_plan(), delivery);
    life.run();
    life.check();
  });
}

TEST(MeterProperty, SumsAreThoseOfBruteForce) {
  EXPECT_TRUE(holds_for_any_life(Delivery::InOrder));
}

TEST(MeterProperty, ReportsOutOfOrderNeverBillMore) {
  EXPECT_TRUE(holds_for_any_life(Delivery::Reordered));
}

}  // namespace
}  // namespace kelvin::meter
