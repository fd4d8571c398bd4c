// What the API's own goldens say is what the command line reads: the two ends of one document cannot drift apart.
#include "cli/wire.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace kelvin::cli::wire {
namespace {

std::string api_golden(const std::string& name) {
  const std::string path = std::string(KELVIN_API_GOLDEN) + "/" + name + ".json";
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Wire, ReadsAppsAsTheApiWritesThem) {
  const auto apps = read_apps(api_golden("apps"));
  ASSERT_TRUE(apps);
  ASSERT_FALSE(apps->empty());
  EXPECT_NE(apps->front().name, "");
  EXPECT_NE(apps->front().url, "");
  EXPECT_GT(apps->front().scale_max, 0u);
  EXPECT_TRUE(apps->front().created_unix_ms);
  const auto none = read_apps(api_golden("apps_none"));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(Wire, ReadsADescriptionAsTheApiWritesIt) {
  const auto description = read_description(api_golden("app_described"));
  ASSERT_TRUE(description);
  EXPECT_EQ(description->app.condition, "failing");
  EXPECT_NE(description->app.reason, "");
  EXPECT_TRUE(description->app.retry_at_unix_ms);
  ASSERT_EQ(description->revisions.size(), 2u);
  EXPECT_TRUE(description->revisions[1].is_active);
  EXPECT_EQ(description->revisions[1].command, std::vector<std::string>{"serve"});
  ASSERT_FALSE(description->replicas.empty());
  const Replica& replica = description->replicas.front();
  EXPECT_EQ(replica.id, "r3-17");
  EXPECT_EQ(replica.temperature, "hot");
  EXPECT_EQ(replica.accelerators.size(), 2u);
  EXPECT_GT(replica.memory_claim_bytes, 0u);
  EXPECT_TRUE(replica.memory_bytes);
  EXPECT_TRUE(replica.state_since_unix_ms);
}

TEST(Wire, ReadsEveryOtherAnswerAsTheApiWritesIt) {
  EXPECT_EQ(read_deployed(api_golden("deployed"))->app.name, "gemma");
  EXPECT_FALSE(read_replicas(api_golden("replicas"))->empty());
  EXPECT_NE(read_decisions(api_golden("decisions"))->decisions.front().sentence, "");
  EXPECT_NE(read_keys(api_golden("keys"))->front().prefix, "");
  EXPECT_NE(read_new_key(api_golden("key_created"))->secret, "");
  EXPECT_EQ(read_usage(api_golden("usage"))->sums.front().phase, "busy");
  const auto bill = read_bill(api_golden("bill"));
  ASSERT_TRUE(bill);
  EXPECT_EQ(bill->lines.front().busy_ms * bill->lines.front().rate_nano_per_ms, bill->total_nano);
  const auto status = read_status(api_golden("status"));
  ASSERT_TRUE(status);
  EXPECT_NE(status->nodes.front().accelerators.front().kind, "");
}

TEST(Wire, ReadsRefusalsAsTheApiWritesThem) {
  const Failure missing = read_problem(409, api_golden("content_missing"));
  EXPECT_EQ(missing.code, "content_missing");
  EXPECT_EQ(missing.missing.size(), 1u);
  EXPECT_EQ(missing.what, "The server lacks 1 of the app's files");
  const Failure faulty = read_problem(422, api_golden("app_file_invalid"));
  EXPECT_EQ(faulty.exit, ExitCode::Usage);
  ASSERT_EQ(faulty.faults.size(), 3u);
  EXPECT_EQ(faulty.faults[1].line, 2u);
  EXPECT_EQ(faulty.faults[1].message, "unknown key 'comand'; did you mean 'command'?");
  const Failure absent = read_problem(404, api_golden("app_not_found"));
  EXPECT_EQ(absent.exit, ExitCode::NotFound);
  EXPECT_NE(absent.next, "");
  EXPECT_TRUE(is_platform_problem(api_golden("app_not_found")));
}

TEST(Wire, WhatIsNoAnswerOfOursIsAFailure) {
  for (const char* text :
       {"", "null", "[]", "{}", "{\"apps\":5}", "\"apps\"", "{\"apps\":[", "<html>"}) {
    EXPECT_FALSE(read_apps(text)) << text;
    EXPECT_FALSE(read_status(text)) << text;
    EXPECT_FALSE(read_log_line(text)) << text;
    EXPECT_FALSE(is_platform_problem(text)) << text;
    EXPECT_NE(read_problem(500, text).what, "") << text;
  }
}

TEST(Wire, FieldsOfTheWrongTypeCountAsAbsent) {
  const auto apps = read_apps(
      R"({"apps":[{"name":7,"revision":"x","replicas":[],"waiting":1.5,"reason":{}},null,3]})");
  ASSERT_TRUE(apps);
  ASSERT_EQ(apps->size(), 3u);
  EXPECT_EQ(apps->front().name, "");
  EXPECT_EQ(apps->front().revision, 0u);
  EXPECT_EQ(apps->front().waiting, 0u);
}

}  // namespace
}  // namespace kelvin::cli::wire
