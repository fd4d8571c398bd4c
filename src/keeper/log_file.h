// log_file: what one replica prints, as lines with time and stream, in a file that never grows beyond its limit.
//
// "<unix_ms> <o|e> <text>\n" per line. At 8 MiB the file becomes ".1" (replacing the one before) and a fresh one begins.
// A line longer than 16 KiB is cut into pieces of that length. When the disk is full lines are dropped and counted, and
// the count is written as a line of its own once there is room: a replica is never held up by its log.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace kelvin::keeper {

constexpr std::size_t kLogBytesMax = 8 << 20;
constexpr std::size_t kLineBytesMax = 16 << 10;

enum class Stream : std::uint8_t { Out, Err };

struct LogLimits {
  std::size_t file_bytes_max = kLogBytesMax;
  std::size_t line_bytes_max = kLineBytesMax;
};

class LogFile {
 public:
  // The file is opened at the first line; its folder must exist.
  explicit LogFile(std::string path, LogLimits limits = {})
      : path_(std::move(path)), limits_(limits) {}

  // Takes bytes as they come; whole lines are written at once.
  void take(Stream stream, std::string_view bytes, std::int64_t unix_ms);
  // Writes what is left of a last line without an end.
  void finish(std::int64_t unix_ms);
  std::uint64_t dropped_lines() const { return dropped_; }

 private:
  void add_line(Stream stream, std::string_view text, std::int64_t unix_ms);
  void flush();
  bool open_and_rotate();

  std::string path_;
  LogLimits limits_;
  os::Fd file_;
  std::size_t file_bytes_ = 0;
  std::array<std::string, 2> partial_;  // by stream: the beginning of a line whose end has not come
  std::string ready_;                   // whole lines not yet written
  std::uint64_t ready_lines_ = 0;
  std::uint64_t dropped_ = 0;
  bool ends_mid_line_ = false;  // a full disk cut the last line short
};

}  // namespace kelvin::keeper
