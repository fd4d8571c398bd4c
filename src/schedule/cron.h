// cron: five fields that say when, "0 8 * * 1-5" being 08:00 from Monday to Friday.
//
// The form is that of cron(5), as GitHub, Kubernetes and KEDA read it:
//
//   minute 0-59   hour 0-23   day of the month 1-31   month 1-12 or jan-dec   day of the week 0-7 or sun-sat
//
// A field is `*`, a number or name, a range `1-5`, or a list of those with commas; `/n` takes every n-th of a range, and
// after a single number the range goes on to the field's end. 0 and 7 are Sunday. Where neither day field begins with
// `*`, a day that either of them names is meant; else one that both of them name.
//
// Worked example: "30 6-8/2 1,15 * *" is 06:30 and 08:30 on the first and the fifteenth; "0 0 13 * fri" is midnight on
// every thirteenth and on every Friday.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace kelvin::schedule {

// Bit n of a set stands for n; days of the week count from Sunday, 0.
struct Cron {
  std::uint64_t minutes = 0;
  std::uint32_t hours = 0;
  std::uint32_t days = 0;
  std::uint16_t months = 0;
  std::uint8_t weekdays = 0;
  bool takes_either_day = false;  // neither day field begins with `*`
  bool operator==(const Cron&) const = default;
};

// What is wrong, where it is clear which field it is in, and what could have been meant.
[[nodiscard]] tl::expected<Cron, std::string> parse_cron(std::string_view text);

[[nodiscard]] bool is_day_of(const Cron& cron, std::chrono::local_days day);

}  // namespace kelvin::schedule
