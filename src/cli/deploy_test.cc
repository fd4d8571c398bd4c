#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/cli_run.h"
#include "cli/golden_file.h"
#include "cli/server_double.h"
#include "os/files.h"
#include "os/hash.h"

namespace kelvin::cli {
namespace {

namespace fs = std::filesystem;

class DeployTest : public ::testing::Test {
 protected:
  const os::TempDir made_ = os::TempDir::create("kelvin-deploy").value();
  const std::string& folder_ = made_.path();

  DeployTest() {
    run_.variables = {
        {"HOME", folder_}, {"KELVIN_SERVER", server_.url()}, {"KELVIN_TOKEN", "kv_key"}};
    write("kelvin.yaml", kYaml);
    write("model.gguf", "weights");
    write("run.sh", "#!/bin/sh\n");
    fs::permissions(folder_ + "/run.sh", fs::perms::owner_all);
    server_.script("POST /api/v1/deploy", {{.body = deployed("cold", false)}});
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }

  static std::string app(const std::string& condition, const std::string& reason = "null") {
    return R"({"name":"gemma","workspace":"default","revision":3,"condition":")" + condition +
           R"(","reason":)" + reason +
           R"(,"retry_at_unix_ms":null,"replicas":{"live":1,"ready":0,"parked":0},"waiting":0,)"
           R"("scale":{"min":0,"max":4,"concurrency":4,"urgency_milli":20000},"url":"http://gemma.localhost:27315/","created_unix_ms":null})";
  }
  static std::string deployed(const std::string& condition, bool is_unchanged) {
    return R"({"app":)" + app(condition) + R"(,"is_unchanged":)" +
           (is_unchanged ? "true}" : "false}");
  }
  static ScriptedAnswer described(const std::string& condition, int revision,
                                  const std::string& state, const std::string& reason) {
    return {.body = R"({"app":)" +
                    app(condition, condition == "failing" ? "\"" + reason + "\"" : "null") +
                    R"(,"revisions":[],"replicas":[{"id":"r1-1","app":"gemma","revision":)" +
                    std::to_string(revision) + R"(,"state":")" + state + R"(","reason":")" +
                    reason + R"(","created_unix_ms":1}]})"};
  }
  static ScriptedAnswer missing(const std::vector<std::string>& hashes) {
    std::string list;
    for (const std::string& hash : hashes) list += (list.empty() ? "\"" : ",\"") + hash + "\"";
    return {
        .status = 409,
        .body =
            R"({"title":"Conflict","status":409,"code":"content_missing","detail":"It is not here.","next":"Upload it.","complaints":null,"missing":[)" +
            list + "]}",
        .type = "application/problem+json"};
  }
  std::string told(const std::string& words) {
    std::string text = transcript(run_, words);
    for (std::size_t at = text.find(folder_); at != std::string::npos; at = text.find(folder_))
      text.replace(at, folder_.size(), "FOLDER");
    return text;
  }

  static constexpr const char* kYaml =
      "name: gemma\ncommand: [./run.sh, \"{model}\"]\nmodel: ./model.gguf\n";
  ServerDouble server_;
  CliRun run_;
};

TEST_F(DeployTest, SendsOnlyWhatTheServerLacks) {
  const std::string model = os::sha256_hex("weights");
  const std::string script = os::sha256_hex("#!/bin/sh\n");
  server_.script("POST /api/v1/deploy",
                 {missing({model, script}), {.body = deployed("cold", false)}});
  server_.script("PUT /api/v1/content/" + model, {{.status = 201, .body = "{}"}});
  server_.script("PUT /api/v1/content/" + script, {{.status = 201, .body = "{}"}});
  run_.run("deploy " + folder_ + "/kelvin.yaml");
  ASSERT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(run_.out, "gemma@3  http://gemma.localhost:27315/\n");
  EXPECT_EQ(run_.err, "Its first request starts it: kelvin call gemma\n");
  const std::vector<Asked> asked = server_.asked();
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_EQ(asked[1].body, "weights");
  EXPECT_NE(asked[1].head.find("Content-Type: application/octet-stream"), std::string::npos);
  EXPECT_NE(asked[1].head.find("Content-Length: 7"), std::string::npos);
  EXPECT_EQ(asked[2].body, "#!/bin/sh\n");
  EXPECT_EQ(asked[3].body, asked[0].body) << "the same offer, once everything is there";
}

TEST_F(DeployTest, OffersTheFileItsFolderAndItsModel) {
  run_.run("deploy " + folder_);
  ASSERT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  const std::string yaml = os::sha256_hex(kYaml);
  const std::string expected =
      R"({"file":"name: gemma\ncommand: [./run.sh, \"{model}\"]\nmodel: ./model.gguf\n","file_name":"kelvin.yaml","folder":[)"
      R"({"path":"kelvin.yaml","is_executable":false,"sha256":")" +
      yaml + R"(","bytes":)" + std::to_string(std::string(kYaml).size()) +
      R"(},{"path":"run.sh","is_executable":true,"sha256":")" + os::sha256_hex("#!/bin/sh\n") +
      R"(","bytes":10}],"model_name":"model.gguf","model_is_folder":false,"model":[{"path":"","is_executable":false,"sha256":")" +
      os::sha256_hex("weights") + R"(","bytes":7}]})";
  EXPECT_EQ(server_.asked().front().body, expected);
}

