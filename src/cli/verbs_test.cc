// Every verb against the server double, held by golden files: tables, narrow and coloured terminals, JSON, refusals.
#include <gtest/gtest.h>

#include <fstream>

#include "cli/cli_run.h"
#include "cli/golden_file.h"
#include "cli/server_double.h"
#include "os/files.h"

namespace kelvin::cli {
namespace {

// As the API writes them; ages count back from kTestUnixMs.
constexpr const char* kGemma =
    R"({"name":"gemma","workspace":"default","revision":3,"condition":"ready","reason":null,"retry_at_unix_ms":null,)"
    R"("replicas":{"live":2,"ready":1,"parked":1},"waiting":0,"scale":{"min":0,"max":4,"concurrency":4,"urgency_milli":20000},)"
    R"("url":"http://gemma.localhost:27315/","created_unix_ms":1769849280000})";
constexpr const char* kWhisper =
    R"({"name":"whisper","workspace":"default","revision":1,"condition":"failing",)"
    R"("reason":"the program exited by itself with status 1: bind: address already in use","retry_at_unix_ms":1769860842000,)"
    R"("replicas":{"live":0,"ready":0,"parked":0},"waiting":3,"scale":{"min":1,"max":1,"concurrency":1,"urgency_milli":1500},)"
    R"("url":"http://whisper.localhost:27315/","created_unix_ms":1769860790000})";
constexpr const char* kTiny =
    R"({"name":"tiny","workspace":"default","revision":12,"condition":"cold","reason":null,"retry_at_unix_ms":null,)"
    R"("replicas":{"live":0,"ready":0,"parked":0},"waiting":0,"scale":{"min":0,"max":4,"concurrency":4,"urgency_milli":1000},)"
    R"("url":"http://tiny.localhost:27315/","created_unix_ms":null})";
constexpr const char* kDiffusion =
    R"({"name":"sd-turbo","workspace":"default","revision":2,"condition":"starting","reason":null,"retry_at_unix_ms":null,)"
    R"("replicas":{"live":2,"ready":0,"parked":0},"waiting":17,"scale":{"min":0,"max":2,"concurrency":1,"urgency_milli":100000},)"
    R"("url":"http://sd-turbo.localhost:27315/","created_unix_ms":1769601600000})";
constexpr const char* kReplicas =
    R"({"id":"r3-17","app":"gemma","revision":3,"state":"ready","temperature":"hot","node":"box",)"
    R"("accelerators":[{"kind":"h100","index":0},{"kind":"h100","index":1}],"memory_claim_bytes":2147483648,)"
    R"("memory_bytes":671088640,"pid":4017,"port":40017,"in_flight":2,"created_unix_ms":1769860080000,)"
    R"("state_since_unix_ms":1769860720000,"reason":"a request waits and no replica is ready","is_adopted":false},)"
    R"({"id":"r2-4","app":"gemma","revision":2,"state":"parked","temperature":"parked","node":"box","accelerators":[],)"
    R"("memory_claim_bytes":2147483648,"memory_bytes":650117120,"pid":4004,"port":40004,"in_flight":0,)"
    R"("created_unix_ms":1769853500000,"state_since_unix_ms":1769859980000,)"
    R"("reason":"idle for 4.1 s: holding it warm has cost as much as waking it","is_adopted":true},)"
    R"({"id":"r3-19","app":"sd-turbo","revision":2,"state":"loading","temperature":"cold","node":"box",)"
    R"("accelerators":[{"kind":"cpu","index":3}],"memory_claim_bytes":0,"memory_bytes":null,"pid":4019,"port":40019,)"
    R"("in_flight":0,"created_unix_ms":1769860797000,"state_since_unix_ms":1769860799000,"reason":null,"is_adopted":false})";
constexpr const char* kRevisions =
    R"({"number":2,"is_active":false,"command":["llama-server","-m","{model}","--port","{port}"],"model":"./gemma.gguf",)"
    R"("created_unix_ms":1768996800000},{"number":3,"is_active":true,)"
    R"("command":["sh","-c","exec llama-server -m {model} --port {port}"],"model":null,"created_unix_ms":1769849280000})";
constexpr const char* kDecisions =
    R"({"at_unix_ms":1769860710968,"app":"gemma","replica":null,"request":"q3-1-902","verb":"queue",)"
    R"("sentence":"no replica of gemma is ready: the request waits, 1 of at most 1000"},)"
    R"({"at_unix_ms":1769860710978,"app":"gemma","replica":"r3-17","request":"q3-1-902","verb":"start",)"
    R"("sentence":"started on box with h100:0,1: 1 request waits, 0 replicas are ready and at most 4 may be; box has room: 2 of 8 h100 and 14.0 GiB of memory are free"},)"
    R"({"at_unix_ms":1769860796000,"app":"gemma","replica":null,"request":null,"verb":"scale","sentence":"0 to 4 replicas"})";
constexpr const char* kUsage =
    R"({"from_unix_ms":0,"to_unix_ms":1769860800000,"sums":[)"
    R"({"app":"gemma","kind":"h100","phase":"load","total_ms":4021,"billable_ms":4021,"rows":2},)"
    R"({"app":"gemma","kind":"h100","phase":"busy","total_ms":12345,"billable_ms":12345,"rows":9},)"
    R"({"app":"gemma","kind":"h100","phase":"idle","total_ms":61000,"billable_ms":61000,"rows":9},)"
    R"({"app":"gemma","kind":"h100","phase":"parked","total_ms":3600000,"billable_ms":3600000,"rows":360},)"
    R"({"app":"whisper","kind":"cpu","phase":"load","total_ms":90000,"billable_ms":0,"rows":9}]})";
constexpr const char* kBill =
    R"({"plan":"active","currency":"USD","from_unix_ms":0,"to_unix_ms":1769860800000,"lines":[)"
    R"({"app":"gemma","kind":"h100","busy_ms":12345,"rate_nano_per_ms":1097,"amount_nano":13542465},)"
    R"({"app":"tiny","kind":"cpu","busy_ms":857,"rate_nano_per_ms":14,"amount_nano":11998}],"total_nano":13554463})";
constexpr const char* kStatus =
    R"({"version":"0.1.0","epoch":3,"pid":4242,"listen":"127.0.0.1:27315","data":"/var/lib/kelvin","uptime_ms":11520000,)"
    R"("nodes":[{"name":"box","is_up":true,"memory_bytes":34359738368,"accelerators":[{"kind":"cpu","count":4,"in_use":1},)"
    R"({"kind":"h100","count":8,"in_use":2}]},{"name":"old","is_up":false,"memory_bytes":0,"accelerators":[]}]})";
constexpr const char* kKeys =
    R"({"keys":[{"name":"ci","prefix":"4Fq9xZ2b","scopes":["invoke"],"workspace":"default","created_unix_ms":1769601600000},)"
    R"({"name":"ops","prefix":"b-_7Kq01","scopes":["invoke","admin"],"weight":4,"workspace":"default","created_unix_ms":1769860799000}]})";

std::string object(const std::string& name, const std::string& value) {
  return "{\"" + name + "\":" + value + "}";
}
std::string list(const std::string& name, const std::string& values) {
  return object(name, "[" + values + "]");
}

// As the API says no.
struct Problem {
  int status = 0;
  std::string code;
  std::string title;
  std::string detail;
  std::string next;
};

ScriptedAnswer refusal(const Problem& problem) {
  const auto& [status, code, title, detail, next] = problem;
  return {.status = status,
          .body = R"({"type":"about:blank","title":")" + title + R"(","status":)" +
                  std::to_string(status) + R"(,"code":")" + code + R"(","detail":")" + detail +
                  R"(","next":")" + next + R"(","complaints":null})",
          .type = "application/problem+json",
          .headers = {"Kelvin-Request-Id: q3-1-9"}};
}

