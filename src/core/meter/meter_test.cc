// meter: rows from states and busy spans, on made-up time.
#include "core/meter/meter.h"

#include <gtest/gtest.h>

namespace kelvin::meter {
namespace {

using model::Phase;
using model::State;
using model::Usage;

constexpr ReplicaId kReplica{1};

constexpr Instant at(Duration since_boot) { return Instant{} + since_boot; }
constexpr Span span(Duration from, Duration to) { return {at(from), at(to)}; }

Facts facts_of(ReplicaId replica) {
  return {.replica = replica,
          .app = {5},
          .revision = {6},
          .workspace = "default",
          .app_name = "tiny",
          .node = {1},
          .kind = "h100",
          .accelerators = 2};
}

model::BusyMeasured report(std::uint32_t loop, Duration complete, std::vector<Span> spans = {}) {
  model::BusyMeasured measured{.loop = loop, .complete_up_to = at(complete)};
  if (!spans.empty()) measured.entries.push_back({.replica = kReplica, .spans = std::move(spans)});
  return measured;
}

// A meter of `loops` loops with one replica that is Ready from 0 s.
Meter ready_meter(std::uint32_t loops = 1) {
  Meter meter({.loops = loops});
  meter.start(facts_of(kReplica), State::Ready, at(0s));
  return meter;
}

TEST(Meter, WantsNothingWhenNothingIsMetered) {
  Meter meter({.loops = 1});
  EXPECT_EQ(meter.next_due(), Instant::never());
  EXPECT_TRUE(meter.collect(at(100s)).batch.rows.empty());
}

TEST(Meter, AsksTheLoopsBeforeItClosesAReadyRow) {
  Meter meter = ready_meter();
  EXPECT_EQ(meter.next_due(), at(9s));
  const Collected first = meter.collect(at(9s));
  EXPECT_TRUE(first.ask_busy);
  EXPECT_TRUE(first.batch.rows.empty());
  EXPECT_EQ(meter.next_due(), at(10s)) << "it asks again after a second";

  meter.busy(report(0, 9001ms, {span(1s, 2s), span(1500ms, 2500ms)}));
  EXPECT_LE(meter.next_due(), at(9001ms));
  const Collected second = meter.collect(at(9002ms));
  EXPECT_FALSE(second.ask_busy);
  ASSERT_EQ(second.batch.rows.size(), 1u);
  const Usage& row = second.batch.rows[0];
  EXPECT_EQ(row.span, span(0s, 9001ms));
  EXPECT_EQ(row.total_ms, 9001);
  EXPECT_EQ(row.busy_ms, 1500) << "overlaps count once";
  EXPECT_EQ(row.phase, Phase::Idle);
  EXPECT_EQ(row.accelerators, 2u);
  EXPECT_TRUE(row.is_billable);
  EXPECT_EQ(second.batch.entries.size(), 2u);
  EXPECT_EQ(meter.next_due(), at(18001ms));
}

TEST(Meter, WaitsForTheSlowestLoop) {
  Meter meter = ready_meter(2);
  meter.busy(report(0, 9s, {span(0s, 1s)}));
  EXPECT_TRUE(meter.collect(at(9s)).batch.rows.empty()) << "loop 1 has never reported";
  meter.busy(report(1, 9500ms, {span(500ms, 2s)}));
  meter.busy(report(0, 10s));
  const Collected collected = meter.collect(at(10s));
  ASSERT_EQ(collected.batch.rows.size(), 1u);
  EXPECT_EQ(collected.batch.rows[0].span, span(0s, 9500ms));
  EXPECT_EQ(collected.batch.rows[0].busy_ms, 2000);
}

TEST(Meter, LeavesOutALoopThatStaysSilent) {
  Meter meter = ready_meter(2);
  meter.busy(report(0, 200s));
  EXPECT_TRUE(meter.collect(at(9s)).ask_busy);
  EXPECT_TRUE(meter.collect(at(128s)).batch.rows.empty());
  const Collected collected = meter.collect(at(129s));
  ASSERT_EQ(collected.batch.rows.size(), 1u);
  EXPECT_EQ(collected.batch.rows[0].span, span(0s, 9s)) << "up to when it was first asked";
  EXPECT_EQ(meter.anomalies().rows_forced, 1u);
}

TEST(Meter, RepeatedAndLateReportsBillNothingTwice) {
  Meter meter = ready_meter();
  const model::BusyMeasured once = report(0, 9s, {span(1s, 3s)});
  meter.busy(once);
  meter.busy(once);
  EXPECT_EQ(meter.collect(at(9s)).batch.rows.at(0).busy_ms, 2000);
  meter.busy(once);
  meter.busy(report(0, 18s, {span(8s, 10s)}));
  EXPECT_EQ(meter.collect(at(18s)).batch.rows.at(0).busy_ms, 1000)
      << "the part before 9 s is closed";
  EXPECT_EQ(meter.anomalies().spans_late, 3u) << "twice from the repetition, once from [8 s, 10 s)";
}

TEST(Meter, SubMillisecondSpansAddUp) {
  Meter meter = ready_meter();
  std::vector<Span> spans;
  for (int i = 0; i < 2500; ++i) spans.push_back(span(i * 1ms, i * 1ms + 400us));
  meter.busy(report(0, 9s, std::move(spans)));
  EXPECT_EQ(meter.collect(at(9s)).batch.rows.at(0).busy_ms, 1000);
}

TEST(Meter, CarriesTheRestToTheNextRow) {
  Meter meter = ready_meter();
  std::int64_t busy_ms = 0;
  for (int i = 1; i <= 10; ++i) {
    const Duration end = i * 9s;
    meter.busy(report(0, end, {{at(end) - 1700us, at(end) - 1ms}}));
    for (const Usage& row : meter.collect(at(end)).batch.rows) busy_ms += row.busy_ms;
  }
  EXPECT_EQ(busy_ms, 7) << "ten times 0.7 ms";
}

TEST(Meter, BusyNeverExceedsTotalWhenRowsAreShorterThanAMillisecond) {
  Meter meter({.loops = 1});
  meter.start(facts_of(kReplica), State::Ready, at(0s));
  // A drain cuts the busy time at an odd place.
  meter.moved(kReplica, State::Draining, at(10400us));
  meter.moved(kReplica, State::Stopping, at(15900us));
  meter.gone(kReplica, at(16100us), Billing::Due);
  meter.busy(report(0, 20ms, {span(300us, 15900us)}));
  const auto rows = meter.collect(at(20ms)).batch.rows;
  std::int64_t busy_ms = 0;
  std::int64_t total_ms = 0;
  for (const Usage& row : rows) {
    EXPECT_LE(row.busy_ms, row.total_ms);
    busy_ms += row.busy_ms;
    total_ms += row.total_ms;
  }
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(busy_ms, 15) << "15.6 ms";
  EXPECT_EQ(total_ms, 16) << "16.1 ms";
  EXPECT_EQ(meter.replicas(), 0u) << "forgotten with its last row";
}

TEST(Meter, ClipsWorkOutsideOfServingStates) {
  Meter meter = ready_meter();
  meter.moved(kReplica, State::Parking, at(2s));
  meter.moved(kReplica, State::Parked, at(3s));
  meter.busy(report(0, 9s, {span(1s, 2500ms)}));
  const auto rows = meter.collect(at(12s)).batch.rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].busy_ms, 1000);
  EXPECT_EQ(rows[1].phase, Phase::Park);
  EXPECT_EQ(rows[1].busy_ms, 0);
  EXPECT_EQ(rows[2].phase, Phase::Parked);
  EXPECT_EQ(rows[2].accelerators, 0u) << "parked replicas hold no accelerator";
  EXPECT_EQ(meter.anomalies().spans_outside, 1u);
}

