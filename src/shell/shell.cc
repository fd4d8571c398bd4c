#include "shell/shell.h"

#include <chrono>
#include <future>
#include <map>
#include <string>
#include <utility>

namespace kelvin::shell {

// One overload per effect: the compiler finds the effect that nobody carries out.
struct Shell::Executor {
  Shell& shell;
  ShellPorts& out;

  void operator()(const model::StartReplica& order) const { out.cluster.start(order); }
  void operator()(const model::ParkReplica& order) const { out.cluster.park(order); }
  void operator()(const model::ResumeReplica& order) const { out.cluster.resume(order); }
  void operator()(const model::StopReplica& order) const { out.cluster.stop(order); }

  void operator()(const model::OpenSlots& order) const {
    out.slots.open({.slot = order.slot, .generation = order.generation});
  }
  void operator()(const model::CloseSlots& order) const {
    const os::SlotTable::Key key{.slot = order.slot, .generation = order.generation};
    const os::SlotTable::Closed closed = order.purpose == model::ClosePurpose::Park
                                             ? out.slots.close_if_idle_since(key, order.idle_since)
                                             : out.slots.close(key);
    shell.answers_.push_back(model::SlotsClosed{.replica = order.replica,
                                                .is_closed = closed.is_closed,
                                                .in_flight = closed.in_flight,
                                                .last_used = closed.last_used});
  }
  void operator()(const model::Handover& order) const {
    const os::SlotTable::Key key{.slot = order.replica.slot,
                                 .generation = order.replica.generation};
    os::SlotTable table = order.loop < out.loops_here ? out.slots : out.slots.of_other_side();
    if (table.try_take(key, order.replica.slots)) {
      out.data_plane.hand_over(order);
      return;
    }
    shell.answers_.push_back(model::HandoverRefused{.request = order.request,
                                                    .replica = order.replica.id,
                                                    .problem = model::HandoverProblem::NoSlot});
  }

  void operator()(const model::RouteChanged& order) const {
    out.data_plane.change_route(order.route);
  }
  void operator()(const model::CloseConnections& order) const {
    out.data_plane.close_connections(order.replica);
  }
  void operator()(const model::RefuseRequest& order) const { out.data_plane.refuse(order); }
  void operator()(const model::TellProgress& order) const { out.data_plane.tell_progress(order); }
  void operator()(const model::AskBusy&) const { out.data_plane.ask_busy(); }

  void operator()(model::KeepRollout& order) const { shell.usage_->keep(std::move(order)); }
  void operator()(const model::FollowSchedule& order) const { shell.timetables_->follow(order); }
  void operator()(model::AppendUsage& order) const { shell.usage_->append(std::move(order.batch)); }
  void operator()(model::RecordDecision& order) const {
    out.decisions.add(std::move(order.decision));
  }
};

Shell::Shell(const control::Settings& settings) : world_(control::make_world(settings)) {}

Shell::~Shell() {
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  arrived_.notify_all();
  thread_.reset();
}

Status Shell::start(const ShellPorts& outside, control::Handed before) {
  outside_ = std::make_unique<ShellPorts>(outside);
  usage_ = std::make_unique<UsageWriter>(UsageWriter::Options{}, outside.store, outside.clock,
                                         outside.log);
  timetables_ = std::make_unique<Timetables>(outside.clock);
  KELVIN_TRY_VOID(recover(std::move(before)));
  thread_ = std::make_unique<os::Thread>("control", [this] { run(); });
  return {};
}

Status Shell::recover(control::Handed before) {
  KELVIN_TRY(std::vector<ports::StoredRevision> stored, outside_->store.revisions());
  for (ports::StoredRevision& each : stored) {
    auto revision = std::make_shared<const model::Revision>(std::move(each.revision));
    handle(model::RevisionRestored{.revision = std::move(revision), .is_active = each.is_active});
  }
  KELVIN_TRY(std::vector<ports::StoredTraffic> split, outside_->store.traffic());
  for (ports::StoredTraffic& each : split)
    handle(model::TrafficChanged{.app = each.app, .shares = std::move(each.shares)});
  KELVIN_TRY(std::vector<ports::StoredRollout> rollouts, outside_->store.rollouts());
  for (ports::StoredRollout& each : rollouts)
    handle(model::RolloutRestored{.app = each.app, .rollout = std::move(each.rollout)});
  KELVIN_TRY(const std::vector<model::Event> found,
             outside_->cluster.connect([this](model::Event event) { post(std::move(event)); }));
  restore_kept(std::move(before), found);
  for (const model::Event& event : found) {
    if (const auto* replica = std::get_if<model::ReplicaFound>(&event)) {
      KELVIN_TRY_VOID(restore_replica(*replica));
    } else {
      handle(event);
    }
  }
  handle(model::RecoveryFinished{});
  return {};
}

// Another process may have had control since, and have gone further: what the slot word says now is true.
void Shell::restore_kept(control::Handed before, const std::vector<model::Event>& found) {
  std::map<ReplicaId, std::uint32_t> slot_of;
  for (const model::Event& event : found) {
    if (const auto* one = std::get_if<model::ReplicaFound>(&event))
      slot_of[one->replica] = one->slot;
  }
  for (model::KeptReplica& kept : before.replicas) {
    const auto slot = slot_of.find(kept.replica);
    if (slot == slot_of.end() || slot->second >= outside_->slots.size()) continue;
    const bool had_word = kept.state == model::State::Ready || kept.state == model::State::Draining;
    if (had_word) {
      const os::SlotWord word = outside_->slots.read(slot->second);
      const model::State closed =
          word.in_flight > 0 ? model::State::Draining : model::State::Parking;
      kept.generation = word.generation;
      if (kept.state == model::State::Ready && word.is_closed) kept.state = closed;
    }
    handle(model::ReplicaKept{std::move(kept)});
  }
  for (model::MeterLine& line : before.lines) handle(model::MeterLineKept{std::move(line)});
}

Status Shell::restore_replica(model::ReplicaFound found) {
  KELVIN_TRY(found.usage_sequence, outside_->store.usage_sequence(found.replica));
  handle(found);
  return {};
}

bool Shell::shut_down(Duration patience) {
  std::unique_lock lock(mutex_);
  is_ending_ = true;
  items_.emplace_back(model::ShutdownAsked{});
  arrived_.notify_one();
  const bool is_empty = ended_.wait_for(lock, patience, [this] { return is_empty_; });
  lock.unlock();
  // The last rows of usage follow from the last deaths.
  return usage_->flush(patience) && is_empty;
}

std::optional<Left> Shell::hand_over(Duration patience) {
  if (!usage_->flush(patience)) return std::nullopt;
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  arrived_.notify_all();
  thread_->join();
  // The thread ends only with nothing left to look at; what is posted from here on waits in items_.
  Left left{.handed = control::hand_over(*world_)};
  // Rows of the last moments; where the disk does not take them, they are lost as they are in a crash.
  (void)usage_->flush(patience);
  const std::scoped_lock lock(mutex_);
  for (Item& item : items_) {
    if (auto* event = std::get_if<model::Event>(&item)) left.events.push_back(std::move(*event));
  }
  items_.clear();
  return left;
}

void Shell::run() {
  while (true) {
    const std::optional<std::vector<Item>> items = take_items();
    if (!items) return;
    for (const Item& item : *items) {
      if (const auto* event = std::get_if<model::Event>(&item)) {
        handle(*event);
      } else {
        std::get<Look>(item)(*world_);
      }
    }
    if (outside_->clock.now() >= control::next_deadline(*world_)) handle(model::Tick{});
    look_at_schedules();
    tell_whether_empty();
  }
}

void Shell::tell_whether_empty() {
  const std::scoped_lock lock(mutex_);
  if (!is_ending_ || !control::is_at_rest(*world_)) return;
  is_empty_ = true;
  ended_.notify_all();
}

// Waits for items or the world's next deadline; no items when the deadline came first, nothing when the shell closes.
std::optional<std::vector<Shell::Item>> Shell::take_items() {
  const Instant deadline = std::min(control::next_deadline(*world_), timetables_->next());
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return is_closing_ || !items_.empty(); };
  if (deadline == Instant::never()) {
    arrived_.wait(lock, has_work);
  } else {
    arrived_.wait_for(lock, deadline - outside_->clock.now(), has_work);
  }
  if (items_.empty() && is_closing_) return std::nullopt;
  return std::exchange(items_, {});
}

