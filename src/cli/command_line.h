// command_line: from the words after `kelvin` to a verb that runs.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

// Finds the verb, fills in what it takes (an option, else its environment variable, else the default), runs it and
// returns its exit code. Whatever is wrong with the words is said on stderr with the nearest that would be right.
[[nodiscard]] ExitCode run_command_line(const Cli& cli, const std::vector<std::string>& words,
                                        const Surroundings& surroundings);

// The options that a verb takes besides its own: --json, and --server and --data where it speaks to a server. Their
// values go to `shared`.
[[nodiscard]] std::vector<Option> shared_options(const Verb& verb, Shared& shared);

}  // namespace kelvin::cli
