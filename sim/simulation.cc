#include "sim/simulation.h"

#include <algorithm>
#include <iterator>

#include "model/ids.h"

namespace kelvin::sim {

Simulation::Simulation(std::uint64_t seed, bool is_traced)
    : ground_{.random = {seed}, .is_traced = is_traced},
      scenario_(draw_scenario(ground_)),
      books_(ground_),
      clients_(ground_),
      machine_(ground_, books_, scenario_),
      apps_(scenario_.apps.size()) {}

void Simulation::run() {
  start_platform();
  for (std::size_t app = 0; app < apps_.size(); ++app) deploy(app);
  watch_until(ground_.now() + 1s);
  plan_traffic();
  plan_faults();
  for (std::uint64_t n = ground_.count(5, 15); n > 0; --n) {
    ground_.timeline.at(ground_.now() + ground_.between(0s, scenario_.traffic),
                        [this] { act_as_operator(); });
  }
  watch_until(ground_.now() + scenario_.traffic);
  settle();
  await_open_requests();
  probe_apps();
  cool_down();
  check_cold();
  books_.check_rows();
  books_.check_against_truth();
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
  return {ground_, machine_, books_, clients_, scenario_, weather_, is_low_app_open_};
}

void Simulation::start_platform() {
  dead_.reset();
  platform_ = std::make_unique<Platform>(outside(), ++epoch_);
  std::vector<model::Event> events;
  for (const StoredApp& app : apps_) {
    if (app.is_deleted) continue;
    for (std::size_t i = 0; i < app.revisions.size(); ++i) {
      events.push_back(model::RevisionRestored{app.revisions[i], i == app.active});
    }
    if (!app.shares.empty()) events.push_back(model::TrafficChanged{app.id, app.shares});
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
  if (!stored.revisions.empty()) revision->spec.scale = stored.revisions[stored.active]->spec.scale;
  stored.revisions.push_back(revision);
  stored.active = stored.revisions.size() - 1;
  if (platform_) platform_->post(model::RevisionDeployed{revision});
}

// The store keeps the scale with the app's revisions.
void Simulation::set_scale(std::size_t app, std::uint32_t least, std::uint32_t most) {
  StoredApp& stored = apps_[app];
  if (stored.is_deleted) return;
  for (auto& revision : stored.revisions) {
    auto changed = std::make_shared<model::Revision>(*revision);
    changed->spec.scale.replicas_min = least;
    changed->spec.scale.replicas_max = most;
    revision = std::move(changed);
  }
  if (platform_) platform_->post(model::ScaleChanged{stored.id, least, most});
}

// Over two revisions, or over none again.
void Simulation::split_traffic(std::size_t app) {
  StoredApp& stored = apps_[app];
  stored.shares.clear();
  if (stored.revisions.size() > 1 && !ground_.one_in(3)) {
    const std::size_t one = ground_.random.below(stored.revisions.size() - 1);
    const auto percent = static_cast<std::uint32_t>(ground_.count(1, 99));
    stored.shares = {{stored.revisions[one]->id, percent},
                     {stored.revisions.back()->id, 100 - percent}};
  }
  if (platform_) platform_->post(model::TrafficChanged{stored.id, stored.shares});
}

void Simulation::act_as_operator() {
  const std::size_t app = ground_.random.below(apps_.size());
  if (scenario_.apps[app].is_low) return;
  StoredApp& stored = apps_[app];
  if (stored.is_deleted) {
    deploy(app);
    return;
  }
  if (scenario_.apps[app].has_split && ground_.one_in(2)) return split_traffic(app);
  switch (ground_.random.below(7)) {
    case 0:
    case 1:
      deploy(app);
      return;
    case 2:
      stored.active = ground_.random.below(stored.revisions.size());
      stored.shares.clear();
      if (platform_)
        platform_->post(model::RevisionActivated{stored.id, stored.revisions[stored.active]->id});
      return;
    case 3: {
      const auto most = static_cast<std::uint32_t>(ground_.count(1, 5));
      const bool may_keep = app >= kAppsOfNoMinimum && may_have_minimum(scenario_.apps[app].spec);
      set_scale(app, may_keep ? static_cast<std::uint32_t>(ground_.count(0, 1)) : 0, most);
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

void Simulation::draw_wishes(Client& client) {
  const AppPlan& app = scenario_.apps[client.app];
  client.key = {ground_.random.below(std::size(kKeyWeights) + 1)};
  if (ground_.one_in(10)) client.priority = model::Priority::High;
  if (ground_.one_in(6) || app.is_low) client.priority = model::Priority::Low;
  if (ground_.one_in(10)) client.deadline = ground_.skewed(100ms, 60s);
  client.wants_last = app.has_sticky && ground_.one_in(2);
  if (app.spec.affinity.by != model::AffinityBy::None) client.affinity = ground_.random.below(6);
}

void Simulation::plan_client(std::size_t app, Instant at) {
  const Program& program = scenario_.apps[app].program;
  Client client{.app = app, .arrives = at, .service = ground_.skewed(20us, program.service_most)};
  if (ground_.one_in(12)) client.patience = ground_.skewed(1ms, 20s);
  draw_wishes(client);
  Client& added = clients_.add(std::move(client));
  ground_.timeline.at(at, [this, &added] { send(added); });
}

// A few apps are popular; half of the requests come in bursts.
void Simulation::plan_traffic() {
  std::uint32_t planned = 0;
  while (planned < scenario_.requests) {
    const std::size_t app =
        std::min(ground_.random.below(apps_.size()), ground_.random.below(apps_.size()));
    const Instant at = ground_.now() + ground_.between(0s, scenario_.traffic);
    const auto burst = static_cast<std::uint32_t>(ground_.one_in(8) ? ground_.count(2, 25) : 1);
    for (std::uint32_t i = 0; i < burst; ++i, ++planned)
      plan_client(app, at + ground_.skewed(0ms, 300ms));
  }
}

void Simulation::send(Client& client) {
  if (client.end != End::None) return;
  if (client.patience != Duration::max() && client.arrives == ground_.now()) {
    ground_.timeline.at(client.arrives + client.patience, [this, &client] {
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

void Simulation::plan_faults() {
  for (std::uint32_t i = 0; i < scenario_.faults; ++i) {
    ground_.timeline.at(ground_.now() + ground_.between(0s, scenario_.traffic),
                        [this] { fault(); });
  }
}

void Simulation::fault() {
  ++faults_played_;
  const auto for_a_while = [this](Duration least, Duration most, std::function<void()> end) {
    ground_.timeline.at(ground_.now() + ground_.between(least, most), std::move(end));
  };
  switch (ground_.random.below(14)) {
    case 0:
    case 1:
    case 2:
      machine_.crash_some_process();
      return;
    case 3:
      machine_.hang_some_process();
      return;
    case 4:
      machine_.lose_some_node();
      for_a_while(5s, 60s, [this] { machine_.return_nodes(); });
      return;
    case 5:
      machine_.lose_keeper(ground_.between(10ms, 3s));
      return;
    case 6:
    case 7:
      fault_of_platform(false);
      return;
    case 8:
      fault_of_platform(true);
      return;
    case 9:
      weather_.is_slow = true;
      for_a_while(2s, 30s, [this] { weather_.is_slow = false; });
      return;
    case 10:
      weather_.is_store_failing = true;
      for_a_while(1s, 60s, [this] { weather_.is_store_failing = false; });
      return;
    case 11:
      machine_.repeat_events(true);
      for_a_while(5s, 60s, [this] { machine_.repeat_events(false); });
      return;
    case 12:
      machine_.slow_starts(ground_.between(1s, 10s));
      for_a_while(10s, 60s, [this] { machine_.slow_starts({}); });
      return;
    default:
      machine_.fail_starts(static_cast<std::uint32_t>(ground_.count(1, 12)));
  }
}

// Before some effect in the near future, so that every effect is interrupted in some seed.
void Simulation::fault_of_platform(bool is_keeper_too) {
  if (!platform_) return;
  platform_->crash_after(ground_.random.below(40), [this, is_keeper_too] {
    if (is_keeper_too) {
      machine_.lose_keeper(ground_.between(10ms, 2s));
      machine_.forget_slots();
    }
    crash_platform();
  });
}

// --- the end ---

void Simulation::settle() {
  ground_.trace([] { return "faults stop"; });
  weather_ = {};
  is_low_app_open_ = true;
  machine_.heal();
  if (platform_) platform_->crash_no_more();
  watch_until(ground_.now() + 10s);
  for (std::size_t app = 0; app < apps_.size(); ++app) {
    if (apps_[app].is_deleted) deploy(app);
  }
}

void Simulation::watch_until(Instant until) {
  while (ground_.now() < until) {
    ground_.timeline.run_until(std::min(until, ground_.now() + 1s));
    if (platform_ && !weather_.is_slow) platform_->check_nobody_is_forgotten();
  }
}

void Simulation::await_open_requests() {
  const Instant until = ground_.now() + 600s;
  while (clients_.open() > 0 && ground_.now() < until) watch_until(ground_.now() + 5s);
  for (const Client& client : clients_.all()) {
    if (client.end == End::None)
      violate("request " + std::to_string(client.number) + " never ends");
  }
  if (platform_->waiting() > 0)
    violate("the gateway counts waiting requests although none is open");
}

void Simulation::probe_apps() {
  for (std::size_t app = 0; app < apps_.size(); ++app) {
    const Program& program = scenario_.apps[app].program;
    if (program.is_broken || program.stalls_one_in == 1) continue;
    int tries = 0;
    while (!probe(app)) {
      if (++tries == 40) violate(scenario_.apps[app].spec.name + " does not heal");
      watch_until(ground_.now() + 60s);
    }
  }
  for (std::size_t app = 0; app < 2; ++app) {
    if (probe(app)) violate("a program that never gets ready has answered");
  }
}

bool Simulation::probe(std::size_t app) {
  Client& client =
      clients_.add({.app = app, .arrives = ground_.now(), .service = 1ms, .is_probe = true});
  send(client);
  const Instant until = ground_.now() + 700s;
  while (client.end == End::None && ground_.now() < until) watch_until(ground_.now() + 1s);
  if (client.end == End::None)
    violate("a probe of " + scenario_.apps[app].spec.name + " never ends");
  return client.end == End::Answered;
}

void Simulation::cool_down() {
  watch_until(ground_.now() + 120s);
  for (std::size_t app = 2; app < apps_.size(); ++app) {
    const auto view = control::view_app(platform_->world(), apps_[app].id);
    require(view.has_value(), "a deployed app is not in the view");
    if (view->replicas_ready < view->revision.spec.scale.replicas_min) {
      violate(view->revision.spec.name + " has fewer ready replicas than its minimum");
    }
  }
  for (std::size_t app = 0; app < apps_.size(); ++app) {
    const auto& scale = apps_[app].revisions[apps_[app].active]->spec.scale;
    set_scale(app, 0, scale.replicas_max);
  }
  const Instant until = ground_.now() + Duration(12h);
  while (machine_.living() > 0 && ground_.now() < until) watch_until(ground_.now() + 30s);
  watch_until(ground_.now() + 60s);
}

void Simulation::check_cold() const {
  const control::World& world = platform_->world();
  for (const model::ReplicaView& replica : control::view_replicas(world, {})) {
    violate(model::to_text(replica.id) + " of " + replica.app_name + " never gets cold: it is " +
            std::string(to_text(replica.state)) + ", " + replica.reason);
  }
  require(machine_.living() == 0, "a process is left that control does not know");
  require(machine_.accelerators_in_use() == 0, "an accelerator is left in use");
  for (const model::AppView& app : control::view_apps(world)) {
    if (app.waiting > 0) violate(app.revision.spec.name + " has waiting requests at the end");
    const bool is_at_rest =
        app.condition == model::Condition::Cold || app.condition == model::Condition::Failing;
    if (!is_at_rest) violate(app.revision.spec.name + " is not cold at the end");
  }
  require(control::next_deadline(world) == Instant::never(),
          "control wants ticks although everything is cold");
  require(platform_->has_stored_everything(), "usage is left that was not stored");
}

}  // namespace kelvin::sim
