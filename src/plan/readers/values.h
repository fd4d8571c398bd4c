// values: the cells of a line as numbers and texts, each checked, with a complaint that names it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "plan/readers/json.h"

namespace kelvin::plan {

// What is wrong with a line and what to do about it; whoever reads the file knows the place.
struct Complaint {
  std::string what;
  std::string next;
};
template <class T>
using Checked = tl::expected<T, Complaint>;

[[nodiscard]] tl::unexpected<Complaint> complain(std::string what, std::string next = {});

// Text of the file as it is repeated in a complaint: in quotes, printable, at most 40 characters.
[[nodiscard]] std::string in_quotes(std::string_view text);

struct Range {
  double least = 0;
  double most = 0;
};
// Seconds that fit into nanoseconds of 64 bits even after subtracting any two of them.
constexpr Range kMoments = {.least = -1e9, .most = 8e9};

[[nodiscard]] Checked<double> to_number(std::string_view name, std::string_view text, Range range);
// The same for a number that was parsed already.
[[nodiscard]] Checked<double> in_range(std::string_view name, double value, Range range);
// Nanoseconds since 1970 of "2023-11-16 18:17:03.9799600"; also with a T, and with Z or +00:00 at the end.
[[nodiscard]] Checked<std::int64_t> to_moment(std::string_view name, std::string_view text);
[[nodiscard]] std::int64_t to_ns(double seconds);  // within kMoments

// The cells of one line of CSV without quotes. What is asked for after the first complaint is 0 or empty, so that a
// reader asks for everything and looks for a complaint once.
class Row {
 public:
  Row(std::span<const std::string_view> names, std::string_view line);

  double number(std::size_t column, Range range);
  std::int64_t moment(std::size_t column);
  std::string_view text(std::size_t column) const { return cells_[column]; }
  const std::optional<Complaint>& complaint() const { return complaint_; }

 private:
  static constexpr std::size_t kColumnsMax = 8;

  template <class T>
  T keep(Checked<T> value);

  std::span<const std::string_view> names_;
  std::array<std::string_view, kColumnsMax> cells_;
  std::optional<Complaint> complaint_;
};

// One line that is a JSON object, of whose members only the wanted scalars are kept; like Row it remembers the first
// complaint. Members inside others are skipped.
class JsonLine {
 public:
  JsonLine(std::span<const std::string_view> names, std::string_view line);

  double number(std::size_t member, Range range);
  std::int64_t whole_number(std::size_t member);
  std::int64_t moment(std::size_t member);
  // Empty where it is null.
  std::string_view text(std::size_t member);
  [[nodiscard]] bool has(std::size_t member) const { return scalars_[member].kind != Kind::Absent; }
  const std::optional<Complaint>& complaint() const { return complaint_; }

 private:
  enum class Kind : std::uint8_t { Absent, Null, Number, Whole, Text, Other };
  struct Scalar {
    Kind kind = Kind::Absent;
    double number = 0;
    std::int64_t whole = 0;
    std::string text;
  };

  template <class T>
  T keep(Checked<T> value);
  bool is(std::size_t member, Kind kind, std::string_view wanted);
  void keep_scalar(std::size_t member, const JsonValue& value);

  std::span<const std::string_view> names_;
  std::vector<Scalar> scalars_;
  std::optional<Complaint> complaint_;
};

}  // namespace kelvin::plan
