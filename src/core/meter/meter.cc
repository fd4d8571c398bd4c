// meter: lines of stretches, united spans, and the rows cut from them.
#include "core/meter/meter.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace kelvin::meter {

namespace {

using model::State;

constexpr Instant kBeforeEverything{std::numeric_limits<std::int64_t>::min()};

// States whose time is split into busy and the rest.
constexpr bool may_serve(State state) { return state == State::Ready || state == State::Draining; }

constexpr bool is_under_way(State state) {
  switch (state) {
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Resuming:
      return true;
    case State::Ready:
    case State::Parking:
    case State::Parked:
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return false;
  }
  return false;
}

bool comes_before(const Span& a, const Span& b) { return a.from < b.from; }

// Joins spans that overlap or touch; `spans` is ascending by `from`.
void coalesce(std::vector<Span>& spans) {
  if (spans.empty()) return;
  std::size_t last = 0;
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].from <= spans[last].to) {
      spans[last].to = std::max(spans[last].to, spans[i].to);
    } else {
      spans[++last] = spans[i];
    }
  }
  spans.resize(last + 1);
}

// Takes the whole milliseconds out of `carry`, except for `kept_back`.
std::int64_t take_whole_ms(Duration& carry, Duration kept_back) {
  const std::int64_t ms = whole_ms(carry - kept_back);
  carry -= Duration(ms * 1'000'000);
  return ms;
}

}  // namespace

Meter::Meter(Settings settings)
    : settings_(std::move(settings)),
      complete_up_to_(settings_.loops, kBeforeEverything),
      watermark_(settings_.loops == 0 ? Instant::never() : kBeforeEverything) {}

void Meter::start(Facts facts, State state, Instant at) {
  const ReplicaId replica = facts.replica;
  Line line;
  line.cursor = line.folded_to = at;
  line.next_sequence = facts.first_sequence;
  line.facts = std::move(facts);
  const auto [it, is_fresh] = lines_.emplace(replica, std::move(line));
  KELVIN_CHECK(is_fresh);
  enter(it->second, state, at);
  set_due(it->second);
}

bool Meter::go_on(model::MeterLine line) {
  const ReplicaId replica = line.facts.replica;
  if (line.stretches.empty() || lines_.contains(replica)) return false;
  set_due(lines_.emplace(replica, Line{std::move(line)}).first->second);
  return true;
}

std::vector<model::MeterLine> Meter::lines() const {
  std::vector<model::MeterLine> all;
  all.reserve(lines_.size());
  for (const auto& [replica, line] : lines_) all.push_back(line);
  return all;
}

void Meter::moved(ReplicaId replica, State to, Instant at) {
  const auto it = lines_.find(replica);
  if (it == lines_.end() || it->second.is_gone) return;
  Line& line = it->second;
  const State from = line.stretches.back().state;
  if (from == to) return;
  if (to == State::Ready) settle(line, Outcome::Billed);
  if (from == State::Resuming && to == State::Parked) settle(line, Outcome::Waived);
  enter(line, to, at);
  set_due(line);
}

// Closes the open stretch and begins the next. A stop in the middle of a start or resume is part of
// its failure.
void Meter::enter(Line& line, State state, Instant at) {
  Stretch next{.state = state, .from = std::max(at, line.cursor)};
  if (is_under_way(state)) next.outcome = Outcome::Pending;
  if (!line.stretches.empty()) {
    Stretch& last = line.stretches.back();
    if (state == State::Stopping && last.outcome == Outcome::Pending)
      next.outcome = Outcome::Pending;
    last.to = std::max(at, std::max(last.from, line.folded_to));
    next.from = last.to;
    if (last.to == last.from) line.stretches.pop_back();
  }
  line.stretches.push_back(next);
  if (line.stretches.size() > settings_.limits.stretches_max) {
    line.forced_to = line.stretches.front().to;
    ++anomalies_.rows_forced;
  }
}

void Meter::settle(Line& line, Outcome outcome) {
  for (Stretch& stretch : line.stretches) {
    if (stretch.outcome == Outcome::Pending) stretch.outcome = outcome;
  }
}

