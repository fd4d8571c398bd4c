#include "weights/content_store.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "os/files.h"
#include "os/hash.h"

namespace kelvin::weights {
namespace {

namespace fs = std::filesystem;

class Content : public testing::Test {
 protected:
  Content() { reopen({}); }

  void reopen(StoreLimits limits) {
    auto opened = ContentStore::open(data(), limits);
    ASSERT_TRUE(opened.has_value()) << opened.error().what;
    store_ = *std::move(opened);
  }
  const std::string& data() const { return dir_.path(); }
  std::string at(const std::string& path) const { return data() + "/" + path; }

  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  // Stores the text and describes it as a file.
  TreeFile add(std::string path, std::string_view text, bool is_executable = false) {
    const std::string sha256 = os::sha256_hex(text);
    const Status status = upload(sha256, Bytes{text.size()}, text);
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().what);
    return {.path = std::move(path),
            .is_executable = is_executable,
            .sha256 = sha256,
            .size = {text.size()}};
  }
  Status upload(const std::string& sha256, Bytes size, std::string_view text) {
    KELVIN_TRY(const std::unique_ptr<ContentUpload> upload, store_->begin(sha256, size));
    KELVIN_TRY_VOID(upload->write(bytes(text)));
    return upload->commit();
  }

  static std::string read(const std::string& path) {
    return os::read_file(path).value_or("(unreadable)");
  }
  static mode_t mode(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
  }
  static std::uint64_t links(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 ? found.st_nlink : 0;
  }
  std::size_t uploads_on_disk() const { return os::list_dir(at("content/tmp")).value().size(); }

