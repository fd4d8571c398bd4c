#include <gtest/gtest.h>

#include "cli/cli_run.h"
#include "cli/server_double.h"

namespace kelvin::cli {
namespace {

std::string stage(const std::string& name, int pid, const std::string& why = "") {
  return R"({"stage":")" + name + R"(","why":)" + (why.empty() ? "null" : "\"" + why + "\"") +
         R"(,"version":"0.2.0","epoch":4,"pid":)" + std::to_string(pid) +
         R"(,"from_version":"0.1.0","draining_pid":)" + (name == "draining" ? "70" : "0") +
         R"(,"draining_connections":2})";
}

class UpgradeTest : public ::testing::Test {
 protected:
  UpgradeTest() {
    run_.variables = {{"HOME", "/nowhere"}, {"KELVIN_SERVER", server_.url()}};
    server_.script("POST /api/v1/upgrade", {{.status = 202, .body = stage("preparing", 70)}});
  }

  ServerDouble server_;
  CliRun run_;
};

TEST_F(UpgradeTest, IsOverWhenAnotherProcessAnswers) {
  server_.script("GET /api/v1/upgrade",
                 {{.body = stage("preparing", 70)}, {.body = stage("draining", 71)}});
  run_.run("upgrade --drain 90s");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(run_.out, "kelvin 0.2.0 serves (pid 71); pid 70 ends with its last connection\n");
  EXPECT_EQ(server_.asked().front().body, R"({"drain_ms":90000})");
}

TEST_F(UpgradeTest, WaitsForTheProcessBeforeWhereItIsAskedTo) {
  server_.script("GET /api/v1/upgrade",
                 {{.body = stage("draining", 71)}, {.body = stage("done", 71)}});
  run_.run("upgrade --binary /nowhere/kelvin --wait");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(run_.out, "kelvin 0.2.0 serves (pid 71); the process before has ended\n");
  EXPECT_EQ(server_.asked().front().body, R"({"binary":"/nowhere/kelvin"})");
}

TEST_F(UpgradeTest, SaysWhyItDidNotComeAbout) {
  server_.script("GET /api/v1/upgrade",
                 {{.body = stage("preparing", 70)}, {.body = stage("failed", 70, "no such file")}});
  run_.run("upgrade");
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_NE(run_.err.find("the upgrade did not come about: no such file"), std::string::npos)
      << run_.err;
}

TEST_F(UpgradeTest, GivesUpWaitingAtItsDeadline) {
  server_.script("GET /api/v1/upgrade", {{.body = stage("preparing", 70)}});
  run_.pauses_max = 3;
  run_.run("upgrade");
  EXPECT_EQ(run_.exit, ExitCode::TimedOut);
}

}  // namespace
}  // namespace kelvin::cli
