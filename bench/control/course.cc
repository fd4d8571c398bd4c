#include "course.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/random.h"
#include "core/place/place.h"

namespace bench {

using namespace kelvin;

namespace {

constexpr Instant kBegin{1'000'000'000'000};
constexpr Duration kApart = 10us;  // between two events of a batch

model::AppSpec spec_of(std::uint64_t app) {
  model::AppSpec spec;
  spec.name = "app-" + std::to_string(app);
  spec.command = {"serve", "--port", "{port}"};
  spec.memory = {256ULL << 20U};
  spec.scale.replicas_max = 1;
  spec.scale.concurrency = 1;
  spec.scale.urgency_milli = 100'000;
  return spec;
}

model::RevisionDeployed deploy(std::uint64_t app) {
  return {std::make_shared<model::Revision>(
      model::Revision{.id = {app}, .app = {app}, .spec = spec_of(app), .folder = "/srv/app"})};
}

model::NodeChanged join(std::uint32_t node, const Terms& terms) {
  return {{.id = {node},
           .name = "node-" + std::to_string(node),
           .memory = {std::uint64_t{terms.cpus} << 30U},
           .pools = {{.kind = "cpu", .count = terms.cpus}}}};
}

// The world, and what its effects asked for and nobody has answered yet.
class Course {
 public:
  Course(const Terms& terms, const Measure& measure)
      : terms_(terms), measure_(measure), world_(deployed_world(terms)) {}

  // The steps of one batch, `kApart` apart, then a pause.
  void play(std::string_view kind, const std::vector<model::Event>& events, Duration pause = 0s) {
    std::vector<model::Effects> effects(events.size());
    measure_({.kind = kind, .steps = events.size(), .run = [&] {
                for (std::size_t i = 0; i < events.size(); ++i) {
                  effects[i] = control::step(*world_, events[i], now_);
                  now_ = now_ + kApart;
                }
              }});
    take_note(effects);
    now_ = now_ + pause;
  }

  // As many ticks, each when the world wants it.
  void tick(std::string_view kind, std::size_t ticks) {
    std::vector<model::Effects> effects(ticks);
    const model::Event event = model::Tick{};
    measure_({.kind = kind, .steps = ticks, .run = [&] {
                for (model::Effects& each : effects) {
                  now_ = std::max(now_, control::next_deadline(*world_));
                  each = control::step(*world_, event, now_);
                }
              }});
    take_note(effects);
  }

  // Ticks before anything is due.
  void tick_early(std::string_view kind) {
    play(kind, std::vector<model::Event>(terms_.apps, model::Tick{}));
  }

  template <class Event>
  void each_app(std::string_view kind, Event event, Duration pause = 0s) {
    std::vector<model::Event> events;
    for (std::uint64_t app = 1; app <= terms_.apps; ++app) {
      event.app = {app};
      events.emplace_back(event);
    }
    play(kind, events, pause);
  }

  // Requests of the apps from `first` on, one each.
  void call(std::string_view kind, std::uint64_t first, std::uint64_t count, Duration pause) {
    std::vector<model::Event> events;
    for (std::uint64_t app = first; app < first + count; ++app) {
      events.emplace_back(model::Demand{.request = {++requests_}, .app = {app}, .arrived = now_});
    }
    play(kind, events, pause);
  }

  // One more request of each app whose replica is new and full: its slot is asked for, and refused.
  void call_full(std::string_view kind, Duration pause) {
    std::vector<model::Event> events;
    for (std::uint64_t app = 1; app <= terms_.apps; ++app) {
      const RequestId request{++requests_};
      events.emplace_back(model::Demand{.request = request, .app = {app}, .arrived = now_});
      events.emplace_back(model::HandoverRefused{.request = request, .replica = started_[app - 1]});
    }
    play(kind, events, pause);
  }

  void move(std::string_view kind, std::vector<ReplicaId> replicas, model::State to,
            Duration pause) {
    std::vector<model::Event> events;
    for (const ReplicaId id : replicas) {
      model::ReplicaMoved moved{.replica = id, .to = to, .port = 9000, .pid = 77};
      if (to == model::State::Gone) moved.exit = model::Exit{.cause = model::ExitCause::Stopped};
      events.emplace_back(moved);
    }
    play(kind, events, pause);
  }

