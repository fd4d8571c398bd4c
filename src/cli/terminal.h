// terminal: what the place that text goes to can show.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace kelvin::cli {

using Variables = std::function<std::optional<std::string>(const std::string& name)>;

struct Terminal {
  bool is_terminal = false;
  int columns = 0;  // 0: without limit
  int rows = 0;     // 0: without limit
  bool has_colour = false;
  bool has_unicode = false;  // false: plain ASCII only
};

// Colour needs a terminal that is not "dumb", and NO_COLOR unset or empty; unicode needs a UTF-8 locale. A place that is no
// terminal gets neither limit nor colour, and unicode only for what the server says.
[[nodiscard]] Terminal describe_terminal(int descriptor, const Variables& variables);

}  // namespace kelvin::cli
