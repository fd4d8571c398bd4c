// log_tail: the lines that a replica's log file has gained.
#include "cluster/local/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "os/fd.h"

namespace kelvin::cluster::local {
namespace {

constexpr std::size_t kReadMin = 64 << 10;

std::uint64_t inode_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace

bool parse_log_line(std::string_view line, LogEntry& entry) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), entry.unix_ms);
  const std::string_view rest = line.substr(static_cast<std::size_t>(end - line.data()));
  if (error != std::errc() || rest.size() < 3 || rest[0] != ' ' || rest[2] != ' ') return false;
  if (rest[1] != 'o' && rest[1] != 'e') return false;
  entry.stream = rest[1] == 'o' ? ports::LogStream::Out : ports::LogStream::Err;
  entry.text = rest.substr(3);
  return true;
}

// The file that the tail stands in is read to its end before the one that took its name. After two rotations between
// two reads it is gone, and with it what had not been read.
bool LogTail::find_rotated(std::string& from) const {
  if (inode_ == 0 || inode_ == inode_of(path_)) return false;
  from = path_ + ".1";
  return inode_ == inode_of(from);
}

bool LogTail::read(std::size_t most, const std::function<void(const LogEntry&)>& sink) {
  std::string from = path_;
  const bool is_rotated = find_rotated(from);
  const os::Fd file(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return false;
  struct stat found{};
  if (::fstat(file.get(), &found) != 0) return false;
  if (found.st_ino != inode_) {
    inode_ = found.st_ino;
    offset_ = 0;
  }
  // Room for the longest line, or it would never be passed.
  std::string text(std::max(most, kReadMin), '\0');
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(offset_));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const bool is_full = text.size() == std::max(most, kReadMin);
  const auto end = text.rfind('\n');
  text.resize(end == std::string::npos ? 0 : end + 1);
  offset_ += text.size();
  for (std::size_t at = 0; at < text.size();) {
    const auto line_end = text.find('\n', at);
    LogEntry entry;
    if (parse_log_line(std::string_view(text).substr(at, line_end - at), entry)) sink(entry);
    at = line_end + 1;
  }
  if (is_full && !text.empty()) return true;
  if (!is_rotated) return false;
  inode_ = 0;  // on to the file that bears the name
  offset_ = 0;
  return true;
}

void LogTail::skip_to_end() {
  struct stat found{};
  if (::stat(path_.c_str(), &found) != 0) return;
  inode_ = found.st_ino;
  offset_ = static_cast<std::uint64_t>(found.st_size);
}

void LogTail::start_at_oldest() {
  inode_ = inode_of(path_ + ".1");
  offset_ = 0;
}

}  // namespace kelvin::cluster::local
