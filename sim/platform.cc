#include "sim/platform.h"

#include <algorithm>
#include <string>

#include "model/ids.h"
#include "sim/describe.h"

namespace kelvin::sim {

namespace {

// Ticks without time passing: beyond, control and the timer chase each other.
constexpr std::uint64_t kTicksAtOnceMax = 20'000;

}  // namespace

Platform::Platform(const Outside& outside, std::uint64_t epoch)
    : outside_(outside),
      ground_(outside_.ground),
      control_(ground_),
      watch_line_(ground_, outside_.machine) {
  world_ = control::make_world({.epoch = epoch,
                                .first_generation = outside_.machine.slots().generation_max() + 1,
                                .slots_max = outside_.machine.slots().size(),
                                .gateway_loops = outside_.scenario.loops,
                                .random = {ground_.random.next()}});
  for (std::uint32_t i = 0; i < outside_.scenario.loops; ++i) {
    Loop::Outside around{
        outside_.ground,
        outside_.machine,
        outside_.books,
        outside_.clients,
        shared_,
        outside_.scenario,
        [this, i](model::Event event) { post_from(kFirstLoop + i, std::move(event)); }};
    loops_.push_back(std::make_unique<Loop>(std::move(around), i, epoch));
  }
}

void Platform::recover(std::vector<model::Event> events) {
  for (model::Event& event : events) {
    control_.soon([this, event = std::move(event)] { take_up(event); });
  }
  outside_.machine.connect([this](model::Event event) { post_from(kCluster, std::move(event)); });
}

void Platform::crash() {
  if (has_crashed_) return;
  has_crashed_ = true;
  control_.stop();
  for (const auto& loop : loops_) loop->crash();
  outside_.machine.disconnect();
}

void Platform::crash_after(std::uint64_t effects, std::function<void()> on_crash) {
  if (effects_to_crash_) return;
  effects_to_crash_ = effects;
  on_crash_ = std::move(on_crash);
}

void Platform::arrive(Client& client) { loops_[client.number % loops_.size()]->arrive(client); }

void Platform::leave(Client& client) { loops_[client.number % loops_.size()]->leave(client); }

std::uint32_t Platform::waiting() const {
  std::uint32_t sum = 0;
  for (const auto& [app, waiting] : shared_.waiting) sum += waiting;
  return sum;
}

// --- the control thread ---

Duration Platform::message_delay() {
  if (outside_.weather.is_slow && ground_.one_in(4)) return ground_.skewed(0ms, 3s);
  return ground_.one_in(100) ? ground_.between(0us, 5ms) : ground_.between(0us, 60us);
}

void Platform::post_from(std::uint32_t producer, model::Event event) {
  if (has_crashed_) return;
  Instant& last = last_arrival_[producer];
  last = std::max(last, ground_.now() + message_delay());
  control_.at(last, [this, event = std::move(event)] { take_up(event); });
}

void Platform::take_up(const model::Event& event) {
  ground_.trace([&] { return describe(event); });
  ++steps_;
  if (std::holds_alternative<model::Tick>(event)) {
    ticks_at_once_ = ground_.now() > last_tick_ + 1ms ? 0 : ticks_at_once_ + 1;
    last_tick_ = ground_.now();
  }
  if (ticks_at_once_ > kTicksAtOnceMax)
    violate(Checker::Core, "control is stepped without end, last by " + describe(event));
  model::Effects effects = control::step(*world_, event, ground_.now());
  watch_.check(*world_, event, effects);
  watch_queue_.check(*world_, event, effects);
  if (!outside_.is_low_app_open)
    watch_queue_.check_no_start_of(effects, outside_.scenario.apps[kLowApp].spec.name);
  effects_.insert(effects_.end(), std::make_move_iterator(effects.begin()),
                  std::make_move_iterator(effects.end()));
  go_on();
}

void Platform::go_on() {
  if (!effects_.empty()) {
    if (effects_to_crash_ && (*effects_to_crash_)-- == 0) {
      on_crash_();
      return;
    }
    const model::Effect effect = std::move(effects_.front());
    effects_.pop_front();
    ground_.trace([&] { return describe(effect); });
    std::visit([this](const auto& one) { on(one); }, effect);
    control_.next([this] { go_on(); });
    return;
  }
  if (!outcomes_.empty()) {
    control_.next([this, event = std::move(outcomes_.front())] { take_up(event); });
    outcomes_.pop_front();
    return;
  }
  rest();
}

// Nothing left to do for this event: sets the timer.
void Platform::rest() {
  const Instant deadline = control::next_deadline(*world_);
  if (deadline == timer_) return;
  timer_ = deadline;
  const std::uint64_t mine = ++timers_set_;
  if (deadline == Instant::never()) return;
  control_.at(deadline, [this, mine] {
    if (mine != timers_set_) return;
    timer_ = Instant::never();
    take_up(model::Tick{});
  });
}

// --- effects ---

void Platform::on(const model::StartReplica& effect) { outside_.machine.start(effect); }

void Platform::on(const model::ParkReplica& effect) {
  for (const auto& loop : loops_) {
    if (loop->has_idle_connection(effect.replica)) {
      violate(Checker::Victims,
              model::to_text(effect.replica) + " is parked while a connection to it is open");
    }
  }
  outside_.machine.park(effect.replica);
}

void Platform::on(const model::ResumeReplica& effect) {
  const auto found = world_->replicas.find(effect.replica);
  if (found != world_->replicas.end()) outside_.machine.resume(effect.replica, found->second.lease);
}

void Platform::on(const model::StopReplica& effect) { outside_.machine.stop(effect); }

void Platform::on(const model::OpenSlots& effect) {
  outside_.machine.slots().open({effect.slot, effect.generation});
}

void Platform::on(const model::CloseSlots& effect) {
  const os::SlotTable::Key key{effect.slot, effect.generation};
  os::SlotTable& slots = outside_.machine.slots();
  const os::SlotTable::Closed closed = effect.purpose == model::ClosePurpose::Park
                                           ? slots.close_if_idle_since(key, effect.idle_since)
                                           : slots.close(key);
  outcomes_.push_back(
      model::SlotsClosed{effect.replica, closed.is_closed, closed.in_flight, closed.last_used});
}

void Platform::on(const model::Handover& effect) {
  const os::SlotTable::Key key{effect.replica.slot, effect.replica.generation};
  if (!outside_.machine.slots().try_take(key, effect.replica.slots)) {
    outcomes_.push_back(
        model::HandoverRefused{effect.request, effect.replica.id, model::HandoverProblem::NoSlot});
    return;
  }
  tell_loop(effect.loop, effect);
}

void Platform::on(const model::RefuseRequest& effect) { tell_loop(effect.loop, effect); }

void Platform::on(const model::TellProgress& effect) { tell_loop(effect.loop, effect); }

void Platform::on(const model::RouteChanged& effect) {
  for (std::size_t i = 0; i < loops_.size(); ++i) tell_loop(i, effect);
}

void Platform::on(const model::AskBusy& effect) {
  for (std::size_t i = 0; i < loops_.size(); ++i) tell_loop(i, effect);
}

void Platform::on(const model::FollowSchedule& effect) {
  const auto floor = outside_.weather.floors.find(effect.app);
  if (effect.rules.empty() || floor == outside_.weather.floors.end()) return;
  post(model::ScheduleChanged{effect.app, {.replicas_min = floor->second, .words = "some"}});
}

void Platform::on(const model::CloseConnections& effect) {
  auto open = std::make_shared<std::size_t>(loops_.size());
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    const auto producer = static_cast<std::uint32_t>(kFirstLoop + i);
    // The last loop to have closed its connections says so.
    tell_loop(i, effect, [this, open, producer, replica = effect.replica] {
      if (--*open == 0) post_from(producer, model::ConnectionsClosed{replica});
    });
  }
}

