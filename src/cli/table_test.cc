#include "cli/table.h"

#include <gtest/gtest.h>

namespace kelvin::cli {
namespace {

Table animals() {
  return {.columns = {{"NAME"}, {"LEGS", Align::Right}, {"HOME", Align::Left, true}, {"WHY"}},
          .rows = {{{"cat", Tone::Strong}, {"4"}, {"house"}, {"it purrs when it is content"}},
                   {{"millipede"}, {"750"}, {"soil"}, {""}}}};
}

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  EXPECT_EQ(render_table(animals(), {}),
            "NAME       LEGS  HOME   WHY\n"
            "cat           4  house  it purrs when it is content\n"
            "millipede   750  soil\n");
}

TEST(Table, DropsAColumnThenCutsTheLast) {
  EXPECT_EQ(render_table(animals(), {.columns = 50}),
            "NAME       LEGS  WHY\n"
            "cat           4  it purrs when it is content\n"
            "millipede   750\n");
  EXPECT_EQ(render_table(animals(), {.columns = 32, .has_unicode = true}),
            "NAME       LEGS  WHY\n"
            "cat           4  it purrs when…\n"
            "millipede   750\n");
}

TEST(Table, LeavesTheLastColumnOutWhereNothingOfItWouldBeLeft) {
  EXPECT_EQ(render_table(animals(), {.columns = 18}),
            "NAME       LEGS\n"
            "cat           4\n"
            "millipede   750\n");
}

TEST(Table, ColoursDoNotCountAsColumns) {
  const std::string text = render_table(animals(), {.has_colour = true});
  EXPECT_NE(text.find("\x1b[1mcat\x1b[0m           4"), std::string::npos) << text;
}

}  // namespace
}  // namespace kelvin::cli
