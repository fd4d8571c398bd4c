// reader: single values out of a tree, with a complaint for each that is not what it should be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appfile/appfile.h"
#include "appfile/tree.h"
#include "appfile/values.h"

namespace kelvin::appfile {

// `name` is always the whole name of the key, "scale.max", as complaints show it.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  void complain(Complaint complaint);
  // "scale.max is 'many'; expected a whole number from 1 to 1000; HINT".
  void reject(const Node& value, std::string_view name, const std::string& expected,
              std::string_view hint = {});

  // Absent where the value was rejected.
  std::optional<std::string> read_text(const Node& value, std::string_view name,
                                       const std::string& expected);
  std::optional<std::uint64_t> read_count(const Node& value, std::string_view name, Range range);
  std::optional<Bytes> read_bytes(const Node& value, std::string_view name, Range range);
  std::optional<Duration> read_time(const Node& value, std::string_view name, Range range_ns);
  std::optional<std::string> read_word(const Node& value, std::string_view name,
                                       std::span<const std::string_view> words);
  // The items of a list of 1 to `most`; empty where it was rejected.
  std::span<const Node> read_list(const Node& value, std::string_view name,
                                  const std::string& expected, std::size_t most);

  std::string_view file() const { return file_; }
  // In the order of the file, cut to `most`.
  std::vector<Complaint> take_complaints(std::size_t most) &&;

 private:
  std::string_view file_;
  std::vector<Complaint> complaints_;
};

std::string join(std::span<const std::string_view> words);  // "a, b or c"

}  // namespace kelvin::appfile
