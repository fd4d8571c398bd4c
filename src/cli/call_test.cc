#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/cli_run.h"
#include "cli/server_double.h"

namespace kelvin::cli {
namespace {

class CallTest : public ::testing::Test {
 protected:
  CallTest() { run_.variables = {{"HOME", "/nowhere"}, {"KELVIN_SERVER", server_.url()}}; }

  std::string head() { return server_.asked().back().head; }

  ServerDouble server_;
  CliRun run_;
};

TEST_F(CallTest, StreamsTheReplyToStdout) {
  server_.script("GET /apps/gemma/", {{.type = "text/plain", .chunks = {"one ", "two ", "three"}}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(run_.out, "one two three");
  EXPECT_EQ(run_.err, "");
  run_.out_terminal.is_terminal = true;
  run_.run("call gemma");
  EXPECT_EQ(run_.out, "one two three\n") << "a prompt should not follow on the same line";
}

TEST_F(CallTest, PostsABodyAsWhatItIs) {
  server_.script("POST /apps/echo/x", {{.body = "ok"}});
  run_.run_words({"call", "echo", "/x", "-d", "{\"a\": 1}"});
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(server_.asked().back().body, "{\"a\": 1}");
  EXPECT_NE(head().find("Content-Type: application/json"), std::string::npos) << head();
  run_.run_words({"call", "echo", "x", "-d", "plain"});
  EXPECT_NE(head().find("Content-Type: text/plain"), std::string::npos) << head();
  run_.run_words({"call", "echo", "/x", "-d", "", "-H", "content-type: text/csv"});
  EXPECT_NE(head().find("content-type: text/csv"), std::string::npos) << head();
  EXPECT_EQ(head().find("Content-Type: text/plain"), std::string::npos) << head();
}

TEST_F(CallTest, SendsAFileAsItIs) {
  const std::string path = (std::filesystem::temp_directory_path() / "kelvin-call-body").string();
  std::ofstream(path) << "from a file";
  server_.script("PUT /apps/echo/x", {{.body = "ok"}});
  run_.run_words({"call", "echo", "/x", "-X", "PUT", "-d", "@" + path});
  std::filesystem::remove(path);
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(server_.asked().back().body, "from a file");
  EXPECT_NE(head().find("Content-Type: application/octet-stream"), std::string::npos) << head();
}

TEST_F(CallTest, SendsPathQueryAndHeadersAsGiven) {
  server_.script("DELETE /apps/api/items/7?q=a%20b", {{.body = "gone"}});
  run_.run_words({"call", "api", "/items/7?q=a b", "-X", "DELETE", "-H", "X-Reason: test", "-H",
                  "X-Other: 2"});
  EXPECT_EQ(run_.out, "gone") << run_.err;
  EXPECT_NE(head().find("X-Reason: test\r\nX-Other: 2"), std::string::npos) << head();
}

TEST_F(CallTest, ShowsTheKeyUnlessAnotherIsGiven) {
  server_.script("GET /apps/gemma/", {{.body = "ok"}});
  run_.run("call gemma");
  EXPECT_EQ(head().find("Authorization"), std::string::npos) << head();
  run_.variables["KELVIN_TOKEN"] = "kv_key";
  run_.run("call gemma");
  EXPECT_NE(head().find("Authorization: Bearer kv_key"), std::string::npos) << head();
  run_.run_words({"call", "gemma", "-H", "Authorization: Bearer mine"});
  EXPECT_NE(head().find("Authorization: Bearer mine"), std::string::npos) << head();
  EXPECT_EQ(head().find("kv_key"), std::string::npos) << head();
}

TEST_F(CallTest, DrawsTimingOnStderr) {
  server_.script("GET /apps/gemma/",
                 {{.body = "ok",
                   .headers = {"Kelvin-Request-Id: q3-1-902", "Kelvin-Cold-Start: parked",
                               "Server-Timing: queue;dur=0.2, resume;dur=1.5",
                               "Server-Timing: ttfb;dur=0.9"}}});
  run_.run("call gemma --timing");
  EXPECT_EQ(run_.out, "ok");
  EXPECT_NE(
      run_.err.find(", from parked\nrequest q3-1-902: kelvin explain q3-1-902\n  queue    0.20 ms"),
      std::string::npos)
      << run_.err;
  EXPECT_NE(run_.err.find("\n  ttfb     0.90 ms"), std::string::npos) << run_.err;
}

TEST_F(CallTest, ReportsTheWholeReplyAsJson) {
  server_.script("GET /apps/gemma/",
                 {{.body = "say \"hi\"\n",
                   .type = "text/plain",
                   .headers = {"Kelvin-Request-Id: q3-1-902", "Server-Timing: ttfb;dur=0.9"}}});
  run_.run("call gemma --json");
  EXPECT_TRUE(run_.out.starts_with(
      R"({"status":200,"request_id":"q3-1-902","cold_start":null,"stages":[{"name":"ttfb","us":900}],"first_byte_us":)"))
      << run_.out;
  EXPECT_TRUE(run_.out.ends_with(R"("content_type":"text/plain","body":"say \"hi\"\n"})"
                                 "\n"))
      << run_.out;
}

TEST_F(CallTest, AnAppsOwnErrorIsPrintedAndFails) {
  server_.script("GET /apps/gemma/", {{.status = 404,
                                       .body = "no such item\n",
                                       .type = "text/plain",
                                       .headers = {"Kelvin-Request-Id: q3-1-3"}}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_EQ(run_.out, "no such item\n");
  EXPECT_EQ(run_.err,
            "kelvin: gemma answered with status 404.\nNext: see what it printed with: kelvin logs "
            "gemma\n");
}

TEST_F(CallTest, AnAppsOwnProblemDetailsAreItsReply) {
  server_.script(
      "GET /apps/gemma/",
      {{.status = 404, .body = R"({"title":"mine"})", .type = "application/problem+json"}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_EQ(run_.out, R"({"title":"mine"})");
}

TEST_F(CallTest, AHeadThatPromisesAnErrorOfOursIsOne) {
  server_.script(
      "GET /apps/gemma/",
      {{.status = 503,
        .body =
            R"({"title":"No place","status":503,"code":"no_place","detail":"Every h100 is taken.","next":"Try again later.","complaints":null})",
        .type = "application/problem+json"}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_EQ(run_.out, "");
  EXPECT_EQ(run_.err, "kelvin: every h100 is taken.\nNext: try again later\n");
}

TEST_F(CallTest, AReplyThatBreaksOffSaysWhereToLook) {
  server_.script(
      "GET /apps/gemma/",
      {{.headers = {"Kelvin-Request-Id: q3-1-5"}, .chunks = {"half"}, .breaks_off = true}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Unreachable);
  EXPECT_EQ(run_.out, "half");
  EXPECT_NE(run_.err.find("broke off"), std::string::npos) << run_.err;
  EXPECT_NE(run_.err.find("Next: see why with: kelvin explain q3-1-5"), std::string::npos)
      << run_.err;
}

TEST_F(CallTest, RedirectsAreNotFollowed) {
  server_.script(
      "GET /apps/gemma/",
      {{.status = 302, .body = "elsewhere", .headers = {"Location: http://127.0.0.1:1/"}}});
  run_.run("call gemma");
  EXPECT_EQ(run_.exit, ExitCode::Ok);
  EXPECT_EQ(run_.out, "elsewhere");
}

TEST(Unreachable, NamesWhatWasTriedAndHowToStart) {
  std::string url;
  {
    ServerDouble gone;
    url = gone.url();
  }
  CliRun run;
  run.variables = {{"HOME", "/nowhere"}, {"KELVIN_SERVER", url}};
  for (const char* words : {"apps", "call gemma", "logs gemma -f", "ps --watch"}) {
    run.run(words);
    EXPECT_EQ(run.exit, ExitCode::Unreachable) << words;
    EXPECT_EQ(run.err, "kelvin: cannot reach the server at " + url +
                           ": connection refused (the address is from KELVIN_SERVER).\n"
                           "Next: start it with: kelvin serve\n");
  }
  run.run("apps --json");
  EXPECT_TRUE(run.err.starts_with(
      R"({"error":{"exit_code":7,"status":null,"code":"unreachable","what":"cannot reach the server at )"))
      << run.err;
  EXPECT_EQ(run.out, "");
}

}  // namespace
}  // namespace kelvin::cli
