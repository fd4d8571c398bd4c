#include "cli/successor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

namespace kelvin::cli {
namespace {

class BinaryTest : public testing::Test {
 protected:
  BinaryTest() {
    EXPECT_TRUE(os::make_dirs(data()));
    EXPECT_TRUE(os::write_file_atomic(binary(), "#!/bin/sh\n", {.mode = 0755}));
  }
  std::string data() const { return folder_->path() + "/data"; }
  std::string binary() const { return folder_->path() + "/kelvin"; }
  std::string why_not(const std::string& path) const {
    const auto checked = check_binary(path, data());
    return checked ? "" : checked.error().what;
  }

  Result<os::TempDir> folder_ = os::TempDir::create("kelvin-successor");
};

TEST_F(BinaryTest, AFileOfThisUserThatNobodyElseMayWriteIsFine) {
  EXPECT_EQ(why_not(binary()), "");
}

TEST_F(BinaryTest, OneThatIsNotThereIsNamed) {
  EXPECT_EQ(why_not(binary() + "x"), binary() + "x: No such file or directory");
}

TEST_F(BinaryTest, OneThatOthersMayWriteIsRefused) {
  ASSERT_EQ(::chmod(binary().c_str(), 0775), 0);
  EXPECT_EQ(why_not(binary()),
            binary() + " can be written by others than its owner; chmod go-w it");
}

TEST_F(BinaryTest, OneThatCannotBeExecutedIsRefused) {
  ASSERT_EQ(::chmod(binary().c_str(), 0644), 0);
  EXPECT_EQ(why_not(binary()), binary() + " cannot be executed");
}

TEST_F(BinaryTest, AFolderIsNoFile) {
  EXPECT_EQ(why_not(folder_->path()), folder_->path() + " is no file");
}

// Deploys write there: who may deploy may not thereby run what they like as the platform's user.
TEST_F(BinaryTest, WhatLiesInTheDataFolderIsRefusedHoweverItIsNamed) {
  const std::string inside = data() + "/kelvin";
  ASSERT_TRUE(os::write_file_atomic(inside, "#!/bin/sh\n", {.mode = 0755}));
  const std::string link = folder_->path() + "/link";
  ASSERT_EQ(::symlink(inside.c_str(), link.c_str()), 0);
  const std::string why = inside + " lies in the data folder, where deploys write";
  EXPECT_EQ(why_not(inside), why);
  EXPECT_EQ(why_not(link), why);
}

TEST(SuccessorArguments, AreOurOwnWithAnotherSocket) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(successor_arguments({"kelvin", "serve", "--data", "d"}, 9),
            (Words{"kelvin", "serve", "--data", "d", "--take-over", "9"}));
  EXPECT_EQ(successor_arguments({"kelvin", "serve", "--take-over", "7", "--slots", "2"}, 9),
            (Words{"kelvin", "serve", "--slots", "2", "--take-over", "9"}));
  EXPECT_EQ(successor_arguments({"kelvin", "serve", "--take-over=7"}, 9),
            (Words{"kelvin", "serve", "--take-over", "9"}));
}

}  // namespace
}  // namespace kelvin::cli
