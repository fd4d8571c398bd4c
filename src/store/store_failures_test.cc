// What happens to the store when the outside misbehaves: death without closing, no rights, a full disk, a stranger's file.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "store/samples_test.h"

namespace kelvin::store {
namespace {

// Runs `body` in a process of its own that is killed, without any destructor, when it returns.
template <class Body>
void run_and_kill(Body body) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended with status " << status;
}

TEST(StoreFailures, WhatWasAnsweredIsThereAfterKill) {
  const Fixture fixture;
  run_and_kill([&] {
    Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(fixture.path());
    (void)(*store)->next_epoch();
    (void)(*store)->add_revision(revision_of("gemma"));
    model::UsageBatch batch;
    add_row(batch, {11}, 0, 1'500);
    (void)(*store)->append_usage(batch, 0);
  });
  const auto store = fixture.open();
  EXPECT_EQ(store->revisions().value().size(), 1U);
  EXPECT_EQ(store->usage_sequence({11}).value(), 1U);
  EXPECT_EQ(store->next_epoch().value(), 2U);
}

TEST(StoreFailures, ATransactionThatDiedHalfwayLeavesNothing) {
  const Fixture fixture;
  (void)fixture.open();
  run_and_kill([&] {
    Result<Database> database = Database::open(fixture.path(), Database::Access::Write);
    (void)database->execute(
        "BEGIN IMMEDIATE; INSERT INTO apps (workspace, name, created_unix_ms) "
        "VALUES ('default', 'half', 0);");
  });
  const auto store = fixture.open();
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM apps;"), 0);
  EXPECT_TRUE(store->add_revision(revision_of("gemma")).has_value()) << "its lock died with it";
}

TEST(StoreFailures, RefusesADatabaseOfANewerKelvin) {
  const Fixture fixture;
  (void)fixture.open();
  ASSERT_EQ(try_sql(fixture.path(), "PRAGMA user_version = 999;"), "ok");
  const auto store = SqliteStore::open(fixture.path());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Code::Conflict);
  EXPECT_NE(store.error().what.find("written by a newer kelvin (schema 999"), std::string::npos)
      << store.error().what;
}

TEST(StoreFailures, RefusesAFileThatIsNoDatabase) {
  const Fixture fixture;
  std::ofstream(fixture.path()) << std::string(8192, 'x');
  const auto store = SqliteStore::open(fixture.path());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Code::Invalid);
  EXPECT_NE(store.error().what.find("is not a sound database"), std::string::npos)
      << store.error().what;
}

TEST(StoreFailures, SaysWhichFolderDoesNotExist) {
  const auto store = SqliteStore::open("/nonexistent-folder/kelvin.db");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Code::NotFound);
  EXPECT_NE(store.error().what.find("/nonexistent-folder/kelvin.db"), std::string::npos)
      << store.error().what;
}

// Root may write everywhere, so as root the test borrows the rights of "nobody".
class WithoutRights {
 public:
  WithoutRights() {
    if (::geteuid() == 0) is_borrowed_ = ::seteuid(65534) == 0;
  }
  ~WithoutRights() {
    if (is_borrowed_) (void)::seteuid(0);
  }

 private:
  bool is_borrowed_ = false;
};

TEST(StoreFailures, RefusesAFolderInWhichItMayNotWrite) {
  const Fixture fixture;
  ASSERT_EQ(::chmod(fixture.folder.path().c_str(), 0555), 0);
  const WithoutRights nobody;
  const auto store = SqliteStore::open(fixture.path());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Code::Refused) << store.error().what;
}

TEST(StoreFailures, AnotherWriterIsWaitedForAndThenNamed) {
  const Fixture fixture;
  const auto store = fixture.open();
  Database other = Database::open(fixture.path(), Database::Access::Write).value();
  ASSERT_TRUE(other.execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE;").has_value());
  Database impatient = Database::open(fixture.path(), Database::Access::Write).value();
  ASSERT_TRUE(impatient.execute("PRAGMA busy_timeout = 0;").has_value());
  const auto refused = Transaction::begin(impatient);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::Unavailable);
  EXPECT_EQ(refused.error().retry, Retry::AfterDelay);
  EXPECT_NE(refused.error().what.find("is locked by another process"), std::string::npos);
  EXPECT_TRUE(store->revisions().has_value()) << "readers are not held up";
}

// A file system of 1 MiB that is gone at the end.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& folder) : folder_(folder) {
    is_there_ = ::mount("kelvin-test", folder.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (is_there_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool is_there() const { return is_there_; }

 private:
  std::string folder_;
  bool is_there_ = false;
};

TEST(StoreFailures, SaysThatTheDiskIsFullAndGoesOnWhenThereIsRoom) {
  const Fixture fixture;
  const SmallDisk disk(fixture.folder.path());
  if (!disk.is_there()) GTEST_SKIP() << "needs the right to mount a small tmpfs";
  const auto store = fixture.open();
  const model::Revision kept = store->add_revision(revision_of("gemma")).value();

  const std::string ballast = fixture.folder.path() + "/ballast";
  {
    std::ofstream file(ballast);
    const std::string block(4096, 'b');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  model::Revision large = revision_of("large");
  large.spec.environment["X"] = std::string(200'000, 'x');
  const auto refused = store->add_revision(large);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::Exhausted) << refused.error().what;
  EXPECT_NE(refused.error().what.find("out of disk space"), std::string::npos)
      << refused.error().what;

  ASSERT_EQ(::unlink(ballast.c_str()), 0);
  EXPECT_TRUE(store->add_revision(large).has_value());
  const auto found = store->revisions().value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].revision.id, kept.id);
}

}  // namespace
}  // namespace kelvin::store