void Platform::tell_loop(std::size_t loop, model::Effect message, std::function<void()> done) {
  require(Checker::Lives, loop < loops_.size(), "a message to a loop that does not exist");
  Instant& last = last_told_[loop];
  last = std::max(last, ground_.now() + message_delay());
  ground_.timeline.at(last, control_.life(),
                      [this, loop, message = std::move(message), done = std::move(done)] {
                        loops_[loop]->deliver(message, done);
                      });
}

void Platform::check_in_time() {
  for (const auto& loop : loops_) loop->check_nobody_is_forgotten(*world_);
  watch_line_.check(*world_);
}

// --- the store ---

void Platform::on(const model::AppendUsage& effect) {
  batches_.push_back(effect.batch);
  store_next();
}

void Platform::on(const model::KeepRollout& effect) {
  rollouts_.insert_or_assign(effect.app, effect);
  ground_.timeline.at(ground_.now() + ground_.skewed(1ms, 50ms), control_.life(),
                      [this, app = effect.app] {
                        const auto last = rollouts_.extract(app);
                        if (!last.empty()) outside_.keep_rollout(last.mapped());
                      });
}

// One batch at a time, in order, until it is stored: usage is not dropped because the disk is full for a while.
void Platform::store_next() {
  if (is_storing_ || batches_.empty()) return;
  is_storing_ = true;
  ground_.timeline.at(ground_.now() + ground_.skewed(1ms, 50ms), control_.life(), [this] {
    is_storing_ = false;
    // A failure is reported before anything was written or, torn, after all of it was.
    const bool is_failing = outside_.weather.is_store_failing && ground_.one_in(2);
    if (!is_failing || ground_.one_in(2)) outside_.books.append(batches_.front());
    if (!is_failing) batches_.pop_front();
    store_next();
  });
}

}  // namespace kelvin::sim
