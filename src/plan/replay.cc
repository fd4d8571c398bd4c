#include "plan/replay.h"

#include <algorithm>
#include <deque>
#include <queue>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "core/control/control.h"
#include "core/route/route.h"

namespace kelvin::plan {

namespace {

using model::State;

// The first moment of the trace. To control the beginning of time means "never".
constexpr Instant kBegin = Instant{} + 1h;
constexpr Duration kReportEvery = 250ms;  // as the gateway does
constexpr Duration kAskAgainMin = 1s;     // where a refusal names no time
constexpr std::size_t kProgressEvery = 4096;
constexpr auto kEndless = Duration(1'000'000h);

// An entry of the slot table with everything known about the replica that holds it.
struct Place {
  ReplicaId replica;
  AppId app;
  State state = State::Gone;
  Instant since;  // what it does now
  bool is_open = false;
  std::uint32_t generation = 0;
  std::uint32_t in_flight = 0;
  Instant last_used;
  // Since the last report.
  bool is_reported = false;  // it is in Replay::working_
  Instant counted_to;
  std::uint32_t most = 0;
  Duration request_time{};
  std::vector<Span> spans;
  std::uint32_t answered = 0;
};

struct AppState {
  model::Route route;
  std::uint32_t waiting = 0;
};

enum class Kind : std::uint8_t { Ready, RequestEnds, AsksAgain };

struct Coming {
  Instant at;
  std::uint64_t order = 0;  // equal moments in the order in which they were planned
  Kind kind = Kind::Ready;
  std::uint32_t slot = 0;
  ReplicaId replica;
  std::size_t arrival = 0;  // of who asks again
  bool operator>(const Coming& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

class Replay {
 public:
  Replay(const Trace& trace, const Terms& terms, const ReplayOptions& options)
      : trace_(trace),
        terms_(terms),
        options_(options),
        outcome_(outcome_of("kelvin", trace)),
        apps_(trace.apps.size() + 1),
        places_(places_needed()),
        world_(control::make_world({.slots_max = static_cast<std::uint32_t>(places_.size())})) {}

  Outcome run() {
    open();
    while (advance()) continue;
    return std::move(outcome_);
  }

 private:
  // --- the course of it --------------------------------------------------------------------------

  std::size_t places_needed() const {
    const std::uint64_t wanted = std::uint64_t{trace_.apps.size()} * terms_.replicas_max;
    return std::clamp<std::uint64_t>(wanted, 1, options_.replicas_max);
  }

  void open() {
    const auto accelerators = static_cast<std::uint32_t>(places_.size());
    post(model::NodeChanged{{.id = {1},
                             .name = "everything",
                             .memory = {},
                             .pools = {{.kind = "accelerator", .count = accelerators}}}});
    for (std::size_t i = 0; i < trace_.apps.size(); ++i)
      post(model::RevisionRestored{.revision = revision_of(i), .is_active = true});
    post(model::RecoveryFinished{});
  }

  std::shared_ptr<const model::Revision> revision_of(std::size_t app) const {
    model::AppSpec spec;
    spec.name = trace_.apps[app];
    spec.needs = {{.kind = "accelerator"}};
    spec.scale.replicas_max = terms_.replicas_max;
    spec.scale.concurrency = terms_.slots;
    spec.scale.urgency_milli = options_.urgency_milli;
    spec.park = terms_.parked ? model::ParkRule::Auto : model::ParkRule::Never;
    spec.start.progress = 2 * terms_.cold + 60s;
    spec.queue = {.requests_max = 1U << 30U, .wait = kEndless};
    return std::make_shared<model::Revision>(model::Revision{
        .id = {app + 1},
        .app = {app + 1},
        .workspace = "w" + std::to_string(app),
        .spec = std::move(spec),
    });
  }

  // Whatever is first: something that comes, an arrival, a report, or what control wants to be woken for.
  bool advance() {
    const Instant arrival = next_arrival_ < trace_.arrivals.size()
                                ? kBegin + trace_.arrivals[next_arrival_].at
                                : Instant::never();
    const Instant coming = coming_.empty() ? Instant::never() : coming_.top().at;
    const Instant report = working_.empty() ? Instant::never() : next_report_;
    const Instant tick = is_over() ? Instant::never() : control::next_deadline(*world_);
    const Instant next = std::min({arrival, coming, report, tick});
    if (next == Instant::never()) return false;
    now_ = std::max(now_, next);
    if (coming == next) {
      come();
    } else if (arrival == next) {
      arrive(next_arrival_++);
    } else if (report == next) {
      report_work();
    } else {
      post(model::Tick{});
    }
    return true;
  }

  bool is_over() const {
    return next_arrival_ == trace_.arrivals.size() && coming_.empty() && live_ == 0;
  }

  void come() {
    const Coming what = coming_.top();
    coming_.pop();
    if (what.kind == Kind::AsksAgain) return ask(what.arrival);
    if (what.kind == Kind::RequestEnds) return end_request(what.slot);
    Place& place = places_[what.slot];
    const bool is_coming = place.state == State::Starting || place.state == State::Resuming;
    if (place.replica != what.replica || !is_coming) return;
    become(place, State::Ready);
    post(model::ReplicaMoved{.replica = place.replica, .to = State::Ready, .port = 1, .pid = 1});
  }

  void plan(Duration after, Kind kind, std::uint32_t slot) {
    coming_.push({.at = now_ + after,
                  .order = ++orders_,
                  .kind = kind,
                  .slot = slot,
                  .replica = places_[slot].replica,
                  .arrival = 0});
  }

  // --- the gateway -------------------------------------------------------------------------------

  AppId app_of(std::size_t arrival) const { return {trace_.arrivals[arrival].app + 1ULL}; }

  void arrive(std::size_t index) {
    if (options_.progress && next_arrival_ % kProgressEvery == 0) options_.progress(next_arrival_);
    AppState& app = apps_[app_of(index).value];
    if (app.waiting == 0 && take_any(app, index)) return;
    app.waiting += 1;
    ask(index);
  }

  void ask(std::size_t index) {
    post(model::Demand{.request = {index + 1}, .app = app_of(index), .arrived = now_});
  }

  bool take_any(const AppState& app, std::size_t index) {
    loads_.clear();
    for (const model::RouteReplica& replica : app.route.replicas) {
      const Place& place = places_[replica.slot];
      loads_.push_back({.in_flight = place.in_flight,
                        .slots = replica.slots,
                        .is_open = place.is_open && place.generation == replica.generation,
                        .id = replica.id,
                        .revision = replica.revision,
                        .is_spare = replica.is_spare});
    }
    const route::Order order = route::pick(loads_, random_);
    if (order.empty()) return false;
    serve(app.route.replicas[order[0]].slot, index);
    return true;
  }

  void serve(std::uint32_t slot, std::size_t index) {
    Place& place = places_[slot];
    count_work(slot);
    if (place.in_flight == 0) changes_work(place, Spending::Idle);
    place.in_flight += 1;
    place.answered += 1;
    place.most = std::max(place.most, place.in_flight);
    outcome_.waited(index, trace_.arrivals[index].at, now_ - kBegin);
    plan(trace_.arrivals[index].service, Kind::RequestEnds, slot);
  }

  void end_request(std::uint32_t slot) {
    Place& place = places_[slot];
    count_work(slot);
    place.in_flight -= 1;
    place.last_used = now_;
    if (place.in_flight == 0) changes_work(place, Spending::Busy);
    const ReplicaId id = place.replica;
    const bool is_awaited = apps_[place.app.value].waiting > 0;
    if (!place.is_open && place.in_flight == 0) post(model::SlotsDrained{id});
    if (is_awaited) post(model::SlotFree{id});
  }

  // Brings the work of a replica up to now into its next report.
  void count_work(std::uint32_t slot) {
    Place& place = places_[slot];
    if (!place.is_reported) {
      place.is_reported = true;
      place.counted_to = now_;
      if (working_.empty()) next_report_ = now_ + kReportEvery;
      working_.push_back(slot);
    }
    if (place.in_flight > 0 && now_ > place.counted_to) {
      place.request_time += (now_ - place.counted_to) * place.in_flight;
      if (!place.spans.empty() && place.spans.back().to == place.counted_to) {
        place.spans.back().to = now_;
      } else {
        place.spans.push_back({place.counted_to, now_});
      }
    }
    place.counted_to = now_;
  }

  void report_work() {
    model::BusyMeasured report{.loop = 0, .complete_up_to = now_, .entries = {}};
    std::vector<std::uint32_t> still;
    for (const std::uint32_t slot : working_) {
      count_work(slot);
      Place& place = places_[slot];
      report.entries.push_back({.replica = place.replica,
                                .spans = std::exchange(place.spans, {}),
                                .most = std::exchange(place.most, place.in_flight),
                                .request_time = std::exchange(place.request_time, {}),
                                .answered = std::exchange(place.answered, 0)});
      place.is_reported = place.in_flight > 0;
      if (place.is_reported) still.push_back(slot);
    }
    working_ = std::move(still);
    next_report_ = now_ + kReportEvery;
    post(report);
  }

  // --- control and what it wants -----------------------------------------------------------------

  // One event, and whatever follows from it in the same breath.
  void post(const model::Event& event) {
    events_.push_back(event);
    if (is_posting_) return;
    is_posting_ = true;
    while (!events_.empty()) {
      const model::Event next = std::move(events_.front());
      events_.pop_front();
      for (const model::Effect& effect : control::step(*world_, next, now_))
        std::visit([&](const auto& order) { carry_out(order); }, effect);
    }
    is_posting_ = false;
  }

  void carry_out(const model::StartReplica& order) {
    Place& place = places_[order.slot];
    KELVIN_CHECK(place.state == State::Gone);
    place = Place{.replica = order.replica, .app = order.revision->app, .since = now_};
    place.state = State::Starting;
    slots_[order.replica] = order.slot;
    live_ += 1;
    outcome_.cold_starts += 1;
    plan(terms_.cold, Kind::Ready, order.slot);
  }
  void carry_out(const model::ParkReplica& order) {
    become(place_of(order.replica), State::Parked);
    post(model::ReplicaMoved{.replica = order.replica, .to = State::Parked});
  }
  void carry_out(const model::ResumeReplica& order) {
    become(place_of(order.replica), State::Resuming);
    outcome_.resumes += 1;
    plan(terms_.parked.value_or(0s), Kind::Ready, slots_.at(order.replica));
  }
  void carry_out(const model::StopReplica& order) {
    const auto slot = slots_.find(order.replica);
    if (slot == slots_.end()) return;
    Place& place = places_[slot->second];
    become(place, State::Gone);
    place.is_open = false;
    slots_.erase(slot);
    live_ -= 1;
    post(model::ReplicaMoved{.replica = order.replica,
                             .to = State::Gone,
                             .exit = model::Exit{.cause = model::ExitCause::Stopped}});
  }
  void carry_out(const model::OpenSlots& order) {
    Place& place = places_[order.slot];
    place.is_open = true;
    place.generation = order.generation;
    place.last_used = {};
  }
  void carry_out(const model::CloseSlots& order) {
    Place& place = places_[order.slot];
    const bool is_idle = place.in_flight == 0 && place.last_used <= order.idle_since;
    const bool is_closed = order.purpose == model::ClosePurpose::Stop || is_idle;
    if (is_closed) place.is_open = false;
    post(model::SlotsClosed{.replica = order.replica,
                            .is_closed = is_closed,
                            .in_flight = place.in_flight,
                            .last_used = place.last_used});
  }
  void carry_out(const model::RouteChanged& order) {
    apps_[order.route.app.value].route = order.route;
  }
  void carry_out(const model::CloseConnections& order) {
    post(model::ConnectionsClosed{order.replica});
  }
  void carry_out(const model::Handover& order) {
    const Place& place = places_[order.replica.slot];
    const bool has_room = place.is_open && place.generation == order.replica.generation &&
                          place.in_flight < order.replica.slots;
    if (!has_room) {
      return post(model::HandoverRefused{.request = order.request, .replica = order.replica.id});
    }
    apps_[place.app.value].waiting -= 1;
    serve(order.replica.slot, order.request.value - 1);
  }
  void carry_out(const model::RefuseRequest& order) {
    coming_.push({.at = now_ + std::max<Duration>(order.refusal.retry_after, kAskAgainMin),
                  .order = ++orders_,
                  .kind = Kind::AsksAgain,
                  .slot = 0,
                  .replica = {},
                  .arrival = order.request.value - 1});
  }
  void carry_out(const model::AskBusy&) { report_work(); }
  void carry_out(const model::TellProgress&) {}
  // A trace counts from its first moment and knows no time of day, and one revision serves all of it.
  void carry_out(const model::FollowSchedule&) {}
  void carry_out(const model::KeepRollout&) {}
  void carry_out(const model::AppendUsage&) {}
  void carry_out(const model::RecordDecision&) {}

  // --- what it costs -----------------------------------------------------------------------------

  Place& place_of(ReplicaId id) { return places_[slots_.at(id)]; }

  Spending spending_of(const Place& place) const {
    switch (place.state) {
      case State::Resuming:
        return Spending::Resuming;
      case State::Ready:
        return place.in_flight > 0 ? Spending::Busy : Spending::Idle;
      case State::Parked:
        return Spending::Parked;
      default:
        return Spending::Starting;
    }
  }

  void become(Place& place, State state) {
    changes_work(place, spending_of(place));
    place.state = state;
  }

  // What it did until now.
  void changes_work(Place& place, Spending what) {
    const double price = what == Spending::Parked ? terms_.parked_price : 1;
    outcome_.spend(what, place.since - kBegin, now_ - kBegin, price);
    place.since = now_;
  }

  const Trace& trace_;
  const Terms& terms_;
  const ReplayOptions& options_;
  Outcome outcome_;
  std::vector<AppState> apps_;  // by app id
  std::vector<Place> places_;   // by slot
  control::WorldPtr world_;
  std::unordered_map<ReplicaId, std::uint32_t, decltype([](ReplicaId id) { return id.value; })>
      slots_;                           // of live replicas
  std::vector<std::uint32_t> working_;  // slots with work since the last report
  Instant next_report_;
  std::priority_queue<Coming, std::vector<Coming>, std::greater<>> coming_;
  std::uint64_t orders_ = 0;
  std::size_t next_arrival_ = 0;
  std::size_t live_ = 0;
  std::deque<model::Event> events_;
  bool is_posting_ = false;
  std::vector<route::ReplicaLoad> loads_;
  Random random_;
  Instant now_ = kBegin;
};

}  // namespace

Outcome replay(const Trace& trace, const Terms& terms, const ReplayOptions& options) {
  return Replay(trace, terms, options).run();
}

}  // namespace kelvin::plan
