#include "schedule/moments.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/time.h"

namespace kelvin::schedule {
namespace {

Zone zone_of(const std::string& name) {
  auto zone = Zone::find(name);
  EXPECT_TRUE(zone) << (zone ? "" : zone.error().what);
  return zone.value_or(Zone::utc());
}

Cron cron_of(const std::string& text) { return parse_cron(text).value_or(Cron{}); }

// Moments in UTC, as seconds.
UnixSeconds utc(int year, unsigned month, unsigned day, std::chrono::minutes time = 0min) {
  using namespace std::chrono;
  const sys_days date{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  return duration_cast<seconds>(date.time_since_epoch() + time).count();
}

// The next `count` moments after one, in words of the zone.
std::vector<std::string> next(const std::string& cron, const Zone& zone, UnixSeconds after,
                              int count) {
  std::vector<std::string> words;
  for (int i = 0; i < count; ++i) {
    const auto moment = next_after(cron_of(cron), zone, after);
    if (!moment) break;
    words.push_back(zone.words(*moment));
    after = *moment;
  }
  return words;
}
using Words = std::vector<std::string>;

TEST(Moments, ComeInLocalTime) {
  EXPECT_EQ(
      next("0 8 * * 1-5", zone_of("Europe/Berlin"), utc(2026, 3, 6, 6h + 59min), 3),
      (Words{"Fri 2026-03-06 08:00 CET", "Mon 2026-03-09 08:00 CET", "Tue 2026-03-10 08:00 CET"}));
  EXPECT_EQ(next("30 9 1 * *", zone_of("Asia/Kolkata"), utc(2026, 1, 1, 4h), 2),
            (Words{"Sun 2026-02-01 09:30 IST", "Sun 2026-03-01 09:30 IST"}))
      << "4:00 UTC is 9:30 there, and the next one is after it";
  EXPECT_EQ(next("15 14 * * *", Zone::utc(), utc(2026, 12, 31, 14h + 15min), 1),
            (Words{"Fri 2027-01-01 14:15 UTC"}));
  EXPECT_EQ(next("0 12 * * *", zone_of("Pacific/Kiritimati"), utc(2026, 6, 1), 1),
            (Words{"Tue 2026-06-02 12:00 +14"}));
}

TEST(Moments, StayAtTheSameTimeOfDayThroughAChangeOfTheClock) {
  const Zone berlin = zone_of("Europe/Berlin");
  EXPECT_EQ(next("0 8 * * *", berlin, utc(2026, 3, 28, 6h), 3),
            (Words{"Sat 2026-03-28 08:00 CET", "Sun 2026-03-29 08:00 CEST",
                   "Mon 2026-03-30 08:00 CEST"}));
  EXPECT_EQ(*next_after(cron_of("0 8 * * *"), berlin, utc(2026, 3, 28, 8h)), utc(2026, 3, 29, 6h));
}

TEST(Moments, ComeAtTheChangeWhereTheClockSkipsThem) {
  const Zone berlin = zone_of("Europe/Berlin");
  EXPECT_EQ(next("30 2 * * *", berlin, utc(2026, 3, 28, 12h), 2),
            (Words{"Sun 2026-03-29 03:00 CEST", "Mon 2026-03-30 02:30 CEST"}));
  EXPECT_EQ(next("*/20 2 * * *", berlin, utc(2026, 3, 28, 12h), 2),
            (Words{"Sun 2026-03-29 03:00 CEST", "Mon 2026-03-30 02:00 CEST"}))
      << "three that are skipped are one moment";
  const Zone new_york = zone_of("America/New_York");
  EXPECT_EQ(next("15 2 8 3 *", new_york, utc(2026, 1, 1), 1), (Words{"Sun 2026-03-08 03:00 EDT"}));
  // Half an hour is skipped at 2:00.
  EXPECT_EQ(next("15 2 * * *", zone_of("Australia/Lord_Howe"), utc(2026, 10, 3, 2h), 1),
            (Words{"Sun 2026-10-04 02:30 +11"}));
  // Midnight itself is skipped.
  EXPECT_EQ(next("0 0 * * *", zone_of("Africa/Cairo"), utc(2024, 4, 25, 12h), 2),
            (Words{"Fri 2024-04-26 01:00 EEST", "Sat 2024-04-27 00:00 EEST"}));
  // A whole day is: the 30th of December 2011 did not take place.
  EXPECT_EQ(
      next("0 12 * * *", zone_of("Pacific/Apia"), utc(2011, 12, 29), 3),
      (Words{"Thu 2011-12-29 12:00 -10", "Sat 2011-12-31 00:00 +14", "Sat 2011-12-31 12:00 +14"}));
}

TEST(Moments, ComeOnceWhereTheClockShowsThemTwice) {
  const Zone berlin = zone_of("Europe/Berlin");
  const UnixSeconds first = utc(2026, 10, 25, 30min);
  EXPECT_EQ(next("30 2 * * *", berlin, utc(2026, 10, 24, 12h), 2),
            (Words{"Sun 2026-10-25 02:30 CEST", "Mon 2026-10-26 02:30 CET"}));
  EXPECT_EQ(*next_after(cron_of("30 2 * * *"), berlin, first - 1), first);
  EXPECT_EQ(*next_after(cron_of("30 2 * * *"), berlin, first), utc(2026, 10, 26, 1h + 30min))
      << "the second 2:30 of the day does not count";
  EXPECT_EQ(*last_until(cron_of("30 2 * * *"), berlin, utc(2026, 10, 25, 1h + 45min)), first)
      << "asked between the second 2:30 and 3:00";
  EXPECT_EQ(next("0 0 * * *", zone_of("America/Havana"), utc(2024, 11, 2, 12h), 2),
            (Words{"Sun 2024-11-03 00:00 CDT", "Mon 2024-11-04 00:00 CST"}))
      << "midnight comes twice";
}

TEST(Moments, AreFoundFarAhead) {
  EXPECT_EQ(next("0 0 29 2 *", Zone::utc(), utc(2096, 3, 1), 1),
            (Words{"Fri 2104-02-29 00:00 UTC"}));
  EXPECT_EQ(next("0 0 29 2 */7", Zone::utc(), utc(2026, 1, 1), 1),
            (Words{"Sun 2032-02-29 00:00 UTC"}));
  EXPECT_EQ(next("0 8 1 7 *", zone_of("Europe/Berlin"), utc(2060, 1, 1), 1),
            (Words{"Thu 2060-07-01 08:00 CEST"}))
      << "rules go on beyond the table of changes";
}

TEST(Moments, SurviveAnyMoment) {
  for (const UnixSeconds moment : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}}) {
    (void)next_after(cron_of("0 0 * * *"), zone_of("Europe/Berlin"), moment);
    (void)last_until(cron_of("0 0 * * *"), zone_of("Europe/Berlin"), moment);
  }
}

// Compared with the plainest way there is: walking over every minute of a year and looking at the clock on the wall. A
// minute that the clock shows twice counts the first time, and a change counts for all minutes that it skips.
struct Shown {
  UnixSeconds at = 0;
  LocalSeconds minute = 0;
};

// Every minute that the clock shows or skips, with the moment at which it does.
std::vector<Shown> walk(const Zone& zone, UnixSeconds from, UnixSeconds to) {
  std::vector<Shown> all;
  LocalSeconds shown = zone.local_of(from - 86'400);
  for (UnixSeconds at = from - 86'400 + 60; at <= to; at += 60) {
    const LocalSeconds local = zone.local_of(at);
    for (LocalSeconds each = shown + 60; each <= local; each += 60) {
      if (at >= from) all.push_back({at, each});
    }
    shown = std::max(shown, local);
  }
  return all;
}

std::set<UnixSeconds> meant_by(const Cron& cron, const std::vector<Shown>& all) {
  std::set<UnixSeconds> moments;
  for (const Shown& one : all) {
    const std::int64_t minute = one.minute / 60;
    const bool is_meant =
        (cron.minutes >> (minute % 60) & 1U) != 0 && (cron.hours >> (minute / 60 % 24) & 1U) != 0 &&
        is_day_of(cron, std::chrono::local_days{std::chrono::days(minute / 1440)});
    if (is_meant) moments.insert(one.at);
  }
  return moments;
}

TEST(Moments, AreThoseOfAWalkOverEveryMinuteOfAYear) {
  const UnixSeconds from = utc(2024, 1, 1);
  const UnixSeconds to = utc(2025, 1, 1);
  for (const char* name : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Africa/Casablanca",
                           "Pacific/Chatham", "Antarctica/Troll", "America/St_Johns"}) {
    const Zone zone = zone_of(name);
    const std::vector<Shown> walked = walk(zone, from, to);
    for (const char* text : {"0 8 * * 1-5", "30 2 * * *", "*/15 1-3 * * *", "0 0 * * *",
                             "45 1 1-7 * sun", "0 */6 */2 3,10 *", "59 23 31 12 *"}) {
      const Cron cron = cron_of(text);
      const std::set<UnixSeconds> meant = meant_by(cron, walked);
      std::set<UnixSeconds> found;
      for (auto at = next_after(cron, zone, from - 1); at && *at <= to;
           at = next_after(cron, zone, *at))
        found.insert(*at);
      EXPECT_EQ(found, meant) << name << " " << text;
      std::set<UnixSeconds> back;
      for (auto at = last_until(cron, zone, to); at && *at >= from;
           at = last_until(cron, zone, *at - 1))
        back.insert(*at);
      EXPECT_EQ(back, meant) << name << " " << text;
    }
  }
}

TEST(Zone, IsFoundByItsNameOnly) {
  EXPECT_TRUE(Zone::find("Europe/Berlin"));
  EXPECT_TRUE(Zone::find("Etc/GMT+1"));
  for (const char* name :
       {"", "Europe/berlin", "Berlin", "Europe", "/etc/localtime", "localtime", "../../etc/passwd",
        "file:x", "libc:localtime", "Europe/../Europe/Berlin", ":UTC", "CET-1CEST"}) {
    const auto zone = Zone::find(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, Code::NotFound);
  }
  EXPECT_EQ(
      Zone::find("Mars/Olympus").error().what,
      "this server knows no time zone 'Mars/Olympus'; write a name of the IANA database, such "
      "as Europe/Berlin or UTC");
}

}  // namespace
}  // namespace kelvin::schedule