class VerbsTest : public ::testing::Test {
 protected:
  const os::TempDir made_ = os::TempDir::create("kelvin-verbs").value();
  const std::string& folder_ = made_.path();

  VerbsTest() {
    run_.variables = {{"HOME", folder_},
                      {"KELVIN_SERVER", server_.url()},
                      {"KELVIN_TOKEN", "kv_12345678_secret"}};
    script_readers();
    script_writers();
  }

  void script_readers() {
    using std::string;
    server_.script("GET /api/v1/status", {{.body = kStatus}});
    server_.script(
        "GET /api/v1/apps",
        {{.body = list("apps", string(kGemma) + "," + kWhisper + "," + kTiny + "," + kDiffusion)}});
    server_.script("GET /api/v1/apps/gemma",
                   {{.body = R"({"app":)" + string(kGemma) + R"(,"revisions":[)" + kRevisions +
                             R"(],"replicas":[)" + kReplicas + "]}"}});
    server_.script("GET /api/v1/apps/whisper", {{.body = R"({"app":)" + string(kWhisper) +
                                                         R"(,"revisions":[],"replicas":[]})"}});
    server_.script("GET /api/v1/apps/nope",
                   {refusal({404, "app_not_found", "Not Found",
                             "There is no app named \\\"nope\\\" in workspace default.",
                             "List apps with: kelvin apps."})});
    server_.script("GET /api/v1/replicas", {{.body = list("replicas", kReplicas)}});
    server_.script("GET /api/v1/replicas?app=tiny", {{.body = list("replicas", "")}});
    server_.script("GET /api/v1/decisions?app=gemma", {{.body = list("decisions", kDecisions)}});
    server_.script("GET /api/v1/decisions?app=whisper", {{.body = list("decisions", "")}});
    server_.script("GET /api/v1/decisions?request=q3-1-902&most=5",
                   {{.body = list("decisions", kDecisions)}});
    server_.script("GET /api/v1/decisions?replica=r9-9", {{.body = list("decisions", "")}});
    server_.script("GET /api/v1/decisions?request=q9-0-9", {{.body = list("decisions", "")}});
    server_.script("GET /api/v1/usage", {{.body = kUsage}});
    server_.script(
        "GET /api/v1/usage?app=tiny&from_unix_ms=1769774400000",
        {{.body = R"({"from_unix_ms":1769774400000,"to_unix_ms":1769860800000,"sums":[]})"}});
    server_.script("GET /api/v1/bill", {{.body = kBill}});
    server_.script("GET /api/v1/keys", {{.body = kKeys}});
  }

