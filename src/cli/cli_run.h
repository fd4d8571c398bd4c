// cli_run: runs a command line inside a test, with made-up surroundings.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

// 2026-01-31T12:00:00Z, the moment at which every test takes place.
constexpr std::int64_t kTestUnixMs = 1'769'860'800'000;

struct CliRun {
  std::map<std::string, std::string> variables = {{"HOME", "/nowhere"}};
  Terminal out_terminal;
  Terminal err_terminal;
  std::vector<std::string> typed;  // lines of stdin; not empty: stdin is a terminal
  int pauses_max = 1000;           // after so many pauses, what is going on is stopped

  std::string out;
  std::string err;
  // Both, in the order in which they were written.
  std::string both;
  ExitCode exit = ExitCode::Ok;

  // Runs `kelvin WORDS`; words are separated by single blanks. May be called again; output is of the last run.
  void run(const std::string& words);
  void run_words(const std::vector<std::string>& words);
};

// "$ kelvin WORDS", both outputs and the exit code, for golden files.
[[nodiscard]] std::string transcript(CliRun& run, const std::string& words);

}  // namespace kelvin::cli
