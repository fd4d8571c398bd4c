#include "weights/content_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <utility>

#include "os/clock.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/hash.h"
#include "os/system_error.h"

namespace kelvin::weights {

namespace {

constexpr mode_t kFileMode = 0444;
constexpr mode_t kProgramMode = 0555;
constexpr mode_t kTreeDirMode = 0755;
constexpr std::string_view kProgramSuffix = ".x";
// Writing back starts while the rest is still coming, so that the sync at the end has little left to wait for.
constexpr std::uint64_t kWriteBackBytes = 16 << 20;

Status sync_path(const std::string& path) {
  KELVIN_TRY(const os::Fd file, os::open_file(path, O_RDONLY));
  if (::fsync(file.get()) != 0) return os::fail_errno("sync " + path, errno);
  return {};
}

// Marks the entry as just used. The access time serves as the mark: programs that look at their files' times look at
// the modification time, which stays.
bool mark_used(const std::string& path) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW},
                             {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  return ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0;
}

std::int64_t ns_of(const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

std::string disk_full(const std::string& data) {
  return "no space is left for content on the disk of " + data +
         "; free some, or run the server with --data on a larger disk";
}

// The sentence for a full disk says what to do; other failures keep their own.
Error with_advice(Error error, const std::string& data) {
  if (error.code == Code::Exhausted) error.what = disk_full(data);
  return error;
}

Status copy_bytes(int from, int to) {
  while (true) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, 1 << 30, 0);
    if (copied == 0) return {};
    if (copied > 0 || errno == EINTR) continue;
    // Some file systems cannot; what was copied so far stands, since both offsets have moved.
    const bool is_unable =
        errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    if (!is_unable) return os::fail_errno("copy", errno);
    break;
  }
  std::vector<char> buffer(1 << 18);
  while (true) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::fail_errno("read", errno);
    if (got == 0) return {};
    KELVIN_TRY_VOID(os::write_all(to, {buffer.data(), static_cast<std::size_t>(got)}));
  }
}

}  // namespace

struct ContentStore::Entry {
  std::string path;
  bool is_program = false;
  std::uint64_t links = 0;
  Bytes size;
  std::int64_t used_unix_ns = 0;
};

class ContentStore::Upload final : public ContentUpload {
 public:
  struct Promise {
    std::string sha256;
    Bytes size;
  };
  Upload(ContentStore& store, Promise promise, std::string path, os::Fd file)
      : store_(store),
        promise_(std::move(promise)),
        path_(std::move(path)),
        file_(std::move(file)) {}
  ~Upload() override { abandon(); }

  Status write(std::span<const std::byte> bytes) override {
    if (!file_.is_open()) return over();
    if (bytes.size() > promise_.size.count - written_) {
      abandon();
      return fail(Code::Exhausted, Blame::Client, Retry::Never,
                  "the content is longer than the " + std::to_string(promise_.size.count) +
                      " bytes that were announced");
    }
    hash_.update(bytes);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (Status status = os::write_all(file_.get(), text); !status) {
      abandon();
      return tl::unexpected(with_advice(std::move(status).error(), store_.data_));
    }
    written_ += bytes.size();
    start_write_back();
    return {};
  }

  Status commit() override {
    if (!file_.is_open()) return over();
    Status status = finish();
    abandon();
    return status;
  }

 private:
  static tl::unexpected<Error> over() {
    return fail(Code::Conflict, Blame::Client, Retry::Never, "this upload is over");
  }

  void abandon() {
    if (!file_.is_open()) return;
    file_.reset();
    ::unlink(path_.c_str());
  }

  void start_write_back() {
    if (written_ - written_back_ < kWriteBackBytes) return;
    // Only a head start: whether it worked shows at the sync.
    static_cast<void>(::sync_file_range(file_.get(), static_cast<off64_t>(written_back_),
                                        static_cast<off64_t>(written_ - written_back_),
                                        SYNC_FILE_RANGE_WRITE));
    written_back_ = written_;
  }

