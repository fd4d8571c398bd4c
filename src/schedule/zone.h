// zone: a time zone by its IANA name, as the machine's time zone database knows it (tzdata).
//
// Wall time is counted in seconds: `UnixSeconds` since 1970 in UTC, `LocalSeconds` the same for what a clock on the
// wall shows, as if it were UTC.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace kelvin::schedule {

using UnixSeconds = std::int64_t;
using LocalSeconds = std::int64_t;

// May be copied and used from any thread.
class Zone {
 public:
  // NotFound where the machine knows no such zone; `what` says what to do about it.
  [[nodiscard]] static Result<Zone> find(const std::string& name);
  [[nodiscard]] static Zone utc();

  [[nodiscard]] LocalSeconds local_of(UnixSeconds moment) const;
  // When a clock on the wall shows `local`: of two such moments (a clock set back) the first; where there is none (a
  // clock set forward over it) the moment of that change. Never falls while `local` grows.
  [[nodiscard]] UnixSeconds unix_of(LocalSeconds local) const;
  // "Mon 2026-03-02 18:00 CET".
  [[nodiscard]] std::string words(UnixSeconds moment) const;

 private:
  struct Rules;
  explicit Zone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

// "Europe/Berlin", "UTC", "Etc/GMT+1": what may be a zone's name, known or not.
[[nodiscard]] bool is_zone_name(const std::string& name);

}  // namespace kelvin::schedule