  void script_writers() {
    const std::string app = object("app", kGemma);
    server_.script("POST /api/v1/apps/gemma/park", {{.body = app}});
    server_.script("POST /api/v1/apps/gemma/wake", {{.body = app}});
    server_.script("POST /api/v1/apps/gemma/scale", {{.body = app}});
    server_.script("POST /api/v1/apps/gemma/rollback", {{.body = app}});
    server_.script("DELETE /api/v1/apps/gemma", {{.body = R"({"deleted":"gemma"})"}});
    server_.script(
        "POST /api/v1/keys",
        {{.status = 201,
          .body =
              R"({"key":{"name":"ci","prefix":"4Fq9xZ2b","scopes":["invoke"],"workspace":"default","created_unix_ms":1769860800000},"secret":"kv_4Fq9xZ2b_0123456789012345678901234567890123456789012"})"}});
    server_.script("DELETE /api/v1/keys/4Fq9xZ2b", {{.body = R"({"deleted":"4Fq9xZ2b"})"}});
  }

  // The transcript with what differs from run to run replaced.
  std::string told(const std::string& words) {
    std::string text = transcript(run_, words);
    replace(text, std::to_string(server_.port()), "PORT");
    replace(text, folder_, "FOLDER");
    return text;
  }
  static void replace(std::string& text, const std::string& what, const std::string& by) {
    for (std::size_t at = text.find(what); at != std::string::npos;
         at = text.find(what, at + by.size())) {
      text.replace(at, what.size(), by);
    }
  }
  void on_terminal(int columns, bool has_colour) {
    run_.out_terminal = {.is_terminal = true,
                         .columns = columns,
                         .rows = 40,
                         .has_colour = has_colour,
                         .has_unicode = true};
    run_.err_terminal = run_.out_terminal;
  }