TEST(Meter, HoldsAStartBackUntilItIsReady) {
  Meter meter({.loops = 1});
  meter.start(facts_of(kReplica), State::Planned, at(0s));
  meter.moved(kReplica, State::Starting, at(1s));
  meter.moved(kReplica, State::Loading, at(2s));
  EXPECT_TRUE(meter.collect(at(60s)).batch.rows.empty());
  meter.moved(kReplica, State::Ready, at(25s));
  meter.busy(report(0, 26s));
  const auto rows = meter.collect(at(26s)).batch.rows;
  ASSERT_EQ(rows.size(), 6u) << "planned, starting, three of loading (23 s), ready";
  for (const Usage& row : rows) {
    EXPECT_TRUE(row.is_billable);
    EXPECT_LE(row.span.to - row.span.from, Duration(10s));
  }
  EXPECT_EQ(rows[0].phase, Phase::Queue);
  EXPECT_EQ(rows[0].accelerators, 0u);
  EXPECT_EQ(rows[4].span, span(22s, 25s));
}

TEST(Meter, FailedStartsAreNotBilled) {
  Meter meter({.loops = 1, .plan = held_plan()});
  meter.start(facts_of(kReplica), State::Starting, at(0s));
  meter.moved(kReplica, State::Loading, at(1s));
  meter.moved(kReplica, State::Stopping, at(3s));
  meter.gone(kReplica, at(4s), Billing::Waived);
  EXPECT_EQ(meter.next_due(), at(4s)) << "a life that has ended is given out at once";
  const Collected collected = meter.collect(at(4s));
  ASSERT_EQ(collected.batch.rows.size(), 3u);
  for (const Usage& row : collected.batch.rows) EXPECT_FALSE(row.is_billable);
  EXPECT_TRUE(collected.batch.entries.empty());
}

