// log_file: a file that grows by whole lines and is turned over when it is full.
//
//   access.log      written to
//   access.log.1    the one before it, and so on up to access.log.N; what was N is deleted
//
// Somebody else may move the file away as well (logrotate): it is made anew at the next write.
//
// During an upgrade two processes write to the same file. Whoever writes has it locked, so that their lines stay whole
// and only one of them turns it over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::gateway {

class LogFile {
 public:
  struct Limits {
    // Of one file; a batch of lines is never split. 0: somebody else turns it over.
    std::uint64_t bytes_max = 64ULL << 20U;
    std::uint32_t old_files_max = 4;  // beside the one that is written to; 0: it is emptied
  };
  // Appends; a file that is made has mode 0600.
  static Result<LogFile> open(std::string path, const Limits& limits);

  // Whole lines. False where the disk did not take them all; what did not fit is lost. A line that got there in part is
  // taken out again, where that is possible: in a file, but not in a pipe.
  bool write(std::string_view lines);
  [[nodiscard]] std::uint64_t turned_over() const { return turned_over_; }

 private:
  LogFile(std::string path, const Limits& limits) : path_(std::move(path)), limits_(limits) {}
  Status open_again();
  bool lock();
  bool is_moved();
  void turn_over();
  bool write_whole_lines(std::string_view lines);
  bool write_all(std::string_view bytes);
  void take_out_after(std::uint64_t end);

  std::string path_;
  Limits limits_;
  os::Fd file_;
  std::uint64_t bytes_ = 0;  // of the file, whoever wrote them
  std::uint64_t turned_over_ = 0;
  bool is_locked_ = false;  // by this one, during a write
  bool ends_in_a_torn_line_ = false;
};

}  // namespace kelvin::gateway
