#include "sim/arguments.h"

#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <string_view>

#include "os/clock.h"

namespace kelvin::sim {

namespace {

constexpr std::uint64_t kSeedsMax = 100'000'000;

class Parser {
 public:
  Arguments parse(int count, char** words) {
    for (int i = 1; i < count && arguments_.problem.empty(); ++i) {
      const std::string_view word = words[i];
      if (take_switch(word)) continue;
      if (i + 1 == count) {
        arguments_.problem = "unknown argument, or one without its value: " + std::string(word);
      } else {
        take_value(word, words[++i]);
      }
    }
    add_range();
    return std::move(arguments_);
  }

 private:
  bool take_switch(std::string_view word) {
    const std::map<std::string_view, bool*> switches = {
        {"--trace", &arguments_.course.is_traced},
        {"--verbose", &arguments_.is_chatty},
        {"--progress", &arguments_.shows_progress},
        {"--shrink", &arguments_.shrinks},
    };
    const auto found = switches.find(word);
    if (found == switches.end()) return false;
    *found->second = true;
    return true;
  }

  void take_value(std::string_view word, const std::string& value) {
    Part& part = arguments_.course.part;
    Shape& shape = arguments_.course.shape;
    const std::map<std::string_view, std::function<void()>> takers = {
        {"--seed", [&] { first_ = number(value); }},
        {"--seeds", [&] { count_ = number(value); }},
        {"--fresh", [&] { begin_fresh(value); }},
        {"--saved", [&] { read_saved(value); }},
        {"--save", [&] { arguments_.save = value; }},
        {"--jobs", [&] { arguments_.jobs = static_cast<unsigned>(number(value)); }},
        {"--shape", [&] { take_shape(value); }},
        {"--nodes", [&] { shape.nodes = just(value); }},
        {"--apps", [&] { shape.apps = just(value); }},
        {"--requests", [&] { shape.requests = just(value); }},
        {"--faults", [&] { shape.faults = just(value); }},
        {"--only-faults", [&] { part.faults = numbers(value); }},
        {"--only-acts", [&] { part.acts = numbers(value); }},
        {"--only-requests", [&] { part.requests = numbers(value); }},
    };
    const auto found = takers.find(word);
    if (found == takers.end()) {
      arguments_.problem = "unknown argument: " + std::string(word);
    } else {
      found->second();
    }
  }

  std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      arguments_.problem = "not a number: " + std::string(text);
    return value;
  }
  Range just(std::string_view text) {
    const std::uint64_t value = number(text);
    return {value, value};
  }
  Numbers numbers(std::string_view text) {
    const auto parsed = parse_numbers(text);
    if (!parsed)
      arguments_.problem = "no list of ascending numbers such as 0-3,7: " + std::string(text);
    return parsed.value_or(Numbers{});
  }
  void take_shape(std::string_view name) {
    const auto shape = find_shape(name);
    if (!shape) arguments_.problem = "no shape is called " + std::string(name);
    arguments_.course.shape = shape.value_or(Shape{});
  }
  // Seeds that nobody has run before.
  void begin_fresh(std::string_view text) {
    count_ = number(text);
    first_ = Random{static_cast<std::uint64_t>(os::unix_now_ns())}.next() >> 16;
  }
  void read_saved(const std::string& path) {
    std::ifstream file(path);
    if (!file) arguments_.problem = "cannot read " + path;
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line[0] != '#') arguments_.seeds.push_back(number(line));
    }
    has_saved_ = true;
  }

  void add_range() {
    const std::uint64_t count = count_.value_or(first_ || !has_saved_ ? 1 : 0);
    if (count > kSeedsMax) arguments_.problem = "at most 100,000,000 seeds at once";
    if (!arguments_.problem.empty()) return;
    for (std::uint64_t i = 0; i < count; ++i) arguments_.seeds.push_back(first_.value_or(1) + i);
  }

  Arguments arguments_;
  std::optional<std::uint64_t> first_;
  std::optional<std::uint64_t> count_;
  bool has_saved_ = false;
};

}  // namespace

Arguments parse_arguments(int count, char** words) { return Parser().parse(count, words); }

const char* usage() {
  return "usage: kelvin_sim [--seed N] [--seeds COUNT | --fresh COUNT] [--saved FILE] [--jobs N]\n"
         "                  [--progress] [--save FILE] [--shrink] [--trace] [--verbose]\n"
         "                  [--shape small|wide|deep|huge] [--nodes N] [--apps N] [--requests N] "
         "[--faults N]\n"
         "                  [--only-faults LIST] [--only-acts LIST] [--only-requests LIST]\n";
}

}  // namespace kelvin::sim
