// text: strings as a terminal shows them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kelvin::cli {

// Columns that UTF-8 text takes, one per code point; the names and sentences shown here hold nothing wider.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// At most so many columns; what is cut off is marked by "…", or "..." where that cannot be shown.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns, bool has_unicode);

// Text from elsewhere, with control characters (which could move the cursor or rename the window) made blanks.
[[nodiscard]] std::string printable(std::string_view text);

// A line a program printed: colours (ESC [ ... m) stay where `keeps_colour`, other control characters go.
[[nodiscard]] std::string printable_line(std::string_view line, bool keeps_colour);

// Broken between words into lines of at most so many columns, the second and later ones after `indent` blanks, which
// stand for what precedes the first. 0 columns: one line. Words longer than a line are left whole.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent);

// Every line moved to the right by so many blanks. The text ends in a line end or is empty.
[[nodiscard]] std::string shifted(std::string_view text, std::size_t blanks);

// The word of `known` that is nearest to `word`; empty when none is near.
template <class Words>
[[nodiscard]] std::string nearest(std::string_view word, const Words& known);

// Single letters inserted, left out, changed or swapped with their neighbour that lead from one word to the other.
[[nodiscard]] std::size_t distance(std::string_view a, std::string_view b);

template <class Words>
std::string nearest(std::string_view word, const Words& known) {
  // A third of the letters may differ: "stauts" is "status", "foo" is nothing.
  std::size_t best = word.size() / 3 + 1;
  std::string found;
  for (const auto& candidate : known) {
    const std::size_t away = distance(word, candidate);
    if (away < best) {
      best = away;
      found = candidate;
    }
  }
  return found;
}

}  // namespace kelvin::cli
