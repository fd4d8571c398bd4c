#include "weights/scan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "os/fd.h"
#include "os/files.h"
#include "os/hash.h"
#include "os/system_error.h"

namespace kelvin::weights {

namespace {

// Which file or folder it is, whatever its name.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};

Identity identity_of(const struct stat& found) { return {found.st_dev, found.st_ino}; }

tl::unexpected<Error> refuse(Code code, std::string what) {
  return fail(code, Blame::Client, Retry::Never, std::move(what));
}

std::string size_text(Bytes size) {
  constexpr std::uint64_t kMebibyte = 1 << 20;
  return std::to_string(size.count / kMebibyte) + " MiB";
}

// Walks one folder and notes its files; their hashes come after, when it is known that they are not too many.
class Walk {
 public:
  Walk(ScanLimits limits, std::optional<Identity> left_out)
      : limits_(limits), left_out_(left_out) {}

  Status walk(const std::string& folder) {
    root_ = folder;
    KELVIN_TRY_VOID(enter("", 0));
    std::sort(found_.files.begin(), found_.files.end(),
              [](const ScannedFile& a, const ScannedFile& b) { return a.file.path < b.file.path; });
    return {};
  }

  ScannedFolder take() && { return std::move(found_); }

 private:
  Status enter(const std::string& below, std::size_t depth) {
    if (depth == limits_.depth_max) {
      return refuse(Code::Invalid, "folder " + quote(root_ + "/" + below) + " lies more than " +
                                       std::to_string(limits_.depth_max) + " folders deep; " +
                                       advice());
    }
    KELVIN_TRY(const std::vector<std::string> names,
               os::list_dir(below.empty() ? root_ : root_ + "/" + below));
    for (const std::string& name : names) {
      if (name == ".git") continue;
      KELVIN_TRY_VOID(look_at(below.empty() ? name : below + "/" + name, depth));
    }
    return {};
  }

  Status look_at(const std::string& path, std::size_t depth) {
    const std::string source = root_ + "/" + path;
    struct stat itself{};
    // Gone since the folder was listed.
    if (::lstat(source.c_str(), &itself) != 0) return errno == ENOENT ? Status() : failed(source);
    struct stat target = itself;
    if (S_ISLNK(itself.st_mode) && ::stat(source.c_str(), &target) != 0)
      return skip(path, "a broken link");
    if (left_out_ && identity_of(target) == *left_out_) return {};
    if (S_ISREG(target.st_mode)) return add(path, target);
    if (S_ISLNK(itself.st_mode)) return skip(path, "a link to something that is no file");
    if (S_ISDIR(itself.st_mode)) return enter(path, depth + 1);
    return skip(path, "no regular file");
  }

  Status add(const std::string& path, const struct stat& found) {
    if (const Status is_valid = check_path(path, limits_.tree); !is_valid) {
      return skip(path, "a name that Kelvin cannot store");
    }
    if (found_.files.size() == limits_.files_max) {
      return refuse(Code::Invalid, "folder " + quote(root_) + " holds more than " +
                                       std::to_string(limits_.files_max) + " files; " + advice());
    }
    bytes_ = bytes_ + Bytes{static_cast<std::uint64_t>(found.st_size)};
    if (bytes_ > limits_.bytes_max) {
      return refuse(Code::Invalid, "folder " + quote(root_) + " holds more than " +
                                       size_text(limits_.bytes_max) + " without the model; " +
                                       advice());
    }
    ScannedFile file{.file = {.path = path, .is_executable = (found.st_mode & 0111) != 0},
                     .source = root_ + "/" + path};
    file.file.size = {static_cast<std::uint64_t>(found.st_size)};
    found_.files.push_back(std::move(file));
    return {};
  }

  Status skip(const std::string& path, std::string_view why) {
    found_.skipped.push_back(path + ": " + std::string(why));
    return {};
  }

  static Status failed(const std::string& source) {
    return os::fail_errno("look at " + quote(source), errno);
  }

  static std::string advice() {
    return "put the app file into a folder of its own, with nothing beside it but what the app "
           "needs";
  }

  ScanLimits limits_;
  std::optional<Identity> left_out_;
  std::string root_;
  ScannedFolder found_;
  Bytes bytes_;
};

// Hashes files one after the other and tells how far it is.
class Hasher {
 public:
  Hasher(const ScanProgress& progress, Bytes total) : progress_(progress), total_(total) {}

