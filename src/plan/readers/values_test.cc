#include "plan/readers/values.h"

#include <gtest/gtest.h>

#include "plan/readers/json.h"

namespace kelvin::plan {
namespace {

TEST(Moments, AreReadToTheNanosecond) {
  EXPECT_EQ(to_moment("t", "1970-01-01 00:00:00").value(), 0);
  EXPECT_EQ(to_moment("t", "1970-01-01 00:00:00.9799600").value(), 979'960'000);
  EXPECT_EQ(to_moment("t", "1970-01-02T01:02:03.1234567899Z").value(), 90'123'123'456'789);
  EXPECT_EQ(to_moment("t", "2026-02-28 23:59:59+00:00").value(), 1'772'323'199'000'000'000);
}

TEST(Moments, ThatAreNoneAreRefused) {
  for (const std::string_view text :
       {"", "2026", "2026-13-01 00:00:00", "2026-02-29 00:00:00", "2026-01-01 24:00:00",
        "2026-01-01 00:60:00", "2026-01-01 00:00:60", "2026-01-01 00:00:00.",
        "2026-01-01 00:00:00+01:00", "2026-01-01 00:00:00.1Zz", "2026/01/01 00:00:00",
        "1969-12-31 23:59:59", "9999-01-01 00:00:00", "-026-01-01 00:00:00",
        "2026-01-01 00:00:00.1e5"})
    EXPECT_FALSE(to_moment("t", text)) << text;
}

TEST(Numbers, AreFiniteAndWithinTheirRange) {
  const Range range{.least = 0, .most = 10};
  EXPECT_EQ(to_number("n", " 2.5\t", range).value(), 2.5);
  EXPECT_EQ(to_number("n", "10", range).value(), 10);
  EXPECT_EQ(to_number("n", "-0", range).value(), 0);
  EXPECT_EQ(to_number("n", "11", range).error().what, "n is 11; the most is 10");
  EXPECT_EQ(to_number("n", "-1", range).error().what, "n is -1, which is negative");
  EXPECT_EQ(to_number("n", "nan", range).error().what, "n is not a finite number");
  EXPECT_EQ(to_number("n", "2x", range).error().what, "n is '2x', which is no number");
  EXPECT_EQ(to_number("n", "", range).error().what, "n is '', which is no number");
  EXPECT_EQ(to_number("n", "1e999", range).error().what,
            "n is '1e999', which no number here can hold");
  EXPECT_EQ(in_range("n", 1, {.least = 2, .most = 3}).error().what, "n is 1; the least is 2");
}

TEST(QuotedText, IsPrintableAndShort) {
  EXPECT_EQ(in_quotes("a\x1b[1m\n\xff"), "'a\\x1b[1m\\x0a\\xff'");
  EXPECT_EQ(in_quotes(std::string(50, 'x')), "'" + std::string(40, 'x') + "...'");
}

TEST(Json, GivesMembersOfTheTwoOuterObjectsOnly) {
  std::vector<std::string> seen;
  const auto take = [&seen](const JsonMember& member) {
    std::string text = std::string(member.outer) + "/" + std::string(member.name);
    if (const auto* whole = std::get_if<std::int64_t>(&member.value))
      text += "=" + std::to_string(*whole);
    if (const auto* word = std::get_if<std::string_view>(&member.value))
      text += "=" + std::string(*word);
    seen.push_back(text);
  };
  const auto failure = walk_json(
      R"({"a": 1, "b": {"c": "x", "d": {"e": 5}, "f": [{"g": 6}]}, "h": [1, {"i": 2}, [3]], "j": null, "k": 7})",
      take);
  EXPECT_FALSE(failure);
  const std::vector<std::string> expected = {"/a=1", "/b", "b/c=x", "b/d",
                                             "b/f",  "/h", "/j",    "/k=7"};
  EXPECT_EQ(seen, expected);
}

TEST(Json, SaysWhereItIsBroken) {
  const auto ignore = [](const JsonMember&) {};
  EXPECT_EQ(walk_json("{\"a\": }", ignore).value().byte, 7U);
  EXPECT_FALSE(walk_json("[1]", ignore).value().is_object);
  EXPECT_FALSE(walk_json("7", ignore).value().is_object);
  EXPECT_TRUE(walk_json("{} {}", ignore));
  EXPECT_TRUE(walk_json("{\"a\": \"\xff\"}", ignore));
  EXPECT_TRUE(walk_json("{\"a\": 1e999}", ignore));
  // As deep as a line is long: neither stack nor time run out.
  EXPECT_TRUE(walk_json("{\"a\":" + std::string(1'000'000, '['), ignore));
}

}  // namespace
}  // namespace kelvin::plan
