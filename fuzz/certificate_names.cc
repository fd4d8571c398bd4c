// Fuzzes the choice of a certificate by name. The first line is what a client asks for, each further one a name of one
// more certificate. The answer is the one that going through all names, one by one, would give.
#include "gateway/certificate_names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

using namespace kelvin;
using namespace kelvin::gateway;

namespace {

bool is_below(std::string_view name, std::string_view wildcard) {
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && wildcard == "*" + std::string(name.substr(dot));
}

// Both are plain.
std::optional<std::size_t> find_slowly(std::string_view name, const std::vector<std::string>& all) {
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i] == name) return i;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (is_below(name, all[i])) return i;
  return std::nullopt;
}

void check_plain(std::string_view name) {
  KELVIN_CHECK(name.size() <= 253 && !name.starts_with('.') && !name.ends_with('.'));
  KELVIN_CHECK(name.find("..") == std::string_view::npos);
  for (const char c : name) KELVIN_CHECK((c > ' ' && c < 'A') || (c > 'Z' && c < 0x7f));
  KELVIN_CHECK(name.find('*') == std::string_view::npos && plain_host_name(name) == name);
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view asked = take_line(text);
  const std::string name = plain_host_name(asked);
  if (!name.empty()) check_plain(name);
  CertificateNames names;
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!names.add(line, all.size())) continue;
    const bool is_wildcard = line.starts_with("*.");
    const std::string plain = plain_host_name(is_wildcard ? line.substr(2) : line);
    check_plain(plain);
    KELVIN_CHECK(!plain.empty());
    all.push_back(is_wildcard ? "*." + plain : plain);
  }
  const auto expected = name.empty() ? std::nullopt : find_slowly(name, all);
  KELVIN_CHECK(names.find(asked) == expected);
  return 0;
}
