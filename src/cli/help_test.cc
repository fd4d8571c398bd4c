#include "cli/help.h"

#include <gtest/gtest.h>

#include "cli/cli_run.h"
#include "cli/command_line.h"
#include "cli/golden_file.h"
#include "cli/help_texts.h"

namespace kelvin::cli {
namespace {

std::vector<Option> all_options(const Verb& verb) {
  static Shared nowhere;
  std::vector<Option> options = verb.options;
  for (const Option& option : shared_options(verb, nowhere)) options.push_back(option);
  for (const Verb& inner : verb.verbs) {
    for (const Option& option : all_options(inner)) options.push_back(option);
  }
  return options;
}

// "-f,--follow" with value "TIME" is written "-f, --follow TIME".
std::string written(const Option& option) {
  std::string out;
  for (const char c : option.names) out += c == ',' ? std::string(", ") : std::string(1, c);
  return out + (option.value.empty() ? "" : " " + option.value);
}

TEST(Help, EveryVerbHasAPageThatBeginsWithExamples) {
  Cli cli;
  add_client_verbs(cli);
  for (const Verb& verb : cli.verbs) {
    const auto page = find_help(verb.name);
    ASSERT_TRUE(page) << "help/" << verb.name << ".md is missing";
    EXPECT_TRUE(page->starts_with("# kelvin " + verb.name + "\n")) << verb.name;
    const std::size_t first = page->find("\n## ");
    EXPECT_EQ(page->substr(first, 13), "\n## Examples\n") << verb.name;
    EXPECT_EQ(page->find("\n# "), std::string_view::npos)
        << verb.name << ": one heading of the first level";
    EXPECT_NE(page->find("\n## Exit codes\n"), std::string_view::npos) << verb.name;
  }
}

TEST(Help, EveryOptionOfAVerbIsOnItsPage) {
  Cli cli;
  add_client_verbs(cli);
  for (const Verb& verb : cli.verbs) {
    const std::string_view page = find_help(verb.name).value_or("");
    for (const Option& option : all_options(verb)) {
      EXPECT_NE(page.find("    " + written(option) + " "), std::string_view::npos)
          << verb.name << ": " << written(option);
    }
  }
}

TEST(Help, EveryOptionOnAPageIsAnOptionOfItsVerb) {
  Cli cli;
  add_client_verbs(cli);
  for (const Verb& verb : cli.verbs) {
    std::string known = "-h, --help|";
    for (const Option& option : all_options(verb)) known += written(option) + "|";
    const std::string_view page = find_help(verb.name).value_or("");
    for (std::size_t at = page.find("\n    -"); at != std::string_view::npos;
         at = page.find("\n    -", at + 1)) {
      const std::string_view line = page.substr(at + 5, page.find("  ", at + 6) - at - 5);
      EXPECT_NE(known.find(std::string(line) + "|"), std::string::npos)
          << verb.name << ": " << line;
    }
  }
}

TEST(Help, NoLineIsLongerThanATerminalIsWide) {
  for (const HelpText& text : help_texts()) {
    const std::string page = render_help(text.markdown, {.columns = 100});
    for (std::size_t from = 0; from < page.size();) {
      const std::size_t end = page.find('\n', from);
      EXPECT_LE(end - from, 100u) << text.verb << ": " << page.substr(from, end - from);
      from = end + 1;
    }
  }
}

TEST(Help, IsTheSameWithEitherWord) {
  CliRun run;
  run.run("ps --help");
  const std::string with_option = run.out;
  EXPECT_EQ(run.exit, ExitCode::Ok);
  run.run("help ps");
  EXPECT_EQ(run.out, with_option);
  run.run("describe -h");
  EXPECT_EQ(run.exit, ExitCode::Ok) << "help needs no APP";
}

TEST(Help, Looks) {
  CliRun run;
  expect_golden("help.txt", transcript(run, "--help") + transcript(run, "ps --help") +
                                transcript(run, "keys create --help") + transcript(run, "") +
                                transcript(run, "help nonsense"));
}

}  // namespace
}  // namespace kelvin::cli
