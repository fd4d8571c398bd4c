// content_store: files by the hash of what is in them, and folders made of them.
//
//   content/ab/<sha256>      one file per content, 0444
//   content/ab/<sha256>.x    the same content, 0555: names of one file share its mode, so programs get a file of their own
//   content/tmp/             uploads in flight; emptied at open
//   trees/<manifest>/folder/...      hard links to the above: laying a tree out copies nothing
//   trees/<manifest>/model/<name>
//
// A content appears under its name only when it is whole, has its hash and is on the disk; a tree appears as a whole
// by one rename. A crash leaves nothing behind but files in tmp and trees whose names begin with a dot, both removed
// at the next open. Nothing in a tree is writable: replicas that run under the server's own user share these files.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "weights/tree.h"

namespace kelvin::weights {

struct StoreLimits {
  TreeLimits tree;
  Bytes content_bytes_max = 4096_GiB;  // of one file
  // Free space that uploads leave alone, so that the database and the logs can go on.
  Bytes spare_bytes = 64_MiB;
  // Content and trees touched this recently are not collected: a deploy asks for its content, uploads what is missing
  // and places the tree in separate calls.
  Duration grace = 3600s;
};

struct StoreSizes {
  std::uint64_t contents = 0;
  Bytes content_bytes;
  std::uint64_t trees = 0;
};

struct PlacedPaths {
  std::string folder;      // absolute
  std::string model_path;  // absolute; empty: no model
};

// One upload. Without a commit that returned success nothing of it stays. Not thread-safe.
class ContentUpload {
 public:
  virtual ~ContentUpload() = default;
  // Exhausted when the disk is full or there is more than the promised size; the upload is over then.
  virtual Status write(std::span<const std::byte> bytes) = 0;
  // Invalid when size or hash differ from what was promised. Returns once the content is on the disk.
  virtual Status commit() = 0;
};

// One per data folder and process. May be called from any thread.
class ContentStore {
 public:
  // Makes `data`/content and `data`/trees where they are missing. `data` must exist and be absolute.
  static Result<std::unique_ptr<ContentStore>> open(const std::string& data,
                                                    StoreLimits limits = {});
  ContentStore(const ContentStore&) = delete;
  ContentStore& operator=(const ContentStore&) = delete;

  // Keeps the content from being collected for `grace`.
  bool has(std::string_view sha256);
  // The upload must end before the store does.
  Result<std::unique_ptr<ContentUpload>> begin(std::string_view sha256, Bytes size);
  // NotFound names the first content that is missing.
  Result<PlacedPaths> place(const Tree& tree);
  // Removes trees whose `folder` is not in `folders_kept`, then content that no tree uses; both only past `grace`.
  Status collect(const std::vector<std::string>& folders_kept);
  Result<StoreSizes> sizes();

 private:
  class Upload;
  struct Entry;
  ContentStore(std::string data, StoreLimits limits);

  std::string content_path(std::string_view sha256) const;
  std::string fresh_path(std::string_view folder);
  Status make_folders();
  Status check_space(Bytes size);
  // Gives the finished file `from` its name. Content that is there already stays, since trees link to it.
  Status publish(const std::string& from, const std::string& to);
  Status lay_out(const Tree& tree, const std::string& staging);
  Status lay_files(const std::vector<TreeFile>& files, const std::string& below);
  Status lay_file(const TreeFile& file, const std::string& path);
  Result<std::string> ensure_program(const TreeFile& file);
  Status copy_file(const std::string& from, const std::string& to, bool is_executable);
  Status collect_trees(const std::vector<std::string>& folders_kept);
  Status collect_content();
  // Calls `use` for every file of content until one fails.
  Status each_content(const std::function<Status(const Entry&)>& use);
  bool is_fresh(const Entry& entry) const;

  std::string data_;
  StoreLimits limits_;
  std::atomic<std::uint64_t> counter_{0};  // makes names in tmp unique
  std::mutex layout_;                      // placing, collecting and naming take turns
};

}  // namespace kelvin::weights