void Meter::gone(ReplicaId replica, Instant at, Billing billing) {
  const auto it = lines_.find(replica);
  if (it == lines_.end() || it->second.is_gone) return;
  Line& line = it->second;
  Stretch& last = line.stretches.back();
  last.to = std::max(at, std::max(last.from, line.folded_to));
  if (last.to == last.from) line.stretches.pop_back();
  settle(line, Outcome::Billed);
  if (billing == Billing::Waived) {
    for (Stretch& stretch : line.stretches) stretch.outcome = Outcome::Waived;
  }
  line.is_gone = true;
  set_due(line);
  if (line.stretches.empty()) lines_.erase(it);
}

void Meter::busy(const model::BusyMeasured& report) {
  if (report.loop >= complete_up_to_.size()) {
    ++anomalies_.spans_unknown;
    return;
  }
  Instant& complete = complete_up_to_[report.loop];
  complete = std::max(complete, report.complete_up_to);
  raise_watermark();
  for (const model::BusyEntry& entry : report.entries) {
    const auto it = lines_.find(entry.replica);
    if (it == lines_.end()) {
      anomalies_.spans_unknown += entry.spans.size();
      continue;
    }
    unite(it->second, entry.spans);
    fold(it->second, watermark_);
  }
}

void Meter::raise_watermark() {
  watermark_ = *std::min_element(complete_up_to_.begin(), complete_up_to_.end());
  if (!asked_last_ || watermark_ < *asked_last_) return;
  asked_first_.reset();
  asked_last_.reset();
}

void Meter::loops_ended(std::uint32_t first, std::uint32_t count) {
  for (std::uint64_t loop = first; loop < std::uint64_t{first} + count; ++loop) {
    if (loop < complete_up_to_.size()) complete_up_to_[loop] = Instant::never();
  }
  if (!complete_up_to_.empty()) raise_watermark();
}

void Meter::unite(Line& line, const std::vector<Span>& spans) {
  std::vector<Span> fresh;
  fresh.reserve(spans.size());
  for (Span span : spans) {
    if (span.to <= span.from) continue;
    if (span.from < line.folded_to) {
      ++anomalies_.spans_late;
      span.from = line.folded_to;
      if (span.to <= span.from) continue;
    }
    fresh.push_back(span);
  }
  if (!std::is_sorted(fresh.begin(), fresh.end(), comes_before))
    std::sort(fresh.begin(), fresh.end(), comes_before);
  std::vector<Span> all;
  all.reserve(line.spans.size() + fresh.size());
  std::merge(line.spans.begin(), line.spans.end(), fresh.begin(), fresh.end(),
             std::back_inserter(all), comes_before);
  coalesce(all);
  if (all.size() > settings_.limits.spans_max) {
    anomalies_.spans_dropped += all.size() - settings_.limits.spans_max;
    all.resize(settings_.limits.spans_max);
  }
  line.spans = std::move(all);
}

// Turns spans that can no longer change into a sum, so that a long row of many short requests needs
// little memory. Stays within the row in progress.
void Meter::fold(Line& line, Instant up_to) {
  if (line.stretches.empty()) return;
  const Stretch& stretch = line.stretches.front();
  if (!may_serve(stretch.state)) return;
  const Instant to = std::min({up_to, stretch.to, line.cursor + settings_.limits.row_max});
  if (to > line.folded_to) line.folded_busy += take_busy(line, {line.folded_to, to});
}

// The busy time within `within`; removes the spans up to its end. Spans before it are outside of
// any serving state.
Duration Meter::take_busy(Line& line, Span within) {
  Duration sum{};
  std::size_t done = 0;
  for (Span& span : line.spans) {
    if (span.from >= within.to) break;
    const Instant from = std::max(span.from, within.from);
    const Instant to = std::min(span.to, within.to);
    sum += to - from;
    if (span.to > within.to) {
      span.from = within.to;
      break;
    }
    ++done;
  }
  line.spans.erase(line.spans.begin(), line.spans.begin() + static_cast<std::ptrdiff_t>(done));
  line.folded_to = within.to;
  return sum;
}

Collected Meter::collect(Instant now, Reach reach) {
  force_silent_loops(now);
  Collected collected;
  const bool is_all = reach == Reach::Everything;
  if (!is_all && (dues_.empty() || dues_.begin()->first > now)) return collected;

  std::vector<ReplicaId> wanted;
  for (const auto& [due, replica] : dues_) {
    if (!is_all && due > now + settings_.limits.batch_slack) break;
    wanted.push_back(replica);
  }
  for (const ReplicaId replica : wanted) {
    const auto it = lines_.find(replica);
    Line& line = it->second;
    give_out(line, now, collected.batch);
    set_due(line);
    if (line.is_gone && line.stretches.empty()) {
      anomalies_.spans_outside += line.spans.size();
      lines_.erase(it);
      continue;
    }
    const bool waits_for_loops = may_serve(line.stretches.front().state) && watermark_ < now;
    collected.ask_busy |= waits_for_loops && (is_all || line.due <= now);
  }
  if (collected.ask_busy) {
    if (!asked_first_) asked_first_ = now;
    asked_last_ = now;
  }
  return collected;
}