  ServerDouble server_;
  CliRun run_;
};

TEST_F(VerbsTest, Apps) {
  std::string text = told("apps") + told("apps --names") + told("apps --json");
  on_terminal(110, true);
  text += told("apps");
  on_terminal(60, false);
  text += told("apps");
  server_.script("GET /api/v1/apps", {{.body = list("apps", "")}});
  expect_golden("apps.txt", text + told("apps"));
}

TEST_F(VerbsTest, Describe) {
  std::string text = told("describe gemma") + told("describe whisper") +
                     told("describe gemma --json") + told("describe nope");
  on_terminal(80, true);
  expect_golden("describe.txt", text + told("describe gemma") + told("describe gemma --json"));
}

TEST_F(VerbsTest, Ps) {
  std::string text = told("ps") + told("ps tiny") + told("ps --json");
  on_terminal(80, false);
  text += told("ps");
  on_terminal(140, true);
  expect_golden("ps.txt", text + told("ps"));
}

TEST_F(VerbsTest, PsWatch) {
  server_.script("GET /api/v1/replicas",
                 {{.body = list("replicas", kReplicas)}, {.body = list("replicas", "")}});
  run_.pauses_max = 2;
  std::string text = told("ps --watch");
  server_.script("GET /api/v1/replicas",
                 {{.body = list("replicas", kReplicas)}, {.body = list("replicas", "")}});
  text += told("ps --watch --json");
  server_.script("GET /api/v1/replicas",
                 {{.body = list("replicas", kReplicas)}, {.body = list("replicas", "")}});
  on_terminal(80, false);
  run_.out_terminal.rows = 5;
  expect_golden("ps_watch.txt", text + told("ps --watch"));
}

TEST_F(VerbsTest, Explain) {
  std::string text = told("explain gemma") + told("explain whisper") +
                     told("explain q3-1-902 --most 5") + told("explain gemma --json") +
                     told("explain r9-9") + told("explain q9-0-9");
  on_terminal(80, true);
  expect_golden("explain.txt", text + told("explain gemma"));
}

TEST_F(VerbsTest, Steering) {
  std::string text;
  for (const char* words :
       {"park gemma", "park gemma --json", "wake gemma", "wake gemma --json", "wake gemma --wait",
        "scale gemma --min 1 --max 3", "scale gemma --max 8", "scale gemma --min 9",
        "scale gemma --min 1 --json", "rollback gemma", "rollback gemma --to 2 --json",
        "delete gemma --yes", "delete gemma --yes --json"}) {
    text += told(words);
  }
  expect_golden("steering.txt", text);
}

// An app whose requests are split, and one of which waits.
constexpr const char* kSplit =
    R"({"app":{"name":"gemma","workspace":"default","revision":4,"condition":"starting","reason":null,"retry_at_unix_ms":null,)"
    R"("replicas":{"live":1,"ready":0,"parked":0},"waiting":12,"waiting_low":7,"waiting_keys":3,)"
    R"x("waits_for":"replica r3-17 is loading (memory grew to 212 MiB)",)x"
    R"("traffic":[{"revision":3,"percent":90},{"revision":4,"percent":10}],)"
    R"("scale":{"min":0,"max":4,"concurrency":4,"urgency_milli":20000},"url":"http://gemma.localhost:27315/","created_unix_ms":null}})";
constexpr const char* kWaiting =
    R"({"waiting":{"id":"q3-1-902","app":"gemma","priority":"low","place":3,"waiting":12,)"
    R"x("waits_for":"replica r3-17 is loading (memory grew to 212 MiB)",)x"
    R"("arrived_unix_ms":1769860796000,"deadline_unix_ms":1769861396000},"decisions":[]})";

TEST_F(VerbsTest, ExplainSaysThePlaceInTheQueue) {
  server_.script("GET /api/v1/apps/gemma", {{.body = kSplit}});
  server_.script("GET /api/v1/decisions?request=q3-1-902", {{.body = kWaiting}});
  std::string text = told("explain gemma") + told("explain q3-1-902");
  on_terminal(60, true);
  expect_golden("waiting.txt", text + told("explain gemma") + told("explain q3-1-902"));
}

