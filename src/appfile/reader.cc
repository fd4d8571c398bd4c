#include "appfile/reader.h"

#include <algorithm>
#include <tuple>

namespace kelvin::appfile {

void Reader::complain(Complaint complaint) {
  complaint.file = file_;
  complaints_.push_back(std::move(complaint));
}

void Reader::reject(const Node& value, std::string_view name, const std::string& expected,
                    std::string_view hint) {
  if (value.is_refused) return;
  const std::string found = describe(value);
  const std::string tail = hint.empty() ? std::string() : "; " + std::string(hint);
  complain({.line = value.at.line,
            .column = value.at.column,
            .found = found,
            .expected = expected,
            .message = std::string(name) + " is " + found + "; expected " + expected + tail});
}

std::optional<std::string> Reader::read_text(const Node& value, std::string_view name,
                                             const std::string& expected) {
  if (value.kind != Node::Kind::Scalar) {
    reject(value, name, expected);
    return std::nullopt;
  }
  return value.text;
}

std::optional<std::uint64_t> Reader::read_count(const Node& value, std::string_view name,
                                                Range range) {
  const std::string expected =
      "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
  const std::optional<std::string> text = read_text(value, name, expected);
  if (!text) return std::nullopt;
  const Read<std::uint64_t> number = read_number(*text);
  if (number && range.holds(*number) && !value.is_quoted) return *number;
  const bool is_number = number && range.holds(*number);
  reject(value, name, expected,
         is_number ? "write it without quotes"
         : number  ? ""
                   : number.error());
  return std::nullopt;
}

std::optional<Bytes> Reader::read_bytes(const Node& value, std::string_view name, Range range) {
  const std::string expected = "a size from " + appfile::to_text(Bytes{range.least}) + " to " +
                               appfile::to_text(Bytes{range.most}) + ", such as 512MiB or 24GiB";
  const std::optional<std::string> text = read_text(value, name, expected);
  if (!text) return std::nullopt;
  const Read<Bytes> size = read_size(*text);
  if (size && range.holds(size->count)) return *size;
  reject(value, name, expected, size ? "" : size.error());
  return std::nullopt;
}

std::optional<Duration> Reader::read_time(const Node& value, std::string_view name,
                                          Range range_ns) {
  const auto show = [](std::uint64_t ns) {
    return appfile::to_text(Duration(static_cast<std::int64_t>(ns)));
  };
  const std::string expected = "a time from " + show(range_ns.least) + " to " +
                               show(range_ns.most) + ", such as 500ms, 60s, 10m or 2h";
  const std::optional<std::string> text = read_text(value, name, expected);
  if (!text) return std::nullopt;
  const Read<Duration> length = read_duration(*text);
  if (length && range_ns.holds(static_cast<std::uint64_t>(length->count()))) return *length;
  reject(value, name, expected, length ? "" : length.error());
  return std::nullopt;
}

std::optional<std::string> Reader::read_word(const Node& value, std::string_view name,
                                             std::span<const std::string_view> words) {
  const std::string expected = join(words);
  const std::optional<std::string> text = read_text(value, name, expected);
  if (!text) return std::nullopt;
  if (std::find(words.begin(), words.end(), *text) != words.end()) return text;
  const std::string_view near = nearest(*text, words);
  reject(value, name, expected, near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
  return std::nullopt;
}

std::span<const Node> Reader::read_list(const Node& value, std::string_view name,
                                        const std::string& expected, std::size_t most) {
  if (value.kind != Node::Kind::List) {
    reject(value, name, expected);
    return {};
  }
  const std::string count = std::to_string(value.items.size());
  if (value.items.empty() || value.items.size() > most) {
    complain({.line = value.at.line,
              .column = value.at.column,
              .found = "a list of " + count,
              .expected = expected,
              .message = std::string(name) + " is a list of " + count + "; expected " + expected +
                         " (1 to " + std::to_string(most) + " of them)"});
    return {};
  }
  return value.items;
}

std::vector<Complaint> Reader::take_complaints(std::size_t most) && {
  std::sort(complaints_.begin(), complaints_.end(), [](const Complaint& a, const Complaint& b) {
    return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
  });
  if (complaints_.size() > most) {
    const std::size_t more = complaints_.size() - most + 1;
    complaints_.resize(most);
    Complaint& last = complaints_.back();
    last.found.clear();
    last.expected.clear();
    last.message = "and " + std::to_string(more) + " more complaints from here on";
  }
  return std::move(complaints_);
}

std::string join(std::span<const std::string_view> words) {
  std::string joined;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) joined += i + 1 == words.size() ? " or " : ", ";
    joined += words[i];
  }
  return joined;
}

}  // namespace kelvin::appfile