  Status finish() {
    if (written_ != promise_.size.count) {
      return fail(Code::Invalid, Blame::Client, Retry::Safe,
                  "the content has " + std::to_string(written_) + " bytes instead of the " +
                      std::to_string(promise_.size.count) + " that were announced");
    }
    const std::string sha256 = hash_.finish_hex();
    if (sha256 != promise_.sha256) {
      return fail(Code::Invalid, Blame::Client, Retry::Safe,
                  "the content has the hash " + sha256 + " instead of " + promise_.sha256 +
                      "; it changed while it was sent, or was damaged on the way");
    }
    if (::fchmod(file_.get(), kFileMode) != 0)
      return os::fail_errno("set the mode of " + path_, errno);
    if (::fsync(file_.get()) != 0) {
      return tl::unexpected(
          with_advice(os::fail_errno("sync " + path_, errno).value(), store_.data_));
    }
    const std::lock_guard lock(store_.layout_);
    return store_.publish(path_, store_.content_path(promise_.sha256));
  }

  ContentStore& store_;
  Promise promise_;
  std::string path_;
  os::Fd file_;  // open for as long as the upload is
  os::Sha256 hash_;
  std::uint64_t written_ = 0;
  std::uint64_t written_back_ = 0;
};

ContentStore::ContentStore(std::string data, StoreLimits limits)
    : data_(std::move(data)), limits_(limits) {}

Result<std::unique_ptr<ContentStore>> ContentStore::open(const std::string& data,
                                                         StoreLimits limits) {
  if (!data.starts_with('/')) {
    return fail(Code::Invalid, Blame::Platform, Retry::Never,
                "the data folder " + data + " is not absolute");
  }
  std::unique_ptr<ContentStore> store(new ContentStore(data, limits));
  if (Status status = store->make_folders(); !status) {
    return fail(with_advice(std::move(status).error(), data), "open the content store");
  }
  return store;
}

// Content is for the server alone. Replicas reach their trees by name, but cannot list those of others.
Status ContentStore::make_folders() {
  KELVIN_TRY_VOID(os::remove_tree(data_ + "/content/tmp"));
  KELVIN_TRY_VOID(os::make_dirs(data_ + "/content", 0700));
  KELVIN_TRY_VOID(os::make_dirs(data_ + "/content/tmp", 0700));
  KELVIN_TRY_VOID(os::make_dirs(data_ + "/trees", 0711));
  KELVIN_TRY(const std::vector<std::string> trees, os::list_dir(data_ + "/trees"));
  for (const std::string& name : trees) {
    if (name.starts_with('.')) KELVIN_TRY_VOID(os::remove_tree(data_ + "/trees/" + name));
  }
  return {};
}

std::string ContentStore::content_path(std::string_view sha256) const {
  return data_ + "/content/" + std::string(sha256.substr(0, 2)) + "/" + std::string(sha256);
}

std::string ContentStore::fresh_path(std::string_view folder) {
  return data_ + "/" + std::string(folder) + std::to_string(counter_.fetch_add(1));
}

bool ContentStore::has(std::string_view sha256) {
  if (!is_sha256(sha256)) return false;
  const std::lock_guard lock(layout_);
  return mark_used(content_path(sha256));
}

Status ContentStore::check_space(Bytes size) {
  struct statvfs disk{};
  if (::statvfs(data_.c_str(), &disk) != 0)
    return os::fail_errno("look at the disk of " + data_, errno);
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free >= limits_.spare_bytes.count && free - limits_.spare_bytes.count >= size.count)
    return {};
  return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay,
              disk_full(data_) + " (" + std::to_string(size.count) +
                  " bytes are needed beside a reserve of " +
                  std::to_string(limits_.spare_bytes.count) + ", " + std::to_string(free) +
                  " are free)");
}

Result<std::unique_ptr<ContentUpload>> ContentStore::begin(std::string_view sha256, Bytes size) {
  if (!is_sha256(sha256)) {
    return fail(Code::Invalid, Blame::Client, Retry::Never,
                quote(sha256) + " is no content hash; expected 64 lower-case hex digits");
  }
  if (size > limits_.content_bytes_max) {
    return fail(Code::Exhausted, Blame::Client, Retry::Never,
                "the content has " + std::to_string(size.count) + " bytes; at most " +
                    std::to_string(limits_.content_bytes_max.count) + " are accepted");
  }
  KELVIN_TRY_VOID(check_space(size));
  std::string path = fresh_path("content/tmp/");
  Result<os::Fd> file = os::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return tl::unexpected(with_advice(std::move(file).error(), data_));
  return std::make_unique<Upload>(*this, Upload::Promise{std::string(sha256), size},
                                  std::move(path), *std::move(file));
}