TEST_F(VerbsTest, Traffic) {
  server_.script("POST /api/v1/apps/gemma/traffic", {{.body = kSplit}});
  std::string text = told("traffic gemma") + told("traffic gemma 3=90 4=10");
  EXPECT_EQ(server_.asked().back().body,
            R"({"shares":[{"revision":3,"percent":90},{"revision":4,"percent":10}]})");
  text += told("traffic gemma 3=90 4=10 --json") + told("traffic gemma --latest");
  EXPECT_EQ(server_.asked().back().body, R"({"shares":[]})");
  for (const char* words : {"traffic gemma 3=90", "traffic gemma 3=0 4=100", "traffic gemma 3",
                            "traffic gemma 3=100 --latest", "traffic gemma 3=4294967297"}) {
    text += told(words);
  }
  server_.script("GET /api/v1/apps/gemma", {{.body = kSplit}});
  expect_golden("traffic.txt", text + told("traffic gemma") + told("describe gemma"));
}

// An app with a schedule whose newest revision takes over by steps.
constexpr const char* kRollingOut =
    R"({"app":{"name":"gemma","workspace":"default","revision":4,"condition":"ready","reason":null,"retry_at_unix_ms":null,)"
    R"x("replicas":{"live":2,"ready":2,"parked":0},"keeps":"min is 0; 1.2 requests in flight on average, when last measured, called for 1 replica of revision 3",)x"
    R"("waiting":0,"traffic":[{"revision":3,"percent":95},{"revision":4,"percent":5}],)"
    R"("rollout":{"stage":"STAGE","from":3,"to":4,"percent":5,"step":1,"steps":3,"step_since_unix_ms":1769860760000,)"
    R"x("answered":12,"failed":0,"old_answered":230,"old_failed":1,"why":"0 of 12 (0 %) of its replies failed"},)x"
    R"x("scale":{"min":0,"max":4,"concurrency":4,"urgency_milli":20000,"schedule":{"rules":[],"min":0,)x"
    R"x("words":"none until Mon 2026-02-02 08:00 CET, then 2 replicas by `0 8 * * 1-5` for 10h, Europe/Berlin",)x"
    R"x("since_unix_ms":null,"until_unix_ms":1770015600000}},"url":"http://gemma.localhost:27315/","created_unix_ms":null},)x"
    R"x("revisions":[],"replicas":[{"id":"r3-17","app":"gemma","revision":3,"state":"ready","temperature":"warm",)x"
    R"x("state_since_unix_ms":1769860760000,"in_flight":0,"reason":"ready after 1.2 s",)x"
    R"x("next":"it is parked then unless a request comes: waking takes 50 ms","next_unix_ms":1769860812000}]})x";

std::string rolling_out(std::string_view stage) {
  std::string body = kRollingOut;
  return body.replace(body.find("STAGE"), 5, stage);
}