TEST_F(DeployTest, GivesUpWhereContentKeepsMissing) {
  const std::string model = os::sha256_hex("weights");
  server_.script("POST /api/v1/deploy", {missing({model})});
  server_.script("PUT /api/v1/content/" + model, {{.body = "{}"}});
  run_.run("deploy " + folder_);
  EXPECT_EQ(run_.exit, ExitCode::Conflict);
  EXPECT_EQ(server_.asked().size(), 5u) << "three offers, two uploads";
}

TEST_F(DeployTest, RefusesToSendWhatItDoesNotHave) {
  server_.script("POST /api/v1/deploy", {missing({std::string(64, 'a')})});
  run_.run("deploy " + folder_);
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_NE(run_.err.find("which is not part of the app"), std::string::npos) << run_.err;
}

TEST_F(DeployTest, ListsFaultsLikeACompilerBeforeAnythingIsSent) {
  write("kelvin.yaml", "name: Gemma\ncomand: [x]\nmodel: ./nope.gguf\nscale: {min: 5, max: abc}\n");
  std::string text = told("deploy " + folder_) + told("deploy " + folder_ + " --json");
  write("kelvin.yaml", "name: gemma\ncommand: [x]\nmodel: ./nope.gguf\n");
  text += told("deploy " + folder_);
  text += told("deploy " + folder_ + "/nothere.yaml");
  EXPECT_TRUE(server_.asked().empty());
  expect_golden("deploy_faults.txt", text);
}

TEST_F(DeployTest, ListsTheServersFaultsTheSameWay) {
  server_.script(
      "POST /api/v1/deploy",
      {{.status = 422,
        .body =
            R"({"title":"Unprocessable Content","status":422,"code":"app_file_invalid","detail":"The app file has mistakes.","next":"Correct the file and deploy again; nothing has changed.",)"
            R"("complaints":[{"file":"kelvin.yaml","line":2,"column":11,"found":"./run.sh","expected":"a program","message":"command not found: './run.sh'"}]})",
        .type = "application/problem+json"}});
  expect_golden("deploy_server_faults.txt",
                told("deploy " + folder_) + told("deploy " + folder_ + " --json"));
}

TEST_F(DeployTest, SaysWhenNothingHasChanged) {
  server_.script("POST /api/v1/deploy", {{.body = deployed("ready", true)}});
  run_.run("deploy " + folder_);
  EXPECT_NE(run_.err.find("Nothing has changed"), std::string::npos) << run_.err;
  run_.run("deploy " + folder_ + " --json");
  EXPECT_EQ(run_.out, deployed("ready", true) + "\n");
  EXPECT_EQ(run_.err, "");
}

TEST_F(DeployTest, WaitsForAReplicaOfTheRevisionItMade) {
  server_.script("POST /api/v1/apps/gemma/wake", {{.body = R"({"app":)" + app("starting") + "}"}});
  server_.script("GET /api/v1/apps/gemma",
                 {described("ready", 2, "ready", "of the revision before"),
                  described("ready", 3, "starting", "a request waits"),
                  described("ready", 3, "loading", "memory grew to 212 MiB"),
                  described("ready", 3, "ready", "the port accepts")});
  run_.run("deploy " + folder_ + " --wait");
  EXPECT_EQ(run_.exit, ExitCode::Ok);
  EXPECT_EQ(run_.err,
            "gemma: waiting for a start\n"
            "gemma: r1-1 starting, a request waits\n"
            "gemma: r1-1 loading, memory grew to 212 MiB\n"
            "gemma was ready after 600.0 ms\n");
  EXPECT_EQ(run_.out, "gemma@3  http://gemma.localhost:27315/\n");
}

TEST_F(DeployTest, WaitingEndsWithTheReasonOfAFailure) {
  server_.script("POST /api/v1/apps/gemma/wake", {{.body = R"({"app":)" + app("starting") + "}"}});
  server_.script("GET /api/v1/apps/gemma",
                 {described("starting", 3, "starting", "x"),
                  described("failing", 3, "gone", "the program exited by itself with status 1")});
  run_.run("deploy " + folder_ + " --wait");
  EXPECT_EQ(run_.exit, ExitCode::Failed);
  EXPECT_EQ(run_.out, "");
  EXPECT_EQ(run_.err,
            "gemma: r1-1 starting, x\n"
            "kelvin: gemma cannot start: the program exited by itself with status 1.\n"
            "Next: read what it printed with: kelvin logs gemma --system\n");
}

TEST_F(DeployTest, WaitingEndsAtItsTimeout) {
  server_.script("POST /api/v1/apps/gemma/wake", {{.body = R"({"app":)" + app("starting") + "}"}});
  server_.script("GET /api/v1/apps/gemma", {described("starting", 3, "loading", "compiling")});
  run_.run("deploy " + folder_ + " --wait --timeout 5s");
  EXPECT_EQ(run_.exit, ExitCode::TimedOut);
  EXPECT_NE(run_.err.find("gemma was not ready within 5s: r1-1 loading, compiling."),
            std::string::npos)
      << run_.err;
  EXPECT_EQ(server_.asked().size(), 28u) << "an offer, a wake, and one look every 200 ms";
}

}  // namespace
}  // namespace kelvin::cli
