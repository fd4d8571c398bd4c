// table: rows of cells laid out in aligned columns.
//
// Where it is wider than the page, columns marked `is_droppable` go first, from the right; then the last column is cut with
// a mark, or goes too. Columns are two blanks apart; lines end without blanks.
#pragma once

#include <string>
#include <vector>

#include "cli/page.h"

namespace kelvin::cli {

// What a piece of text says by its colour; without colours nothing is lost but looks.
enum class Tone { Plain, Strong, Faint, Good, Bad, Hot, Warm, Parked, Cold };

// The text in the colour of its tone, or as it is.
[[nodiscard]] std::string toned(const std::string& text, Tone tone, const Page& page);

struct Cell {
  std::string text;
  Tone tone = Tone::Plain;
};

enum class Align { Left, Right };

struct Column {
  std::string name;
  Align align = Align::Left;
  bool is_droppable = false;
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // each with one cell per column
};

// Ends in a line end. A column whose name is empty has no heading; when all are, there is no heading line.
[[nodiscard]] std::string render_table(const Table& table, const Page& page);

}  // namespace kelvin::cli
