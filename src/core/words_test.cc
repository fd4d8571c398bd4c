#include "core/words.h"

#include <gtest/gtest.h>

namespace kelvin {
namespace {

TEST(Words, ShowTimesWithThreeDigitsAtMost) {
  EXPECT_EQ(to_words(0ns), "0 ms");
  EXPECT_EQ(to_words(350us), "0.4 ms");
  EXPECT_EQ(to_words(50ms), "50 ms");
  EXPECT_EQ(to_words(1s), "1 s");
  EXPECT_EQ(to_words(2540ms), "2.5 s");
  EXPECT_EQ(to_words(75s), "75 s");
  EXPECT_EQ(to_words(150s), "150 s");
  EXPECT_EQ(to_words(3600s), "60 min");
  EXPECT_EQ(to_words(-2s), "-2 s");
}

TEST(Words, ShowBytesInBinaryUnits) {
  EXPECT_EQ(to_words(512_MiB), "512 MiB");
  EXPECT_EQ(to_words(2_GiB), "2 GiB");
  EXPECT_EQ(to_words(2560_MiB), "2.5 GiB");
  EXPECT_EQ(to_words(Bytes{}), "0 MiB");
}

TEST(Words, CountThingsInTheirPlural) {
  EXPECT_EQ(count_words(1, "request"), "1 request");
  EXPECT_EQ(count_words(0, "request"), "0 requests");
  EXPECT_EQ(count_words(2, "reply"), "2 replies");
}

TEST(Words, ShowThousandths) {
  EXPECT_EQ(milli_words(20'000), "20");
  EXPECT_EQ(milli_words(1'500), "1.5");
  EXPECT_EQ(milli_words(1'234), "1.23");
  EXPECT_EQ(milli_words(-50), "-0.05");
}

}  // namespace
}  // namespace kelvin