  void free_slots(std::string_view kind) {
    std::vector<model::Event> events;
    for (const ReplicaId id : started_) events.emplace_back(model::SlotFree{id});
    play(kind, events);
  }

  // Each replica served for a millisecond that is just over.
  void report(std::string_view kind, Duration pause) {
    std::vector<model::Event> events;
    Instant at = now_;
    for (const ReplicaId id : started_) {
      events.emplace_back(model::BusyMeasured{.loop = 0,
                                              .complete_up_to = at,
                                              .entries = {{.replica = id,
                                                           .spans = {{at - 2ms, at - 1ms}},
                                                           .request_time = 1ms,
                                                           .answered = 1}}});
      at = at + kApart;
    }
    play(kind, events, pause);
  }

  void close(std::string_view kind) {
    std::vector<model::Event> events;
    for (const ReplicaId id : std::exchange(closes_, {})) {
      events.emplace_back(model::SlotsClosed{.replica = id, .is_closed = true});
    }
    play(kind, events);
  }

  void close_connections(std::string_view kind) {
    std::vector<model::Event> events;
    for (const ReplicaId id : std::exchange(connections_, {})) {
      events.emplace_back(model::ConnectionsClosed{id});
    }
    play(kind, events, 10ms);
  }

  std::vector<ReplicaId> take_started() { return started_ = std::exchange(fresh_, {}); }
  std::vector<ReplicaId> take_parking() { return std::exchange(parking_, {}); }
  std::vector<ReplicaId> take_resuming() { return std::exchange(resuming_, {}); }
  std::vector<ReplicaId> take_stopping() { return std::exchange(stopping_, {}); }

 private:
  void take_note(const std::vector<model::Effects>& all) {
    for (const model::Effects& effects : all) {
      for (const model::Effect& effect : effects) {
        if (const auto* start = std::get_if<model::StartReplica>(&effect))
          fresh_.push_back(start->replica);
        if (const auto* order = std::get_if<model::CloseSlots>(&effect))
          closes_.push_back(order->replica);
        if (const auto* order = std::get_if<model::CloseConnections>(&effect))
          connections_.push_back(order->replica);
        if (const auto* order = std::get_if<model::ParkReplica>(&effect))
          parking_.push_back(order->replica);
        if (const auto* order = std::get_if<model::ResumeReplica>(&effect))
          resuming_.push_back(order->replica);
        if (const auto* order = std::get_if<model::StopReplica>(&effect))
          stopping_.push_back(order->replica);
      }
    }
  }

