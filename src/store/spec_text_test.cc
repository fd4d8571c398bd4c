#include "store/spec_text.h"

#include <gtest/gtest.h>

namespace kelvin::store {
namespace {

model::AppSpec full_spec() {
  model::AppSpec spec;
  spec.name = "gemma";
  spec.command = {"llama-server", "-m", "{model}", "--title", "quote \" and \u00e9"};
  spec.model = "./gemma.gguf";
  spec.environment = {{"LOG_LEVEL", "info"}, {"EMPTY", ""}};
  spec.needs = {{.kind = "h100", .count = 2}, {.kind = "any", .count = 1, .memory_each = 24_GiB}};
  spec.memory = 2_GiB;
  spec.fixed_port = 8080;
  spec.protocol = model::Protocol::H2c;
  spec.ready_path = "/health";
  spec.alive_path = "/alive";
  spec.scale = {.replicas_min = 1, .replicas_max = 7, .concurrency = 3, .urgency_milli = 1500};
  spec.scale.schedule = {{.begins = "0 8 * * 1-5",
                          .ends = "",
                          .length = 10h,
                          .zone = "Europe/Berlin",
                          .replicas_min = 2},
                         {.begins = "0 0 * * *", .ends = "0 6 * * *"}};
  spec.park = model::ParkRule::Never;
  spec.served_model = "gemma-3";
  spec.start = {.progress = 90s, .attempts = 5};
  spec.rollout = {.steps = {5, 50}, .every = 30s, .errors_milli = 500, .requests = 7};
  spec.timeout = 1500ms;
  spec.queue = {.requests_max = 10, .wait = 3s};
  spec.cors = {"https://a.example", "*"};
  spec.affinity = {.by = model::AffinityBy::Prefix, .name = "", .bytes = 1024};
  return spec;
}

TEST(SpecText, GivesBackWhatItWasGiven) {
  for (const model::AppSpec& spec : {model::AppSpec{}, full_spec()}) {
    const Result<model::AppSpec> read = parse_stored_text(to_stored_text(spec));
    ASSERT_TRUE(read.has_value()) << read.error().what;
    EXPECT_EQ(*read, spec) << to_stored_text(spec);
  }
}

TEST(SpecText, KeepsDefaultsForWhatIsMissingAndPassesOverWhatIsUnknown) {
  const Result<model::AppSpec> read = parse_stored_text(R"({"name":"a","later":{"x":1}})");
  ASSERT_TRUE(read.has_value()) << read.error().what;
  model::AppSpec expected;
  expected.name = "a";
  EXPECT_EQ(*read, expected);
}

TEST(SpecText, RefusesWhatIsNoSpec) {
  for (const char* text :
       {"", "[]", "nonsense", R"({"command":"not a list"})", R"({"timeout_ns":"x"})"}) {
    const Result<model::AppSpec> read = parse_stored_text(text);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, Code::Internal) << text;
  }
}

}  // namespace
}  // namespace kelvin::store
