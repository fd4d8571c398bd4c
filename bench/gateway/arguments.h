// arguments: a load tool's command line: --name value, in any order.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sockets.h"

namespace bench {

class Arguments {
 public:
  Arguments(int count, char** values) {
    for (int i = 1; i + 1 < count; i += 2) {
      const std::string_view name = values[i];
      if (!name.starts_with("--")) give_up("expected --name value, found " + std::string(name));
      given_[std::string(name.substr(2))] = values[i + 1];
    }
    if (count % 2 == 0) give_up(std::string("no value for ") + values[count - 1]);
  }

  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second;
  }

  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : number_in(found->second);
  }

  static std::uint64_t number_in(std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), value);
    if (problem != std::errc{} || end != digits.end()) {
      give_up("not a whole number: " + std::string(digits));
    }
    return value;
  }

 private:
  std::map<std::string, std::string> given_;
};

}  // namespace bench
