// help: the manual, one page per verb; the same text is read with --help and in the repository.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/page.h"
#include "cli/verb.h"

namespace kelvin::cli {

struct HelpText {
  std::string_view verb;
  std::string_view markdown;
};

// The page as it is in help/VERB.md; nullopt for a verb without one.
[[nodiscard]] std::optional<std::string_view> find_help(std::string_view verb);

// Headings without their marks, paragraphs wrapped, indented blocks as they are.
[[nodiscard]] std::string render_help(std::string_view markdown, const Page& page);

// `kelvin --help`: the page of `kelvin` itself, then every verb that is not hidden, by group.
[[nodiscard]] std::string render_overview(const Cli& cli, const Page& page);

}  // namespace kelvin::cli