Status ContentStore::publish(const std::string& from, const std::string& to) {
  const std::string folder = to.substr(0, to.rfind('/'));
  KELVIN_TRY_VOID(os::make_dirs(folder, 0700));
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) {
      mark_used(to);
      return {};
    }
    // EINVAL: the file system has no such rename. Nobody else names content while the lock is held.
    const bool is_unable = errno == EINVAL || errno == ENOSYS;
    if (is_unable && os::path_exists(to)) return {};
    if (!is_unable || ::rename(from.c_str(), to.c_str()) != 0) {
      return tl::unexpected(with_advice(os::fail_errno("rename to " + to, errno).value(), data_));
    }
  }
  // On a journalling file system this covers the folder itself, when it was made a moment ago.
  return sync_path(folder);
}

// --- trees -----------------------------------------------------------------------------------------------------------

Result<PlacedPaths> ContentStore::place(const Tree& tree) {
  KELVIN_TRY_VOID(check_tree(tree, limits_.tree));
  const std::string placed = data_ + "/trees/" + manifest_sha256(tree);
  const PlacedPaths paths{
      .folder = placed + "/folder",
      .model_path = tree.model_name.empty() ? "" : placed + "/model/" + tree.model_name};
  const std::lock_guard lock(layout_);
  if (mark_used(placed)) return paths;
  const std::string staging = fresh_path("trees/.staging-");
  Status status = lay_out(tree, staging);
  if (status && ::rename(staging.c_str(), placed.c_str()) != 0) {
    status = os::fail_errno("rename to " + placed, errno);
  }
  if (status) status = sync_path(data_ + "/trees");
  if (!status) {
    static_cast<void>(os::remove_tree(staging));
    return fail(with_advice(std::move(status).error(), data_), "lay out the app's files");
  }
  return paths;
}

Status ContentStore::lay_out(const Tree& tree, const std::string& staging) {
  KELVIN_TRY_VOID(os::make_dirs(staging + "/folder", kTreeDirMode));
  KELVIN_TRY_VOID(lay_files(tree.folder, staging + "/folder"));
  if (!tree.model_name.empty()) {
    KELVIN_TRY_VOID(os::make_dirs(staging + "/model", kTreeDirMode));
    const std::string model = staging + "/model/" + tree.model_name;
    if (tree.model_is_folder) {
      KELVIN_TRY_VOID(os::make_dirs(model, kTreeDirMode));
      KELVIN_TRY_VOID(lay_files(tree.model, model));
    } else {
      KELVIN_TRY_VOID(lay_file(tree.model.front(), model));
    }
  }
  // Journalling file systems put changes of names on the disk in their order, so this sync covers the whole tree.
  return sync_path(staging);
}

Status ContentStore::lay_files(const std::vector<TreeFile>& files, const std::string& below) {
  std::set<std::string> made;
  for (const TreeFile& file : files) {
    const std::string path = below + "/" + file.path;
    const std::string parent = path.substr(0, path.rfind('/'));
    if (made.insert(parent).second) KELVIN_TRY_VOID(os::make_dirs(parent, kTreeDirMode));
    KELVIN_TRY_VOID(lay_file(file, path));
  }
  return {};
}

Status ContentStore::lay_file(const TreeFile& file, const std::string& path) {
  const std::string content = content_path(file.sha256);
  struct stat found{};
  if (::stat(content.c_str(), &found) != 0) {
    if (errno != ENOENT) return os::fail_errno("look at " + content, errno);
    return fail(Code::NotFound, Blame::Client, Retry::Safe,
                "content " + file.sha256 + " is missing");
  }
  if (static_cast<std::uint64_t>(found.st_size) != file.size.count) {
    return fail(Code::Invalid, Blame::Client, Retry::Never,
                "file " + quote(file.path) + " is said to have " + std::to_string(file.size.count) +
                    " bytes, but its content has " + std::to_string(found.st_size));
  }
  std::string source = content;
  if (file.is_executable) {
    KELVIN_TRY(source, ensure_program(file));
  }
  if (::link(source.c_str(), path.c_str()) == 0) return {};
  // A file system without hard links, or a content with as many names as it may have.
  const bool is_unable = errno == EMLINK || errno == EPERM || errno == EXDEV || errno == EOPNOTSUPP;
  if (!is_unable) return os::fail_errno("link " + quote(file.path), errno);
  return copy_file(content, path, file.is_executable);
}