TEST(Meter, AStoppedStartIsBilled) {
  Meter meter({.loops = 1, .plan = held_plan()});
  meter.start(facts_of(kReplica), State::Starting, at(0s));
  meter.moved(kReplica, State::Stopping, at(3s));
  meter.gone(kReplica, at(4s), Billing::Due);
  for (const Usage& row : meter.collect(at(4s)).batch.rows) EXPECT_TRUE(row.is_billable);
}

TEST(Meter, AFailedResumeIsNotBilled) {
  Meter meter({.loops = 1});
  meter.start(facts_of(kReplica), State::Parked, at(0s));
  meter.moved(kReplica, State::Resuming, at(5s));
  EXPECT_EQ(meter.collect(at(9s)).batch.rows.size(), 1u) << "the time before the resume is certain";
  meter.moved(kReplica, State::Parked, at(12s));
  const auto rows = meter.collect(at(14s)).batch.rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].phase, Phase::Resume);
  EXPECT_FALSE(rows[0].is_billable);
  EXPECT_TRUE(rows[1].is_billable);
}

TEST(Meter, AnEndlessStartIsGivenOutAsNotBillable) {
  Meter meter({.loops = 1});
  meter.start(facts_of(kReplica), State::Loading, at(0s));
  EXPECT_EQ(meter.next_due(), at(3600s));
  const auto rows = meter.collect(at(3600s)).batch.rows;
  EXPECT_EQ(rows.size(), 360u);
  for (const Usage& row : rows) EXPECT_FALSE(row.is_billable);
}

TEST(Meter, AdoptedReplicasGoOnWithTheirSequence) {
  Meter meter({.loops = 1});
  Facts facts = facts_of(kReplica);
  facts.first_sequence = 17;
  meter.start(std::move(facts), State::Parked, at(100s));
  const auto rows = meter.collect(at(109s)).batch.rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].sequence, 17u);
}

TEST(Meter, OneBatchHoldsAllThatIsNearlyDue) {
  Meter meter({.loops = 1});
  for (std::uint64_t i = 0; i < 5; ++i) {
    meter.start(facts_of({i + 1}), State::Parked, at(static_cast<std::int64_t>(i) * 1s));
  }
  EXPECT_EQ(meter.collect(at(9s)).batch.rows.size(), 4u);
}

TEST(Meter, FlappingWithoutReportsStaysBounded) {
  Meter meter = ready_meter();
  std::size_t rows = 0;
  for (int i = 1; i <= 1000; ++i) {
    meter.moved(kReplica, i % 2 == 1 ? State::Parking : State::Ready, at(i * 1ms));
    if (at(i * 1ms) >= meter.next_due()) rows += meter.collect(at(i * 1ms)).batch.rows.size();
  }
  EXPECT_GT(rows, 900u);
  EXPECT_GT(meter.anomalies().rows_forced, 0u);
}

TEST(Meter, UnknownReplicasAndLoopsAreCounted) {
  Meter meter({.loops = 1});
  meter.busy(report(0, 1s, {span(0s, 1s)}));
  meter.busy(report(4, 1s));
  meter.moved(kReplica, State::Ready, at(1s));
  meter.gone(kReplica, at(1s), Billing::Due);
  EXPECT_EQ(meter.anomalies().spans_unknown, 2u);
}

TEST(Meter, SpansBeyondTheLimitAreDroppedAndCounted) {
  Meter meter({.loops = 2, .limits = {.spans_max = 10}});
  meter.start(facts_of(kReplica), State::Ready, at(0s));
  std::vector<Span> spans;
  for (int i = 0; i < 15; ++i) spans.push_back(span(i * 2ms, i * 2ms + 1ms));
  meter.busy(report(0, 9s, std::move(spans)));
  meter.busy(report(1, 9s));
  EXPECT_EQ(meter.collect(at(9s)).batch.rows.at(0).busy_ms, 10);
  EXPECT_EQ(meter.anomalies().spans_dropped, 5u);
}

TEST(Meter, GivesOutEverythingCertainAtShutdown) {
  Meter meter = ready_meter();
  meter.busy(report(0, 2s, {span(0s, 1s)}));
  const Collected collected = meter.collect(at(3s), Reach::Everything);
  ASSERT_EQ(collected.batch.rows.size(), 1u);
  EXPECT_EQ(collected.batch.rows[0].span, span(0s, 2s));
  EXPECT_TRUE(collected.ask_busy);
}

}  // namespace
}  // namespace kelvin::meter
