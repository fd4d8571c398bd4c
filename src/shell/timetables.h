// timetables: what the schedules of all apps say by the clock on the wall. Used by the control thread only.
//
// A schedule is looked at when it is taken up and at every moment at which it changes. The clock on the wall may be set
// meanwhile: while there is any schedule it is compared with the time since boot once a minute, and when they have moved
// against each other by more than a second every schedule is looked at afresh.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/effect.h"
#include "model/event.h"
#include "ports/clock.h"
#include "schedule/timetable.h"

namespace kelvin::shell {

class Timetables {
 public:
  explicit Timetables(const ports::Clock& clock) : clock_(clock) {}

  // In place of what was followed for the app; no rules: nothing any more.
  void follow(const model::FollowSchedule& order);
  // When something is due; never() where there is no schedule.
  [[nodiscard]] Instant next() const { return look_at_; }
  // What has changed since the last call.
  [[nodiscard]] std::vector<model::ScheduleChanged> take_due(Instant now);

 private:
  struct Followed {
    std::optional<schedule::Timetable> timetable;  // nothing: it cannot be read here
    std::string why_not;
    schedule::UnixSeconds due = 0;
  };

  model::ScheduledFloor look(AppId app, Followed& followed, std::int64_t unix_ns);
  void set_due(AppId app, Followed& followed, schedule::UnixSeconds due);
  void forget(AppId app);

  const ports::Clock& clock_;
  std::map<AppId, Followed> followed_;
  std::set<std::pair<schedule::UnixSeconds, AppId>> order_;
  std::optional<std::int64_t> boot_unix_ns_;  // what the wall showed at boot, as of the last look
  Instant look_at_ = Instant::never();
};

}  // namespace kelvin::shell
