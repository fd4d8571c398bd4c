// failure: why a verb could not do what it was asked, in the words and the exit code that the user gets.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "cli/exit_code.h"

namespace kelvin::cli {

// One fault of a file. Lines and columns count from 1; 0: about the file, or the line, as a whole.
struct Fault {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;
};

// Printed as "kelvin: WHAT: WHY." and "Next: NEXT".
struct Failure {
  ExitCode exit = ExitCode::Failed;
  std::string code;  // stable, for programs: "app_not_found"
  std::string what;
  std::string why;   // may be empty
  std::string next;  // may be empty
  int status = 0;    // of the server's answer; 0: there was none
  std::vector<Fault> faults;
  std::vector<std::string> missing;  // with code content_missing: the hashes that the server lacks
};

template <class T>
using Attempt = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> failed(Failure failure) {
  return tl::unexpected<Failure>(std::move(failure));
}

}  // namespace kelvin::cli
