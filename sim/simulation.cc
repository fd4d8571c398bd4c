#include "sim/simulation.h"

#include <algorithm>
#include <iterator>

#include "model/ids.h"

namespace kelvin::sim {

namespace {

// Streams of chance of one seed: what one of them draws leaves the others as they are.
enum Stream : std::uint64_t { kScenario = 1, kPlan, kCourse };

std::uint64_t seed_of(std::uint64_t seed, Stream stream) {
  return Random{Random{seed}.next() + stream}.next();
}

Scenario scenario_of(const Course& course) {
  Chance chance{{seed_of(course.seed, kScenario)}};
  return draw_scenario(chance, course.shape);
}

}  // namespace

Simulation::Simulation(const Course& course)
    : ground_{Chance{{seed_of(course.seed, kCourse)}}},
      scenario_(scenario_of(course)),
      plan_(cut(draw_plan(scenario_, seed_of(course.seed, kPlan)), course.part)),
      books_(ground_),
      clients_(ground_),
      machine_(ground_, books_, scenario_),
      apps_(scenario_.apps.size()) {
  ground_.is_traced = course.is_traced;
}

void Simulation::run() {
  start_platform();
  for (std::size_t app = 0; app < apps_.size(); ++app) deploy(app);
  watch_until(ground_.now() + 1s);
  begin_plan();
  watch_until(ground_.now() + scenario_.traffic);
  settle();
  await_open_requests();
  probe_apps();
  cool_down();
  check_cold();
  books_.check_rows();
  books_.check_against_truth();
}

void Simulation::begin_plan() {
  const Instant begin = ground_.now();
  for (PlannedFault& planned : plan_.faults) {
    ground_.timeline.at(begin + planned.at, [this, &planned] { play(planned); });
  }
  for (PlannedAct& planned : plan_.acts) {
    ground_.timeline.at(begin + planned.at, [this, &planned] { act_as_operator(planned.own); });
  }
  for (const PlannedTurn& turn : plan_.turns) {
    ground_.timeline.at(begin + turn.at, [this, &turn] { turn_schedule(turn.app, turn.floor); });
  }
  for (Client& planned : plan_.clients) {
    planned.arrives = begin + (planned.arrives - Instant{});
    Client& client = clients_.add(std::move(planned));
    ground_.timeline.at(client.arrives, [this, &client] { send(client); });
  }
}

std::string Simulation::summary() const {
  std::string text =
      std::to_string(scenario_.nodes.size()) + " nodes, " + std::to_string(apps_.size()) +
      " apps, " + std::to_string(clients_.all().size()) + " requests, " +
      std::to_string(faults_played_) + " faults, " + std::to_string(platform_crashes_) +
      " platform crashes, " + std::to_string(steps_ + (platform_ ? platform_->steps() : 0)) +
      " steps, " + std::to_string(books_.rows()) + " usage rows, " +
      std::to_string(ground_.now().ns / 1'000'000'000) + " s;";
  for (const auto& [end, count] : clients_.ends())
    text += " " + end + ": " + std::to_string(count) + ",";
  text.back() = '.';
  return text;
}

// --- the platform's lives ---

Platform::Outside Simulation::outside() {
  return {ground_,          machine_,
          books_,           clients_,
          scenario_,        weather_,
          is_low_app_open_, [this](const model::KeepRollout& word) { keep_rollout(word); }};
}

// As the store does it.
void Simulation::keep_rollout(const model::KeepRollout& word) {
  for (StoredApp& app : apps_) {
    if (app.is_deleted || app.id != word.app) continue;
    app.rollout = word.rollout;
    const bool is_undone = word.rollout && word.rollout->stage == model::RolloutStage::RolledBack &&
                           app.revisions[app.active]->id == word.rollout->to;
    for (std::size_t i = 0; i < app.revisions.size() && is_undone; ++i) {
      if (app.revisions[i]->id == word.rollout->from) app.active = i;
    }
  }
}

void Simulation::start_platform() {
  dead_.reset();
  platform_ = std::make_unique<Platform>(outside(), ++epoch_);
  std::vector<model::Event> events;
  for (const StoredApp& app : apps_) {
    if (app.is_deleted) continue;
    for (std::size_t i = 0; i < app.revisions.size(); ++i) {
      auto revision = std::make_shared<model::Revision>(*app.revisions[i]);
      if (i == app.active) revision->spec.scale = app.scale_rule();
      events.push_back(model::RevisionRestored{std::move(revision), i == app.active});
    }
    if (!app.shares.empty()) events.push_back(model::TrafficChanged{app.id, app.shares});
    if (app.rollout) events.push_back(model::RolloutRestored{app.id, *app.rollout});
  }
  for (model::Event& event : machine_.look_around()) events.push_back(std::move(event));
  events.push_back(model::RecoveryFinished{});
  platform_->recover(std::move(events));
  // Sockets are listened on again when control knows the apps.
  ground_.timeline.at(ground_.now() + 100ms, [this] { release_backlog(); });
}

void Simulation::release_backlog() {
  if (!platform_) return;
  for (Client* client : std::exchange(backlog_, {})) send(*client);
}

void Simulation::crash_platform() {
  if (!platform_) return;
  ground_.trace([] { return "the platform crashes"; });
  ++platform_crashes_;
  books_.disturb_living();
  platform_->crash();
  steps_ += platform_->steps();
  dead_ = std::move(platform_);
  const Instant back = std::max(ground_.now() + ground_.between(100ms, 4s), machine_.keeper_back());
  ground_.timeline.at(back, [this] { start_platform(); });
}

// --- users ---

void Simulation::deploy(std::size_t app) {
  StoredApp& stored = apps_[app];
  if (stored.is_deleted || !stored.id) stored = StoredApp{.id = {++ids_made_}};
  auto revision = std::make_shared<model::Revision>();
  revision->id = {++ids_made_};
  revision->app = stored.id;
  revision->number = static_cast<std::uint32_t>(stored.revisions.size() + 1);
  revision->spec = scenario_.apps[app].spec;
  stored.revisions.push_back(revision);
  stored.active = stored.revisions.size() - 1;
  stored.scale.reset();
  stored.rollout.reset();
  if (platform_) platform_->post(model::RevisionDeployed{revision});
}

void Simulation::set_scale(std::size_t app, std::uint32_t least, std::uint32_t most) {
  StoredApp& stored = apps_[app];
  if (stored.is_deleted) return;
  stored.scale = stored.scale_rule();
  stored.scale->replicas_min = least;
  stored.scale->replicas_max = most;
  if (platform_) platform_->post(model::ScaleChanged{stored.id, least, most});
}

// Over two revisions, or over none again.
void Simulation::split_traffic(std::size_t app, Chance& chance) {
  StoredApp& stored = apps_[app];
  stored.shares.clear();
  stored.rollout.reset();
  if (stored.revisions.size() > 1 && !chance.one_in(3)) {
    const std::size_t one = chance.random.below(stored.revisions.size() - 1);
    const auto percent = static_cast<std::uint32_t>(chance.count(1, 99));
    stored.shares = {{stored.revisions[one]->id, percent},
                     {stored.revisions.back()->id, 100 - percent}};
  }
  if (platform_) platform_->post(model::TrafficChanged{stored.id, stored.shares});
}

// A window of the app's schedule opens or closes.
void Simulation::turn_schedule(std::size_t app, std::uint32_t floor) {
  if (!scenario_.apps[app].has_schedule) return;
  weather_.floors[apps_[app].id] = floor;
  if (platform_) {
    platform_->post(
        model::ScheduleChanged{apps_[app].id, {.replicas_min = floor, .words = "some"}});
  }
}

void Simulation::act_as_operator(Chance& chance) {
  const std::size_t app = chance.random.below(apps_.size());
  if (scenario_.apps[app].is_low) return;
  StoredApp& stored = apps_[app];
  if (stored.is_deleted) {
    deploy(app);
    return;
  }
  if (scenario_.apps[app].has_split && chance.one_in(2)) return split_traffic(app, chance);
  if (scenario_.apps[app].has_rollout && chance.one_in(3) && platform_) {
    return platform_->post(
        model::RolloutAsked{stored.id, static_cast<model::RolloutWish>(chance.random.below(4))});
  }
  switch (chance.random.below(7)) {
    case 0:
    case 1:
      deploy(app);
      return;
    case 2:
      stored.active = chance.random.below(stored.revisions.size());
      stored.scale.reset();
      stored.shares.clear();
      stored.rollout.reset();
      if (platform_)
        platform_->post(model::RevisionActivated{stored.id, stored.revisions[stored.active]->id});
      return;
    case 3: {
      const auto most = static_cast<std::uint32_t>(chance.count(1, 5));
      const bool may_keep = app >= kAppsOfNoMinimum && app < scenario_.probed &&
                            may_have_minimum(scenario_.apps[app].spec);
      set_scale(app, may_keep ? static_cast<std::uint32_t>(chance.count(0, 1)) : 0, most);
      return;
    }
    case 4:
      if (platform_) platform_->post(model::ParkAsked{stored.id});
      return;
    case 5:
      if (platform_) platform_->post(model::WakeAsked{stored.id});
      return;
    default:
      stored.is_deleted = true;
      if (platform_) platform_->post(model::AppDeleted{stored.id});
  }
}

// --- traffic ---

void Simulation::send(Client& client) {
  if (client.end != End::None) return;
  if (client.patience != Duration::max() && !client.has_patience_begun) {
    client.has_patience_begun = true;
    ground_.timeline.at(ground_.now() + client.patience, [this, &client] {
      if (client.end != End::None) return;
      if (platform_) {
        platform_->leave(client);
      } else {
        clients_.finish(client, End::Left);
      }
    });
  }
  if (platform_) {
    platform_->arrive(client);
  } else {
    backlog_.push_back(&client);
  }
}

// --- faults ---

void Simulation::play(PlannedFault& planned) {
  ++faults_played_;
  ground_.trace([&] { return std::string("fault: ") + to_text(planned.fault); });
  Chance& chance = planned.own;
  const auto for_a_while = [&](Duration least, Duration most, std::function<void()> end) {
    ground_.timeline.at(ground_.now() + chance.between(least, most), std::move(end));
  };
  switch (planned.fault) {
    case Fault::CrashProcess:
      return machine_.crash_some_process(chance);
    case Fault::HangProcess:
      return machine_.hang_some_process(chance);
    case Fault::LoseNode:
      machine_.lose_some_node(chance);
      return for_a_while(5s, 60s, [this] { machine_.return_nodes(); });
    case Fault::LoseKeeper:
      return machine_.lose_keeper(chance.between(10ms, 3s));
    case Fault::CrashPlatform:
      return crash_soon(chance, false);
    case Fault::CrashPlatformAndKeeper:
      return crash_soon(chance, true);
    case Fault::SlowMessages:
      weather_.is_slow = true;
      return for_a_while(2s, 30s, [this] { weather_.is_slow = false; });
    case Fault::FailStore:
      weather_.is_store_failing = true;
      return for_a_while(1s, 60s, [this] { weather_.is_store_failing = false; });
    case Fault::RepeatEvents:
      machine_.repeat_events(true);
      return for_a_while(5s, 60s, [this] { machine_.repeat_events(false); });
    case Fault::SlowStarts:
      machine_.slow_starts(chance.between(1s, 10s));
      return for_a_while(10s, 60s, [this] { machine_.slow_starts({}); });
    case Fault::FailStarts:
      return machine_.fail_starts(static_cast<std::uint32_t>(chance.count(1, 12)));
    case Fault::JumpClock:
    case Fault::StallPlatform:
      return lose_time(planned, chance.skewed(10ms, 120s));
  }
}

// Before some effect in the near future, so that every effect is interrupted in some seed.
void Simulation::crash_soon(Chance& chance, bool is_keeper_too) {
  if (!platform_) return;
  const Duration away = chance.between(10ms, 2s);
  platform_->crash_after(chance.random.below(40), [this, is_keeper_too, away] {
    if (is_keeper_too) {
      machine_.lose_keeper(away);
      machine_.forget_slots();
    }
    crash_platform();
  });
}

// A jump takes everybody along; in a stall only the platform stands still.
void Simulation::lose_time(const PlannedFault& planned, Duration time) {
  ground_.lost += time;
  if (planned.fault == Fault::JumpClock) {
    ground_.timeline.jump(time);
  } else {
    ground_.stalled_until = std::max(ground_.stalled_until, ground_.now() + time);
  }
  ground_.calm_since = std::max(ground_.now(), ground_.stalled_until);
}

// --- the end ---

void Simulation::settle() {
  ground_.trace([] { return "faults stop"; });
  weather_.is_slow = weather_.is_store_failing = false;
  is_low_app_open_ = true;
  machine_.heal();
  if (platform_) platform_->crash_no_more();
  watch_until(std::max(ground_.now(), ground_.stalled_until) + 10s);
  for (std::size_t app = 0; app < apps_.size(); ++app) {
    if (apps_[app].is_deleted) deploy(app);
    turn_schedule(app, 1);
    if (platform_) platform_->post(model::RolloutAsked{apps_[app].id, model::RolloutWish::Promote});
  }
}

void Simulation::watch_until(Instant until) {
  while (ground_.now() < until) {
    ground_.timeline.run_until(std::min(until, ground_.now() + 1s));
    if (weather_.is_slow) ground_.calm_since = std::max(ground_.calm_since, ground_.now());
    if (platform_) platform_->check_in_time();
  }
}

void Simulation::await_open_requests() {
  const Instant until = ground_.now() + 600s;
  while (clients_.open() > 0 && ground_.now() < until) watch_until(ground_.now() + 5s);
  for (const Client& client : clients_.all()) {
    if (client.end == End::None)
      violate(Checker::Convergence, "request " + std::to_string(client.number) + " never ends");
  }
  if (platform_->waiting() > 0)
    violate(Checker::Requests, "the gateway counts waiting requests although none is open");
}

// Of a large world only the first are asked.
std::size_t Simulation::probed() const {
  return std::min<std::size_t>(apps_.size(), scenario_.probed);
}

void Simulation::probe_apps() {
  for (std::size_t app = 0; app < probed(); ++app) {
    const Program& program = scenario_.apps[app].program;
    if (program.is_broken || program.stalls_one_in == 1) continue;
    int tries = 0;
    while (!probe(app)) {
      if (++tries == 40)
        violate(Checker::Convergence, scenario_.apps[app].spec.name + " does not heal");
      watch_until(ground_.now() + 60s);
    }
  }
  for (std::size_t app = 0; app < 2; ++app) {
    if (probe(app)) violate(Checker::Lives, "a program that never gets ready has answered");
  }
}

bool Simulation::probe(std::size_t app) {
  Client& client =
      clients_.add({.app = app, .arrives = ground_.now(), .service = 1ms, .is_probe = true});
  send(client);
  const Instant until = ground_.now() + 700s;
  while (client.end == End::None && ground_.now() < until) watch_until(ground_.now() + 1s);
  if (client.end == End::None)
    violate(Checker::Convergence, "a probe of " + scenario_.apps[app].spec.name + " never ends");
  return client.end == End::Answered;
}

void Simulation::cool_down() {
  watch_until(ground_.now() + 120s);
  for (std::size_t app = 2; app < probed(); ++app) {
    const auto view = control::view_app(platform_->world(), apps_[app].id);
    require(Checker::Convergence, view.has_value(), "a deployed app is not in the view");
    const std::uint32_t least =
        std::max(view->revision.spec.scale.replicas_min, view->scheduled.replicas_min);
    if (view->replicas_ready < least) {
      violate(Checker::Convergence,
              view->revision.spec.name + " has fewer ready replicas than its minimum");
    }
  }
  for (std::size_t app = 0; app < apps_.size(); ++app) {
    set_scale(app, 0, apps_[app].scale_rule().replicas_max);
    turn_schedule(app, 0);
  }
  const Instant until = ground_.now() + Duration(12h);
  while (machine_.living() > 0 && ground_.now() < until) watch_until(ground_.now() + 30s);
  watch_until(ground_.now() + 60s);
}

void Simulation::check_cold() const {
  const control::World& world = platform_->world();
  for (const model::ReplicaView& replica : control::view_replicas(world, {})) {
    violate(Checker::Convergence, model::to_text(replica.id) + " of " + replica.app_name +
                                      " never gets cold: it is " +
                                      std::string(to_text(replica.state)) + ", " + replica.reason);
  }
  require(Checker::Leaks, machine_.living() == 0, "a process is left that control does not know");
  require(Checker::Leases, machine_.accelerators_in_use() == 0, "an accelerator is left in use");
  for (const model::AppView& app : control::view_apps(world)) {
    if (app.waiting > 0)
      violate(Checker::Requests, app.revision.spec.name + " has waiting requests at the end");
    const bool is_at_rest =
        app.condition == model::Condition::Cold || app.condition == model::Condition::Failing;
    if (!is_at_rest)
      violate(Checker::Convergence, app.revision.spec.name + " is not cold at the end");
  }
  require(Checker::Convergence, control::next_deadline(world) == Instant::never(),
          "control wants ticks although everything is cold");
  require(Checker::Ledger, platform_->has_stored_everything(), "usage is left that was not stored");
}

}  // namespace kelvin::sim
