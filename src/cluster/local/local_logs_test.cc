#include "cluster/local/local_logs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "cluster/local/log_tail.h"
#include "keeper/log_file.h"
#include "model/ids.h"
#include "os/files.h"
#include "os/thread.h"

namespace kelvin::cluster::local {
namespace {

constexpr ReplicaId kFirst = model::make_replica_id(1, 1);
constexpr ReplicaId kSecond = model::make_replica_id(1, 2);

class Logs : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(os::make_dirs(folder())); }
  std::string folder() const { return data_.path() + "/logs/7"; }
  std::string path(ReplicaId id) const { return folder() + "/" + model::to_text(id) + ".log"; }
  std::string read(const ports::LogQuery& query) {
    std::string text;
    EXPECT_TRUE(LocalLogs(data_.path())
                    .read(
                        query,
                        [&](const ports::LogLine& line) {
                          text += model::to_text(line.replica) +
                                  (line.stream == ports::LogStream::Out ? " o " : " e ") +
                                  line.text + "\n";
                          return true;
                        },
                        [] { return true; }));
    return text;
  }

  os::TempDir data_ = *os::TempDir::create("kelvin-logs");
};

TEST_F(Logs, MergesReplicasByTime) {
  keeper::LogFile first(path(kFirst));
  keeper::LogFile second(path(kSecond));
  first.take(keeper::Stream::Out, "a\n", 10);
  second.take(keeper::Stream::Err, "b\n", 11);
  first.take(keeper::Stream::Out, "c\n", 12);
  EXPECT_EQ(read({.app = {7}}), "r1-1 o a\nr1-2 e b\nr1-1 o c\n");
  EXPECT_EQ(read({.app = {7}, .replica = kSecond}), "r1-2 e b\n");
  EXPECT_EQ(read({.app = {7}, .since_unix_ms = 11}), "r1-2 e b\nr1-1 o c\n");
}

TEST_F(Logs, HasNoLinesForAnAppThatNeverPrinted) {
  EXPECT_EQ(read({.app = {8}}), "");
  EXPECT_EQ(read({.app = {8}, .follow = true}), "");
}

TEST_F(Logs, ReadsTheOldFileFirst) {
  keeper::LogFile log(path(kFirst), {.file_bytes_max = 30});
  for (int i = 0; i < 4; ++i)
    log.take(keeper::Stream::Out, "line " + std::to_string(i) + "\n", 100 + i);
  ASSERT_TRUE(os::path_exists(path(kFirst) + ".1"));
  EXPECT_EQ(read({.app = {7}}), "r1-1 o line 0\nr1-1 o line 1\nr1-1 o line 2\nr1-1 o line 3\n");
}

TEST_F(Logs, StopsWhenTheReaderHasEnough) {
  keeper::LogFile log(path(kFirst));
  log.take(keeper::Stream::Out, "a\nb\n", 1);
  int lines = 0;
  ASSERT_TRUE(LocalLogs(data_.path())
                  .read(
                      {.app = {7}}, [&](const ports::LogLine&) { return ++lines < 1; },
                      [] { return false; }));
  EXPECT_EQ(lines, 1);
}

TEST_F(Logs, FollowsWhatComesThroughRotation) {
  std::mutex mutex;
  std::string text;
  std::atomic<bool> is_done{false};
  std::atomic<int> count{0};
  {
    const os::Thread reader("logs", [&] {
      EXPECT_TRUE(LocalLogs(data_.path())
                      .read(
                          {.app = {7}, .follow = true},
                          [&](const ports::LogLine& line) {
                            const std::lock_guard lock(mutex);
                            text += line.text + " ";
                            if (++count == 20) is_done = true;
                            return true;
                          },
                          [&] { return is_done.load(); }));
    });
    keeper::LogFile log(path(kFirst), {.file_bytes_max = 100});
    for (int i = 0; i < 20; ++i) {
      log.take(keeper::Stream::Out, std::to_string(i) + "\n", i);
      while (count <= i && i % 5 == 4) {  // never two rotations ahead
      }
    }
  }
  EXPECT_EQ(text, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 ");
}

TEST(LogTail, ReadsOnlyWholeLines) {
  const auto folder = *os::TempDir::create("kelvin-tail");
  const std::string path = folder.path() + "/x.log";
  LogTail tail(path);
  std::string seen;
  const auto sink = [&](const LogEntry& entry) { seen += std::string(entry.text) + "|"; };
  EXPECT_FALSE(tail.read(100, sink));
  ASSERT_TRUE(os::write_file_atomic(path, "1 o one\n2 e tw"));
  EXPECT_FALSE(tail.read(100, sink));
  EXPECT_EQ(seen, "one|");
}

TEST(LogTail, PassesOverLinesOfAnotherForm) {
  LogEntry entry;
  EXPECT_TRUE(parse_log_line("12 e text o x", entry));
  EXPECT_EQ(entry.unix_ms, 12);
  EXPECT_EQ(entry.stream, ports::LogStream::Err);
  EXPECT_EQ(entry.text, "text o x");
  EXPECT_TRUE(parse_log_line("12 o ", entry));
  for (const char* line : {"", "12", "12 x y", "x o y", "12 oy", "12  o y"})
    EXPECT_FALSE(parse_log_line(line, entry)) << line;
}

}  // namespace
}  // namespace kelvin::cluster::local
