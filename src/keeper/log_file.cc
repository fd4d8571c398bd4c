// log_file: what one replica prints, as lines with time and stream, in a file that never grows beyond its limit.
#include "keeper/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace kelvin::keeper {

void LogFile::take(Stream stream, std::string_view bytes, std::int64_t unix_ms) {
  std::string& partial = partial_[static_cast<std::size_t>(stream)];
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::size_t room = limits_.line_bytes_max - partial.size();
    const std::size_t piece = std::min(std::min(end, bytes.size()), room);
    const bool has_end = piece == end;
    std::string_view text = bytes.substr(0, piece);
    bytes.remove_prefix(piece + (has_end ? 1 : 0));
    if (!has_end && piece < room) {
      partial += text;
      break;
    }
    if (!partial.empty()) text = partial += text;
    if (has_end && !text.empty() && text.back() == '\r') text.remove_suffix(1);
    add_line(stream, text, unix_ms);
    partial.clear();
  }
  flush();
}

void LogFile::finish(std::int64_t unix_ms) {
  for (const Stream stream : {Stream::Out, Stream::Err}) {
    std::string& partial = partial_[static_cast<std::size_t>(stream)];
    if (!partial.empty()) add_line(stream, partial, unix_ms);
    partial.clear();
  }
  flush();
}

void LogFile::add_line(Stream stream, std::string_view text, std::int64_t unix_ms) {
  ready_ += std::to_string(unix_ms);
  ready_ += stream == Stream::Out ? " o " : " e ";
  ready_ += text;
  ready_ += '\n';
  ++ready_lines_;
}

bool LogFile::open_and_rotate() {
  if (file_.is_open() && file_bytes_ > 0 && file_bytes_ + ready_.size() > limits_.file_bytes_max) {
    file_.reset();
    std::rename(path_.c_str(), (path_ + ".1").c_str());
  }
  if (file_.is_open()) return true;
  file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_.is_open()) return false;
  struct stat found{};
  file_bytes_ = ::fstat(file_.get(), &found) == 0 ? static_cast<std::size_t>(found.st_size) : 0;
  return true;
}

void LogFile::flush() {
  if (ready_.empty()) return;
  std::string text;
  if (dropped_ > 0) {
    if (ends_mid_line_) text += '\n';
    text += ready_.substr(0, ready_.find(' ')) + " e [kelvin] " + std::to_string(dropped_) +
            " lines were dropped: the log could not be written\n";
  }
  text += ready_;
  ssize_t put = -1;
  if (open_and_rotate()) {
    do {
      put = ::write(file_.get(), text.data(), text.size());
    } while (put < 0 && errno == EINTR);
  }
  if (put > 0) file_bytes_ += static_cast<std::size_t>(put);
  if (put == static_cast<ssize_t>(text.size())) {
    dropped_ = 0;
    ends_mid_line_ = false;
  } else {
    dropped_ += ready_lines_;
    if (put > 0) ends_mid_line_ = text[static_cast<std::size_t>(put) - 1] != '\n';
  }
  ready_.clear();
  ready_lines_ = 0;
}

}  // namespace kelvin::keeper
