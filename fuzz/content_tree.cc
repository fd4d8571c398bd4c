// Fuzzes the paths of a content tree: each line of the input is a file's path. A tree that is accepted lies inside its
// folder, has no path twice, and its hash does not depend on the order of its files.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "weights/tree.h"

using namespace kelvin;
using namespace kelvin::weights;

namespace {

void check_inside(const std::string& path) {
  const std::filesystem::path whole("/trees/folder/" + path);
  KELVIN_CHECK(whole.lexically_normal() == whole && whole.native().starts_with("/trees/folder/"));
  KELVIN_CHECK(std::filesystem::path(path).is_relative() && path.find('\0') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Tree tree;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    tree.folder.push_back(
        {.path = std::string(rest.substr(0, end)), .sha256 = std::string(64, 'a')});
    rest.remove_prefix(std::min(end + 1, rest.size()));
    KELVIN_CHECK(is_utf8(quote(tree.folder.back().path)));
  }
  const Status checked = check_tree(tree, {});
  if (!checked) {
    KELVIN_CHECK(checked.error().code == Code::Invalid && is_utf8(checked.error().what));
    return 0;
  }
  std::set<std::string> paths;
  for (const TreeFile& file : tree.folder) {
    check_inside(file.path);
    KELVIN_CHECK(paths.insert(file.path).second);
  }
  const std::string hash = manifest_sha256(tree);
  std::reverse(tree.folder.begin(), tree.folder.end());
  KELVIN_CHECK(hash == manifest_sha256(tree));
  return 0;
}