TEST_F(VerbsTest, RolloutsAndSchedules) {
  std::string text;
  for (const char* stage : {"shifting", "paused", "starting", "rolled_back"}) {
    server_.script("GET /api/v1/apps/gemma", {{.body = rolling_out(stage)}});
    text += told("traffic gemma");
  }
  server_.script("GET /api/v1/apps/gemma", {{.body = rolling_out("shifting")}});
  text += told("describe gemma") + told("explain gemma");
  server_.script("POST /api/v1/apps/gemma/rollout", {{.body = rolling_out("paused")}});
  text += told("traffic gemma --pause");
  EXPECT_EQ(server_.asked().back().body, R"({"wish":"pause"})");
  for (const char* wish : {"resume", "promote", "abort"}) {
    run_.run(std::string("traffic gemma --") + wish);
    EXPECT_EQ(server_.asked().back().body, std::string(R"({"wish":")") + wish + R"("})");
  }
  text += told("traffic gemma --pause --abort");
  on_terminal(70, true);
  expect_golden("rollouts.txt", text + told("explain gemma"));
}

// A replica that lives is shown before what was decided about it; one that waits for nothing has no moment.
TEST_F(VerbsTest, ExplainReplica) {
  const auto living = [](const std::string& next, const std::string& decisions) {
    return R"({"waiting":null,"replica":{"id":"r3-17","app":"gemma","revision":3,"state":"ready","temperature":"warm",)"
           R"("state_since_unix_ms":1769860760000,"in_flight":0,"reason":"ready after 1.2 s",)" +
           next + R"(},"decisions":[)" + decisions + "]}";
  };
  const std::string path = "GET /api/v1/decisions?replica=r3-17";
  const std::string parks = R"("next":"it is parked then","next_unix_ms":1769860812000)";
  const std::string stays = R"("next":"it stays warm: min is 1","next_unix_ms":null)";
  server_.script(path, {{.body = living(parks, kDecisions)}});
  std::string text = told("explain r3-17");
  server_.script(path, {{.body = living(stays, "")}});
  text += told("explain r3-17");
  server_.script(path, {{.body = living(R"("next":null,"next_unix_ms":null)", "")}});
  expect_golden("explain_replica.txt", text + told("explain r3-17"));
}

// What keeps replicas warm is said once, also where it is the schedule.
TEST_F(VerbsTest, ExplainSaysOnceWhatAScheduleKeeps) {
  std::string body = rolling_out("shifting");
  const std::string_view min = "min is 0; 1.2 requests";
  const std::string_view schedule =
      "the schedule keeps none until Mon 2026-02-02 08:00 CET, then 2 replicas by `0 8 * * 1-5` "
      "for "
      "10h, Europe/Berlin; 1.2 requests";
  body.replace(body.find(min), min.size(), schedule);
  server_.script("GET /api/v1/apps/gemma", {{.body = body}});
  const std::string text = told("explain gemma");
  EXPECT_EQ(text.find("The schedule keeps"), std::string::npos) << text;
  EXPECT_NE(text.find("Kept warm: the schedule keeps none until"), std::string::npos) << text;
}

TEST_F(VerbsTest, DeleteAsks) {
  run_.typed = {"no"};
  std::string text = told("delete gemma");
  run_.typed = {"y"};
  expect_golden("delete_asks.txt", text + told("delete gemma"));
}

TEST_F(VerbsTest, ScaleSendsBothBounds) {
  run_.run("scale gemma --max 8");
  EXPECT_EQ(server_.asked().back().body, R"({"min":0,"max":8})");
  run_.run("rollback gemma --to 2");
  EXPECT_EQ(server_.asked().back().body, R"({"to":2})");
  run_.run("rollback gemma");
  EXPECT_EQ(server_.asked().back().body, R"({"to":null})");
}

TEST_F(VerbsTest, Money) {
  std::string text = told("usage") + told("usage tiny --since 24h") + told("usage --json") +
                     told("bill") + told("bill --json");
  on_terminal(80, true);
  expect_golden("money.txt", text + told("usage") + told("bill"));
}

TEST_F(VerbsTest, Keys) {
  std::string text = told("keys ls") + told("keys ls --json") + told("keys create ci") +
                     told("keys create ci --scope invoke --scope admin --json") +
                     told("keys rm 4Fq9xZ2b") + told("keys rm 4Fq9xZ2b --json");
  server_.script("GET /api/v1/keys", {{.body = R"({"keys":[]})"}});
  expect_golden("keys.txt", text + told("keys ls"));
}

TEST_F(VerbsTest, KeysCreateAsksForInvokeUnlessToldOtherwise) {
  run_.run("keys create ci");
  EXPECT_EQ(server_.asked().back().body, R"({"name":"ci","scopes":["invoke"]})");
  run_.run("keys create ops --scope admin");
  EXPECT_EQ(server_.asked().back().body, R"({"name":"ops","scopes":["admin"]})");
  run_.run("keys create site --weight 4");
  EXPECT_EQ(server_.asked().back().body, R"({"name":"site","scopes":["invoke"],"weight":4})");
}

TEST_F(VerbsTest, StatusAndVersion) {
  std::string text = told("status") + told("status --json") + told("version") +
                     told("version --json") + told("--version");
  on_terminal(80, true);
  expect_golden("status.txt", text + told("status") + told("version --json"));
}

TEST_F(VerbsTest, Refusals) {
  struct Case {
    int status;
    const char* code;
    const char* detail;
  };
  std::string text;
  for (const Case& one : {Case{400, "bad_request", "The body is no JSON object."},
                          {401, "no_key", "The key is not known."},
                          {403, "wrong_scope", "The key 'ci' may call apps only."},
                          {404, "app_not_found", "There is no app 'gemma'."},
                          {408, "timeout", "The body took too long."},
                          {409, "conflict", "The app is being deleted."},
                          {422, "invalid", "The revision must be a number."},
                          {429, "too_many", "16 log streams are followed already."},
                          {500, "internal", "The store could not be written: disk I/O error."},
                          {503, "no_place", "No node has an h100."},
                          {504, "no_progress", "The start made no progress for 60 s."}}) {
    server_.script("POST /api/v1/apps/gemma/wake",
                   {refusal({one.status, one.code, "Title", one.detail, "What to do."})});
    text +=
        "# " + std::to_string(one.status) + "\n" + told("wake gemma") + told("wake gemma --json");
  }
  run_.variables.erase("KELVIN_TOKEN");
  server_.script("POST /api/v1/apps/gemma/wake",
                 {refusal({401, "no_key", "Unauthorized", "The API needs a key.", "Send one."})});
  text += "# 401 without a key\n" + told("wake gemma");
  expect_golden("refusals.txt", text);
}

TEST_F(VerbsTest, AnswersThatAreNotOurs) {
  server_.script("GET /api/v1/apps", {{.body = "<html>hello</html>", .type = "text/html"}});
  std::string text = told("apps") + told("apps --json");
  server_.script("GET /api/v1/apps",
                 {{.status = 502, .body = "<html>Bad\x1b[2J gateway</html>", .type = "text/html"}});
  text += told("apps") + told("apps --json");
  server_.script(
      "GET /api/v1/apps",
      {{.status = 401,
        .body =
            R"({"error":{"message":"Bad key.","type":"invalid_request_error","code":"invalid_api_key","param":null}})"}});
  expect_golden("not_ours.txt", text + told("apps"));
}

TEST_F(VerbsTest, Logs) {
  const std::string first =
      R"({"at_unix_ms":1769860799123,"replica":"r3-17","stream":"out","text":"\u001b[32mloaded\u001b[0m 37 \u001b[2Jtensors"})"
      "\n"
      R"({"at_unix_ms":1769860799)";
  const std::string second =
      R"(200,"replica":"r3-17","stream":"err","text":"warning: slow"})"
      "\n"
      R"({"at_unix_ms":1769860799300,"replica":"r3-17","stream":"system","text":"ready after 1.31 s"})"
      "\n";
  const ScriptedAnswer answer{.type = "application/x-ndjson", .chunks = {first, second}};
  server_.script("GET /api/v1/apps/gemma/logs", {answer});
  server_.script(
      "GET /api/v1/apps/gemma/logs?since_unix_ms=1769860200000&replica=r3-17&follow=1&system=1",
      {answer});
  std::string text = told("logs gemma") +
                     told("logs gemma -f --since 10m --replica r3-17 --system") +
                     told("logs gemma --json");
  on_terminal(80, true);
  text += told("logs gemma");
  server_.script(
      "GET /api/v1/apps/gemma/logs?follow=1",
      {{.type = "application/x-ndjson", .chunks = {first + second}, .breaks_off = true}});
  text += told("logs gemma -f");
  server_.script("GET /api/v1/apps/gemma/logs", {{.body = "", .type = "application/x-ndjson"}});
  text += told("logs gemma");
  server_.script("GET /api/v1/apps/gemma/logs",
                 {refusal({404, "app_not_found", "Not Found", "There is none.", "List apps."})});
  expect_golden("logs.txt", text + told("logs gemma"));
}

}  // namespace
}  // namespace kelvin::cli
