#include "plan/readers/readers.h"

#include <gtest/gtest.h>

#include "os/files.h"
#include "plan/readers/lines.h"
#include "plan/readers/test_bytes.h"

namespace kelvin::plan {
namespace {

constexpr std::string_view kTwo =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2026-01-31 23:59:58.5,100,10\n"
    "2026-01-31 23:59:59.5,200,20\n";

ReadOptions with_limits(ReadLimits limits) { return {.limits = limits}; }

std::string refusal_of(std::string_view text, const ReadOptions& options) {
  const auto read = read_stream("t", bytes_of(text), options);
  return read ? "read" : to_text(read.error());
}

TEST(TraceReaders, NameTheirFormats) {
  for (const Format format : formats()) EXPECT_EQ(to_format(to_text(format)), format);
  EXPECT_EQ(to_format("csv"), std::nullopt);
}

TEST(TraceReaders, TurnTokensIntoTimeAsTold) {
  const ReadOptions options{.service = {.fixed = 1, .per_context = 0.01, .per_generated = 0.1}};
  const auto read = read_stream("t", bytes_of(kTwo), options);
  ASSERT_TRUE(read) << to_text(read.error());
  ASSERT_EQ(read->trace.arrivals.size(), 2U);
  EXPECT_EQ(read->trace.arrivals[0].service, 3s);
  EXPECT_EQ(read->trace.arrivals[1].at, 1s);
  EXPECT_EQ(read->trace.arrivals[1].service, 5s);
}

TEST(TraceReaders, RefuseWhatIsBeyondALimit) {
  EXPECT_EQ(refusal_of(kTwo, with_limits({.requests_max = 1})), "t:3: more than 1 requests");
  EXPECT_EQ(refusal_of(kTwo, with_limits({.requests_max = 2})), "read");
  EXPECT_EQ(refusal_of(kTwo, with_limits({.line_bytes_max = 20})),
            "t:1: a line of more than 20 bytes");
  EXPECT_EQ(refusal_of(kTwo, with_limits({.service_max = 300ms})),
            "t:3: the request takes 0.466 s; the most is 0.3 s");
  constexpr std::string_view kApps = "app,func,end_timestamp,duration\na,x,1,1\na,y,1,1\na,x,2,1\n";
  EXPECT_EQ(refusal_of(kApps, with_limits({.apps_max = 1})), "t:3: more than 1 apps");
  EXPECT_EQ(refusal_of(kApps, with_limits({.apps_max = 2})), "read");
  EXPECT_EQ(refusal_of(kApps, with_limits({.name_bytes_max = 2})),
            "t:2: the app 'a/x' has a name of 3 bytes; the most is 2");
}

TEST(TraceReaders, HoldTheContentToTheFormatThatIsAskedFor) {
  EXPECT_EQ(refusal_of(kTwo, {.format = Format::AzureLlm}), "read");
  EXPECT_EQ(refusal_of(kTwo, {.format = Format::AzureFunctions}),
            "t:1: the first line is 'TIMESTAMP,ContextTokens,GeneratedTokens' instead of "
            "app,func,end_timestamp,duration");
  EXPECT_EQ(refusal_of(kTwo, {.format = Format::Mooncake}), "t:1: broken JSON at byte 1");
  EXPECT_EQ(refusal_of(kTwo, {.format = Format::ServeGen}), "t: not a folder");
}

TEST(TraceReaders, PassOnWhyBytesCannotBeRead) {
  const ReadBytes broken = [](std::span<char>) -> tl::expected<std::size_t, std::string> {
    return tl::unexpected(std::string("the disk is on fire"));
  };
  const auto read = read_stream("t", broken, {});
  ASSERT_FALSE(read);
  EXPECT_EQ(to_text(read.error()), "t: cannot be read: the disk is on fire");
}

TEST(TraceReaders, ReadFilesAndTellHowFarTheyAre) {
  const auto folder = os::TempDir::create("kelvin-readers");
  ASSERT_TRUE(folder);
  const std::string path = folder->path() + "/trace.csv";
  ASSERT_TRUE(os::write_file_atomic(path, kTwo));
  std::uint64_t total = 0;
  const ReadOptions options{.progress = [&](std::uint64_t, std::uint64_t all) { total = all; }};
  const auto read = read_trace(path, options);
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_EQ(read->trace.arrivals.size(), 2U);
  EXPECT_EQ(total, kTwo.size());
  const auto missing = read_trace(path + ".none", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(to_text(missing.error()), path + ".none: there is no such file");
  const auto no_models = read_trace(folder->path(), {});
  ASSERT_FALSE(no_models);
  EXPECT_EQ(to_text(no_models.error()), folder->path() + ": holds no chunk-N-trace.csv");
  const auto not_a_file = read_trace(folder->path(), {.format = Format::Mooncake});
  ASSERT_FALSE(not_a_file);
  EXPECT_EQ(to_text(not_a_file.error()), folder->path() + ": a folder, which mooncake is not");
}

TEST(Lines, ComeTheSameInWhateverPiecesTheyAreRead) {
  const std::string text = "\xef\xbb\xbfone\r\n\n  \ntwo " + std::string(100, 'x') + "\nthree";
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{2}, std::size_t{7}, text.size()}) {
    const ReadBytes bytes = bytes_of(text, chunk);
    Lines lines("t", bytes, 1000);
    std::vector<std::pair<std::uint64_t, std::string>> seen;
    while (lines.advance().value()) seen.emplace_back(lines.number(), lines.current());
    const std::vector<std::pair<std::uint64_t, std::string>> expected = {
        {1, "one"}, {4, "two " + std::string(100, 'x')}, {5, "three"}};
    EXPECT_EQ(seen, expected) << "in pieces of " << chunk;
    EXPECT_FALSE(lines.advance().value());
  }
}

TEST(Lines, AreRefusedAtTheByteAfterTheMost) {
  for (const std::string_view end : {"", "\n"}) {
    const std::string fits = "12345678" + std::string(end);
    const std::string longer = "1\n123456789" + std::string(end);
    const ReadBytes few = bytes_of(fits);
    EXPECT_TRUE(Lines("t", few, 8).advance().value());
    const ReadBytes many = bytes_of(longer, 1);
    Lines lines("t", many, 8);
    EXPECT_TRUE(lines.advance().value());
    const auto refused = lines.advance();
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_text(refused.error()), "t:2: a line of more than 8 bytes");
  }
}

}  // namespace
}  // namespace kelvin::plan
