#include "cli/cli_run.h"

#include <sstream>

#include "cli/command_line.h"

namespace kelvin::cli {

namespace {

std::string section(const std::string& name, const std::string& text) {
  if (text.empty()) return "";
  return "--- " + name + "\n" + text + (text.ends_with('\n') ? "" : "(no line end)\n");
}

}  // namespace

void CliRun::run(const std::string& words) {
  std::vector<std::string> split;
  std::istringstream stream(words);
  for (std::string word; stream >> word;) split.push_back(word);
  run_words(split);
}

void CliRun::run_words(const std::vector<std::string>& words) {
  out.clear();
  err.clear();
  both.clear();
  Instant clock{};
  int pauses = 0;
  std::size_t lines = 0;
  Surroundings surroundings;
  surroundings.variable = [this](const std::string& name) {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
  surroundings.out = [this](std::string_view text) { out += text, both += text; };
  surroundings.err = [this](std::string_view text) { err += text, both += text; };
  surroundings.ask = [&]() {
    return lines < typed.size() ? std::optional(typed[lines++]) : std::nullopt;
  };
  surroundings.can_ask = !typed.empty();
  surroundings.out_terminal = [this] { return out_terminal; };
  surroundings.err_terminal = [this] { return err_terminal; };
  surroundings.unix_ms = [&clock] { return kTestUnixMs + clock.ns / 1'000'000; };
  surroundings.now = [&clock] { return clock; };
  surroundings.pause = [&](Duration length) {
    clock = clock + length;
    return ++pauses < pauses_max;
  };
  // Options keep what they were given, so every run has verbs of its own.
  Cli cli;
  add_client_verbs(cli);
  exit = run_command_line(cli, words, surroundings);
}

std::string transcript(CliRun& run, const std::string& words) {
  run.run(words);
  return "$ kelvin " + words + "\n" + section("stdout", run.out) + section("stderr", run.err) +
         "--- exit " + std::to_string(static_cast<int>(run.exit)) + "\n\n";
}

}  // namespace kelvin::cli
