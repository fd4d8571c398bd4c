#include "keeper/log_file.h"

#include <gtest/gtest.h>

#include "os/files.h"

namespace kelvin::keeper {
namespace {

class Log : public testing::Test {
 protected:
  std::string text(const std::string& ending = "") const {
    return os::read_file(path_ + ending).value_or("(absent)");
  }

  os::TempDir folder_ = *os::TempDir::create("kelvin-log");
  std::string path_ = folder_.path() + "/r1-1.log";
};

TEST_F(Log, WritesLinesWithTimeAndStream) {
  LogFile log(path_);
  log.take(Stream::Out, "hello\nwor", 1000);
  log.take(Stream::Err, "oops\r\n", 1001);
  log.take(Stream::Out, "ld\n\n", 1002);
  EXPECT_EQ(text(), "1000 o hello\n1001 e oops\n1002 o world\n1002 o \n");
}

TEST_F(Log, WritesALastLineWithoutEnd) {
  LogFile log(path_);
  log.take(Stream::Err, "half", 5);
  EXPECT_EQ(text(), "(absent)");
  log.finish(6);
  EXPECT_EQ(text(), "6 e half\n");
}

TEST_F(Log, CutsLongLines) {
  LogFile log(path_, {.line_bytes_max = 4});
  log.take(Stream::Out, "abcdefghij\nxy", 1);
  log.take(Stream::Out, "zw\nabcd\n", 2);
  EXPECT_EQ(text(), "1 o abcd\n1 o efgh\n1 o ij\n2 o xyzw\n2 o abcd\n");
}

TEST_F(Log, KeepsOneOldFile) {
  LogFile log(path_, {.file_bytes_max = 30});
  for (int i = 0; i < 10; ++i) log.take(Stream::Out, "line " + std::to_string(i) + "\n", i);
  EXPECT_EQ(text(".1"), "6 o line 6\n7 o line 7\n");
  EXPECT_EQ(text(), "8 o line 8\n9 o line 9\n");
  EXPECT_EQ(os::list_dir(folder_.path())->size(), 2U);
}

TEST_F(Log, CountsWhatItCannotWrite) {
  LogFile log(folder_.path() + "/absent/r1-1.log");
  log.take(Stream::Out, "a\nb\n", 1);
  EXPECT_EQ(log.dropped_lines(), 2U);
  ASSERT_TRUE(os::make_dirs(folder_.path() + "/absent"));
  log.take(Stream::Out, "c\n", 2);
  EXPECT_EQ(os::read_file(folder_.path() + "/absent/r1-1.log").value(),
            "2 e [kelvin] 2 lines were dropped: the log could not be written\n2 o c\n");
}

TEST_F(Log, IsNotHeldUpByAFullDisk) {
  // /dev/full answers every write with "no space left on device".
  LogFile log("/dev/full");
  log.take(Stream::Out, "a\n", 1);
  EXPECT_EQ(log.dropped_lines(), 1U);
}

}  // namespace
}  // namespace kelvin::keeper
