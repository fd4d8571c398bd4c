// timetable: how many replicas an app's schedule keeps warm at a moment, and until when.
//
// Each rule of a schedule opens windows: at every moment of `begins`, until the next one of `ends` after it or for a
// length of time. Windows of one rule that overlap or touch are one. Where several rules have an open window, the one that
// keeps most replicas holds, of equal ones the first.
//
// Worked example: {cron: "0 8 * * 1-5", for: 10h, min: 2} and {cron: "0 12 * * *", for: 1h, min: 5} keep 2 from 8:00, 5
// from 12:00, 2 from 13:00 and none from 18:00 on a Monday.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/app.h"
#include "schedule/cron.h"
#include "schedule/zone.h"

namespace kelvin::schedule {

struct Window {
  UnixSeconds since = 0;
  std::optional<UnixSeconds> until;  // nothing: no end in sight
};

struct Floor {
  std::uint32_t replicas_min = 0;         // 0: no window is open
  std::size_t rule = 0;                   // whose window it is; else the one that opens next
  std::optional<Window> window;           // nothing: none is open
  std::optional<UnixSeconds> opens;       // with none open: when the next one does
  std::optional<UnixSeconds> changes_at;  // when to ask again; nothing: it stays like this
};

class Timetable {
 public:
  // Fails where a cron expression or zone is wrong, which a deployed revision's is only on another machine than the one
  // it was deployed to.
  [[nodiscard]] static Result<Timetable> make(const std::vector<model::ScheduleRule>& rules);

  [[nodiscard]] Floor at(UnixSeconds moment) const;
  // "2 replicas by `0 8 * * 1-5` for 10h, Europe/Berlin, since Mon 2026-03-02 08:00 CET until Mon 2026-03-02 18:00 CET".
  [[nodiscard]] std::string words(const Floor& floor) const;

 private:
  struct Rule {
    model::ScheduleRule rule;
    Cron begins;
    std::optional<Cron> ends;
    Zone zone;
  };
  static Result<Rule> read(const model::ScheduleRule& rule);
  static std::optional<UnixSeconds> end_of(const Rule& rule, UnixSeconds begin);
  static std::optional<Window> window_at(const Rule& rule, UnixSeconds moment);

  std::vector<Rule> rules_;
};

// "`0 8 * * 1-5` for 10h, Europe/Berlin".
[[nodiscard]] std::string words_of(const model::ScheduleRule& rule);

}  // namespace kelvin::schedule
