// Tests of the limits on the command line, and that SPECIFICATION.md lists exactly these.
#include "cli/limit_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "cli/golden_file.h"

namespace kelvin::cli {
namespace {

using gateway::LimitRow;

Attempt<gateway::GatewayLimits> read(const std::vector<std::string>& settings,
                                     std::map<std::string, std::string> variables = {}) {
  return read_limits(settings, [&](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  });
}

std::string complaint(const std::vector<std::string>& settings,
                      std::map<std::string, std::string> variables = {}) {
  const auto limits = read(settings, std::move(variables));
  if (limits) return "";
  EXPECT_EQ(limits.error().exit, ExitCode::Usage);
  return limits.error().what + ": " + limits.error().why;
}

TEST(LimitOptions, SetWhatTheyName) {
  const auto limits = read({"header-time=250ms", "header-bytes=64KiB", "connections=20000",
                            "uri-bytes=4096", "header-time=5s"});
  ASSERT_TRUE(limits) << limits.error().why;
  EXPECT_EQ(limits->head_time, 5s) << "the last one wins";
  EXPECT_EQ(limits->head.head_bytes_max, 65'536u);
  EXPECT_EQ(limits->head.target_bytes_max, 4096u);
  EXPECT_EQ(limits->h2.head.target_bytes_max, 4096u) << "in HTTP/2 as well";
  EXPECT_EQ(limits->connections_max, 20'000u);
  EXPECT_EQ(limits->idle_time, gateway::GatewayLimits().idle_time);
}

TEST(LimitOptions, ComeBeforeTheEnvironment) {
  const std::map<std::string, std::string> variables = {{"KELVIN_LIMIT_HEADER_TIME", "2s"},
                                                        {"KELVIN_LIMIT_IDLE_TIME", "3s"},
                                                        {"KELVIN_LIMIT_TRIES", ""}};
  const auto limits = read({"idle-time=4s"}, variables);
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->head_time, 2s);
  EXPECT_EQ(limits->idle_time, 4s);
  EXPECT_EQ(limits->tries_max, gateway::GatewayLimits().tries_max);
}

TEST(LimitOptions, AreRefusedWithWhatWasExpected) {
  EXPECT_EQ(complaint({"header-tim=5s"}),
            "there is no limit \"header-tim\": did you mean header-time?");
  EXPECT_EQ(complaint({"volume=11"}), "there is no limit \"volume\": ");
  EXPECT_EQ(complaint({"header-time"}), "--limit: expected NAME=VALUE, found \"header-time\"");
  EXPECT_EQ(complaint({"header-time=5"}),
            "--limit header-time: expected a time such as 500ms, 90s, 10m or 2h, found \"5\"");
  EXPECT_EQ(complaint({"header-bytes=many"}),
            "--limit header-bytes: expected a size such as 4096, 64KiB or 32MiB, found \"many\"");
  EXPECT_EQ(complaint({"connections=-1"}),
            "--limit connections: expected a whole number, found \"-1\"");
  EXPECT_EQ(complaint({"connections=0"}),
            "--limit connections: it lies between 1 and 1000000, found 0");
  EXPECT_EQ(complaint({}, {{"KELVIN_LIMIT_HEADER_TIME", "0s"}}),
            "KELVIN_LIMIT_HEADER_TIME: it lies between 10ms and 1h, found 0s");
  EXPECT_EQ(complaint({"held-total=1MiB"}),
            "these limits contradict each other: held-body is more than held-total");
}

TEST(LimitOptions, ReadWhatTheyPrint) {
  for (const LimitRow& row : gateway::limit_rows()) {
    for (const std::uint64_t value :
         {row.least, gateway::value_of(row, gateway::GatewayLimits()), row.most}) {
      // The two that may not be above another limit.
      if (row.name == "held-total" || row.name == "held-body" || row.name.starts_with("h2-"))
        continue;
      const std::string setting = std::string(row.name) + "=" + limit_text(row.unit, value);
      const auto limits = read({setting});
      ASSERT_TRUE(limits) << setting << ": " << limits.error().why;
      EXPECT_EQ(gateway::value_of(row, *limits), value) << setting;
    }
  }
}

TEST(LimitOptions, ArePrintedWithDefaultsAndAnswers) {
  const auto limits = read({"header-time=5s"});
  ASSERT_TRUE(limits);
  expect_golden("limits.txt", render_limits(*limits, {.columns = 0}) + "\n" +
                                  render_limits(*limits, {.columns = 100}) + "\n" +
                                  write_limits(*limits) + "\n");
}

constexpr std::string_view kHeading = "\n## Limits of the gateway\n";

// The document keeps a table of its own between heading and next heading; KELVIN_ACCEPT=1 rewrites it.
TEST(LimitOptions, AreThoseOfTheSpecification) {
  std::ifstream file(KELVIN_SPECIFICATION, std::ios::binary);
  ASSERT_TRUE(file);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t heading = text.find(kHeading);
  ASSERT_NE(heading, std::string::npos) << "SPECIFICATION.md has lost its section of limits";
  const std::size_t from = text.find("| limit |", heading);
  ASSERT_NE(from, std::string::npos);
  const std::size_t end = text.find("\n\n", from);
  const std::size_t size = end == std::string::npos ? text.size() - from : end + 1 - from;
  if (std::getenv("KELVIN_ACCEPT") != nullptr) {
    text.replace(from, size, limits_markdown());
    std::ofstream(KELVIN_SPECIFICATION, std::ios::binary) << text;
    GTEST_SKIP() << "rewrote " << KELVIN_SPECIFICATION;
  }
  EXPECT_EQ(text.substr(from, size), limits_markdown())
      << "SPECIFICATION.md is not up to date; run with KELVIN_ACCEPT=1";
}

}  // namespace
}  // namespace kelvin::cli
