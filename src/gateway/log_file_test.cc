// Tests of the file behind the access log.
#include "gateway/log_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "os/thread.h"

namespace kelvin::gateway {
namespace {

class LogFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "log_file_" + std::to_string(::getpid());
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& end = "") const { return folder_ + "/access.log" + end; }
  std::string text(const std::string& end = "") const {
    std::stringstream all;
    all << std::ifstream(path(end)).rdbuf();
    return all.str();
  }
  std::string folder_;
};

TEST_F(LogFileTest, IsPrivateAndAppends) {
  {
    auto file = LogFile::open(path(), {});
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->write("one\n"));
  }
  auto file = LogFile::open(path(), {});
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("two\n"));
  EXPECT_EQ(text(), "one\ntwo\n");
  struct stat found{};
  ASSERT_EQ(::stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST_F(LogFileTest, IsTurnedOverWhenItIsFullAndTheOldestGoes) {
  auto file = LogFile::open(path(), {.bytes_max = 10, .old_files_max = 2});
  ASSERT_TRUE(file);
  for (const char* line : {"11111\n", "22222\n", "33333\n", "44444\n"})
    EXPECT_TRUE(file->write(line));
  EXPECT_EQ(text(), "44444\n");
  EXPECT_EQ(text(".1"), "33333\n");
  EXPECT_EQ(text(".2"), "22222\n");
  EXPECT_FALSE(std::filesystem::exists(path(".3")));
  EXPECT_EQ(file->turned_over(), 3u);
  EXPECT_TRUE(file->write("longer than a whole file may be\n"));
  EXPECT_EQ(text(), "longer than a whole file may be\n");
}

TEST_F(LogFileTest, WithoutOldFilesItStartsAfresh) {
  auto file = LogFile::open(path(), {.bytes_max = 10, .old_files_max = 0});
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("11111\n"));
  EXPECT_TRUE(file->write("22222\n"));
  EXPECT_EQ(text(), "22222\n");
}

TEST_F(LogFileTest, WithoutALimitItGrows) {
  auto file = LogFile::open(path(), {.bytes_max = 0});
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("11111\n"));
  EXPECT_TRUE(file->write("22222\n"));
  EXPECT_EQ(text(), "11111\n22222\n");
}

TEST_F(LogFileTest, IsMadeAnewWhenSomebodyElseMovedIt) {
  auto file = LogFile::open(path(), {});
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("one\n"));
  std::filesystem::rename(path(), path(".old"));
  EXPECT_TRUE(file->write("two\n"));
  EXPECT_EQ(text(), "two\n");
  EXPECT_EQ(text(".old"), "one\n");
}

TEST_F(LogFileTest, ADiskThatIsFullTearsNoLine) {
  auto file = LogFile::open(path(), {});
  ASSERT_TRUE(file);
  // A limit on the size of files stands in for a full disk: the kernel takes part of the bytes, then none.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 9;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool first = file->write("11111\n22222\n");
  const bool second = file->write("33333\n");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_action);
  EXPECT_FALSE(first);
  EXPECT_FALSE(second);
  EXPECT_TRUE(file->write("44444\n"));
  EXPECT_EQ(text(), "11111\n44444\n");
}

// Two owners stand for the two processes of an upgrade: each has a description of its own, as they have.
TEST_F(LogFileTest, TwoWritersLoseAndTearNothingWhileItIsTurnedOver) {
  constexpr std::size_t kLines = 2000;
  const LogFile::Limits limits{.bytes_max = 4096, .old_files_max = 400};
  const auto write_lines = [&](char letter) {
    auto file = LogFile::open(path(), limits);
    ASSERT_TRUE(file);
    for (std::size_t i = 0; i < kLines; ++i)
      EXPECT_TRUE(file->write(std::string(1 + i % 90, letter) + "\n" + letter + "\n"));
  };
  {
    os::Thread one("one", [&] { write_lines('a'); });
    os::Thread other("other", [&] { write_lines('b'); });
  }
  std::map<char, std::size_t> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    // One of them may fill what the other has only just begun.
    EXPECT_LE(std::filesystem::file_size(entry.path()), limits.bytes_max + 200);
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      ASSERT_FALSE(line.empty());
      EXPECT_EQ(line, std::string(line.size(), line[0]));
      ++found[line[0]];
    }
  }
  EXPECT_EQ(found['a'], 2 * kLines);
  EXPECT_EQ(found['b'], 2 * kLines);
}

TEST_F(LogFileTest, SaysWhyItCannotBeOpened) {
  const auto file = LogFile::open(folder_ + "/missing/access.log", {});
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().what.find("missing/access.log"), std::string::npos) << file.error().what;
}

}  // namespace
}  // namespace kelvin::gateway
