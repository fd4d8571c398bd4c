#include "schedule/cron.h"

#include <gtest/gtest.h>

#include <vector>

namespace kelvin::schedule {
namespace {

std::vector<int> members(std::uint64_t set) {
  std::vector<int> all;
  for (int i = 0; i < 64; ++i) {
    if ((set >> i & 1U) != 0) all.push_back(i);
  }
  return all;
}

Cron read(std::string_view text) {
  const auto cron = parse_cron(text);
  EXPECT_TRUE(cron) << text << ": " << (cron ? "" : cron.error());
  return cron.value_or(Cron{});
}

std::string refusal(std::string_view text) {
  const auto cron = parse_cron(text);
  return cron ? "accepted" : cron.error();
}

bool is_on(std::string_view text, int year, unsigned month, unsigned day) {
  using namespace std::chrono;
  return is_day_of(read(text),
                   local_days(year_month_day(std::chrono::year(year), std::chrono::month(month),
                                             std::chrono::day(day))));
}

TEST(Cron, ReadsNumbersRangesListsStepsAndNames) {
  EXPECT_EQ(members(read("5 * * * *").minutes), (std::vector{5}));
  EXPECT_EQ(members(read("5,7,59 * * * *").minutes), (std::vector{5, 7, 59}));
  EXPECT_EQ(members(read("*/20 * * * *").minutes), (std::vector{0, 20, 40}));
  EXPECT_EQ(members(read("10-40/15 * * * *").minutes), (std::vector{10, 25, 40}));
  EXPECT_EQ(members(read("50/4 * * * *").minutes), (std::vector{50, 54, 58}));
  EXPECT_EQ(members(read("0-3,30,58-59 * * * *").minutes), (std::vector{0, 1, 2, 3, 30, 58, 59}));
  EXPECT_EQ(members(read("0 8-18/5 * * *").hours), (std::vector{8, 13, 18}));
  EXPECT_EQ(members(read("0 0 1,31 * *").days), (std::vector{1, 31}));
  EXPECT_EQ(members(read("0 0 1 jan,MAR-May,12 *").months), (std::vector{1, 3, 4, 5, 12}));
  EXPECT_EQ(members(read("0 0 * * mon-fri").weekdays), (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(members(read("0 0 * * Fri-Sun").weekdays), (std::vector{0, 5, 6}));
  EXPECT_EQ(members(read("0 0 * * 0").weekdays), (std::vector{0}));
  EXPECT_EQ(members(read("0 0 * * 7").weekdays), (std::vector{0}));
  EXPECT_EQ(members(read("0 0 * * 5-7").weekdays), (std::vector{0, 5, 6}));
  EXPECT_EQ(members(read("0 0 * * *").weekdays), (std::vector{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read("  0\t8  * * 1-5 "), read("0 8 * * mon-fri"));
}

TEST(Cron, TakesADayThatEitherFieldNamesWhereBothAreRestricted) {
  EXPECT_TRUE(is_on("0 0 13 * fri", 2026, 3, 13));
  EXPECT_TRUE(is_on("0 0 13 * fri", 2026, 3, 20));
  EXPECT_TRUE(is_on("0 0 13 * fri", 2026, 4, 13)) << "a Monday";
  EXPECT_FALSE(is_on("0 0 13 * fri", 2026, 4, 14));
  EXPECT_FALSE(is_on("0 0 13 mar fri", 2026, 4, 13)) << "another month";
}

TEST(Cron, TakesADayThatBothFieldsNameWhereOneBeginsWithAStar) {
  EXPECT_TRUE(is_on("0 0 */2 * mon", 2026, 3, 9));
  EXPECT_FALSE(is_on("0 0 */2 * mon", 2026, 3, 16)) << "an even day";
  EXPECT_FALSE(is_on("0 0 */2 * mon", 2026, 3, 11)) << "a Wednesday";
  EXPECT_TRUE(is_on("0 0 29 2 *", 2028, 2, 29));
  EXPECT_FALSE(is_on("0 0 29 2 *", 2027, 3, 1));
}

TEST(Cron, SaysWhichFieldIsWrongAndWhatWasMeant) {
  EXPECT_EQ(refusal("60 * * * *"), "'60' is no minute; expected 0-59, a range, a list or *");
  EXPECT_EQ(refusal("0 24 * * *"), "'24' is no hour; expected 0-23, a range, a list or *");
  EXPECT_EQ(refusal("0 0 0 * *"),
            "'0' is no day of the month; expected 1-31, a range, a list or *");
  EXPECT_EQ(refusal("0 0 * 13 *"),
            "'13' is no month; expected 1-12 or jan-dec, a range, a list or *");
  EXPECT_EQ(refusal("0 0 * * mo"),
            "'mo' is no day of the week; expected 0-7 or sun-sat, a range, a list or *");
  EXPECT_EQ(refusal("0 0 * * 8"),
            "'8' is no day of the week; expected 0-7 or sun-sat, a range, a list or *");
  EXPECT_EQ(refusal("0 22-4 * * *"), "'22-4' ends before it begins; write 22-23,0-4");
  EXPECT_EQ(refusal("*/0 * * * *"), "'*/0' has no step from 1 to 59 after its slash");
  EXPECT_EQ(refusal("*/ * * * *"), "'*/' has no step from 1 to 59 after its slash");
  EXPECT_EQ(refusal("*/60 * * * *"), "'*/60' has no step from 1 to 59 after its slash");
  EXPECT_EQ(refusal("1,,2 * * * *"), "'' is no minute; expected 0-59, a range, a list or *");
  EXPECT_EQ(refusal("-5 * * * *"), "'-5' is no minute; expected 0-59, a range, a list or *");
  EXPECT_EQ(refusal("5- * * * *"), "'5-' is no minute; expected 0-59, a range, a list or *");
  EXPECT_EQ(refusal("0 0 ? * *"),
            "'?' is no day of the month; expected 1-31, a range, a list or *");
  EXPECT_EQ(refusal("0 0 L * *"),
            "'L' is no day of the month; expected 1-31, a range, a list or *");
  EXPECT_EQ(refusal("4294967296 * * * *"),
            "'4294967296' is no minute; expected 0-59, a range, a list or *");
}

TEST(Cron, SaysHowManyFieldsItHas) {
  EXPECT_EQ(refusal(""),
            "it has 0 fields; expected 5: minute, hour, day of the month, month, day of the week");
  EXPECT_EQ(refusal("8"),
            "it has 1 field; expected 5: minute, hour, day of the month, month, day of the week");
  EXPECT_EQ(refusal("0 0 8 * * 1-5"),
            "it has 6 fields; expected 5: minute, hour, day of the month, month, day of the week, "
            "the first of them the minute, not the second");
  EXPECT_EQ(refusal("@Daily"), "shorthands are not read; write \"0 0 * * *\"");
  EXPECT_EQ(refusal(std::string(300, ' ')), "it has more than 256 characters");
}

TEST(Cron, RefusesDaysThatNeverCome) {
  EXPECT_EQ(refusal("0 0 30 2 *"), "no month that it names has the day 30");
  EXPECT_EQ(refusal("0 0 31 2,4,6 *"), "no month that it names has the day 31");
  EXPECT_EQ(refusal("0 0 31 2,5 *"), "accepted");
  EXPECT_EQ(refusal("0 0 30 2 mon"), "accepted") << "Mondays in February come";
}

}  // namespace
}  // namespace kelvin::schedule
