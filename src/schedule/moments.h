// moments: when a cron expression is true in a time zone.
//
// It is true at minutes of a clock on the wall. Where that clock is set forward over such a minute, the moment of that
// change takes its place; where it is set back, so that it shows a minute twice, the first time counts. So each minute
// that is named comes exactly once a day, whatever the clock does.
#pragma once

#include <optional>

#include "schedule/cron.h"
#include "schedule/zone.h"

namespace kelvin::schedule {

// Both are nothing where there is none within 41 years (29 February on a Monday comes every 28, but not around 2100).
[[nodiscard]] std::optional<UnixSeconds> next_after(const Cron& cron, const Zone& zone,
                                                    UnixSeconds moment);
[[nodiscard]] std::optional<UnixSeconds> last_until(const Cron& cron, const Zone& zone,
                                                    UnixSeconds moment);

}  // namespace kelvin::schedule
