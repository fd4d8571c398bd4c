#include "cli/waterfall.h"

#include <gtest/gtest.h>

#include "cli/golden_file.h"

namespace kelvin::cli {
namespace {

TEST(ServerTiming, IsReadInOrderToTheMicrosecond) {
  const auto stages = read_server_timing(
      "queue;dur=0.214, start;desc=\"x\";dur=84.6,load;dur=1120, ttfb; dur=98.35");
  ASSERT_EQ(stages.size(), 4u);
  EXPECT_EQ(stages[0].name, "queue");
  EXPECT_EQ(stages[0].microseconds, 214);
  EXPECT_EQ(stages[1].microseconds, 84'600);
  EXPECT_EQ(stages[2].microseconds, 1'120'000);
  EXPECT_EQ(stages[3].microseconds, 98'350);
}

TEST(ServerTiming, SkipsWhatCannotBeRead) {
  EXPECT_TRUE(read_server_timing("").empty());
  EXPECT_TRUE(
      read_server_timing("cache, ;dur=5, a;dur=x, b;dur=-1, c;dur=1e9, d;dur=99999999999999999")
          .empty());
  EXPECT_EQ(read_server_timing(",,a;dur=1,,").size(), 1u);
}

CallTiming cold_call() {
  return {.app = "gemma",
          .status = 200,
          .request_id = "q3-1-902",
          .cold_start = "cold",
          .stages = read_server_timing(
              "queue;dur=0.21, place;dur=0.08, start;dur=84.6, load;dur=1120.4, ttfb;dur=90.1"),
          .first_byte_us = 1'303'386,
          .total_us = 1'605'918};
}

TEST(Waterfall, DrawsAColdStart) {
  std::string text = render_waterfall(cold_call(), {.columns = 80, .has_unicode = true});
  text += "\n" +
          render_waterfall(cold_call(), {.columns = 80, .has_colour = true, .has_unicode = true});
  text += "\n" + render_waterfall(cold_call(), {});
  text += "\n" + render_waterfall(cold_call(), {.columns = 20});
  expect_golden("waterfall.txt", text);
}

TEST(Waterfall, NeverRunsOverItsWidth) {
  CallTiming timing = cold_call();
  for (std::int64_t share = 0; share < 100; ++share) {
    timing.stages[3].microseconds = share * share * 1000;
    const std::string text = render_waterfall(timing, {.columns = 80});
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t end = text.find('\n', from);
      EXPECT_LE(end - from, 80u) << text;
      from = end + 1;
    }
  }
}

TEST(Waterfall, OfAWarmCallHasOnlyWhatTookTime) {
  const CallTiming warm{.app = "gemma",
                        .status = 200,
                        .stages = {{"ttfb", 900}},
                        .first_byte_us = 1'400,
                        .total_us = 1'400};
  EXPECT_EQ(render_waterfall(warm, {}),
            "gemma answered 200 in 1.40 ms, first byte after 1.40 ms\n"
            "  ttfb     0.90 ms  ##############################\n"
            "  network  0.50 ms                                ##################\n"
            "  body     0.00 ms\n");
}

}  // namespace
}  // namespace kelvin::cli
