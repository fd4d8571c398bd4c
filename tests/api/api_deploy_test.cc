// Deploying, and the content that comes with it.
#include "platform.h"

namespace kelvin::api {
namespace {

constexpr const char* kDeploy = "/api/v1/deploy";

TEST(Deploy, StoresARevisionAndTellsControl) {
  Platform platform;
  const HttpReply reply = platform.post(
      kDeploy, platform.deploy_body("name: gemma\ncommand: [serve, --port, '{port}']\n"));
  EXPECT_EQ(reply.status, 200);
  expect_golden("deployed", reply.body);
  const auto stored = platform.store->revisions().value();
  ASSERT_EQ(stored.size(), 1U);
  const model::Revision& revision = stored[0].revision;
  EXPECT_TRUE(stored[0].is_active);
  EXPECT_EQ(revision.program, "/usr/bin/serve");
  EXPECT_TRUE(revision.folder.starts_with("/data/trees/")) << revision.folder;
  EXPECT_EQ(revision.created_unix_ms, kBootUnixMs + 100'000);
  EXPECT_EQ(platform.control.count<model::RevisionDeployed>(), 1U);
}

TEST(Deploy, ANewRevisionComesWithEveryChangeOfFileOrContent) {
  Platform platform;
  const std::string file = "name: gemma\ncommand: [serve]\n";
  const auto deployed = [&](const std::string& text, const std::string& script) {
    const HttpReply reply = platform.post(kDeploy, platform.deploy_body(text, script));
    return at(reply.body, "/app/revision") + " " + at(reply.body, "/is_unchanged");
  };
  EXPECT_EQ(deployed(file, "echo"), "1 false");
  EXPECT_EQ(deployed(file, "echo 2"), "2 false");
  EXPECT_EQ(deployed(file + "memory: 1GiB\n", "echo 2"), "3 false");
}

TEST(Deploy, AnUnchangedAppGetsNoRevisionButIsTriedAfresh) {
  Platform platform;
  platform.deploy_app("gemma");
  const HttpReply again =
      platform.post(kDeploy, platform.deploy_body("name: gemma\ncommand: [serve]\n"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(at(again.body, "/is_unchanged"), "true");
  EXPECT_EQ(at(again.body, "/app/revision"), "1");
  EXPECT_EQ(platform.store->revisions().value().size(), 1U);
  EXPECT_EQ(platform.control.count<model::RevisionDeployed>(), 2U) << "a failing app heals";
}

TEST(Deploy, PutsTheFilesScaleBackInPlaceOfOneSetByHand) {
  Platform platform;
  platform.deploy_app("gemma");
  EXPECT_EQ(platform.post("/api/v1/apps/gemma/scale", R"({"max":9})").status, 200);
  const HttpReply again =
      platform.post(kDeploy, platform.deploy_body("name: gemma\ncommand: [serve]\n"));
  EXPECT_EQ(at(again.body, "/is_unchanged"), "false");
  EXPECT_EQ(at(again.body, "/app/scale/max"), "4");
}

TEST(Deploy, RefusesATimeZoneThatTheServerDoesNotKnow) {
  Platform platform;
  const HttpReply reply = platform.post(
      kDeploy, platform.deploy_body("name: gemma\ncommand: [serve]\nscale:\n  schedule:\n"
                                    "    - {cron: '0 8 * * *', for: 1h, zone: Mars/Olympus}\n"));
  EXPECT_EQ(reply.status, 422) << reply.body;
  EXPECT_EQ(at(reply.body, "/code"), "\"zone_not_found\"");
  EXPECT_EQ(at(reply.body, "/complaints/0/line"), "5");
  EXPECT_TRUE(platform.store->revisions().value().empty());
}

TEST(Deploy, SaysAllMistakesOfTheAppFileAtOnce) {
  Platform platform;
  const HttpReply reply = platform.post(
      kDeploy, platform.deploy_body("name: Gemma\ncomand: [serve]\nscale: {min: many}\n"));
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(reply.fields.at("content-type"), "application/problem+json");
  expect_golden("app_file_invalid", reply.body);
  EXPECT_TRUE(platform.store->revisions().value().empty());
}

TEST(Deploy, NamesAllContentThatIsMissing) {
  Platform platform;
  std::string body = platform.deploy_body("name: gemma\ncommand: [serve]\n");
  platform.content.stored.clear();
  const HttpReply reply = platform.post(kDeploy, body);
  EXPECT_EQ(reply.status, 409);
  expect_golden("content_missing", reply.body);
}

TEST(Deploy, SaysWhereTheCommandWasLookedFor) {
  Platform platform;
  const HttpReply reply =
      platform.post(kDeploy, platform.deploy_body("name: gemma\ncommand: [lama-server, -m]\n"));
  EXPECT_EQ(reply.status, 422);
  expect_golden("command_not_found", reply.body);
  EXPECT_TRUE(platform.store->revisions().value().empty());
}

TEST(Deploy, TakesAModelAsAFileOrAFolder) {
  Platform platform;
  const std::string sha256 = os::sha256_hex("weights");
  platform.content.stored[sha256] = "weights";
  const std::string file =
      R"("file":"name: gemma\ncommand: [serve, '{model}']\nmodel: ./m.gguf\n","file_name":"k.yaml")";
  const std::string entry = R"("sha256":")" + sha256 + R"(","bytes":7})";
  const HttpReply one = platform.post(
      kDeploy, "{" + file + R"(,"model_name":"m.gguf","model":[{"path":"",)" + entry + "]}");
  EXPECT_EQ(one.status, 200) << one.body;
  EXPECT_TRUE(
      platform.store->revisions().value()[0].revision.model_path.ends_with("/model/m.gguf"));
  const HttpReply many =
      platform.post(kDeploy, "{" + file +
                                 R"(,"model_name":"m","model_is_folder":true,"model":[)"
                                 R"({"path":"a/x",)" +
                                 entry + R"(,{"path":"a/y",)" + entry + "]}");
  EXPECT_EQ(many.status, 200) << many.body;
}

TEST(Deploy, SaysThatTheModelDidNotCome) {
  Platform platform;
  const HttpReply reply = platform.post(
      kDeploy, platform.deploy_body("name: gemma\ncommand: [serve]\nmodel: ./m.gguf\n"));
  EXPECT_EQ(reply.status, 422);
  expect_golden("model_missing", reply.body);
}

TEST(Deploy, RefusesBodiesThatAreNotAsDescribed) {
  Platform platform;
  const std::string hash(64, 'a');
  const auto with_file = [&](const std::string& entry) {
    return R"({"file":"name: a\ncommand: [serve]\n","file_name":"k","folder":[)" + entry + "]}";
  };
  const auto entry = [&](const std::string& path) {
    return R"({"path":")" + path + R"(","sha256":")" + hash + R"(","bytes":1})";
  };
  const std::vector<std::string> bodies = {
      "",
      "{",
      "[]",
      "{}",
      R"({"file":1,"file_name":"k"})",
      R"({"file":"x","file_name":"k","extra":1})",
      R"({"file":"x","file_name":"k","folder":{}})",
      R"({"file":"x","file_name":"k","folder":[1]})",
      R"({"file":"x","file_name":"k","model":[{"path":"","sha256":")" + hash + R"(","bytes":1}]})",
      R"({"file":"x","file_name":"k","model_name":"a/b"})",
      R"({"file":"x","file_name":"k","model_name":"m","model":[]})",
      R"({"file":"x","file_name":"k","model_is_folder":"yes"})",
      with_file(entry("../up")),
      with_file(entry("/abs")),
      with_file(entry("a//b")),
      with_file(entry("./a")),
      with_file(entry("")),
      with_file(entry("a\\u0000b")),
      with_file(entry("a") + "," + entry("a")),
      with_file(R"({"path":"a","sha256":"abc","bytes":1})"),
      with_file(R"({"path":"a","sha256":")" + hash + R"(","bytes":-1})"),
      with_file(R"({"path":"a","sha256":")" + hash + R"("})"),
  };
  for (const std::string& body : bodies) {
    const HttpReply reply = platform.post(kDeploy, body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(at(reply.body, "/code"), "\"invalid_request\"") << body;
  }
  EXPECT_TRUE(platform.control.events.empty());
}

TEST(Deploy, RefusesABodyBeyondItsLimit) {
  Platform platform({.deploy_max = {1000}});
  const HttpReply reply = platform.post(kDeploy, platform.deploy_body(std::string(2000, '#')));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(at(reply.body, "/code"), "\"body_too_long\"");
}

TEST(Deploy, CollectsContentAfterwards) {
  Platform platform;
  platform.deploy_app("gemma");
  EXPECT_GE(platform.content.await_collection(1).size(), 0U);
  EXPECT_GE(platform.content.collections(), 1U);
}

Question put(const std::string& sha256, const std::string& text) {
  return {.method = "PUT",
          .path = "/api/v1/content/" + sha256,
          .body = text,
          .content_type = "application/octet-stream"};
}

TEST(Content, IsStoredUnderItsHashOnce) {
  Platform platform;
  const std::string text(300'000, 'w');
  const std::string sha256 = os::sha256_hex(text);
  const HttpReply first = platform.ask(put(sha256, text));
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.body, "{\"sha256\":\"" + sha256 + "\",\"bytes\":300000}\n");
  EXPECT_EQ(platform.content.stored[sha256], text);
  EXPECT_EQ(platform.ask(put(sha256, text)).status, 200) << "already there";
  EXPECT_EQ(platform.ask(put(os::sha256_hex(""), "")).status, 201)
      << "an empty file is content too";
}

TEST(Content, IsAskedForBeforeItIsSent) {
  Platform platform;
  Question question = put(os::sha256_hex("weights"), "weights");
  question.extra_fields = "Expect: 100-continue\r\n";
  const std::string text = platform.text_of(question);
  Client client = platform.connect(text.substr(0, text.size() - 7));
  ASSERT_TRUE(client.await("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("weights");
  EXPECT_EQ(client.reply().status, 201);
}

TEST(Content, MustBeWhatItsNameSays) {
  Platform platform;
  const HttpReply reply = platform.ask(put(os::sha256_hex("weights"), "waights"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(at(reply.body, "/code"), "\"content_differs\"");
  EXPECT_TRUE(platform.content.stored.empty());
}

TEST(Content, IsRefusedByNameHashLengthTypeAndSize) {
  Platform platform({.content_max = {10}});
  const std::string sha256 = os::sha256_hex("weights");
  EXPECT_EQ(platform.ask(put("ABC", "x")).status, 400);
  EXPECT_EQ(platform.ask(put(sha256, std::string(11, 'x'))).status, 413);
  Question typed = put(sha256, "weights");
  typed.content_type = "application/json";
  EXPECT_EQ(platform.ask(typed).status, 415);
  Question chunked = put(sha256, "7\r\nweights\r\n0\r\n\r\n");
  chunked.extra_fields = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(platform.ask(chunked).status, 411);
}

TEST(Content, SaysThatTheDiskIsFull) {
  Platform platform;
  platform.content.is_disk_full = true;
  const HttpReply reply = platform.ask(put(os::sha256_hex("weights"), "weights"));
  EXPECT_EQ(reply.status, 507);
  expect_golden("out_of_space", reply.body);
}

TEST(Content, ThatBreaksOffIsNotStored) {
  Platform platform;
  const std::string text = platform.text_of(put(os::sha256_hex("weights"), "weights"));
  Client client = platform.connect(text.substr(0, text.size() - 3));
  client.close();
  EXPECT_EQ(platform.get("/healthz").status, 200);
  EXPECT_TRUE(platform.content.stored.empty());
}

}  // namespace
}  // namespace kelvin::api
