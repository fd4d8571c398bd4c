#include "cli/table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/check.h"
#include "cli/text.h"

namespace kelvin::cli {

namespace {

constexpr std::size_t kGap = 2;
// A last column narrower than this says nothing and is left out.
constexpr std::size_t kLastColumnMin = 3;

const char* escape_of(Tone tone) {
  switch (tone) {
    case Tone::Plain:
      return "";
    case Tone::Strong:
      return "\x1b[1m";
    case Tone::Faint:
      return "\x1b[2m";
    case Tone::Good:
      return "\x1b[32m";
    case Tone::Bad:
      return "\x1b[31m";
    case Tone::Hot:
      return "\x1b[31m";
    case Tone::Warm:
      return "\x1b[33m";
    case Tone::Parked:
      return "\x1b[36m";
    case Tone::Cold:
      return "\x1b[34m";
  }
  return "";
}

std::size_t width_of(const Table& table, std::size_t column) {
  std::size_t width = columns_of(table.columns[column].name);
  for (const auto& row : table.rows) width = std::max(width, columns_of(row[column].text));
  return width;
}

struct Layout {
  std::vector<std::size_t> shown;   // indices of columns
  std::vector<std::size_t> widths;  // of each of them
};

std::size_t line_width(const Layout& layout) {
  return std::accumulate(layout.widths.begin(), layout.widths.end(),
                         kGap * (layout.widths.size() - 1));
}

Layout lay_out(const Table& table, const Page& page) {
  Layout layout;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    layout.shown.push_back(i);
    layout.widths.push_back(width_of(table, i));
  }
  if (page.columns == 0) return layout;
  const auto limit = static_cast<std::size_t>(page.columns);
  for (std::size_t at = layout.shown.size(); at-- > 1 && line_width(layout) > limit;) {
    if (!table.columns[layout.shown[at]].is_droppable) continue;
    layout.shown.erase(layout.shown.begin() + static_cast<std::ptrdiff_t>(at));
    layout.widths.erase(layout.widths.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const std::size_t width = line_width(layout);
  if (width <= limit) return layout;
  const std::size_t over = width - limit;
  if (layout.widths.back() >= kLastColumnMin + over) {
    layout.widths.back() -= over;
  } else if (layout.shown.size() > 1) {
    layout.shown.pop_back();
    layout.widths.pop_back();
  }
  return layout;
}

std::string render_line(const std::vector<Cell>& cells, const Table& table, const Layout& layout,
                        const Page& page) {
  std::string line;
  std::string blanks;  // owed before the next text, so that no line ends in them
  for (std::size_t i = 0; i < layout.shown.size(); ++i) {
    const Cell& cell = cells[layout.shown[i]];
    const std::string text = cut(cell.text, layout.widths[i], page.has_unicode);
    const std::string fill(layout.widths[i] - columns_of(text), ' ');
    if (i > 0) blanks.append(kGap, ' ');
    const bool is_right = table.columns[layout.shown[i]].align == Align::Right;
    if (is_right) blanks += fill;
    if (!text.empty()) {
      line += blanks + toned(text, cell.tone, page);
      blanks.clear();
    }
    if (!is_right) blanks += fill;
  }
  return line + "\n";
}

}  // namespace

std::string toned(const std::string& text, Tone tone, const Page& page) {
  if (!page.has_colour || tone == Tone::Plain) return text;
  return escape_of(tone) + text + "\x1b[0m";
}

std::string render_table(const Table& table, const Page& page) {
  for (const auto& row : table.rows) KELVIN_CHECK(row.size() == table.columns.size());
  const Layout layout = lay_out(table, page);
  std::vector<Cell> headings;
  for (const Column& column : table.columns) headings.push_back({column.name, Tone::Faint});
  const bool has_headings =
      std::ranges::any_of(table.columns, [](const Column& column) { return !column.name.empty(); });
  std::string out = has_headings ? render_line(headings, table, layout, page) : "";
  for (const auto& row : table.rows) out += render_line(row, table, layout, page);
  return out;
}

}  // namespace kelvin::cli
