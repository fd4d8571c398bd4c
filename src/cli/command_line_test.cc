#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <memory>

#include "cli/cli_run.h"
#include "cli/golden_file.h"

namespace kelvin::cli {
namespace {

TEST(CommandLine, SaysWhatIsWrongAndWhatWouldBeRight) {
  CliRun run;
  std::string text;
  for (const char* words : {"stauts",
                            "--nonsense",
                            "ps --wach",
                            "ps one two",
                            "describe",
                            "keys",
                            "keys crate",
                            "keys create",
                            "scale gemma --min x",
                            "scale gemma --min -1",
                            "scale gemma --min",
                            "scale gemma",
                            "logs gemma --since 5",
                            "completion csh",
                            "keys create x --scope root",
                            "--json",
                            "--server",
                            "delete gemma",
                            "call gemma -d a -d b",
                            "call gemma -d @/nowhere/at/all",
                            "ps --wach --json",
                            "apps --server x:y:z"}) {
    text += transcript(run, words);
  }
  expect_golden("usage_errors.txt", text);
}

// A verb that shows what it was given.
struct Given {
  std::string app;
  std::vector<std::string> more;
  std::vector<std::string> headers;
  std::string listen = "default";
  std::optional<std::uint32_t> number;
  std::optional<Duration> time;
  bool is_set = false;
  bool wants_json = false;
};

struct Probe {
  Given given;
  std::map<std::string, std::string> variables;
  std::string err;

  ExitCode run(const std::vector<std::string>& words) {
    Cli cli;
    cli.verbs.push_back(
        {.name = "probe",
         .positionals = {{.name = "APP", .into = &given.app},
                         {.name = "MORE", .need = Need::Optional, .into = &given.more}},
         .options = {{.names = "-H,--header", .value = "H", .into = &given.headers},
                     {.names = "--listen",
                      .value = "ADDR",
                      .variable = "KELVIN_LISTEN",
                      .into = &given.listen},
                     {.names = "-n,--number",
                      .value = "N",
                      .variable = "KELVIN_NUMBER",
                      .into = &given.number},
                     {.names = "--time", .value = "T", .into = &given.time},
                     {.names = "-s,--set", .variable = "KELVIN_SET", .into = &given.is_set}},
         .run = [this](Session& session) {
           given.wants_json = session.wants_json();
           return ExitCode::Ok;
         }});
    Surroundings surroundings;
    surroundings.variable = [this](const std::string& name) {
      const auto it = variables.find(name);
      return it == variables.end() ? std::nullopt : std::optional(it->second);
    };
    surroundings.out = [](std::string_view) {};
    surroundings.err = [this](std::string_view text) { err += text; };
    surroundings.out_terminal = [] { return Terminal{}; };
    surroundings.err_terminal = [] { return Terminal{}; };
    surroundings.unix_ms = [] { return kTestUnixMs; };
    return run_command_line(cli, words, surroundings);
  }
};

TEST(CommandLine, FillsInWhatAVerbTakes) {
  Probe probe;
  ASSERT_EQ(probe.run({"probe", "gemma", "-H", "a: 1", "-n", "7", "--header=b: 2", "--time", "90s",
                       "-s", "x", "y"}),
            ExitCode::Ok)
      << probe.err;
  EXPECT_EQ(probe.given.app, "gemma");
  EXPECT_EQ(probe.given.headers, (std::vector<std::string>{"a: 1", "b: 2"}));
  EXPECT_EQ(probe.given.number, 7u);
  EXPECT_EQ(probe.given.time, Duration(90s));
  EXPECT_TRUE(probe.given.is_set);
  EXPECT_EQ(probe.given.more, (std::vector<std::string>{"x", "y"}));
}

TEST(CommandLine, AnOptionWinsOverItsVariableOverTheDefault) {
  Probe probe;
  ASSERT_EQ(probe.run({"probe", "a"}), ExitCode::Ok) << probe.err;
  EXPECT_EQ(probe.given.listen, "default");
  probe.variables = {{"KELVIN_LISTEN", "variable"}, {"KELVIN_NUMBER", "5"}, {"KELVIN_SET", "1"}};
  ASSERT_EQ(probe.run({"probe", "a"}), ExitCode::Ok) << probe.err;
  EXPECT_EQ(probe.given.listen, "variable");
  EXPECT_EQ(probe.given.number, 5u);
  EXPECT_TRUE(probe.given.is_set);
  ASSERT_EQ(probe.run({"probe", "a", "--listen", "option"}), ExitCode::Ok) << probe.err;
  EXPECT_EQ(probe.given.listen, "option");
}

TEST(CommandLine, AVariableIsCheckedLikeItsOption) {
  Probe probe;
  probe.variables = {{"KELVIN_NUMBER", "many"}};
  EXPECT_EQ(probe.run({"probe", "a"}), ExitCode::Usage);
  EXPECT_NE(probe.err.find("KELVIN_NUMBER: expected a whole number, found \"many\""),
            std::string::npos)
      << probe.err;
}

TEST(CommandLine, SharedOptionsMayStandBeforeTheVerb) {
  Probe probe;
  EXPECT_EQ(probe.run({"--json", "--server", "http://x", "probe", "a"}), ExitCode::Ok) << probe.err;
  EXPECT_TRUE(probe.given.wants_json);
  EXPECT_EQ(probe.run({"--data=/x", "probe", "a"}), ExitCode::Ok) << probe.err;
}

TEST(CommandLine, AWordAfterTheVerbIsNoVerb) {
  Probe probe;
  ASSERT_EQ(probe.run({"probe", "probe"}), ExitCode::Ok) << probe.err;
  EXPECT_EQ(probe.given.app, "probe");
}

TEST(CommandLine, ValuesAreTakenAsTheyAre) {
  Probe probe;
  for (const std::string value :
       {"[1,2]", "{\"a\": 1}", "a,b", "", " ", "@-", "a=b", "\"quoted\""}) {
    probe.given = {};
    ASSERT_EQ(probe.run({"probe", "a", "-H", value}), ExitCode::Ok) << value << ": " << probe.err;
    ASSERT_EQ(probe.given.headers, std::vector<std::string>{value});
    ASSERT_EQ(probe.run({"probe", "a", "--listen", value}), ExitCode::Ok)
        << value << ": " << probe.err;
    ASSERT_EQ(probe.given.listen, value);
  }
}

}  // namespace
}  // namespace kelvin::cli
