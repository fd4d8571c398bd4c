// content: files that apps bring, stored by hash and laid out as folders for replicas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kelvin::ports {

struct ContentFile {
  std::string path;  // relative, '/'-separated, no "." or ".." parts
  bool is_executable = false;
  std::string sha256;  // 64 lower-case hex digits
  Bytes size;
};

// What one revision brings: its folder, and its model as a file or a folder of files below `model_name`.
struct ContentTree {
  std::vector<ContentFile> folder;
  std::string model_name;  // last part of the model's path; empty: no model
  bool model_is_folder = false;
  std::vector<ContentFile> model;  // one entry with an empty path for a plain file
};

struct PlacedTree {
  std::string folder;      // absolute; read-only for replicas
  std::string model_path;  // absolute; empty: no model
};

// Half-written content disappears with its writer.
class ContentWriter {
 public:
  virtual ~ContentWriter() = default;
  virtual Status write(std::span<const std::byte>
                           bytes) = 0;  // Exhausted when the disk is full or it grows too long
  virtual Status commit() = 0;          // Invalid when the bytes do not have the promised hash
};

// May be called from any thread; calls wait for the disk.
class Content {
 public:
  virtual ~Content() = default;
  virtual bool has(std::string_view sha256) = 0;
  virtual Result<std::unique_ptr<ContentWriter>> begin(std::string_view sha256, Bytes size) = 0;
  // Lays the tree out with hard links, once per distinct tree. NotFound names the first content that is missing.
  virtual Result<PlacedTree> place(const ContentTree& tree) = 0;
  // The program that argv[0] names: an absolute path, a path in the folder, or a name in the server's PATH.
  virtual Result<std::string> find_program(std::string_view name, std::string_view folder) = 0;
  // Removes trees that are not in `folders_kept`, and content that no tree uses.
  virtual Status collect(const std::vector<std::string>& folders_kept) = 0;
};

}  // namespace kelvin::ports
