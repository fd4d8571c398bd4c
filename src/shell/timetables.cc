#include "shell/timetables.h"

#include <algorithm>
#include <limits>

namespace kelvin::shell {

namespace {

constexpr Duration kLookEvery = 60s;
// Slewing and rounding stay far below it.
constexpr std::int64_t kSetNs = 1'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr schedule::UnixSeconds kNever = std::numeric_limits<schedule::UnixSeconds>::max();

model::ScheduledFloor floor_of(const schedule::Timetable& timetable, const schedule::Floor& floor) {
  model::ScheduledFloor said{.replicas_min = floor.replicas_min, .words = timetable.words(floor)};
  const auto until = floor.window ? floor.window->until : floor.opens;
  if (floor.window) said.since_unix_ms = floor.window->since * 1000;
  if (until) said.until_unix_ms = *until * 1000;
  return said;
}

}  // namespace

void Timetables::follow(const model::FollowSchedule& order) {
  forget(order.app);
  if (!order.rules.empty()) {
    auto timetable = schedule::Timetable::make(order.rules);
    Followed followed;
    if (timetable) {
      followed.timetable = std::move(*timetable);
    } else {
      followed.why_not = timetable.error().what;
    }
    Followed& kept = followed_.emplace(order.app, std::move(followed)).first->second;
    set_due(order.app, kept, 0);
    look_at_ = Instant{};
  }
  if (followed_.empty()) look_at_ = Instant::never();
}

void Timetables::forget(AppId app) {
  const auto found = followed_.find(app);
  if (found == followed_.end()) return;
  order_.erase({found->second.due, app});
  followed_.erase(found);
}

void Timetables::set_due(AppId app, Followed& followed, schedule::UnixSeconds due) {
  order_.erase({followed.due, app});
  followed.due = due;
  order_.insert({due, app});
}

model::ScheduledFloor Timetables::look(AppId app, Followed& followed, std::int64_t unix_ns) {
  if (!followed.timetable) {
    set_due(app, followed, kNever);
    return {.words = "nothing warm, because it cannot be read here: " + followed.why_not};
  }
  const schedule::Floor floor = followed.timetable->at(unix_ns / kSecondNs);
  set_due(app, followed, floor.changes_at.value_or(kNever));
  return floor_of(*followed.timetable, floor);
}

std::vector<model::ScheduleChanged> Timetables::take_due(Instant now) {
  std::vector<model::ScheduleChanged> changes;
  if (now < look_at_) return changes;
  const std::int64_t unix_ns = clock_.unix_ns(now);
  const std::int64_t boot = unix_ns - now.ns;
  const bool is_set = boot_unix_ns_ && std::abs(boot - *boot_unix_ns_) > kSetNs;
  boot_unix_ns_ = boot;
  const schedule::UnixSeconds wall = unix_ns / kSecondNs;
  for (auto& [app, followed] : followed_) {
    if (is_set) set_due(app, followed, 0);
  }
  while (!order_.empty() && order_.begin()->first <= wall) {
    const AppId app = order_.begin()->second;
    changes.push_back({.app = app, .floor = look(app, followed_.at(app), unix_ns)});
  }
  look_at_ = Instant::never();
  if (order_.empty()) return changes;
  // A whole second later at most, so that the moment has come for certain.
  const std::int64_t left = std::min<std::int64_t>(order_.begin()->first - wall, 60);
  look_at_ = now + std::min<Duration>(std::chrono::seconds(left), kLookEvery);
  return changes;
}

}  // namespace kelvin::shell
