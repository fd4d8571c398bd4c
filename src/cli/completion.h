// completion: scripts for shells, made from the table of verbs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/verb.h"

namespace kelvin::cli {

// For "bash", "zsh" or "fish"; nullopt for any other shell. Names of apps are asked of the server when they are needed
// (`kelvin apps --names`).
[[nodiscard]] std::optional<std::string> completion_script(const Cli& cli, std::string_view shell);

}  // namespace kelvin::cli
