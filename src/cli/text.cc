#include "cli/text.h"

#include <algorithm>
#include <vector>

namespace kelvin::cli {

namespace {

constexpr char kEscape = '\x1b';

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// Length of the colour sequence that `text` begins with; 0: there is none.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

// Length of any other escape sequence; at least 1, so that a lone ESC is dropped.
std::size_t escape_length(std::string_view text) {
  if (text.starts_with("\x1b]")) {  // an operating system command, up to BEL or ESC
    const std::size_t end = text.find_first_of("\a\x1b", 2);
    return end == std::string_view::npos ? text.size() : end + (text[end] == '\a' ? 1 : 0);
  }
  if (!text.starts_with("\x1b[")) return 1;
  const auto is_final = [](char c) { return c >= '@' && c <= '~'; };
  const auto end = std::find_if(text.begin() + 2, text.end(), is_final);
  return end == text.end() ? text.size() : static_cast<std::size_t>(end - text.begin()) + 1;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues_code_point(c); }));
}

std::string cut(std::string_view text, std::size_t columns, bool has_unicode) {
  if (columns_of(text) <= columns) return std::string(text);
  const std::string_view mark = has_unicode ? "…" : "...";
  const std::size_t marked = std::min(columns, columns_of(mark));
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < text.size() && kept < columns - marked) {
    ++at;
    while (at < text.size() && continues_code_point(text[at])) ++at;
    ++kept;
  }
  std::string out(text.substr(0, at));
  while (out.ends_with(' ')) out.pop_back();
  return out + std::string(has_unicode ? mark : mark.substr(0, marked));
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, is_control, ' ');
  return out;
}

std::string printable_line(std::string_view line, bool keeps_colour) {
  std::string out;
  out.reserve(line.size());
  bool is_coloured = false;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == kEscape) {
      const std::size_t colour = colour_length(line.substr(at));
      if (colour > 0 && keeps_colour) out += line.substr(at, colour);
      is_coloured = is_coloured || colour > 0;
      at += colour > 0 ? colour : escape_length(line.substr(at));
      continue;
    }
    if (line[at] == '\t' || !is_control(line[at])) out += line[at];
    ++at;
  }
  // A colour that the program left on must not run into the lines of others.
  if (is_coloured && keeps_colour) out += "\x1b[0m";
  return out;
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  if (columns <= indent) return std::string(text);
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    const bool is_first = used == indent;
    const std::size_t width = columns_of(word);
    if (!is_first && used + 1 + width > columns) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (!is_first) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
  }
  return out;
}

std::string shifted(std::string_view text, std::size_t blanks) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (end > 1) out.append(blanks, ' ');
    out += text.substr(0, end);
    text.remove_prefix(end);
  }
  return out;
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> away(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) away[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) away[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      away[i][j] = std::min({away[i - 1][j] + 1, away[i][j - 1] + 1, away[i - 1][j - 1] + change});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) away[i][j] = std::min(away[i][j], away[i - 2][j - 2] + 1);
    }
  }
  return away[a.size()][b.size()];
}

}  // namespace kelvin::cli