// What the event sets going by the wall clock is done before anything else is looked at.
void Shell::handle(const model::Event& event) {
  handle_one(event);
  look_at_schedules();
}

void Shell::look_at_schedules() {
  if (timetables_->next() == Instant::never()) return;
  for (const model::ScheduleChanged& change : timetables_->take_due(outside_->clock.now()))
    handle_one(change);
}

void Shell::handle_one(const model::Event& event) {
  carry_out(control::step(*world_, event, outside_->clock.now()));
  while (!answers_.empty()) {
    const model::Event answer = std::move(answers_.front());
    answers_.pop_front();
    carry_out(control::step(*world_, answer, outside_->clock.now()));
  }
}

void Shell::carry_out(model::Effects effects) {
  const Executor executor{.shell = *this, .out = *outside_};
  for (model::Effect& effect : effects) std::visit(executor, effect);
}

void Shell::post(model::Event event) {
  {
    const std::scoped_lock lock(mutex_);
    items_.emplace_back(std::move(event));
  }
  arrived_.notify_one();
}

template <class Value>
Value Shell::look(std::function<Value(const control::World&)> question) {
  std::promise<Value> answer;
  std::future<Value> answered = answer.get_future();
  {
    const std::scoped_lock lock(mutex_);
    items_.emplace_back(
        Look([&](const control::World& world) { answer.set_value(question(world)); }));
  }
  arrived_.notify_one();
  return answered.get();
}

std::vector<model::AppView> Shell::apps() {
  return look<std::vector<model::AppView>>(
      [](const control::World& world) { return control::view_apps(world); });
}

std::optional<model::AppView> Shell::find_app(AppId app) {
  return look<std::optional<model::AppView>>(
      [app](const control::World& world) { return control::view_app(world, app); });
}

std::optional<model::AppView> Shell::find_named_app(const model::AppName& name) {
  return look<std::optional<model::AppView>>(
      [&name](const control::World& world) { return control::view_named_app(world, name); });
}

std::optional<model::RequestView> Shell::find_request(RequestId request) {
  return look<std::optional<model::RequestView>>(
      [request](const control::World& world) { return control::view_request(world, request); });
}

std::vector<model::ReplicaView> Shell::replicas(AppId app) {
  return look<std::vector<model::ReplicaView>>(
      [app](const control::World& world) { return control::view_replicas(world, app); });
}

std::vector<model::Revision> Shell::revisions(AppId app) {
  return look<std::vector<model::Revision>>(
      [app](const control::World& world) { return control::view_revisions(world, app); });
}

std::vector<model::Decision> Shell::decisions(const DecisionFilter& filter) {
  return outside_->decisions.find(filter);
}

UsageWriter::Figures Shell::usage_figures() const { return usage_->figures(); }

}  // namespace kelvin::shell