  const Terms terms_;
  const Measure& measure_;
  control::WorldPtr world_;
  Instant now_ = kBegin;
  std::uint64_t requests_ = 0;
  std::vector<ReplicaId> started_;
  std::vector<ReplicaId> fresh_;
  std::vector<ReplicaId> closes_;
  std::vector<ReplicaId> connections_;
  std::vector<ReplicaId> parking_;
  std::vector<ReplicaId> resuming_;
  std::vector<ReplicaId> stopping_;
};

}  // namespace

control::WorldPtr deployed_world(const Terms& terms) {
  control::WorldPtr world =
      control::make_world({.slots_max = 4 * (terms.nodes * terms.cpus + terms.apps),
                           .starts = {.burst = 1'000'000, .per_second = 1000}});
  for (std::uint32_t node = 1; node <= terms.nodes; ++node)
    (void)control::step(*world, join(node, terms), kBegin);
  (void)control::step(*world, model::RecoveryFinished{}, kBegin);
  for (std::uint64_t app = 1; app <= terms.apps + terms.idle; ++app)
    (void)control::step(*world, deploy(app), kBegin);
  return world;
}

void run_roomy(const Terms& terms, const Measure& measure) {
  using model::State;
  Course course(terms, measure);
  course.tick_early("Tick: nothing due");
  course.call("Demand: a cold app is started", 1, terms.apps, 10ms);
  const std::vector<ReplicaId> started = course.take_started();
  course.move("ReplicaMoved: Starting", started, State::Starting, 10ms);
  course.move("ReplicaMoved: Loading", started, State::Loading, 900ms);
  course.move("ReplicaMoved: Ready, the request is handed over", started, State::Ready, 1ms);
  course.call_full("Demand, HandoverRefused: the app is full", 1ms);
  course.free_slots("SlotFree: handed to who waits");
  course.report("BusyMeasured: one replica", 1ms);
  course.tick("Tick: cooling is put off", terms.apps);
  course.tick("Tick: cooling is tried", terms.apps);
  course.close("SlotsClosed: to park");
  course.close_connections("ConnectionsClosed: parked");
  const std::vector<ReplicaId> parking = course.take_parking();
  course.move("ReplicaMoved: Parked", parking, State::Parked, 10ms);
  course.call("Demand: a parked replica is resumed", 1, terms.apps, 10ms);
  course.move("ReplicaMoved: Ready, resumed", course.take_resuming(), State::Ready, 10ms);
  course.each_app("AppDeleted: drained", model::AppDeleted{});
  course.close("SlotsClosed: to stop");
  course.move("ReplicaMoved: Gone", course.take_stopping(), State::Gone, 10ms);
}

void run_crowded(const Terms& terms, const Measure& measure) {
  using model::State;
  Terms crowded = terms;
  crowded.idle += terms.nodes * terms.cpus;  // those called later
  crowded.apps = terms.nodes * terms.cpus;
  const auto silence = [](const Batch& batch) { batch.run(); };
  bool is_measured = false;
  const Measure when_crowded = [&](const Batch& batch) {
    is_measured ? measure(batch) : silence(batch);
  };
  Course course(crowded, when_crowded);
  course.call("fill", 1, crowded.apps, 10ms);
  const std::vector<ReplicaId> holders = course.take_started();
  course.move("fill", holders, State::Ready, 10ms);
  course.report("fill", 3s);
  is_measured = true;
  course.call("Demand: an idle replica makes way", crowded.apps + 1, terms.apps, 10ms);
  course.close("SlotsClosed: to make way");
  course.close_connections("ConnectionsClosed: to make way");
  course.move("ReplicaMoved: Parked, the next in line starts", course.take_parking(), State::Parked,
              10ms);
}

void run_places(const Terms& terms, const Measure& measure) {
  Random random{17};
  place::Nodes nodes;
  for (std::uint32_t id = 1; id <= terms.nodes; ++id) {
    place::NodeLoad load;
    load.node = join(id, terms).node;
    load.node.pools.push_back({.kind = "h100", .count = 8, .memory_each = {80ULL << 30U}});
    for (std::uint32_t index = 0; index < 8; ++index) {
      if (random.below(100) < 60)
        place::take(load, {.node = {id}, .kind = "h100", .accelerators = {index}});
    }
    nodes.emplace(load.node.id, std::move(load));
  }
  const std::vector<model::AcceleratorNeed> one{{.kind = "h100"}};
  const std::vector<model::AcceleratorNeed> by_memory{
      {.kind = "any", .count = 2, .memory_each = {40ULL << 30U}}};
  const std::vector<model::AcceleratorNeed> fallback{{.kind = "b200"},
                                                     {.kind = "h100", .count = 4}};
  const std::vector<model::AcceleratorNeed> too_many{{.kind = "h100", .count = 9}};
  const auto pick = [&](std::string_view kind, const std::vector<model::AcceleratorNeed>& needs) {
    std::size_t found = 0;
    measure({.kind = kind, .steps = terms.apps, .run = [&] {
               for (std::uint32_t i = 0; i < terms.apps; ++i)
                 found +=
                     place::pick_place(nodes, {.needs = needs, .memory = {1ULL << 30U}}) ? 1 : 0;
             }});
    KELVIN_CHECK(found == 0 || found == terms.apps);
  };
  pick("pick_place: one h100", one);
  pick("pick_place: two of any with 40 GiB", by_memory);
  pick("pick_place: a kind that no node has, then four h100", fallback);
  pick("pick_place: more than any node has", too_many);
}

}  // namespace bench
