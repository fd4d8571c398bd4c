#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace kelvin::cli {

namespace {

bool names_utf8(std::string locale) {
  std::ranges::transform(locale, locale.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
}

// The first of the three that is set decides, as in setlocale(3).
bool has_utf8_locale(const Variables& variables) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const auto value = variables(name);
    if (value && !value->empty()) return names_utf8(*value);
  }
  return false;
}

}  // namespace

Terminal describe_terminal(int descriptor, const Variables& variables) {
  Terminal terminal;
  terminal.is_terminal = ::isatty(descriptor) == 1;
  if (!terminal.is_terminal) return terminal;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
    terminal.columns = size.ws_col;
    terminal.rows = size.ws_row;
  }
  const bool is_dumb = variables("TERM").value_or("dumb") == "dumb";
  terminal.has_colour = !is_dumb && variables("NO_COLOR").value_or("").empty();
  terminal.has_unicode = !is_dumb && has_utf8_locale(variables);
  return terminal;
}

}  // namespace kelvin::cli