Result<std::string> ContentStore::ensure_program(const TreeFile& file) {
  const std::string content = content_path(file.sha256);
  std::string program = content + std::string(kProgramSuffix);
  if (mark_used(program)) return program;
  const std::string copy = fresh_path("content/tmp/");
  Status status = copy_file(content, copy, true);
  if (status) status = publish(copy, program);
  ::unlink(copy.c_str());
  if (!status) return tl::unexpected(std::move(status).error());
  return program;
}

Status ContentStore::copy_file(const std::string& from, const std::string& to, bool is_executable) {
  KELVIN_TRY(const os::Fd source, os::open_file(from, O_RDONLY));
  KELVIN_TRY(const os::Fd copy, os::open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  KELVIN_TRY_VOID(copy_bytes(source.get(), copy.get()));
  if (::fchmod(copy.get(), is_executable ? kProgramMode : kFileMode) != 0) {
    return os::fail_errno("set the mode of " + to, errno);
  }
  if (::fsync(copy.get()) != 0) return os::fail_errno("sync " + to, errno);
  return {};
}

// --- what is there ---------------------------------------------------------------------------------------------------

bool ContentStore::is_fresh(const Entry& entry) const {
  return os::unix_now_ns() - entry.used_unix_ns < limits_.grace.count();
}

Status ContentStore::collect(const std::vector<std::string>& folders_kept) {
  const std::lock_guard lock(layout_);
  KELVIN_TRY_VOID(collect_trees(folders_kept));
  return collect_content();
}

Status ContentStore::collect_trees(const std::vector<std::string>& folders_kept) {
  const std::set<std::string_view> kept(folders_kept.begin(), folders_kept.end());
  KELVIN_TRY(const std::vector<std::string> names, os::list_dir(data_ + "/trees"));
  for (const std::string& name : names) {
    const std::string path = data_ + "/trees/" + name;
    struct stat found{};
    if (kept.contains(path + "/folder") || ::lstat(path.c_str(), &found) != 0) continue;
    const Entry entry{.path = path,
                      .used_unix_ns = std::max(ns_of(found.st_atim), ns_of(found.st_mtim))};
    if (is_fresh(entry)) continue;
    // Under a name of its own first: a crash half-way leaves no tree that looks whole.
    const std::string removed = fresh_path("trees/.removed-");
    if (::rename(path.c_str(), removed.c_str()) != 0)
      return os::fail_errno("rename " + path, errno);
    KELVIN_TRY_VOID(os::remove_tree(removed));
  }
  return {};
}

Status ContentStore::collect_content() {
  return each_content([this](const Entry& entry) -> Status {
    if (entry.links > 1 || is_fresh(entry)) return {};
    // A program's content stays with the program made of it: `has` speaks of the content, and clients send what is not
    // there.
    struct stat program{};
    const bool is_used =
        !entry.is_program &&
        ::lstat((entry.path + std::string(kProgramSuffix)).c_str(), &program) == 0 &&
        program.st_nlink > 1;
    return is_used ? Status() : os::remove_file(entry.path);
  });
}

Status ContentStore::each_content(const std::function<Status(const Entry&)>& use) {
  KELVIN_TRY(const std::vector<std::string> folders, os::list_dir(data_ + "/content"));
  for (const std::string& folder : folders) {
    if (folder == "tmp") continue;
    const std::string below = data_ + "/content/" + folder;
    KELVIN_TRY(const std::vector<std::string> names, os::list_dir(below));
    for (const std::string& name : names) {
      Entry entry{.path = below + "/" + name, .is_program = name.ends_with(kProgramSuffix)};
      struct stat found{};
      if (::lstat(entry.path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) continue;
      entry.links = found.st_nlink;
      entry.size = {static_cast<std::uint64_t>(found.st_size)};
      entry.used_unix_ns = std::max(ns_of(found.st_atim), ns_of(found.st_mtim));
      KELVIN_TRY_VOID(use(entry));
    }
  }
  return {};
}

Result<StoreSizes> ContentStore::sizes() {
  StoreSizes sizes;
  KELVIN_TRY_VOID(each_content([&sizes](const Entry& entry) -> Status {
    sizes.contents += entry.is_program ? 0 : 1;
    sizes.content_bytes = sizes.content_bytes + entry.size;
    return {};
  }));
  KELVIN_TRY(const std::vector<std::string> trees, os::list_dir(data_ + "/trees"));
  sizes.trees = static_cast<std::uint64_t>(std::count_if(
      trees.begin(), trees.end(), [](const std::string& name) { return !name.starts_with('.'); }));
  return sizes;
}

}  // namespace kelvin::weights
