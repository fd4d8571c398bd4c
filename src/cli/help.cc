#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "cli/help_texts.h"
#include "cli/table.h"
#include "cli/text.h"

namespace kelvin::cli {

namespace {

// Longer lines are hard to read, however wide the terminal is.
constexpr int kTextColumnsMax = 100;

std::string without_backticks(std::string_view text) {
  std::string out(text);
  std::erase(out, '`');
  return out;
}

struct Heading {
  Group group;
  const char* name;
};
constexpr std::array kHeadings = {
    Heading{Group::Platform, "Platform"}, Heading{Group::Apps, "Apps"},
    Heading{Group::Look, "Look"},         Heading{Group::Steer, "Steer"},
    Heading{Group::Money, "Money"},       Heading{Group::Access, "Access"},
    Heading{Group::Program, "Program"}};

}  // namespace

std::optional<std::string_view> find_help(std::string_view verb) {
  for (const HelpText& text : help_texts()) {
    if (text.verb == verb) return text.markdown;
  }
  return std::nullopt;
}

std::string render_help(std::string_view markdown, const Page& page) {
  const int columns = page.columns == 0 ? kTextColumnsMax : std::min(page.columns, kTextColumnsMax);
  std::string out;
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty())
      out += wrapped(without_backticks(paragraph), static_cast<std::size_t>(columns), 0) + "\n";
    paragraph.clear();
  };
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    const std::string_view line = markdown.substr(0, end);
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
    const bool is_heading = line.starts_with('#');
    if (!line.empty() && !is_heading && !line.starts_with(' ')) {
      paragraph += (paragraph.empty() ? "" : " ") + std::string(line);
      continue;
    }
    end_paragraph();
    if (is_heading) {
      out += toned(std::string(line.substr(line.find(' ') + 1)), Tone::Strong, page) + "\n";
    } else {
      out += std::string(line) + "\n";
    }
  }
  end_paragraph();
  return out;
}

std::string render_overview(const Cli& cli, const Page& page) {
  std::string out = render_help(find_help("kelvin").value_or(""), page);
  std::size_t width = 0;
  for (const Verb& verb : cli.verbs) width = std::max(width, verb.name.size());
  for (const Heading& heading : kHeadings) {
    std::string lines;
    for (const Verb& verb : cli.verbs) {
      if (verb.group == heading.group)
        lines += fmt::format("    {:<{}}  {}\n", verb.name, width, verb.summary);
    }
    if (!lines.empty()) out += "\n" + toned(heading.name, Tone::Strong, page) + "\n" + lines;
  }
  return out;
}

}  // namespace kelvin::cli
