#include "cli/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace kelvin::cli {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;

TEST(Units, AgesHaveAtMostTwoUnits) {
  EXPECT_EQ(age_text(-5), "0s");
  EXPECT_EQ(age_text(999), "0s");
  EXPECT_EQ(age_text(59 * kSecond), "59s");
  EXPECT_EQ(age_text(3 * kMinute + 12 * kSecond), "3m12s");
  EXPECT_EQ(age_text(34 * kMinute + 12 * kSecond), "34m");
  EXPECT_EQ(age_text(5 * kHour + 12 * kMinute), "5h12m");
  EXPECT_EQ(age_text(47 * kHour), "47h");
  EXPECT_EQ(age_text(72 * kHour), "3d");
  EXPECT_EQ(age_since(std::nullopt, 5), "-");
  EXPECT_EQ(age_since(1000, 3000), "2s");
}

TEST(Units, DurationsKeepAboutThreeDigits) {
  EXPECT_EQ(duration_text(0), "0.00 ms");
  EXPECT_EQ(duration_text(214), "0.21 ms");
  EXPECT_EQ(duration_text(84'650), "84.6 ms");
  EXPECT_EQ(duration_text(1'319'999), "1.31 s");
  EXPECT_EQ(duration_text(125'000'000), "2 m 05 s");
  EXPECT_EQ(duration_text(10'920'000'000), "3 h 02 m");
}

TEST(Units, BytesAreBinary) {
  EXPECT_EQ(bytes_text(812), "812 B");
  EXPECT_EQ(bytes_text(64 << 10), "64.0 KiB");
  EXPECT_EQ(bytes_text(1'503'238'553), "1.3 GiB");
  EXPECT_EQ(bytes_text(640u << 20), "640 MiB");
  EXPECT_EQ(bytes_text(std::numeric_limits<std::uint64_t>::max()), "16383 PiB");
}

TEST(Units, CountsAreGrouped) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1'234'567), "1,234,567");
  EXPECT_EQ(count_text(-1'000), "-1,000");
}

TEST(Units, MoneyShowsEveryDigitThatMatters) {
  EXPECT_EQ(money_text({12'000}, "USD"), "$0.000012");
  EXPECT_EQ(money_text({3'600'000'000}, "USD"), "$3.60");
  EXPECT_EQ(money_text({1}, "USD"), "$0.000000001");
  EXPECT_EQ(money_text({-1'000'000'000}, "USD"), "-$1.00");
  EXPECT_EQ(money_text({500'000'000}, "CHF"), "CHF 0.50");
  EXPECT_EQ(money_text({0}, "USD", 6), "$0.000000");
  EXPECT_EQ(money_text({std::numeric_limits<std::int64_t>::min()}, "USD"),
            "-$9223372036.854775808");
}

TEST(Units, TimesAreUtc) {
  EXPECT_EQ(time_text(1'769'860'800'123), "2026-01-31T12:00:00Z");
  EXPECT_EQ(clock_text(1'769'860'800'123), "12:00:00.123");
  EXPECT_EQ(time_text(-1), "1969-12-31T23:59:59Z");
}

TEST(Units, DurationsAreReadWithTheirUnit) {
  EXPECT_EQ(parse_duration("250ms"), Duration(250ms));
  EXPECT_EQ(parse_duration("90s"), Duration(90s));
  EXPECT_EQ(parse_duration("10m"), Duration(10min));
  EXPECT_EQ(parse_duration("2h"), Duration(2h));
  EXPECT_EQ(parse_duration("7d"), Duration(7 * 24h));
  for (const char* bad :
       {"", "5", "s", "-5s", "5 s", "1.5h", "5w", "99999999d", "99999999999999999999s"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Share, IsBetweenZeroAndOne) {
  EXPECT_EQ(parse_share("0"), 0u);
  EXPECT_EQ(parse_share("1"), 1'000'000u);
  EXPECT_EQ(parse_share("1.000"), 1'000'000u);
  EXPECT_EQ(parse_share("0.25"), 250'000u);
  EXPECT_EQ(parse_share("0.000001"), 1u);
  for (const char* bad :
       {"", ".", "0.", ".5", "2", "1.1", "-0.5", "0.0000001", "1e-3", "50%", "0,5"})
    EXPECT_FALSE(parse_share(bad)) << bad;
}

}  // namespace
}  // namespace kelvin::cli
