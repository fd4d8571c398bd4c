#include "cluster/local/local_content.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "os/fd.h"
#include "os/system_error.h"

namespace kelvin::cluster::local {

namespace {

constexpr std::string_view kUsualFolders =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

class Writer final : public ports::ContentWriter {
 public:
  explicit Writer(std::unique_ptr<weights::ContentUpload> upload) : upload_(std::move(upload)) {}
  Status write(std::span<const std::byte> bytes) override { return upload_->write(bytes); }
  Status commit() override { return upload_->commit(); }

 private:
  std::unique_ptr<weights::ContentUpload> upload_;
};

std::vector<weights::TreeFile> tree_files(const std::vector<ports::ContentFile>& files) {
  std::vector<weights::TreeFile> all;
  all.reserve(files.size());
  for (const ports::ContentFile& f : files) {
    all.push_back(
        {.path = f.path, .is_executable = f.is_executable, .sha256 = f.sha256, .size = f.size});
  }
  return all;
}

std::vector<std::string> absolute_folders(std::string_view search_path) {
  std::vector<std::string> folders;
  while (!search_path.empty()) {
    const std::size_t colon = search_path.find(':');
    const std::string_view folder = search_path.substr(0, colon);
    if (folder.starts_with('/')) folders.emplace_back(folder);
    search_path.remove_prefix(colon == std::string_view::npos ? search_path.size() : colon + 1);
  }
  return folders;
}

std::string join(const std::vector<std::string>& folders) {
  std::string all;
  for (const std::string& folder : folders) all += (all.empty() ? "" : ":") + folder;
  return all;
}

tl::unexpected<Error> refuse(std::string what) {
  return fail(Code::Invalid, Blame::Client, Retry::Never, std::move(what));
}

enum class Kind { Program, NotExecutable, Folder, OtherFile, Absent };

Kind kind_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return Kind::Absent;
  if (S_ISDIR(found.st_mode)) return Kind::Folder;
  if (!S_ISREG(found.st_mode)) return Kind::OtherFile;
  // access() says yes to root for some files that nobody may run; a replica has another user.
  const bool has_bit = (found.st_mode & 0111) != 0;
  return has_bit && ::access(path.c_str(), X_OK) == 0 ? Kind::Program : Kind::NotExecutable;
}

// A command for a script that is not executable: its suffix is all that says what runs it.
std::string interpreter_hint(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view suffix = dot == std::string_view::npos ? "" : name.substr(dot);
  const std::string quoted(name);
  if (suffix == ".py") return "[python3, " + quoted + "]";
  if (suffix == ".sh") return "[sh, " + quoted + "]";
  if (suffix == ".js" || suffix == ".mjs") return "[node, " + quoted + "]";
  return "[INTERPRETER, " + quoted + "]";
}

std::string shown(std::string_view name) { return weights::quote(name); }

// What `name` inside `folder` is, without following links: the store lays out none, so one that is there was put
// there by somebody else.
Kind kind_inside(const std::string& folder, const std::string& name) {
  int raw = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (raw < 0) return Kind::Absent;
  os::Fd at(raw);
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string part(rest.substr(0, slash));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return Kind::Absent;
    raw = ::openat(at.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (raw < 0) return Kind::Absent;
    at.reset(raw);
  }
  struct stat found{};
  if (::fstat(at.get(), &found) != 0) return Kind::Absent;
  if (S_ISDIR(found.st_mode)) return Kind::Folder;
  if (!S_ISREG(found.st_mode)) return Kind::OtherFile;
  return (found.st_mode & 0111) != 0 ? Kind::Program : Kind::NotExecutable;
}

// "./bin/../x" and "./x" name the same place; ".." is refused before, so only "." and doubled slashes remain.
std::string tidy_path(std::string_view name) {
  std::string path;
  while (!name.empty()) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (!path.empty()) path += '/';
    path += part;
  }
  return path;
}

bool has_parent_part(std::string_view name) {
  return ("/" + std::string(name) + "/").find("/../") != std::string::npos;
}

Result<std::string> find_absolute(const std::string& name) {
  switch (kind_of(name)) {
    case Kind::Program:
      return name;
    case Kind::NotExecutable:
      return refuse("the program " + shown(name) +
                    " exists on the server but is not executable; make it so with " +
                    "chmod +x, or name its interpreter first: command: " + interpreter_hint(name));
    case Kind::Folder:
      return refuse("the program " + shown(name) + " is a folder on the server; name a file in it");
    case Kind::OtherFile:
      return refuse("the program " + shown(name) + " is no regular file on the server");
    case Kind::Absent:
      break;
  }
  return refuse(
      "there is no program " + shown(name) +
      " on the server; an absolute path in command means the " +
      "server's disk. Install it there, or bring it in the app's folder and write ./NAME");
}

}  // namespace

