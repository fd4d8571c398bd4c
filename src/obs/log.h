// log: what the platform says about itself, one line an event.
//
//   at=2026-03-01T12:00:00.250Z level=error says="usage is not written" why="out of disk space"
//   rows_waiting=12
//
// A line is at most one pipe buffer long and is dropped, counted and mentioned in the next line
// when nobody reads the other end: logging never blocks. What looks like one of our keys is cut to
// its public prefix.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace kelvin::obs {

enum class Level : std::uint8_t { Debug, Info, Warn, Error };

struct LogField {
  std::string_view name;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

// May be used from any thread. Does not own the descriptor.
class Log {
 public:
  struct Options {
    int fd = 2;
    Level least = Level::Info;              // what lies below is not written
    std::function<std::int64_t()> unix_ms;  // the time of a line
  };

  explicit Log(Options options);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Writes nothing; for tests and for programs that print on their own.
  static Log silent() { return Log(Options{.fd = -1}); }

  void debug(std::string_view sentence, LogFields fields = {}) {
    write(Level::Debug, sentence, fields);
  }
  void info(std::string_view sentence, LogFields fields = {}) {
    write(Level::Info, sentence, fields);
  }
  void warn(std::string_view sentence, LogFields fields = {}) {
    write(Level::Warn, sentence, fields);
  }
  void error(std::string_view sentence, LogFields fields = {}) {
    write(Level::Error, sentence, fields);
  }

  void write(Level level, std::string_view sentence, LogFields fields);

 private:
  void send(std::string& line);

  const Options options_;
  std::mutex mutex_;
  std::uint64_t dropped_ = 0;  // since the last line that got through
};

// The line without its time, for tests and for other writers: level=info says="..." name=value, and
// no line end.
[[nodiscard]] std::string log_line(Level level, std::string_view sentence, LogFields fields);

// Replaces the secret part of everything that looks like a key: "kv_ab12cd34_***".
[[nodiscard]] std::string hide_keys(std::string_view text);

[[nodiscard]] std::string_view to_text(Level level);

}  // namespace kelvin::obs
