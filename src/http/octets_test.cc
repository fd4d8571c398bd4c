// The searches that take many bytes at a time find what a search byte by byte finds.
#include "http/octets.h"

#include <gtest/gtest.h>

#include <string>

namespace kelvin::http {
namespace {

// Every byte at every place of a run that is longer than one step, from every start.
TEST(Octets, EndWhereABytewiseSearchEnds) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::string text(40, 'a');
      text[at] = static_cast<char>(byte);
      text[39 - at] = at % 2 == 0 ? '\t' : ':';
      for (const std::size_t from : {std::size_t{0}, std::size_t{1}, at, std::size_t{39}}) {
        EXPECT_EQ(end_of_value(text, from), end_of_run(text, from, kValue)) << byte << " at " << at;
        EXPECT_EQ(end_of_value_by_words(text, from), end_of_run(text, from, kValue))
            << byte << " at " << at;
        EXPECT_EQ(end_of_name(text, from), end_of_run(text, from, kToken)) << byte << " at " << at;
      }
    }
  }
}

TEST(Octets, BelongToTheirClasses) {
  EXPECT_TRUE(all_of("!#$%&'*+-.^_`|~09azAZ", kToken));
  for (const char c : std::string_view("\"(),/:;<=>?@[\\]{} \t\x7f\x80"))
    EXPECT_FALSE(is_of(c, kToken)) << c;
  EXPECT_EQ(hex_value('f'), 15);
  EXPECT_EQ(hex_value('F'), 15);
  EXPECT_EQ(hex_value('g'), -1);
  EXPECT_EQ(hex_value('\xb1'), -1);
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim(" \t"), "");
}

}  // namespace
}  // namespace kelvin::http
