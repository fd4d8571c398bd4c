#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string_view line_of(std::string_view source, std::uint32_t number) {
  for (std::uint32_t at = 1; at < number; ++at) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  return source.substr(0, source.find('\n'));
}

// "kelvin.yaml:3:7: error: ..." and below it the line with a mark under the column.
std::string render_fault(const Fault& fault, std::string_view source, const Page& page) {
  std::string place = printable(fault.file);
  if (fault.line > 0) place += fmt::format(":{}", fault.line);
  if (fault.column > 0) place += fmt::format(":{}", fault.column);
  std::string out = toned(place, Tone::Strong, page) + ": " + toned("error", Tone::Bad, page) +
                    ": " + printable(fault.message) + "\n";
  const std::string_view line = fault.line > 0 ? line_of(source, fault.line) : std::string_view();
  if (line.empty()) return out;
  const std::string number = fmt::format("{:>5} | ", fault.line);
  const std::size_t before =
      std::min<std::size_t>(fault.column > 0 ? fault.column - 1 : 0, columns_of(line));
  std::string shown = printable(line);
  if (page.columns > 0)
    shown = cut(shown, static_cast<std::size_t>(std::max(page.columns - 8, 8)), page.has_unicode);
  out += toned(number, Tone::Faint, page) + shown + "\n";
  return out + toned("      | ", Tone::Faint, page) + std::string(before, ' ') +
         toned("^", Tone::Bad, page) + "\n";
}

// "No such app" -> "no such app", but "HTTP ..." and names in capitals stay.
std::string lowered(std::string sentence) {
  const bool is_word =
      sentence.size() > 1 && ((sentence[1] >= 'a' && sentence[1] <= 'z') || sentence[1] == ' ');
  if (is_word && sentence[0] >= 'A' && sentence[0] <= 'Z')
    sentence[0] = static_cast<char>(sentence[0] - 'A' + 'a');
  return sentence;
}

std::string node_accelerators(const wire::Node& node) {
  std::string out;
  for (const wire::NodeAccelerators& pool : node.accelerators) {
    out += fmt::format("{}{}: {} of {} in use", out.empty() ? "" : ", ", pool.kind, pool.in_use,
                       pool.count);
  }
  return out.empty() ? "none" : out;
}

}  // namespace

std::string render_keys(const std::vector<wire::Key>& keys, const Page& page) {
  if (keys.empty()) return "";
  Table table{
      .columns = {
          {"PREFIX"}, {"NAME"}, {"SCOPES"}, {"WEIGHT", Align::Right}, {"AGE", Align::Right}}};
  for (const wire::Key& key : keys) {
    table.rows.push_back({{key.prefix, Tone::Strong},
                          {printable(key.name)},
                          {joined(key.scopes)},
                          {std::to_string(key.weight)},
                          {age_since(key.created_unix_ms, page.now_unix_ms)}});
  }
  return render_table(table, page);
}

std::string render_status(const wire::ServerStatus& status, std::string_view server,
                          const Page& page) {
  std::string out = toned(fmt::format("kelvin {}", status.version), Tone::Strong, page);
  out += fmt::format(" at {}, up for {} (pid {}, start {})\n", server, age_text(status.uptime_ms),
                     status.pid, status.epoch);
  out += fmt::format("data in {}\n\n", printable(status.data_folder));
  Table table{.columns = {{"NODE"}, {"STATE"}, {"MEMORY", Align::Right}, {"ACCELERATORS"}}};
  for (const wire::Node& node : status.nodes) {
    table.rows.push_back({{node.name, Tone::Strong},
                          {node.is_up ? "up" : "down", node.is_up ? Tone::Good : Tone::Bad},
                          {bytes_text(node.memory_bytes)},
                          {node_accelerators(node)}});
  }
  return out + render_table(table, page);
}

std::string render_failure(const Failure& failure, std::string_view source, const Page& page) {
  std::string out;
  for (const Fault& fault : failure.faults) out += render_fault(fault, source, page);
  std::string sentence = lowered(printable(failure.what));
  if (!failure.why.empty()) sentence += ": " + lowered(printable(failure.why));
  if (!sentence.ends_with('.') && !sentence.ends_with('?') && !sentence.ends_with('!'))
    sentence += ".";
  const auto width = static_cast<std::size_t>(page.columns);
  out += toned("kelvin:", Tone::Bad, page) + " " + wrapped(sentence, width, 8) + "\n";
  if (!failure.next.empty())
    out += toned("Next:", Tone::Strong, page) + " " +
           wrapped(lowered(printable(failure.next)), width, 6) + "\n";
  return out;
}

}  // namespace kelvin::cli
