#include "schedule/zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>

namespace kelvin::schedule {

namespace {

constexpr std::size_t kNameMax = 64;

}  // namespace

struct Zone::Rules {
  absl::TimeZone zone;
};

bool is_zone_name(const std::string& name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  // The database is a folder of files: nothing in a name may lead out of it. "localtime" would be another one on every
  // server.
  return !name.empty() && name != "localtime" && name.size() <= kNameMax &&
         is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' ||
                  c == '+';
         });
}

Result<Zone> Zone::find(const std::string& name) {
  if (name == "UTC") return utc();
  auto rules = std::make_shared<Rules>();
  if (is_zone_name(name) && absl::LoadTimeZone(name, &rules->zone)) return Zone(std::move(rules));
  absl::TimeZone probe;
  const bool has_database = absl::LoadTimeZone("Europe/London", &probe);
  return fail(Code::NotFound, Blame::Client, Retry::Never,
              has_database
                  ? "this server knows no time zone '" + name +
                        "'; write a name of the IANA database, such as Europe/Berlin or UTC"
                  : "this server has no time zone database, so that it knows UTC only; install "
                    "the package tzdata on it, or write UTC");
}

Zone Zone::utc() { return Zone(std::make_shared<Rules>(Rules{absl::UTCTimeZone()})); }

LocalSeconds Zone::local_of(UnixSeconds moment) const {
  const absl::CivilSecond civil = rules_->zone.At(absl::FromUnixSeconds(moment)).cs;
  return civil - absl::CivilSecond(1970, 1, 1);
}

UnixSeconds Zone::unix_of(LocalSeconds local) const {
  const absl::TimeZone::TimeInfo found = rules_->zone.At(absl::CivilSecond(1970, 1, 1) + local);
  const bool is_skipped = found.kind == absl::TimeZone::TimeInfo::SKIPPED;
  return absl::ToUnixSeconds(is_skipped ? found.trans : found.pre);
}

std::string Zone::words(UnixSeconds moment) const {
  return absl::FormatTime("%a %Y-%m-%d %H:%M %Z", absl::FromUnixSeconds(moment), rules_->zone);
}

}  // namespace kelvin::schedule
