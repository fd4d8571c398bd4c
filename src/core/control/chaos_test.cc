// Random stories: whatever happens, in whatever order, the world stays sound. The checks inside
// control (legal moves, leases that never overlap) end the program; the ones here look at it from
// outside.
#include "core/control/story_test.h"

namespace kelvin::control {
namespace {

using model::State;

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed)
      : random_{seed}, story_({.cpus = 3, .memory = 6_GiB, .slots_max = 12}) {}

  void run(int steps) {
    for (std::uint64_t app = 1; app <= 4; ++app) deploy(app);
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      act();
      if (const ReplicaId id = any_replica()) answer(story_.replica(id), /*is_kind=*/false);
      // Mostly seconds, sometimes minutes: long enough for everything to cool, and for starts to be
      // given up.
      story_.pass(
          std::chrono::milliseconds(random_.below(random_.below(60) == 0 ? 200'000 : 1'500)));
      check();
    }
  }

  // After faults stop and everything answers, nobody waits for ever.
  void settle() {
    for (int i = 0; i < 400; ++i) {
      for (const model::ReplicaView& view : story_.replicas()) {
        answer(view, /*is_kind=*/true);
        end_work(view.id);
      }
      story_.report_busy();
      story_.pass(3s);
    }
    for (const model::AppView& app : apps()) EXPECT_EQ(app.waiting, 0u) << app.revision.spec.name;
    for (const auto& [id, outcome] : requests_) EXPECT_TRUE(is_ended(id)) << "request " << id;
  }

 private:
  void deploy(std::uint64_t app) {
    model::AppSpec spec = Story::spec("app" + std::to_string(app));
    spec.memory = Bytes{(1 + random_.below(3)) << 30};
    spec.needs = {{.kind = "cpu", .count = 1 + static_cast<std::uint32_t>(random_.below(2))}};
    spec.scale = {.replicas_min = random_.below(6) == 0 ? 1U : 0U,
                  .replicas_max = 1 + static_cast<std::uint32_t>(random_.below(3)),
                  .concurrency = 1 + static_cast<std::uint32_t>(random_.below(3)),
                  .urgency_milli = 20'000};
    spec.park = random_.below(3) == 0 ? model::ParkRule::Never : model::ParkRule::Auto;
    spec.fixed_port = random_.below(5) == 0 ? 8080 : 0;
    spec.queue = {.requests_max = 20, .wait = 120s};
    spec.start.progress = 20s;
    story_.deploy(app, spec, ++numbers_[app]);
  }

  std::vector<model::AppView> apps() const {
    std::vector<model::AppView> views;
    for (std::uint64_t app = 1; app <= 4; ++app) {
      if (numbers_.contains(app)) views.push_back(story_.app(app));
    }
    return views;
  }

  // What the cluster and the gateway owe to this replica, or, if not kind, a fault.
  void answer(const model::ReplicaView& view, bool is_kind) {
    const bool fails = !is_kind && random_.below(12) == 0;
    switch (view.state) {
      case State::Planned:
      case State::Fetching:
      case State::Starting:
      case State::Loading:
        if (!was_started(view.id)) return;
        if (fails) return story_.gone(view.id, {.cause = model::ExitCause::Exited, .code = 1});
        return story_.moved(view.id, random_.below(2) == 0 ? State::Loading : State::Ready);
      case State::Parking:
        story_.connections_closed(view.id);
        if (fails)
          return story_.post(
              model::MoveFailed{.replica = view.id, .tried = State::Parked, .what = "x"});
        return story_.moved(view.id, State::Parked);
      case State::Resuming:
        if (fails)
          return story_.post(
              model::MoveFailed{.replica = view.id, .tried = State::Ready, .what = "x"});
        return story_.moved(view.id, State::Ready);
      case State::Stopping:
        return story_.gone(view.id, {.cause = model::ExitCause::Stopped});
      case State::Ready:
      case State::Draining:
        if (fails && random_.below(4) == 0) gone_with_work(view.id);
        return;
      case State::Parked:
      case State::Gone:
        return;
    }
  }

  bool was_started(ReplicaId id) const {
    for (const model::StartReplica& start : story_.started) {
      if (start.replica == id) return true;
    }
    return false;
  }

  void gone_with_work(ReplicaId id) {
    story_.gone(id, {.cause = model::ExitCause::Killed, .code = 9});
  }

  void end_work(ReplicaId id) {
    if (!story_.has_word(id)) return;
    while (story_.state(id) != State::Gone && story_.in_flight(id) > 0) {
      story_.give_back(id, story_.app(story_.replica(id).app.value).waiting > 0);
    }
  }

  ReplicaId any_replica() {
    const auto views = story_.replicas();
    return views.empty() ? ReplicaId{} : views[random_.below(views.size())].id;
  }

  void act() {
    const ReplicaId id = any_replica();
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const std::uint64_t request = ++last_request_;
        requests_[request] = true;
        return story_.request(request, 1 + random_.below(4), random_.below(3));
      }
      case 4:
      case 5:
      case 6:
      case 7:
        if (id) answer(story_.replica(id), false);
        return;
      case 8:
        if (id && story_.has_word(id) && story_.is_open(id)) (void)story_.take_slot(id);
        return;
      case 9:
      case 10:
        if (id) end_work(id);
        return;
      case 11:
        return story_.report_busy(random_.below(2) == 0 ? 1 : 0);
      case 12:
        if (last_request_ > 0) leave(1 + random_.below(last_request_));
        return;
      case 13:
        return disturb(id);
    }
  }

  void leave(std::uint64_t request) {
    if (is_ended(request)) return;
    left_.insert(request);
    story_.post(model::RequestLeft{{request}});
  }

  void disturb(ReplicaId id) {
    const AppId app{1 + random_.below(4)};
    switch (random_.below(9)) {
      case 0:
        return deploy(app.value);
      case 1:
        return story_.post(model::RevisionActivated{
            app, {app.value * 100 + 1 + random_.below(numbers_[app.value])}});
      case 2:
        return story_.post(model::ParkAsked{app});
      case 3:
        return story_.post(model::WakeAsked{app});
      case 4:
        return story_.post(
            model::ScaleChanged{.app = app,
                                .replicas_min = static_cast<std::uint32_t>(random_.below(2)),
                                .replicas_max = 1 + static_cast<std::uint32_t>(random_.below(3))});
      case 5:
      case 6:
        return story_.post(model::ReplicaSuspected{.replica = id});
      case 7:
        return story_.post(model::ReplicaProgressed{.replica = id});
      case 8:
        story_.race_next_handover();
        return story_.post(model::SlotFree{id});
    }
  }

  bool is_ended(std::uint64_t request) const {
    return left_.contains(request) || story_.handover_of(request) || story_.refusal_of(request);
  }

  void check() {
    std::size_t waiting = 0;
    for (const model::AppView& app : apps()) waiting += app.waiting;
    std::size_t open = 0;
    for (const auto& [request, unused] : requests_) open += !is_ended(request);
    ASSERT_EQ(waiting, open) << "every request waits or has ended, exactly once";
    std::map<std::uint64_t, std::uint32_t> leased;
    std::uint64_t memory = 0;
    std::set<std::uint32_t> cpus;
    for (const model::ReplicaView& view : story_.replicas()) {
      for (const std::uint32_t cpu : view.lease.accelerators) ASSERT_TRUE(cpus.insert(cpu).second);
      memory += view.lease.memory.count;
      if (view.state == State::Parked) ASSERT_TRUE(view.lease.accelerators.empty());
      if (view.state == State::Ready) ASSERT_FALSE(view.lease.accelerators.empty());
      const bool is_idle_state = view.state == State::Parking || view.state == State::Parked ||
                                 view.state == State::Resuming;
      if (is_idle_state && story_.has_word(view.id)) ASSERT_EQ(story_.in_flight(view.id), 0u);
    }
    ASSERT_LE(memory, (6_GiB).count);
    ASSERT_LE(cpus.size(), 3u);
  }

  Random random_;
  Story story_;
  std::map<std::uint64_t, std::uint32_t> numbers_;
  std::map<std::uint64_t, bool> requests_;
  std::set<std::uint64_t> left_;
  std::uint64_t last_request_ = 0;
};

TEST(Chaos, TheWorldStaysSoundAndConverges) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    chaos.run(300);
    chaos.settle();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kelvin::control
