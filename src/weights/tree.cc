#include "weights/tree.h"

#include <algorithm>
#include <unordered_set>

#include "base/utf8.h"
#include "os/hash.h"

namespace kelvin::weights {

namespace {

tl::unexpected<Error> refuse(std::string what) {
  return fail(Code::Invalid, Blame::Client, Retry::Never, std::move(what));
}

bool is_control(char c) { return (c >= 0 && c < ' ') || c == 0x7f; }

Status check_part(std::string_view part, std::string_view path, const TreeLimits& limits) {
  if (part.empty()) return refuse("path " + quote(path) + " has an empty part");
  if (part == "." || part == "..")
    return refuse("path " + quote(path) + " has a part '" + std::string(part) + "'");
  if (part.size() <= limits.part_bytes_max) return {};
  return refuse("path " + quote(path) + " has a part of more than " +
                std::to_string(limits.part_bytes_max) + " bytes");
}

Status check_file(const TreeFile& file) {
  if (is_sha256(file.sha256)) return {};
  return refuse("file " + quote(file.path) + " has " + quote(file.sha256) +
                " as its hash; expected 64 lower-case hex digits");
}

// Every path valid, none twice, none inside another.
Status check_files(const std::vector<TreeFile>& files, const TreeLimits& limits) {
  std::unordered_set<std::string_view> paths;
  for (const TreeFile& file : files) {
    KELVIN_TRY_VOID(check_path(file.path, limits));
    KELVIN_TRY_VOID(check_file(file));
    if (!paths.insert(file.path).second)
      return refuse("path " + quote(file.path) + " stands twice");
  }
  for (const TreeFile& file : files) {
    const std::string_view path = file.path;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) {
        return refuse("path " + quote(path.substr(0, slash)) + " is both a file and a folder");
      }
    }
  }
  return {};
}

void add_lines(std::string& manifest, char kind, const std::vector<TreeFile>& files) {
  std::vector<const TreeFile*> sorted;
  for (const TreeFile& file : files) sorted.push_back(&file);
  std::sort(sorted.begin(), sorted.end(),
            [](const TreeFile* a, const TreeFile* b) { return a->path < b->path; });
  for (const TreeFile* file : sorted) {
    manifest += kind;
    manifest += file->is_executable ? 'x' : '-';
    manifest += file->sha256;
    manifest += file->path;
    manifest += '\0';  // no path holds one, so two manifests that differ differ in their bytes
  }
}

}  // namespace

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string quote(std::string_view path) {
  constexpr std::size_t kShownBytes = 120;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string shown = "'";
  while (!path.empty() && shown.size() < kShownBytes) {
    const std::size_t length = utf8_length(path);
    if (length == 0 || is_control(path.front())) {
      const auto byte = static_cast<unsigned char>(path.front());
      shown += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
      path.remove_prefix(1);
      continue;
    }
    shown += path.substr(0, length);
    path.remove_prefix(length);
  }
  return shown + (path.empty() ? "'" : "...'");
}

Status check_path(std::string_view path, const TreeLimits& limits) {
  if (path.empty()) return refuse("a path is empty");
  if (path.size() > limits.path_bytes_max) {
    return refuse("path " + quote(path) + " has more than " +
                  std::to_string(limits.path_bytes_max) + " bytes");
  }
  if (path.front() == '/')
    return refuse("path " + quote(path) + " is absolute; expected one inside the folder");
  if (std::any_of(path.begin(), path.end(), is_control)) {
    return refuse("path " + quote(path) + " holds a control character");
  }
  if (!is_utf8(path)) return refuse("path " + quote(path) + " is no UTF-8 text");
  const auto parts = static_cast<std::size_t>(1 + std::count(path.begin(), path.end(), '/'));
  if (parts > limits.parts_max) {
    return refuse("path " + quote(path) + " has more than " + std::to_string(limits.parts_max) +
                  " parts");
  }
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    KELVIN_TRY_VOID(check_part(rest.substr(0, slash), path, limits));
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Status check_tree(const Tree& tree, const TreeLimits& limits) {
  if (tree.folder.size() + tree.model.size() > limits.files_max) {
    return refuse("the app brings " + std::to_string(tree.folder.size() + tree.model.size()) +
                  " files; at most " + std::to_string(limits.files_max) + " are accepted");
  }
  KELVIN_TRY_VOID(check_files(tree.folder, limits));
  if (tree.model_name.empty()) {
    if (tree.model.empty()) return {};
    return refuse("the app brings files of a model that has no name");
  }
  KELVIN_TRY_VOID(check_path(tree.model_name, limits));
  if (tree.model_name.find('/') != std::string::npos) {
    return refuse("the model's name " + quote(tree.model_name) +
                  " is a path; expected its last part only");
  }
  if (tree.model_is_folder) return check_files(tree.model, limits);
  if (tree.model.size() != 1 || !tree.model.front().path.empty()) {
    return refuse("a model that is a file is one entry with an empty path");
  }
  return check_file(tree.model.front());
}

std::string manifest_sha256(const Tree& tree) {
  std::string manifest = "kelvin tree 1\n";
  manifest += tree.model_is_folder ? 'd' : 'f';
  manifest += tree.model_name;
  manifest += '\0';
  add_lines(manifest, 'a', tree.folder);
  add_lines(manifest, 'm', tree.model);
  return os::sha256_hex(manifest);
}

}  // namespace kelvin::weights
