#include "schedule/moments.h"

#include <algorithm>
#include <vector>

namespace kelvin::schedule {

namespace {

using Days = std::chrono::local_days;

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kDaysMax = 41 * 366;
// Beyond, the arithmetic of dates could leave its range: the years -9999 to 9999.
constexpr std::int64_t kSecondsMax = 250'000'000'000;

Days day_of(LocalSeconds local) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::local_seconds(std::chrono::seconds(local)));
}

// What a clock shows at the minutes of one day that are named, in order.
std::vector<LocalSeconds> minutes_of(const Cron& cron, Days day) {
  std::vector<LocalSeconds> minutes;
  const std::int64_t midnight = day.time_since_epoch().count() * kDaySeconds;
  for (std::int64_t hour = 0; hour < 24; ++hour) {
    if ((cron.hours >> hour & 1U) == 0) continue;
    for (std::int64_t minute = 0; minute < 60; ++minute) {
      if ((cron.minutes >> minute & 1U) != 0)
        minutes.push_back(midnight + hour * 3600 + minute * 60);
    }
  }
  return minutes;
}

// The first of them whose moment is after this one. Moments rise with what the clock shows.
std::vector<LocalSeconds>::const_iterator first_after(const std::vector<LocalSeconds>& minutes,
                                                      const Zone& zone, UnixSeconds moment) {
  return std::partition_point(minutes.begin(), minutes.end(),
                              [&](LocalSeconds local) { return zone.unix_of(local) <= moment; });
}

}  // namespace

std::optional<UnixSeconds> next_after(const Cron& cron, const Zone& zone, UnixSeconds moment) {
  const UnixSeconds from = std::clamp(moment, -kSecondsMax, kSecondsMax);
  // A clock that was set back shows a minute of the day before again.
  const Days first = day_of(zone.local_of(from)) - std::chrono::days(1);
  for (std::int64_t i = 0; i <= kDaysMax; ++i) {
    const Days day = first + std::chrono::days(i);
    if (!is_day_of(cron, day)) continue;
    const std::vector<LocalSeconds> minutes = minutes_of(cron, day);
    const auto found = first_after(minutes, zone, from);
    if (found != minutes.end()) return zone.unix_of(*found);
  }
  return std::nullopt;
}

std::optional<UnixSeconds> last_until(const Cron& cron, const Zone& zone, UnixSeconds moment) {
  const UnixSeconds until = std::clamp(moment, -kSecondsMax, kSecondsMax);
  const Days last = day_of(zone.local_of(until)) + std::chrono::days(1);
  for (std::int64_t i = 0; i <= kDaysMax; ++i) {
    const Days day = last - std::chrono::days(i);
    if (!is_day_of(cron, day)) continue;
    const std::vector<LocalSeconds> minutes = minutes_of(cron, day);
    const auto found = first_after(minutes, zone, until);
    if (found != minutes.begin()) return zone.unix_of(*std::prev(found));
  }
  return std::nullopt;
}

}  // namespace kelvin::schedule
