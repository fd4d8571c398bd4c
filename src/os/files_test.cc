#include "os/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kelvin::os {
namespace {

class Files : public testing::Test {
 protected:
  TempDir folder_ = *TempDir::create("kelvin-files");
  std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
};

TEST_F(Files, ReadsWhatWasWrittenWithItsMode) {
  ASSERT_TRUE(write_file_atomic(at("a"), "one", {.mode = 0640}));
  ASSERT_TRUE(write_file_atomic(at("a"), "two", {.mode = 0640}));
  EXPECT_EQ(read_file(at("a")).value(), "two");
  struct stat found{};
  ASSERT_EQ(::stat(at("a").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640U);
  EXPECT_EQ(list_dir(folder_.path())->size(), 1U) << "nothing half-written stays";
}

TEST_F(Files, RefusesAFileOverTheLimit) {
  ASSERT_TRUE(write_file_atomic(at("a"), std::string(5000, 'x')));
  EXPECT_EQ(read_file(at("a"), {4999}).error().code, Code::Exhausted);
  EXPECT_TRUE(read_file(at("a"), {5000}));
}

TEST_F(Files, NamesWhatIsMissing) {
  const auto missing = read_file(at("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::NotFound);
  EXPECT_EQ(missing.error().what, "open " + at("none") + ": No such file or directory");
}

TEST_F(Files, RemovesATreeButFollowsNoLink) {
  ASSERT_TRUE(make_dirs(at("t/u/v")));
  ASSERT_TRUE(make_dirs(at("kept")));
  ASSERT_TRUE(write_file_atomic(at("kept/file"), "x"));
  ASSERT_EQ(::symlink(at("kept").c_str(), at("t/u/link").c_str()), 0);
  ASSERT_TRUE(remove_tree(at("t")));
  EXPECT_FALSE(path_exists(at("t")));
  EXPECT_TRUE(path_exists(at("kept/file")));
  EXPECT_TRUE(remove_tree(at("t"))) << "absent is fine";
  EXPECT_TRUE(remove_tree(at("no/such/folder")));
}

TEST_F(Files, RemovesATreeWhoseFoldersCannotBeRead) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs root: an ordinary user cannot list a folder of mode 0";
  ASSERT_TRUE(make_dirs(at("t/closed"), 0700));
  ASSERT_EQ(::chmod(at("t/closed").c_str(), 0), 0);
  EXPECT_TRUE(remove_tree(at("t")));
}

TEST_F(Files, NamesAFolderThatIsClosedToOthers) {
  EXPECT_EQ(closed_folder(at("a")), folder_.path()) << "mode 0700";
  EXPECT_EQ(closed_folder("/usr/bin/env"), "");
}

TEST_F(Files, LocksOnceAtATime) {
  {
    auto lock = FileLock::take(at("lock"));
    ASSERT_TRUE(lock);
    ASSERT_TRUE(lock->write("12345"));
    EXPECT_EQ(FileLock::take(at("lock")).error().code, Code::Conflict);
    EXPECT_EQ(read_file(at("lock")).value(), "12345");
  }
  EXPECT_TRUE(FileLock::take(at("lock")));
}

}  // namespace
}  // namespace kelvin::os
