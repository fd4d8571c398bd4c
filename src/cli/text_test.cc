#include "cli/text.h"

#include <gtest/gtest.h>

#include <array>

namespace kelvin::cli {
namespace {

TEST(Text, CountsColumnsNotBytes) {
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("für"), 3u);
  EXPECT_EQ(columns_of("…"), 1u);
}

TEST(Text, IsCutBetweenCharactersWithAMark) {
  EXPECT_EQ(cut("abcdef", 6, true), "abcdef");
  EXPECT_EQ(cut("abcdef", 4, true), "abc…");
  EXPECT_EQ(cut("abcdef", 5, false), "ab...");
  EXPECT_EQ(cut("ääääää", 3, true), "ää…");
  EXPECT_EQ(cut("ab cdef", 4, true), "ab…");
  EXPECT_EQ(cut("abcdef", 2, false), "..");
}

TEST(Text, FromElsewhereCannotMoveTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\rc\x7f"), "a [2Jb c ");
}

TEST(Text, ALogLineKeepsItsColoursOnATerminalOnly) {
  const std::string line = "\x1b[32mgreen\x1b[0m \x1b[2J\x1b]0;title\a\tend";
  EXPECT_EQ(printable_line(line, true), "\x1b[32mgreen\x1b[0m \tend\x1b[0m");
  EXPECT_EQ(printable_line(line, false), "green \tend");
  EXPECT_EQ(printable_line("plain", true), "plain");
  EXPECT_EQ(printable_line("cut off \x1b[3", true), "cut off ");
  EXPECT_EQ(printable_line("cut off \x1b", true), "cut off ");
}

TEST(Text, IsWrappedBetweenWordsBelowItsFirstLine) {
  EXPECT_EQ(wrapped("one two three", 0, 0), "one two three");
  EXPECT_EQ(wrapped("one two three", 8, 0), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 11, 4), "one two\n    three");
  EXPECT_EQ(wrapped("incomprehensible", 8, 0), "incomprehensible");
}

TEST(Text, IsShiftedLineByLine) {
  EXPECT_EQ(shifted("a\n\nb\n", 2), "  a\n\n  b\n");
  EXPECT_EQ(shifted("", 2), "");
}

TEST(Text, FindsTheNearestWord) {
  const std::array known = {std::string("status"), std::string("scale"), std::string("deploy")};
  EXPECT_EQ(nearest("stauts", known), "status");
  EXPECT_EQ(nearest("depoly", known), "deploy");
  EXPECT_EQ(nearest("xyz", known), "");
}

}  // namespace
}  // namespace kelvin::cli
