// scan: an app's folder and model as the client has them, with hashes, ready to be offered to a server.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "weights/tree.h"

namespace kelvin::weights {

struct ScanLimits {
  std::size_t files_max = 10'000;
  Bytes bytes_max = 1_GiB;     // of the folder, without the model
  std::size_t depth_max = 64;  // folders inside each other
  TreeLimits tree;
};

struct ScannedFile {
  TreeFile file;
  std::string source;  // where it can be read on this machine
};

struct ScannedFolder {
  std::vector<ScannedFile> files;  // by path
  // What was left out, each with its reason, for a note to the user: "cache: a link to a folder".
  std::vector<std::string> skipped;
};

struct ScannedModel {
  std::string name;  // last part of its path
  bool is_folder = false;
  std::vector<ScannedFile> files;  // a plain file: one entry with an empty path
};

// Called after each piece that was hashed, with the bytes so far and the bytes there are.
using ScanProgress = std::function<void(Bytes hashed, Bytes total)>;

struct ScanOptions {
  std::string folder;  // the app file's folder
  std::string model;   // left out where it lies inside the folder; empty: none
  ScanLimits limits;
  ScanProgress progress;  // may be empty
};

// Regular files, and links to regular files wherever they are; `.git` is left out, and so are links to folders,
// broken links and anything that is no file (see `skipped`). NotFound: no such folder. Invalid: it holds more than
// the limits allow, with advice; or a file cannot be read.
Result<ScannedFolder> scan_folder(const ScanOptions& options);

// A file, or a folder scanned as above but of any size. NotFound: there is nothing at `path`.
Result<ScannedModel> scan_model(const std::string& path, const ScanProgress& progress);

}  // namespace kelvin::weights
