// help_texts: the pages of help/, built into the program by help/embed.cmake.
#pragma once

#include <span>

#include "cli/help.h"

namespace kelvin::cli {

[[nodiscard]] std::span<const HelpText> help_texts();

}  // namespace kelvin::cli
