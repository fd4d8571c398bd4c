// data_folder: the folder that one platform owns, and what it keeps at its top.
//
//   admin-token   0600   the key that the command line finds by itself
//   serve.lock    0600   locked by the running platform; holds its pid
//   drain.lock    0600   locked by a process that an upgrade has replaced and that still has connections; holds its pid
//   serve.json    0600   where it listens
//
// The folder itself may be passed through (0711) by the users that replicas run as, but not listed.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "os/files.h"

namespace kelvin::cli {

class DataFolder {
 public:
  enum class For : std::uint8_t {
    Start,  // waits a moment for a process that an earlier upgrade has replaced: it ends when its successor has
    TakeOver,  // that process goes on
  };
  // Makes what is missing. Conflict, with the pid of the other platform, when the folder is in use.
  static Result<DataFolder> open(const std::string& path, For purpose = For::Start);

  // For a process that is about to be replaced. Conflict while another one still drains.
  static Result<os::FileLock> lock_for_draining(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

  // The admin token's text; made with fresh random bytes at the first start.
  Result<std::string> admin_token();

  struct Announcement {
    std::string listen;  // host:port, or https://host:port
    std::uint64_t epoch = 0;
  };
  // Writes serve.json, which the command line reads; forget() removes it.
  Status announce(const Announcement& announcement);
  void forget();

 private:
  DataFolder(std::string path, os::FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  os::FileLock lock_;
};

}  // namespace kelvin::cli
