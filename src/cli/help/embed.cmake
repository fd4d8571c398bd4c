# Writes OUT, a C++ file that holds every page FOLDER/VERB.md of VERBS (separated by commas) as a string.
string(REPLACE "," ";" verbs "${VERBS}")
set(entries "")
foreach(verb IN LISTS verbs)
  file(READ "${FOLDER}/${verb}.md" page)
  string(APPEND entries "    HelpText{\"${verb}\", R\"kelvin_page(${page})kelvin_page\"},\n")
endforeach()
list(LENGTH verbs count)
file(WRITE "${OUT}" "// Made by src/cli/help/embed.cmake from the pages beside it.
#include \"cli/help_texts.h\"

#include <array>

namespace kelvin::cli {

std::span<const HelpText> help_texts() {
  static constexpr std::array<HelpText, ${count}> kTexts = {
${entries}  };
  return kTexts;
}

}  // namespace kelvin::cli
")
