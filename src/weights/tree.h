// tree: a folder of files named by content, as one revision brings it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kelvin::weights {

struct TreeFile {
  std::string
      path;  // relative, '/'-separated UTF-8; no empty, "." or ".." parts, no control characters
  bool is_executable = false;
  std::string sha256;  // 64 lower-case hex digits
  Bytes size;
  bool operator==(const TreeFile&) const = default;
};

// The app's folder and its model. A model that is a file has one entry with an empty path; one that is a folder has
// the files below it.
struct Tree {
  std::vector<TreeFile> folder;
  std::string model_name;  // last part of the model's path; empty: no model
  bool model_is_folder = false;
  std::vector<TreeFile> model;
};

struct TreeLimits {
  std::size_t files_max = 20'000;
  std::size_t path_bytes_max = 4095;  // PATH_MAX counts the closing NUL
  std::size_t part_bytes_max = 255;   // NAME_MAX
  std::size_t parts_max =
      64;  // folders inside each other; removing a tree holds one descriptor for each
};

bool is_sha256(std::string_view text);  // 64 lower-case hex digits
// In quotes for a sentence: control characters and bytes that are no UTF-8 become escapes, long paths are cut.
std::string quote(std::string_view path);

// Invalid, with a sentence that names the path and what is wrong with it.
Status check_path(std::string_view path, const TreeLimits& limits);
// Checks every path, hash and number, and that no path stands twice or is both a file and a folder.
Status check_tree(const Tree& tree, const TreeLimits& limits);

// The tree's name on disk: SHA-256 over everything in it, whatever the order of the files.
std::string manifest_sha256(const Tree& tree);

}  // namespace kelvin::weights
