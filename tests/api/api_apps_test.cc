// Apps, replicas and steering by hand.
#include "model/ids.h"
#include "platform.h"

namespace kelvin::api {
namespace {

model::ReplicaView ready_replica(AppId app) {
  return {.id = model::make_replica_id(3, 17),
          .app = app,
          .app_name = "gemma",
          .workspace = "default",
          .revision = {1},
          .revision_number = 1,
          .state = model::State::Ready,
          .temperature = model::Temperature::Warm,
          .lease = {.node = {1}, .kind = "cpu", .accelerators = {0, 1}, .memory = 2_GiB},
          .slot = 2,
          .port = 40001,
          .pid = 4711,
          .created = {50'000'000'000},
          .state_since = {60'000'000'000},
          .reason = "answered /health after 9.2 s"};
}

TEST(Apps, AreListedByName) {
  Platform platform;
  expect_golden("apps_none", platform.get("/api/v1/apps").body);
  platform.deploy_app("zebra");
  platform.deploy_app("gemma", "scale: {min: 1, max: 2, concurrency: 8, urgency: batch}\n");
  expect_golden("apps", platform.get("/api/v1/apps").body);
}

TEST(Apps, AreDescribedWithRevisionsAndReplicas) {
  Platform platform;
  platform.deploy_app("gemma");
  platform.deploy_app("gemma", "env: {A: b}\n");
  const AppId app = platform.control.apps()[0].id;
  model::ReplicaView planned = ready_replica(app);
  planned.id = model::make_replica_id(3, 18);
  planned.state = model::State::Planned;
  planned.lease.accelerators = {};
  planned.slot = 0;
  planned.port = 0;
  planned.pid = 0;
  planned.reason = "";
  platform.control.set_running({ready_replica(app), planned});
  platform.control.change_app(app, [](model::AppView& view) {
    view.condition = model::Condition::Failing;
    view.reason = "3 starts failed: the program exited by itself with status 1";
    view.retry_at = Instant{130'000'000'000};
    view.replicas_live = 2;
    view.replicas_ready = 1;
    view.waiting = 5;
  });
  expect_golden("app_described", platform.get("/api/v1/apps/gemma").body);
  expect_golden("replicas", platform.get("/api/v1/replicas?app=gemma").body);
  EXPECT_EQ(platform.get("/api/v1/replicas").body, platform.get("/api/v1/replicas?app=gemma").body);
}

TEST(Apps, AreHotWhileTheyServe) {
  Platform platform;
  platform.deploy_app("gemma");
  model::ReplicaView replica = ready_replica(platform.control.apps()[0].id);
  platform.control.set_running({replica});
  EXPECT_EQ(at(platform.get("/api/v1/replicas").body, "/replicas/0/temperature"), "\"hot\"");
  replica.slot = 0;  // the double of the slot table takes it for the number in flight
  platform.control.set_running({replica});
  EXPECT_EQ(at(platform.get("/api/v1/replicas").body, "/replicas/0/temperature"), "\"warm\"");
}

TEST(Apps, ThatDoNotExistAreNamed) {
  Platform platform;
  expect_golden("app_not_found", platform.get("/api/v1/apps/nobody").body);
  for (const Question& question :
       {Question{.path = "/api/v1/apps/nobody"},
        Question{.method = "DELETE", .path = "/api/v1/apps/nobody"},
        Question{.method = "POST", .path = "/api/v1/apps/nobody/rollback", .body = "{}"},
        Question{.method = "POST", .path = "/api/v1/apps/nobody/scale", .body = R"({"min":1})"},
        Question{.method = "POST", .path = "/api/v1/apps/nobody/park", .body = "{}"},
        Question{.method = "POST", .path = "/api/v1/apps/nobody/wake", .body = "{}"},
        Question{.path = "/api/v1/apps/nobody/logs"},
        Question{.path = "/api/v1/replicas?app=nobody"},
        Question{.path = "/api/v1/decisions?app=nobody"}}) {
    const HttpReply reply = platform.ask(question);
    EXPECT_EQ(reply.status, 404) << question.path;
    EXPECT_EQ(at(reply.body, "/code"), "\"app_not_found\"") << question.path;
  }
  EXPECT_TRUE(platform.control.events.empty());
}

TEST(Apps, AreDeletedFromStoreAndControl) {
  Platform platform;
  platform.deploy_app("gemma");
  const HttpReply reply = platform.ask({.method = "DELETE", .path = "/api/v1/apps/gemma"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{\"deleted\":\"gemma\"}\n");
  EXPECT_TRUE(platform.store->revisions().value().empty());
  EXPECT_EQ(platform.control.count<model::AppDeleted>(), 1U);
}

TEST(Apps, ContentOfADeletedAppGoesOnlyWhenItsLastReplicaIsGone) {
  Platform platform({.collect_again_after = 1ms});
  platform.deploy_app("gemma");
  platform.deploy_app("other");
  const std::string kept = platform.store->revisions().value()[1].revision.folder;
  (void)platform.content.await_collection(1);
  model::ReplicaView stopping = ready_replica({1});
  stopping.state = model::State::Stopping;
  stopping.revision = platform.store->revisions().value()[0].revision.id;
  platform.control.set_running({stopping});
  const std::size_t before = platform.content.collections();
  EXPECT_EQ(platform.ask({.method = "DELETE", .path = "/api/v1/apps/gemma"}).status, 200);
  platform.control.set_running({});
  const std::vector<std::string> folders = platform.content.await_collection(before + 1);
  EXPECT_EQ(folders.back(), kept);
}

TEST(Apps, RollBackToTheRevisionBeforeOrToANamedOne) {
  Platform platform;
  platform.deploy_app("gemma");
  platform.deploy_app("gemma", "env: {A: b}\n");
  platform.deploy_app("gemma", "env: {A: c}\n");
  const auto rolled = [&](const std::string& body) {
    const HttpReply reply = platform.post("/api/v1/apps/gemma/rollback", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return at(reply.body, "/app/revision");
  };
  EXPECT_EQ(rolled("{}"), "2");
  EXPECT_EQ(rolled(R"({"to":null})"), "1");
  EXPECT_EQ(rolled(R"({"to":3})"), "3");
  EXPECT_EQ(rolled(R"({"to":3})"), "3") << "the active one is fine too";
  EXPECT_TRUE(platform.store->revisions().value()[2].is_active);
  EXPECT_EQ(platform.control.count<model::RevisionActivated>(), 4U);
}

TEST(Apps, RefuseARollbackToNothing) {
  Platform platform;
  platform.deploy_app("gemma");
  const HttpReply none = platform.post("/api/v1/apps/gemma/rollback", "{}");
  EXPECT_EQ(none.status, 409);
  expect_golden("nothing_to_roll_back_to", none.body);
  const HttpReply unknown = platform.post("/api/v1/apps/gemma/rollback", R"({"to":9})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(at(unknown.body, "/code"), "\"revision_not_found\"");
  EXPECT_EQ(platform.control.count<model::RevisionActivated>(), 0U);
}

TEST(Apps, AreScaledByHandDurably) {
  Platform platform;
  platform.deploy_app("gemma", "scale: {min: 1, max: 2}\n");
  const HttpReply reply = platform.post("/api/v1/apps/gemma/scale", R"({"min":3,"max":5})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.body, "/app/scale/min"), "3");
  EXPECT_EQ(at(reply.body, "/app/scale/max"), "5");
  EXPECT_EQ(at(platform.post("/api/v1/apps/gemma/scale", R"({"max":9})").body, "/app/scale/min"),
            "3")
      << "what is not named stays";
  EXPECT_EQ(platform.store->revisions().value()[0].revision.spec.scale.replicas_max, 9U);
}

TEST(Apps, RefuseAnImpossibleScale) {
  Platform platform;
  platform.deploy_app("gemma", "scale: {min: 1, max: 2}\n");
  for (const char* body :
       {R"({"min":3})", R"({"min":3,"max":2})", R"({"max":0})", R"({"min":-1})", R"({"max":1001})",
        R"({"min":"3"})", R"({"min":1.5})", "{}", R"({"minimum":1})", "[]", "", "nonsense"}) {
    EXPECT_EQ(platform.post("/api/v1/apps/gemma/scale", body).status, 400) << body;
  }
  EXPECT_EQ(platform.control.count<model::ScaleChanged>(), 0U);
}

TEST(Apps, HaveTheirRequestsSplitByHandDurably) {
  Platform platform;
  platform.deploy_app("gemma", "timeout: 1m\n");
  platform.deploy_app("gemma", "timeout: 2m\n");
  const std::string path = "/api/v1/apps/gemma/traffic";
  const HttpReply reply = platform.post(
      path, R"({"shares":[{"revision":1,"percent":90},{"revision":2,"percent":10}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.body, "/app/traffic"),
            R"([{"revision":1,"percent":90},{"revision":2,"percent":10}])");
  ASSERT_EQ(platform.store->traffic().value().size(), 1U);
  EXPECT_EQ(platform.store->traffic().value()[0].shares.size(), 2U);
  EXPECT_EQ(at(platform.post(path, R"({"shares":[]})").body, "/app/traffic"), "[]");
  EXPECT_TRUE(platform.store->traffic().value().empty());
}

TEST(Apps, RefuseAnImpossibleSplit) {
  Platform platform;
  platform.deploy_app("gemma", "timeout: 1m\n");
  platform.deploy_app("gemma", "timeout: 2m\n");
  const std::string path = "/api/v1/apps/gemma/traffic";
  for (const char* body :
       {R"({"shares":[{"revision":1,"percent":90}]})",
        R"({"shares":[{"revision":1,"percent":50},{"revision":1,"percent":50}]})",
        R"({"shares":[{"revision":1,"percent":0},{"revision":2,"percent":100}]})",
        R"({"shares":[{"revision":1,"percent":101}]})", R"({"shares":[{"revision":1}]})",
        R"({"shares":[{"revision":1,"percent":100,"tag":"x"}]})", R"({"shares":[7]})",
        R"({"shares":7})", "{}", "[]", "", "nonsense"}) {
    EXPECT_EQ(platform.post(path, body).status, 400) << body;
  }
  const HttpReply unknown = platform.post(path, R"({"shares":[{"revision":9,"percent":100}]})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(at(unknown.body, "/code"), "\"revision_not_found\"");
  EXPECT_EQ(platform.control.count<model::TrafficChanged>(), 0U);
}

TEST(Apps, HaveTheirRolloutSteered) {
  Platform platform;
  platform.deploy_app("gemma", "timeout: 1m\n");
  const std::string path = "/api/v1/apps/gemma/rollout";
  const HttpReply none = platform.post(path, R"({"wish":"pause"})");
  EXPECT_EQ(none.status, 409);
  EXPECT_EQ(at(none.body, "/code"), "\"no_rollout\"");
  model::RolloutView view{.from_number = 1, .to_number = 2, .percent = 5, .steps = 3};
  view.rollout.stage = model::RolloutStage::Shifting;
  view.answered = 12;
  view.failed = 1;
  platform.control.set_rollout("gemma", view);
  const HttpReply reply = platform.post(path, R"({"wish":"pause"})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.body, "/app/rollout/stage"), "\"shifting\"");
  EXPECT_EQ(at(reply.body, "/app/rollout/step"), "1");
  EXPECT_EQ(at(reply.body, "/app/rollout/answered"), "12");
  EXPECT_EQ(platform.control.count<model::RolloutAsked>(), 1U);
  for (const char* body :
       {R"({"wish":"stop"})", R"({"wish":1})", "{}", "[]", "", R"({"wish":"pause","step":1})"}) {
    EXPECT_EQ(platform.post(path, body).status, 400) << body;
  }
  view.rollout.stage = model::RolloutStage::RolledBack;
  platform.control.set_rollout("gemma", view);
  EXPECT_EQ(platform.post(path, R"({"wish":"promote"})").status, 409);
}

TEST(Apps, WithAFixedPortHaveOneReplicaAtMost) {
  Platform platform;
  platform.deploy_app("gemma", "port: 8080\nscale: {max: 1}\n");
  const HttpReply reply = platform.post("/api/v1/apps/gemma/scale", R"({"max":2})");
  EXPECT_EQ(reply.status, 400) << reply.body;
  EXPECT_EQ(platform.post("/api/v1/apps/gemma/scale", R"({"min":1,"max":1})").status, 200);
}

TEST(Apps, AreParkedAndWokenThroughControl) {
  Platform platform;
  platform.deploy_app("gemma");
  EXPECT_EQ(platform.post("/api/v1/apps/gemma/park", "{}").status, 200);
  EXPECT_EQ(platform.post("/api/v1/apps/gemma/wake", "").status, 200);
  EXPECT_EQ(platform.post("/api/v1/apps/gemma/wake", R"({"now":true})").status, 400);
  EXPECT_EQ(platform.control.count<model::ParkAsked>(), 1U);
  EXPECT_EQ(platform.control.count<model::WakeAsked>(), 1U);
}

}  // namespace
}  // namespace kelvin::api
