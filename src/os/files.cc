// files: whole files and folders, read and written in one call.
#include "os/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "os/system_error.h"

namespace kelvin::os {
namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_dir(const std::string& path) {
  KELVIN_TRY(const Fd dir, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(dir.get()) != 0) return fail_errno("sync folder " + path, errno);
  return {};
}

Status write_beside(const std::string& path, std::string_view text, WriteOptions options) {
  KELVIN_TRY(const Fd file,
             open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, options.mode));
  if (::fchmod(file.get(), options.mode) != 0) return fail_errno("set mode of " + path, errno);
  if (auto written = write_all(file.get(), text); !written)
    return fail(std::move(written).error(), "write " + path);
  if (options.durability == Durability::Power && ::fsync(file.get()) != 0)
    return fail_errno("sync " + path, errno);
  return {};
}

Status make_one_dir(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) return fail_errno("set mode of " + path, errno);
    return {};
  }
  const int error = errno;
  struct stat found{};
  if (error == EEXIST && ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return {};
  return fail_errno("make folder " + path, error);
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

// Removes what `parent` holds under `name`. Works by descriptors, so that a link put in the way is
// never followed.
Status remove_at(int parent, const char* name) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno(std::string("remove ") + name, errno);
  const int raw = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (raw < 0) return fail_errno(std::string("open folder ") + name, errno);
  const Dir dir(::fdopendir(raw));
  if (!dir) {
    ::close(raw);
    return fail_errno(std::string("read folder ") + name, errno);
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view inner = entry->d_name;
    if (inner == "." || inner == "..") continue;
    KELVIN_TRY_VOID(remove_at(::dirfd(dir.get()), entry->d_name));
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return fail_errno(std::string("remove folder ") + name, errno);
}

}  // namespace

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
  const int raw = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (raw < 0) return fail_errno("open " + path, errno);
  return Fd(raw);
}

Result<std::string> read_file(const std::string& path, Bytes most) {
  KELVIN_TRY(const Fd file, open_file(path, O_RDONLY));
  std::string text;
  // Files of /proc and /sys mostly fit one call; others grow by doubling.
  std::size_t chunk = 4096;
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + chunk);
    const ssize_t got = ::read(file.get(), text.data() + before, chunk);
    if (got < 0 && errno == EINTR) {
      text.resize(before);
      continue;
    }
    if (got < 0) return fail_errno("read " + path, errno);
    text.resize(before + static_cast<std::size_t>(got));
    if (text.size() > most.count) {
      return fail(Code::Exhausted, Blame::Host, Retry::Never,
                  "read " + path + ": longer than " + std::to_string(most.count) + " bytes");
    }
    if (got == 0) return text;
    chunk = std::min<std::size_t>(chunk * 2, 1 << 20);
  }
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Status write_existing(const std::string& path, std::string_view text) {
  KELVIN_TRY(const Fd file, open_file(path, O_WRONLY));
  if (auto written = write_all(file.get(), text); !written)
    return fail(std::move(written).error(), path);
  return {};
}

Status write_file_atomic(const std::string& path, std::string_view text, WriteOptions options) {
  const std::string beside = path + ".part";
  if (auto written = write_beside(beside, text, options); !written) {
    ::unlink(beside.c_str());
    return written;
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(beside.c_str());
    return fail_errno("rename to " + path, error);
  }
  if (options.durability == Durability::Process) return {};
  return sync_dir(folder_of(path));
}

Status make_dirs(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    KELVIN_TRY_VOID(make_one_dir(path.substr(0, at), mode));
  }
  return make_one_dir(path, mode);
}

Status remove_tree(const std::string& path) {
  const std::string folder = folder_of(path);
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  auto parent = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!parent) {
    if (parent.error().code == Code::NotFound) return {};
    return tl::unexpected<Error>(std::move(parent).error());
  }
  if (auto removed = remove_at(parent->get(), name.c_str()); !removed) {
    return fail(std::move(removed).error(), "remove " + path);
  }
  return {};
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno("remove " + path, errno);
}

Result<std::vector<std::string>> list_dir(const std::string& path, std::size_t most) {
  const Dir dir(::opendir(path.c_str()));
  if (!dir) return fail_errno("read folder " + path, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == most) {
      return fail(Code::Exhausted, Blame::Host, Retry::Never,
                  "read folder " + path + ": too many entries");
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string closed_folder(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string folder = path.substr(0, at);
    struct stat found{};
    if (::stat(folder.c_str(), &found) == 0 && (found.st_mode & S_IXOTH) == 0) return folder;
  }
  return {};
}

bool path_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<Bytes> file_size(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return fail_errno("size of " + path, errno);
  return Bytes{static_cast<std::uint64_t>(found.st_size)};
}

Result<TempDir> TempDir::create(std::string_view prefix) {
  const char* base = ::getenv("TMPDIR");
  std::string path = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/" +
                     std::string(prefix) + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return fail_errno("make temporary folder " + path, errno);
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (!path_.empty()) static_cast<void>(remove_tree(path_));
}

Result<FileLock> FileLock::take(const std::string& path) {
  KELVIN_TRY(Fd file, open_file(path, O_RDWR | O_CREAT, 0600));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(file));
  if (errno == EWOULDBLOCK) {
    return fail(Code::Conflict, Blame::Host, Retry::AfterDelay,
                "lock " + path + ": another process holds it");
  }
  return fail_errno("lock " + path, errno);
}

Status FileLock::write(std::string_view text) {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0)
    return fail_errno("write lock file", errno);
  return write_all(fd_.get(), text);
}

}  // namespace kelvin::os
