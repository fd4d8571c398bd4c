#include "sim/part.h"

#include <charconv>

namespace kelvin::sim {

namespace {

// A typing error is no reason to make a list of a billion numbers.
constexpr std::uint32_t kNumberMax = 100'000'000;

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kNumberMax)
    return std::nullopt;
  return number;
}

bool append_range(Numbers& numbers, std::string_view range) {
  const std::size_t dash = range.find('-');
  const auto first = parse_number(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(range.substr(dash + 1));
  if (!first || !last || *last < *first) return false;
  if (!numbers.empty() && numbers.back() >= *first) return false;
  for (std::uint32_t number = *first; number <= *last; ++number) numbers.push_back(number);
  return true;
}

}  // namespace

std::string to_text(const Numbers& numbers) {
  if (numbers.empty()) return "none";
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (end > i) text += "-" + std::to_string(numbers[end]);
    i = end + 1;
  }
  return text;
}

std::optional<Numbers> parse_numbers(std::string_view text) {
  Numbers numbers;
  if (text == "none") return numbers;
  while (true) {
    const std::size_t comma = text.find(',');
    if (!append_range(numbers, text.substr(0, comma))) return std::nullopt;
    if (comma == std::string_view::npos) return numbers;
    text.remove_prefix(comma + 1);
  }
}

std::string to_arguments(const Part& part) {
  std::string text;
  if (part.faults) text += " --only-faults " + to_text(*part.faults);
  if (part.acts) text += " --only-acts " + to_text(*part.acts);
  if (part.requests) text += " --only-requests " + to_text(*part.requests);
  return text;
}

}  // namespace kelvin::sim
