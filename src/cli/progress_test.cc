#include "cli/progress.h"

#include <gtest/gtest.h>

namespace kelvin::cli {
namespace {

TEST(Progress, SaysHowMuchHowFastAndHowLong) {
  const ProgressView view{"uploading", 128u << 20, 256u << 20, 4s};
  EXPECT_EQ(
      render_progress(view, {.columns = 100, .has_unicode = true}),
      "uploading  ━━━━━━━━━━━━━━━───────────────   50%  128 MiB of 256 MiB  32.0 MiB/s  4s left");
  EXPECT_EQ(render_progress(view, {.columns = 76}),
            "uploading  ########---------   50%  128 MiB of 256 MiB  32.0 MiB/s  4s left");
  EXPECT_EQ(render_progress(view, {.columns = 40}), "uploading   50%  128 MiB of 256 MiB...");
}

TEST(Progress, OfWorkSaysHowFarAndHowLong) {
  const ProgressView view{"replaying: knative", 250, 1000, 4s, Amount::Work};
  EXPECT_EQ(render_progress(view, {.columns = 70}),
            "replaying: knative  #######----------------------   25%  4s  12s left");
  EXPECT_EQ(render_progress({"replaying", 0, 1000, 4s, Amount::Work}, {.columns = 60}),
            "replaying  ------------------------------    0%  4s");
}

TEST(Progress, OfNothingIsComplete) {
  EXPECT_EQ(render_progress({"reading", 0, 0, 2s}, {.columns = 60}),
            "reading  ------------------------------  100%  0 B of 0 B");
}

struct Screen {
  Terminal terminal{.is_terminal = true, .columns = 80};
  Instant clock;
  std::string written;

  Progress::Surface surface() {
    return {terminal, [this](std::string_view text) { written += text; }, [this] { return clock; }};
  }
};

TEST(Progress, IsSilentForASecond) {
  Screen screen;
  Progress progress(screen.surface(), "reading");
  screen.clock = {900'000'000};
  progress.update(1, 2);
  EXPECT_EQ(screen.written, "");
  screen.clock = {1'000'000'000};
  progress.update(1, 2);
  EXPECT_NE(screen.written, "");
}

TEST(Progress, DrawsAtMostTenTimesASecondAndRemovesItself) {
  Screen screen;
  {
    Progress progress(screen.surface(), "reading");
    screen.clock = {1'000'000'000};
    progress.update(1, 2);
    const std::string once = screen.written;
    screen.clock = {1'050'000'000};
    progress.update(2, 2);
    EXPECT_EQ(screen.written, once);
  }
  EXPECT_TRUE(screen.written.ends_with("\r\x1b[K"));
}

TEST(Progress, IsSilentElsewhereThanOnATerminal) {
  Screen screen;
  screen.terminal = {};
  Progress progress(screen.surface(), "reading");
  screen.clock = {9'000'000'000};
  progress.update(1, 2);
  progress.note("still there");
  EXPECT_EQ(screen.written, "");
}

}  // namespace
}  // namespace kelvin::cli
