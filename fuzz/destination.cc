// Fuzzes where a Host and a path lead: nothing is lost between prefix and path, a name holds nothing that could end a
// part of a path, and a path that was matched has no '..' left in any spelling.
#include "gateway/destination.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/message.h"

using namespace kelvin::gateway;

namespace {

void check_app(const Destination& to, std::string_view path) {
  KELVIN_CHECK(!to.name.empty() && to.name.find_first_of("/?\\%") == std::string::npos);
  KELVIN_CHECK(to.workspace.find_first_of("/?\\%.") == std::string::npos || !to.prefix.empty());
  KELVIN_CHECK(std::string(to.prefix) + std::string(to.path) == path);
  KELVIN_CHECK(to.path.empty() || to.path.front() == '/' || to.path.front() == '?' ||
               to.prefix.empty());
}

// By another road than the code: decode everything, make every separator a slash, look for "/../".
void check_no_dots(std::string_view path) {
  std::string plain = kelvin::http::decode_path(path.substr(0, path.find('?'))).value();
  for (char& c : plain)
    if (c == '\\') c = '/';
  plain += '/';
  for (const std::string_view dots : {"/./", "/../", "/.;", "/..;"})
    KELVIN_CHECK(plain.find(dots) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = bytes.find(' ');
  if (cut == std::string_view::npos) return 0;
  const std::string_view host = bytes.substr(0, cut);
  const std::string_view path = bytes.substr(cut + 1);
  // What the parsers of heads let through, both versions of HTTP alike.
  if (!host.empty() && !kelvin::http::is_host(host)) return 0;
  if (!path.starts_with('/') || !kelvin::http::is_target(path)) return 0;
  const std::vector<std::string> own = {"box.lan"};
  const Destination to = find_destination(host, path, own);
  if (!to.refusal.empty()) {
    KELVIN_CHECK(to.surface == Surface::Nowhere || to.surface == Surface::OpenAi);
    return 0;
  }
  if (to.surface == Surface::OpenAi) check_no_dots(path);
  if (to.surface != Surface::App) return 0;
  check_app(to, path);
  if (to.prefix.empty()) return 0;
  check_no_dots(path);
  const Destination second = in_workspace(to);
  if (second.surface == Surface::App) check_app(second, path);
  return 0;
}