  Status hash(ScannedFile& scanned) {
    KELVIN_TRY(const os::Fd file, os::open_file(scanned.source, O_RDONLY | O_NONBLOCK));
    static_cast<void>(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL));
    os::Sha256 sha256;
    std::uint64_t size = 0;
    while (true) {
      const ssize_t got = ::read(file.get(), buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os::fail_errno("read " + quote(scanned.source), errno);
      if (got == 0) break;
      const auto count = static_cast<std::size_t>(got);
      sha256.update(std::span(buffer_).first(count));
      size += count;
      done_ = done_ + Bytes{count};
      if (progress_) progress_(done_, total_);
    }
    if (size != scanned.file.size.count) {
      return fail(Code::Conflict, Blame::Client, Retry::Safe,
                  "file " + quote(scanned.source) +
                      " changed while it was read; try again when it is at rest");
    }
    scanned.file.sha256 = sha256.finish_hex();
    return {};
  }

 private:
  const ScanProgress& progress_;
  Bytes total_;
  Bytes done_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1 << 20);
};

Status hash_all(std::vector<ScannedFile>& files, const ScanProgress& progress) {
  Bytes total;
  for (const ScannedFile& file : files) total = total + file.file.size;
  Hasher hasher(progress, total);
  for (ScannedFile& file : files) {
    if (Status status = hasher.hash(file); !status) return status;
  }
  return {};
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// "m.gguf" of "models/m.gguf"; of "." and the like, the folder's own name.
Result<std::string> last_part(const std::string& path) {
  const std::string trimmed = without_slashes(path);
  std::string name = trimmed.substr(trimmed.rfind('/') + 1);
  if (!name.empty() && name != "." && name != "..") return name;
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(trimmed.c_str(), nullptr),
                                                         &std::free);
  if (!real) return os::fail_errno("look at " + quote(path), errno);
  const std::string whole = real.get();
  name = whole.substr(whole.rfind('/') + 1);
  if (!name.empty()) return name;
  return refuse(Code::Invalid, "the model " + quote(path) + " is the root of the file system");
}

Result<ScannedModel> scan_model_folder(ScannedModel model, const std::string& path,
                                       const ScanProgress& progress) {
  const ScanLimits limits{.files_max = TreeLimits{}.files_max, .bytes_max = {UINT64_MAX}};
  Walk walk(limits, std::nullopt);
  KELVIN_TRY_VOID(walk.walk(without_slashes(path)));
  ScannedFolder found = std::move(walk).take();
  KELVIN_TRY_VOID(hash_all(found.files, progress));
  if (found.files.empty())
    return refuse(Code::Invalid, "the model's folder " + quote(path) + " holds no files");
  model.is_folder = true;
  model.files = std::move(found.files);
  // Nobody runs weights; on some disks every file has the bit, and each would be stored twice for it.
  for (ScannedFile& file : model.files) file.file.is_executable = false;
  return model;
}

}  // namespace

Result<ScannedFolder> scan_folder(const ScanOptions& options) {
  std::optional<Identity> model;
  struct stat found{};
  if (!options.model.empty() && ::stat(options.model.c_str(), &found) == 0)
    model = identity_of(found);
  Walk walk(options.limits, model);
  KELVIN_TRY_VOID(walk.walk(without_slashes(options.folder)));
  ScannedFolder folder = std::move(walk).take();
  KELVIN_TRY_VOID(hash_all(folder.files, options.progress));
  return folder;
}

Result<ScannedModel> scan_model(const std::string& path, const ScanProgress& progress) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT && errno != ENOTDIR)
      return os::fail_errno("look at the model " + quote(path), errno);
    return refuse(Code::NotFound, "there is no file or folder " + quote(path));
  }
  ScannedModel model;
  KELVIN_TRY(model.name, last_part(path));
  KELVIN_TRY_VOID(check_path(model.name, TreeLimits{}));
  if (S_ISDIR(found.st_mode)) return scan_model_folder(std::move(model), path, progress);
  if (!S_ISREG(found.st_mode)) {
    return refuse(Code::Invalid, "the model " + quote(path) + " is neither a file nor a folder");
  }
  model.files.push_back(
      {.file = {.size = {static_cast<std::uint64_t>(found.st_size)}}, .source = path});
  KELVIN_TRY_VOID(hash_all(model.files, progress));
  return model;
}

}  // namespace kelvin::weights
