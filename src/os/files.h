// files: whole files and folders, read and written in one call.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

// The text of a file, also of files in /proc and /sys whose size reads as 0. Exhausted when it is
// longer than `most`.
Result<std::string> read_file(const std::string& path, Bytes most = 64_MiB);

// How much a written file must outlive.
enum class Durability {
  Process,  // the writer's death: no wait for the disk
  Power,    // the machine's: file and folder are synced before the call returns
};
struct WriteOptions {
  mode_t mode = 0600;  // whatever the umask says
  Durability durability = Durability::Power;
};
// Readers see the old file or the whole of the latest one: written beside it, then renamed over it.
Status write_file_atomic(const std::string& path, std::string_view text, WriteOptions options = {});

// Writes everything to an open descriptor, however many calls that takes.
Status write_all(int fd, std::string_view bytes);
// Writes to a file that exists and is not replaced, such as one in /sys or /proc.
Status write_existing(const std::string& path, std::string_view text);

// Opens with O_CLOEXEC added. `mode` counts with O_CREAT.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0600);

// Makes the folder and its parents; those it makes get `mode` whatever the umask says. One that
// exists is left alone.
Status make_dirs(const std::string& path, mode_t mode = 0755);
// Removes a file or a folder with everything in it; follows no link. Absent: fine.
Status remove_tree(const std::string& path);
// Removes one file. Absent: fine.
Status remove_file(const std::string& path);
// Names in a folder without "." and "..", sorted. At most `most`: Exhausted beyond.
Result<std::vector<std::string>> list_dir(const std::string& path, std::size_t most = 1'000'000);
bool path_exists(const std::string& path);
// The first folder on the way to `path` that users other than its owner and group may not pass; empty when all are
// open.
std::string closed_folder(const std::string& path);
Result<Bytes> file_size(const std::string& path);

// Makes a folder of its own below the system's temporary folder, and removes it with everything in
// it at its end.
class TempDir {
 public:
  // Named "PREFIX-XXXXXX", mode 0700.
  static Result<TempDir> create(std::string_view prefix);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Holds an advisory lock on a file (flock) for as long as it lives; the kernel frees it when the
// process dies.
class FileLock {
 public:
  // Conflict when another process (or another FileLock) holds it.
  static Result<FileLock> take(const std::string& path);
  // Replaces the file's text, for instance by the holder's pid.
  Status write(std::string_view text);
  int fd() const { return fd_.get(); }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kelvin::os
