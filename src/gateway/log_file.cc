// log_file: a file that grows by whole lines and is turned over when it is full.
#include "gateway/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

// A write takes much less. Whoever holds the lock for longer stands still, and must not make this process do the same.
constexpr int kLockTriesMax = 1000;
constexpr int kLookAgainMs = 1;

}  // namespace

Result<LogFile> LogFile::open(std::string path, const Limits& limits) {
  LogFile file(std::move(path), limits);
  KELVIN_TRY_VOID(file.open_again());
  return file;
}

Status LogFile::open_again() {
  os::Fd file(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return os::fail_errno("open the access log " + path_, errno);
  struct stat found{};
  if (::fstat(file.get(), &found) != 0)
    return os::fail_errno("look at the access log " + path_, errno);
  file_ = std::move(file);
  bytes_ = static_cast<std::uint64_t>(found.st_size);
  ends_in_a_torn_line_ = false;
  return {};
}

bool LogFile::write(std::string_view lines) {
  is_locked_ = lock();
  const bool is_full = bytes_ > 0 && bytes_ + lines.size() > limits_.bytes_max;
  if (is_full && limits_.bytes_max > 0) turn_over();
  const bool is_whole = write_whole_lines(lines);
  if (std::exchange(is_locked_, false)) static_cast<void>(::flock(file_.get(), LOCK_UN));
  return is_whole;
}

// False: it is written to all the same.
bool LogFile::lock() {
  for (int tries = 0; tries < kLockTriesMax; ++tries) {
    if (is_moved() && !open_again()) return false;
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
      // Whoever had it before may have turned it over.
      if (!is_moved()) return true;
    } else if (errno == EWOULDBLOCK) {
      static_cast<void>(::poll(nullptr, 0, kLookAgainMs));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return false;
}

// Where it cannot be seen, it is written to as before.
bool LogFile::is_moved() {
  struct stat ours{};
  struct stat named{};
  if (::fstat(file_.get(), &ours) != 0) return false;
  bytes_ = static_cast<std::uint64_t>(ours.st_size);
  if (::stat(path_.c_str(), &named) != 0) return errno == ENOENT;
  return ours.st_ino != named.st_ino || ours.st_dev != named.st_dev;
}

void LogFile::turn_over() {
  const auto name_of = [&](std::uint32_t number) { return path_ + "." + std::to_string(number); };
  for (std::uint32_t number = limits_.old_files_max; number > 1; --number)
    static_cast<void>(std::rename(name_of(number - 1).c_str(), name_of(number).c_str()));
  const bool is_away = limits_.old_files_max > 0
                           ? std::rename(path_.c_str(), name_of(1).c_str()) == 0
                           : ::unlink(path_.c_str()) == 0;
  // In a folder that may not be written to, the one file goes on growing rather than lose lines.
  if (!is_away || !open_again()) return;
  ++turned_over_;
  is_locked_ = lock();
}

bool LogFile::write_whole_lines(std::string_view lines) {
  if (ends_in_a_torn_line_ && !write_all("\n")) return false;
  ends_in_a_torn_line_ = false;
  const std::uint64_t start = bytes_;
  if (write_all(lines)) return true;
  const std::string_view got_there = lines.substr(0, bytes_ - start);
  // Only while nobody else may write behind it.
  if (ends_in_a_torn_line_ && is_locked_) take_out_after(start + got_there.rfind('\n') + 1);
  return false;
}

bool LogFile::write_all(std::string_view bytes) {
  const std::string_view all = bytes;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const std::size_t done = all.size() - bytes.size();
      if (done > 0) ends_in_a_torn_line_ = all[done - 1] != '\n';
      return false;
    }
    bytes_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void LogFile::take_out_after(std::uint64_t end) {
  if (::ftruncate(file_.get(), static_cast<off_t>(end)) != 0) return;
  bytes_ = end;
  ends_in_a_torn_line_ = false;
}

}  // namespace kelvin::gateway