void Meter::force_silent_loops(Instant now) {
  if (!asked_first_ || now - *asked_first_ < settings_.limits.silence_max) return;
  for (Instant& complete : complete_up_to_) complete = std::max(complete, *asked_first_);
  watermark_ = *std::min_element(complete_up_to_.begin(), complete_up_to_.end());
  ++anomalies_.rows_forced;
  asked_first_.reset();
  asked_last_.reset();
}

Instant Meter::certain_up_to(const Line& line, const Stretch& stretch, Instant now) const {
  if (stretch.outcome == Outcome::Pending) {
    const Instant held_from = std::max(stretch.from, line.cursor);
    return now - held_from < settings_.limits.hold_max ? held_from : now;
  }
  if (may_serve(stretch.state)) return std::min(now, std::max(watermark_, line.forced_to));
  return now;
}

void Meter::give_out(Line& line, Instant now, model::UsageBatch& batch) {
  std::size_t done = 0;
  for (const Stretch& stretch : line.stretches) {
    const Instant limit = std::min(stretch.to, certain_up_to(line, stretch, now));
    while (line.cursor < limit) {
      add_row(line, stretch, std::min(limit, line.cursor + settings_.limits.row_max), batch);
    }
    if (line.cursor < stretch.to) break;
    ++done;
  }
  line.stretches.erase(line.stretches.begin(),
                       line.stretches.begin() + static_cast<std::ptrdiff_t>(done));
}

void Meter::add_row(Line& line, const Stretch& stretch, Instant to, model::UsageBatch& batch) {
  const std::size_t spans_before = line.spans.size();
  Duration busy = std::exchange(line.folded_busy, Duration{});
  const Duration rest = take_busy(line, {line.folded_to, to});
  if (may_serve(stretch.state)) {
    busy += rest;
  } else if (rest > Duration{}) {
    anomalies_.spans_outside += std::max<std::size_t>(1, spans_before - line.spans.size());
  }
  const bool is_last = line.is_gone && to == line.stretches.back().to;
  line.busy_carry += busy;
  line.total_carry += to - line.cursor;

  model::Usage row{.replica = line.facts.replica,
                   .sequence = line.next_sequence++,
                   .app = line.facts.app,
                   .revision = line.facts.revision,
                   .workspace = line.facts.workspace,
                   .app_name = line.facts.app_name,
                   .node = line.facts.node,
                   .kind = line.facts.kind,
                   .accelerators = model::holds_lease(stretch.state) ? line.facts.accelerators : 0,
                   .phase = model::phase_of(stretch.state),
                   .span = {line.cursor, to},
                   .is_billable = stretch.outcome == Outcome::Billed};
  row.busy_ms = take_whole_ms(line.busy_carry, Duration{});
  row.total_ms = take_whole_ms(line.total_carry, is_last ? Duration{} : line.busy_carry);
  line.cursor = to;
  append_postings(settings_.plan, row, batch.entries);
  batch.rows.push_back(std::move(row));
}

void Meter::set_due(Line& line) {
  dues_.erase({line.due, line.facts.replica});
  if (line.stretches.empty()) return;
  const Stretch& first = line.stretches.front();
  if (line.is_gone) {
    line.due = line.stretches.back().to;
  } else if (line.forced_to > line.cursor) {
    line.due = line.forced_to;
  } else if (first.outcome == Outcome::Pending) {
    line.due = std::max(first.from, line.cursor) + settings_.limits.hold_max;
  } else {
    line.due = line.cursor + settings_.limits.collect_after;
  }
  dues_.emplace(line.due, line.facts.replica);
}

Instant Meter::next_due() const {
  if (dues_.empty()) return Instant::never();
  const Instant due = dues_.begin()->first;
  if (asked_last_) return std::max(due, *asked_last_ + settings_.limits.ask_again);
  return due;
}

}  // namespace kelvin::meter