  os::TempDir dir_ = os::TempDir::create("kelvin-content").value();
  std::unique_ptr<ContentStore> store_;
};

TEST_F(Content, IsThereOnceItIsCommitted) {
  const std::string sha256 = os::sha256_hex("hello");
  EXPECT_FALSE(store_->has(sha256));
  auto upload = store_->begin(sha256, Bytes{5});
  ASSERT_TRUE(upload.has_value());
  ASSERT_TRUE((*upload)->write(bytes("hel")).has_value());
  ASSERT_TRUE((*upload)->write(bytes("lo")).has_value());
  EXPECT_FALSE(store_->has(sha256));
  ASSERT_TRUE((*upload)->commit().has_value());
  EXPECT_TRUE(store_->has(sha256));
  EXPECT_EQ(uploads_on_disk(), 0U);
  const std::string path = at("content/" + sha256.substr(0, 2) + "/" + sha256);
  EXPECT_EQ(read(path), "hello");
  EXPECT_EQ(mode(path), 0444U);
}

TEST_F(Content, MayBeEmpty) {
  add("empty", "");
  EXPECT_TRUE(store_->has("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

TEST_F(Content, MayComeTwice) {
  add("a", "same");
  add("b", "same");
  EXPECT_EQ(store_->sizes().value().contents, 1U);
  EXPECT_EQ(uploads_on_disk(), 0U);
}

TEST_F(Content, LeavesNothingWhenItIsNotWhatWasPromised) {
  const std::string sha256 = os::sha256_hex("hello");
  const Status other = upload(sha256, Bytes{5}, "jello");
  EXPECT_EQ(other.error().code, Code::Invalid);
  EXPECT_NE(other.error().what.find(os::sha256_hex("jello")), std::string::npos);
  EXPECT_EQ(upload(sha256, Bytes{6}, "hello").error().what,
            "the content has 5 bytes instead of the 6 that were announced");
  const Status longer = upload(sha256, Bytes{5}, "hello!");
  EXPECT_EQ(longer.error().code, Code::Exhausted);
  EXPECT_EQ(longer.error().blame, Blame::Client);
  EXPECT_FALSE(store_->has(sha256));
  EXPECT_EQ(uploads_on_disk(), 0U);
}

TEST_F(Content, LeavesNothingWhenItsUploadIsDropped) {
  {
    auto upload = store_->begin(os::sha256_hex("hello"), Bytes{5});
    ASSERT_TRUE((*upload)->write(bytes("hel")).has_value());
    EXPECT_EQ(uploads_on_disk(), 1U);
  }
  EXPECT_EQ(uploads_on_disk(), 0U);
}

TEST_F(Content, TakesNothingAfterTheEndOfItsUpload) {
  auto upload = store_->begin(os::sha256_hex("hello"), Bytes{5});
  ASSERT_TRUE((*upload)->write(bytes("hello")).has_value());
  ASSERT_TRUE((*upload)->commit().has_value());
  EXPECT_EQ((*upload)->write(bytes("x")).error().code, Code::Conflict);
  EXPECT_EQ((*upload)->commit().error().code, Code::Conflict);
}

TEST_F(Content, IsRefusedUnderANameThatIsNoHash) {
  for (const std::string_view name : {"", "../../etc/passwd", "ABC"}) {
    EXPECT_EQ(store_->begin(name, Bytes{1}).error().code, Code::Invalid) << name;
    EXPECT_FALSE(store_->has(name));
  }
}

TEST_F(Content, IsRefusedBeforeItComesWhenTheDiskHasNoRoomForIt) {
  const auto upload = store_->begin(os::sha256_hex("x"), Bytes{1ULL << 41});
  ASSERT_FALSE(upload.has_value());
  EXPECT_EQ(upload.error().code, Code::Exhausted);
  EXPECT_EQ(upload.error().blame, Blame::Host);
  EXPECT_NE(upload.error().what.find("free some, or run the server with --data on a larger disk"),
            std::string::npos)
      << upload.error().what;
}

// A disk that fills up on the way: a file system of 1 MiB in a mount namespace of its own.
TEST_F(Content, LeavesNothingWhenTheDiskFillsUp) {
  const std::string mount_point = at("small");
  fs::create_directory(mount_point);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("kelvin", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) {
      ::_exit(77);
    }
    auto small = ContentStore::open(mount_point, {.spare_bytes = {}});
    if (!small) ::_exit(1);
    // What another program takes after the space was looked at.
    auto upload = (*small)->begin(os::sha256_hex("x"), Bytes{900'000});
    std::ofstream(mount_point + "/other") << std::string(800'000, 'o');
    if (!upload) ::_exit(2);
    const Status status = (*upload)->write(bytes(std::string(900'000, 'x')));
    if (status || status.error().code != Code::Exhausted || status.error().blame != Blame::Host)
      ::_exit(3);
    if (status.error().what.find("no space is left for content") == std::string::npos) ::_exit(4);
    if (!os::list_dir(mount_point + "/content/tmp").value().empty()) ::_exit(5);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "needs the right to mount a file system";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Content, ForgetsHalfUploadsAndHalfTreesAtTheNextStart) {
  auto upload = store_->begin(os::sha256_hex("hello"), Bytes{5});
  ASSERT_TRUE((*upload)->write(bytes("hel")).has_value());
  fs::create_directories(at("trees/.staging-7/folder"));
  reopen({});
  EXPECT_EQ(uploads_on_disk(), 0U);
  EXPECT_FALSE(fs::exists(at("trees/.staging-7")));
}

TEST_F(Content, IsLaidOutByLinks) {
  const Tree tree{.folder = {add("a.txt", "one"), add("lib/b.txt", "two")},
                  .model_name = "m.gguf",
                  .model = {add("", "weights")}};
  const auto placed = store_->place(tree);
  ASSERT_TRUE(placed.has_value()) << placed.error().what;
  EXPECT_EQ(placed->folder, at("trees/" + manifest_sha256(tree) + "/folder"));
  EXPECT_EQ(read(placed->folder + "/lib/b.txt"), "two");
  EXPECT_EQ(placed->model_path, at("trees/" + manifest_sha256(tree) + "/model/m.gguf"));
  EXPECT_EQ(read(placed->model_path), "weights");
  EXPECT_EQ(links(placed->model_path), 2U);
  EXPECT_EQ(mode(placed->folder), 0755U);
  EXPECT_EQ(mode(placed->folder + "/a.txt"), 0444U);
  EXPECT_EQ(store_->place(tree).value().folder, placed->folder);
  EXPECT_EQ(links(placed->model_path), 2U) << "the same tree is laid out once";
}

TEST_F(Content, IsLaidOutAsAFolderOfModelFiles) {
  const auto placed = store_->place({.model_name = "llama",
                                     .model_is_folder = true,
                                     .model = {add("config.json", "{}"), add("w/1", "1")}});
  ASSERT_TRUE(placed.has_value()) << placed.error().what;
  EXPECT_EQ(read(placed->model_path + "/w/1"), "1");
  EXPECT_TRUE(fs::is_directory(placed->folder))
      << "a replica has a working directory even with no files";
}

TEST_F(Content, IsExecutableOnlyWhereTheTreeSaysSo) {
  const TreeFile plain = add("plain", "#!/bin/sh\nexit 7\n");
  TreeFile program = plain;
  program.path = "program";
  program.is_executable = true;
  const auto placed = store_->place({.folder = {plain, program}});
  ASSERT_TRUE(placed.has_value()) << placed.error().what;
  EXPECT_EQ(mode(placed->folder + "/plain"), 0444U);
  EXPECT_EQ(mode(placed->folder + "/program"), 0555U);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl((placed->folder + "/program").c_str(), "program", nullptr);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(uploads_on_disk(), 0U);
}

TEST_F(Content, IsNamedWhenItIsMissing) {
  const std::string missing = os::sha256_hex("missing");
  const TreeFile there = add("a", "a");
  const auto placed =
      store_->place({.folder = {there, {.path = "b", .sha256 = missing, .size = Bytes{7}}}});
  ASSERT_FALSE(placed.has_value());
  EXPECT_EQ(placed.error().code, Code::NotFound);
  EXPECT_NE(placed.error().what.find(missing), std::string::npos);
  EXPECT_TRUE(os::list_dir(at("trees")).value().empty());
  TreeFile lying = there;
  lying.size = Bytes{2};
  EXPECT_EQ(store_->place({.folder = {lying}}).error().code, Code::Invalid);
}

TEST_F(Content, NeverLeavesItsTree) {
  for (const char* path : {"../x", "/etc/x", "a/../../x", ""}) {
    TreeFile file = add("x", "x");
    file.path = path;
    EXPECT_EQ(store_->place({.folder = {file}}).error().code, Code::Invalid) << path;
  }
}

TEST_F(Content, IsCollectedWhenNoKeptTreeUsesIt) {
  reopen({.grace = 0s});
  const Tree kept{.folder = {add("a", "kept"), add("shared", "shared"), add("p", "program", true)}};
  const Tree dropped{.folder = {add("a", "dropped"), add("shared", "shared")}};
  add("", "never placed");
  const std::string kept_folder = store_->place(kept).value().folder;
  const std::string dropped_folder = store_->place(dropped).value().folder;
  ASSERT_TRUE(store_->collect({kept_folder}).has_value());
  EXPECT_EQ(read(kept_folder + "/a"), "kept");
  EXPECT_FALSE(fs::exists(dropped_folder));
  EXPECT_TRUE(store_->has(os::sha256_hex("kept")));
  EXPECT_TRUE(store_->has(os::sha256_hex("shared")));
  EXPECT_TRUE(store_->has(os::sha256_hex("program"))) << "only a program made of it is in use";
  EXPECT_FALSE(store_->has(os::sha256_hex("dropped")));
  EXPECT_FALSE(store_->has(os::sha256_hex("never placed")));
  EXPECT_EQ(store_->sizes().value().trees, 1U);
  ASSERT_TRUE(store_->collect({}).has_value());
  EXPECT_EQ(store_->sizes().value().contents, 0U);
  EXPECT_EQ(store_->sizes().value().content_bytes, Bytes{});
  EXPECT_TRUE(os::list_dir(at("trees")).value().empty());
}

TEST_F(Content, IsNotCollectedWhileItIsFresh) {
  const std::string folder = store_->place({.folder = {add("a", "a")}}).value().folder;
  add("", "on its way into a tree");
  ASSERT_TRUE(store_->collect({}).has_value());
  EXPECT_TRUE(fs::exists(folder));
  EXPECT_TRUE(store_->has(os::sha256_hex("on its way into a tree")));
}

TEST_F(Content, IsFreshAgainWhenSomebodyAsksForIt) {
  const std::string sha256 = add("a", "a").sha256;
  const std::string path = at("content/" + sha256.substr(0, 2) + "/" + sha256);
  const timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
  EXPECT_TRUE(store_->has(sha256));
  ASSERT_TRUE(store_->collect({}).has_value());
  EXPECT_TRUE(fs::exists(path));
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
  ASSERT_TRUE(store_->collect({}).has_value());
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(Content, OfManyMebibytesKeepsItsHash) {
  std::string text(40 << 20, 'x');
  for (std::size_t i = 0; i < text.size(); i += 4096) text[i] = static_cast<char>(i >> 12);
  const std::string sha256 = os::sha256_hex(text);
  auto upload = store_->begin(sha256, Bytes{text.size()});
  ASSERT_TRUE(upload.has_value());
  for (std::size_t i = 0; i < text.size(); i += 65536) {
    ASSERT_TRUE((*upload)->write(bytes(std::string_view(text).substr(i, 65536))).has_value());
  }
  ASSERT_TRUE((*upload)->commit().has_value());
  EXPECT_TRUE(store_->has(sha256));
}

TEST(ContentStore, WantsAnAbsoluteFolder) {
  EXPECT_EQ(ContentStore::open("data").error().code, Code::Invalid);
}

}  // namespace
}  // namespace kelvin::weights
