// busy: the gateway's reports of work, to the meter and to the averages.
#include <algorithm>

#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

namespace {

// What one report is about.
struct Worked {
  std::set<AppId> apps;
  std::map<RevisionId, WorkPeak> peaks;
};

void note_work(Step& step, const model::BusyMeasured& report, const model::BusyEntry& entry,
               Worked& worked) {
  Replica* replica = find_replica(step.world, entry.replica);
  if (replica == nullptr) return;
  replica->is_serving = false;
  if (!entry.spans.empty()) {
    const Instant last = entry.spans.back().to;
    // What still runs is cut at the end of the report.
    replica->is_serving = last == report.complete_up_to;
    replica->idle_since = std::max(replica->idle_since, last);
  }
  if (entry.answered > 0) {
    replica->health.answered();
    prove(step, *replica);
  }
  App& app = step.world.apps.at(replica->app);
  if (!entry.spans.empty()) {
    // An idle replica is not reported, and a report may come late: the time of the work counts.
    const Instant last = entry.spans.back().to;
    const Duration over = std::max<Duration>(last - entry.spans.front().from, 1ms);
    const Duration wanting = entry.request_time - std::min(entry.low_time, entry.request_time);
    app.load.add(wanting, over, last);
    app.recent.add(wanting, over, last);
  }
  app.service.add(entry.request_time, entry.answered);
  worked.apps.insert(replica->app);
  if (!entry.spans.empty()) {
    WorkPeak& peak = worked.peaks[replica->revision->id];
    peak.requests += entry.most;
    peak.span.from = std::min(peak.span.from, entry.spans.front().from);
    peak.span.to = std::max(peak.span.to, entry.spans.back().to);
  }
  note_replies(step, app, replica->revision->id, entry);
}

}  // namespace

void on(Step& step, const model::BusyMeasured& event) {
  step.world.meter.busy(event);
  Worked worked;
  for (const model::BusyEntry& entry : event.entries) note_work(step, event, entry, worked);
  for (const auto& [id, peak] : worked.peaks) note_peak(step, id, peak);
  for (const AppId id : worked.apps) {
    App& app = step.world.apps.at(id);
    ensure_floor(step, app);
    renew_spares(step, app);
    retry_rollout(step, app);
  }
  // Who waits for an idle replica knows better when one will be.
  if (!step.world.lease_queue.empty()) step.world.leases_moved = true;
}

void begin_metering(Step& step, const App& app, Replica& replica, std::uint64_t first_sequence) {
  // Where an earlier process handed its line over, that line goes on.
  replica.is_metered = true;
  if (step.world.meter.has(replica.id))
    return step.world.meter.moved(replica.id, replica.state, step.now);
  std::size_t accelerators = replica.lease.accelerators.size();
  // A parked one that was adopted holds none; it will hold as many as its app asks for.
  if (accelerators == 0) accelerators = replica.revision->spec.needs[0].count;
  step.world.meter.start({.replica = replica.id,
                          .app = app.id,
                          .revision = replica.revision->id,
                          .workspace = app.workspace,
                          .app_name = app.name,
                          .node = replica.lease.node,
                          .kind = replica.lease.kind,
                          .accelerators = static_cast<std::uint32_t>(accelerators),
                          .first_sequence = first_sequence},
                         replica.state, step.now);
}

void collect_usage(Step& step) {
  // At the end nobody will come back for what is not yet due.
  const bool is_last = step.world.is_shutting_down && step.world.replicas.empty();
  if (!is_last && step.now < step.world.meter.next_due()) return;
  meter::Collected collected =
      step.world.meter.collect(step.now, is_last ? meter::Reach::Everything : meter::Reach::Due);
  if (!collected.batch.rows.empty()) step.emit(model::AppendUsage{std::move(collected.batch)});
  if (collected.ask_busy) step.emit(model::AskBusy{});
}

}  // namespace kelvin::control
