// log_tail: the lines that a replica's log file has gained.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "ports/logs.h"

namespace kelvin::cluster::local {

// One line of a log file (keeper/log_file.h); `text` points into the file's text.
struct LogEntry {
  std::int64_t unix_ms = 0;
  ports::LogStream stream = ports::LogStream::Out;
  std::string_view text;
};
// False when the line has another form.
bool parse_log_line(std::string_view line, LogEntry& entry);

// Follows one file through its rotation, in order and without repeating a line. A file that is not there yet is empty.
class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}

  // Gives each whole line since the last call, at most about `most` bytes of them. True when there is more at once.
  bool read(std::size_t most, const std::function<void(const LogEntry&)>& sink);
  // Passes over everything that is there.
  void skip_to_end();
  // Begins with the old file where there is one; otherwise a tail begins with the current one.
  void start_at_oldest();

 private:
  bool find_rotated(std::string& from) const;

  std::string path_;
  std::uint64_t inode_ = 0;  // of the file that offset_ is in; 0: none yet
  std::uint64_t offset_ = 0;
};

}  // namespace kelvin::cluster::local