Result<std::unique_ptr<LocalContent>> LocalContent::open(const ContentOptions& options) {
  KELVIN_TRY(std::unique_ptr<weights::ContentStore> store,
             weights::ContentStore::open(options.data, options.limits));
  std::string search_path = options.search_path;
  if (search_path.empty()) {
    const char* inherited = std::getenv("PATH");
    search_path = inherited == nullptr ? "" : inherited;
  }
  std::vector<std::string> search = absolute_folders(search_path);
  if (search.empty()) search = absolute_folders(kUsualFolders);
  return std::unique_ptr<LocalContent>(new LocalContent(std::move(store), std::move(search)));
}

bool LocalContent::has(std::string_view sha256) { return store_->has(sha256); }

Result<std::unique_ptr<ports::ContentWriter>> LocalContent::begin(std::string_view sha256,
                                                                  Bytes size) {
  KELVIN_TRY(std::unique_ptr<weights::ContentUpload> upload, store_->begin(sha256, size));
  return std::make_unique<Writer>(std::move(upload));
}

Result<ports::PlacedTree> LocalContent::place(const ports::ContentTree& tree) {
  const weights::Tree files{.folder = tree_files(tree.folder),
                            .model_name = tree.model_name,
                            .model_is_folder = tree.model_is_folder,
                            .model = tree_files(tree.model)};
  KELVIN_TRY(weights::PlacedPaths placed, store_->place(files));
  return ports::PlacedTree{.folder = std::move(placed.folder),
                           .model_path = std::move(placed.model_path)};
}

Status LocalContent::collect(const std::vector<std::string>& folders_kept) {
  return store_->collect(folders_kept);
}

Result<std::string> LocalContent::find_program(std::string_view name, std::string_view folder) {
  const std::string program(name);
  if (program.empty()) return refuse("the program's name is empty");
  if (program.find('\0') != std::string::npos)
    return refuse("the program's name holds a NUL character");
  if (program.front() == '/') return find_absolute(program);
  if (program.find('/') != std::string::npos) return find_in_folder(program, std::string(folder));
  return find_in_search(program, std::string(folder));
}

Result<std::string> LocalContent::find_in_folder(const std::string& name,
                                                 const std::string& folder) const {
  if (has_parent_part(name)) {
    return refuse("the program " + shown(name) +
                  " leads out of the app's folder; bring it in the folder, or install " +
                  "it on the server and write its absolute path");
  }
  switch (kind_inside(folder, name)) {
    case Kind::Program:
      return folder + "/" + tidy_path(name);
    case Kind::NotExecutable:
      return refuse(
          "the program " + shown(name) + " in the app's folder is not executable; run chmod +x " +
          shown(name) +
          " and deploy again, or name its interpreter first: command: " + interpreter_hint(name));
    case Kind::Folder:
      return refuse("the program " + shown(name) + " is a folder in the app's folder; name a file");
    case Kind::OtherFile:
    case Kind::Absent:
      break;
  }
  return refuse("there is no program " + shown(name) +
                " in the app's folder; check the name (paths are relative to " +
                "the app file), or install it on the server and write its absolute path");
}

Result<std::string> LocalContent::find_in_search(const std::string& name,
                                                 const std::string& folder) const {
  std::string not_executable;
  for (const std::string& place : search_) {
    std::string path = place + "/" + name;
    const Kind kind = kind_of(path);
    if (kind == Kind::Program) return path;
    if (kind == Kind::NotExecutable && not_executable.empty()) not_executable = std::move(path);
  }
  const std::string found_nothing =
      "no program " + shown(name) + " was found in the server's PATH (" + join(search_) + ")";
  if (!not_executable.empty()) {
    return refuse(found_nothing + "; " + shown(not_executable) + " is there but not executable");
  }
  const Kind beside = kind_inside(folder, name);
  if (beside == Kind::Program) {
    return refuse(found_nothing + "; the app's folder holds one: write command: [./" + name +
                  ", ...]");
  }
  if (beside == Kind::NotExecutable) {
    return refuse(found_nothing +
                  "; the app's folder holds a file of this name that is not executable: write " +
                  "command: " + interpreter_hint(name));
  }
  return refuse(found_nothing +
                "; install it on the server, write its absolute path, or bring it in the app's " +
                "folder and write ./" + name);
}

}  // namespace kelvin::cluster::local
