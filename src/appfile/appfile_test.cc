#include "appfile/appfile.h"

#include <gtest/gtest.h>

#include <span>

namespace kelvin::appfile {
namespace {

constexpr std::string_view kHead = "name: a\ncommand: [b]\n";

std::string with_head(std::string_view rest) { return std::string(kHead) + std::string(rest); }

// What to_text says about each complaint, without the file name.
std::vector<std::string> complaints(std::string_view text) {
  const auto app = parse(text, "f");
  std::vector<std::string> said;
  if (app) return said;
  for (const Complaint& c : app.error()) said.push_back(to_text(c).substr(2));
  return said;
}

model::AppSpec spec_of(std::string_view text) {
  const auto app = parse(text, "f");
  EXPECT_TRUE(app.has_value()) << text << (app ? "" : to_text(app.error().front()));
  return app ? app->spec : model::AppSpec{};
}

struct Bad {
  std::string_view text;  // after kHead, so its first line is line 3
  std::string_view said;
};

void expect_single_complaints(std::span<const Bad> table) {
  for (const Bad& bad : table) {
    const std::vector<std::string> said = complaints(with_head(bad.text));
    ASSERT_EQ(said.size(), 1U) << bad.text
                               << (said.empty() ? " was accepted" : "; second: " + said.back());
    EXPECT_EQ(said[0], bad.said) << bad.text;
  }
}

TEST(AppFile, FillsInTheDefaults) {
  model::AppSpec expected;
  expected.name = "a";
  expected.command = {"b"};
  EXPECT_EQ(spec_of(kHead), expected);
}

TEST(AppFile, ReadsEveryKey) {
  const model::AppSpec spec = spec_of(R"(name: gemma
command: [llama-server, -m, "{model}", --port, "{port}", -t, 1]
model: ./gemma-3-270m-q4_k_m.gguf
gpu: none
cpu: 2
memory: 2GiB
port: auto
protocol: http1
ready: /health
alive: /alive
env: {LOG_LEVEL: info, N: 4, EMPTY: ""}
scale: {min: 1, max: 3, concurrency: 2, urgency: strict}
park: never
served_model: gemma-3-270m
start: {progress: 30s, attempts: 5}
timeout: 5m
queue: {max: 10, wait: 90s}
cors: ["https://example.com"]
affinity: {prefix: 2048}
)");
  EXPECT_EQ(spec.name, "gemma");
  const std::vector<std::string> command{"llama-server", "-m", "{model}", "--port",
                                         "{port}",       "-t", "1"};
  EXPECT_EQ(spec.command, command);
  EXPECT_EQ(spec.model, "./gemma-3-270m-q4_k_m.gguf");
  EXPECT_EQ(spec.needs, (std::vector<model::AcceleratorNeed>{{.kind = "cpu", .count = 2}}));
  EXPECT_EQ(spec.memory, 2_GiB);
  EXPECT_EQ(spec.fixed_port, 0);
  EXPECT_EQ(spec.ready_path, "/health");
  EXPECT_EQ(spec.alive_path, "/alive");
  const std::map<std::string, std::string> environment{
      {"LOG_LEVEL", "info"}, {"N", "4"}, {"EMPTY", ""}};
  EXPECT_EQ(spec.environment, environment);
  const model::ScaleRule scale{
      .replicas_min = 1, .replicas_max = 3, .concurrency = 2, .urgency_milli = 100'000};
  EXPECT_EQ(spec.scale, scale);
  EXPECT_EQ(spec.park, model::ParkRule::Never);
  EXPECT_EQ(spec.served_model, "gemma-3-270m");
  EXPECT_EQ(spec.start, (model::StartRule{.progress = 30s, .attempts = 5}));
  EXPECT_EQ(spec.timeout, Duration(5min));
  EXPECT_EQ(spec.queue, (model::QueueRule{.requests_max = 10, .wait = 90s}));
  EXPECT_EQ(spec.cors, std::vector<std::string>{"https://example.com"});
  EXPECT_EQ(spec.affinity,
            (model::AffinityRule{.by = model::AffinityBy::Prefix, .name = "", .bytes = 2048}));
}

TEST(AppFile, ReadsWhatRequestsBelongTogetherBy) {
  const auto rule_of = [](const std::string& text) {
    return parse("name: a\ncommand: [b]\naffinity: " + text + "\n", "f")->spec.affinity;
  };
  EXPECT_EQ(rule_of("{header: X-Session}"),
            (model::AffinityRule{.by = model::AffinityBy::Header, .name = "x-session"}));
  EXPECT_EQ(rule_of("{cookie: Sid}"),
            (model::AffinityRule{.by = model::AffinityBy::Cookie, .name = "Sid"}));
}

TEST(AppFile, TellsWhereEachValueStands) {
  const auto app = parse("name: a\ncommand:\n  - b\n  - c\nscale: {max: 2}\n", "f");
  ASSERT_TRUE(app.has_value());
  EXPECT_EQ(app->positions.at("command.1"), (Position{4, 5}));
  EXPECT_EQ(app->positions.at("scale.max"), (Position{5, 14}));
  const Complaint complaint = complaint_at(*app, "command.0", "b", "no such program");
  EXPECT_EQ(to_text(complaint), "f:3:5: no such program");
  EXPECT_EQ(to_text(complaint_at(*app, "model", "", "no such file")), "f:1:1: no such file");
}

TEST(AppFile, ReadsEveryFormOfGpu) {
  using Needs = std::vector<model::AcceleratorNeed>;
  EXPECT_EQ(spec_of(with_head("gpu: h100\n")).needs, (Needs{{.kind = "h100"}}));
  EXPECT_EQ(spec_of(with_head("gpu: a100:2\n")).needs, (Needs{{.kind = "a100", .count = 2}}));
  EXPECT_EQ(spec_of(with_head("gpu: [h100, a100:2]\n")).needs,
            (Needs{{.kind = "h100"}, {.kind = "a100", .count = 2}}));
  EXPECT_EQ(spec_of(with_head("gpu: {memory: 24GiB, count: 2}\n")).needs,
            (Needs{{.kind = "any", .count = 2, .memory_each = 24_GiB}}));
  EXPECT_EQ(spec_of(with_head("gpu: [h100, none]\ncpu: 8\n")).needs,
            (Needs{{.kind = "h100"}, {.kind = "cpu", .count = 8}}));
  EXPECT_EQ(spec_of(with_head("cpu: 3\n")).needs, (Needs{{.kind = "cpu", .count = 3}}));
}

TEST(AppFile, RefusesWrongAccelerators) {
  const Bad table[] = {
      {"gpu: h10\n",
       "3:6: gpu is 'h10'; expected none, a10, a100, a10g, a30, a40, b200, b300, gb200, gh200, "
       "h100, h200, l4, l40, "
       "l40s, mi300x, mi325x, rtx-3090, rtx-4090, rtx-5090, rtx-a4000, rtx-a5000, rtx-a6000, "
       "rtx-6000-ada, t4 or "
       "v100; did you mean 'a10'?"},
      {"gpu: a100:0\n", "3:6: gpu is 'a100:0'; expected a100:N with N from 1 to 16"},
      {"gpu: a100:x\n", "3:6: gpu is 'a100:x'; expected a100:N with N from 1 to 16"},
      {"gpu: []\n",
       "3:6: gpu is a list of 0; expected none, a kind such as h100 or a100:2, a list of kinds, or "
       "{memory: 24GiB, "
       "count: 1} (1 to 8 of them)"},
      {"gpu: [h100, h100]\n", "3:13: a kind in gpu is 'h100'; expected each kind once"},
      {"gpu: [[h100]]\n", "3:7: a kind in gpu is a list; expected a kind such as h100 or a100:2"},
      {"gpu: {count: 1}\n",
       "3:6: gpu is a map; expected a map with the keys memory and count; memory is missing"},
      {"gpu: {memory: 24}\n",
       "3:15: gpu.memory is '24'; expected a size from 1MiB to 64TiB, such as 512MiB or 24GiB; did "
       "you mean '24GiB'?"},
      {"gpu: {memory: 24GiB, count: 17}\n",
       "3:29: gpu.count is '17'; expected a whole number from 1 to 16"},
      {"gpu: {memory: 24GiB, kind: h100}\n",
       "3:22: unknown key 'kind' in gpu; known keys are memory or count"},
      {"gpu:\n", "3:1: gpu has no value; write one, or leave the key out"},
      {"cpu: 0\n", "3:6: cpu is '0'; expected a whole number from 1 to 1024"},
      {"cpu: 500m\n", "3:6: cpu is '500m'; expected a whole number from 1 to 1024"},
      {"gpu: h100\ncpu: 2\n",
       "4:6: cpu counts the cores of an app without a GPU; leave it out, or write gpu: none"},
      {"memory: 2Gi\n",
       "3:9: memory is '2Gi'; expected a size from 1MiB to 64TiB, such as 512MiB or 24GiB; did you "
       "mean '2GiB'?"},
      {"memory: 1KiB\n",
       "3:9: memory is '1KiB'; expected a size from 1MiB to 64TiB, such as 512MiB or 24GiB"},
      {"memory: {a: 1}\n",
       "3:9: memory is a map; expected a size from 1MiB to 64TiB, such as 512MiB or 24GiB"},
  };
  expect_single_complaints(table);
}

TEST(AppFile, RefusesWrongNumbersTimesAndWords) {
  const Bad table[] = {
      {"scale: 3\n",
       "3:8: scale is '3'; expected a map with the keys min, max, concurrency, urgency or "
       "schedule"},
      {"scale: {min: -1}\n", "3:14: scale.min is '-1'; expected a whole number from 0 to 1000"},
      {"scale: {max: 0}\n", "3:14: scale.max is '0'; expected a whole number from 1 to 1000"},
      {"scale: {max: \"4\"}\n",
       "3:14: scale.max is '4'; expected a whole number from 1 to 1000; write it without quotes"},
      {"scale: {max: 99999999999999999999}\n",
       "3:14: scale.max is '99999999999999999999'; expected a whole number from 1 to 1000; the "
       "number is too large"},
      {"scale: {min: 5}\n", "3:14: scale.min is 5, which is more than scale.max, 4 (the default)"},
      {"scale: {min: 5, max: 2}\n", "3:14: scale.min is 5, which is more than scale.max, 2"},
      {"scale: {mx: 5}\n", "3:9: unknown key 'mx' in scale; did you mean 'max'?"},
      {"scale: {concurrency: 0}\n",
       "3:22: scale.concurrency is '0'; expected a whole number from 1 to 10000"},
      {"scale: {urgency: interactiv}\n",
       "3:18: scale.urgency is 'interactiv'; expected batch, balanced, interactive, strict, or a "
       "number from 0 to "
       "10000; did you mean 'interactive'?"},
      {"scale: {urgency: 10001}\n",
       "3:18: scale.urgency is '10001'; expected batch, balanced, interactive, strict, or a number "
       "from 0 to 10000"},
      {"scale: {urgency: 0.0001}\n",
       "3:18: scale.urgency is '0.0001'; expected batch, balanced, interactive, strict, or a "
       "number from 0 to 10000; "
       "write at most three decimals"},
      {"protocol: http2\n",
       "3:11: protocol is 'http2'; expected http1 or h2c; did you mean 'h2c'?"},
      {"protocol: h2c\nready: /\n",
       "4:8: ready is asked by HTTP/1.1, which an app of protocol: h2c does not speak; leave it "
       "out: "
       "such an app is ready when its port accepts"},
      {"park: sometimes\n", "3:7: park is 'sometimes'; expected auto or never"},
      {"park: nevr\n", "3:7: park is 'nevr'; expected auto or never; did you mean 'never'?"},
      {"start: {progress: 60}\n",
       "3:19: start.progress is '60'; expected a time from 1s to 24h, such as 500ms, 60s, 10m or "
       "2h; did you mean "
       "'60s'?"},
      {"start: {progress: 999ms}\n",
       "3:19: start.progress is '999ms'; expected a time from 1s to 24h, such as 500ms, 60s, 10m "
       "or 2h"},
      {"start: {attempts: 0}\n",
       "3:19: start.attempts is '0'; expected a whole number from 1 to 100"},
      {"start: [60s]\n", "3:8: start is a list; expected a map with the keys progress or attempts"},
      {"timeout: 25h\n",
       "3:10: timeout is '25h'; expected a time from 1s to 24h, such as 500ms, 60s, 10m or 2h"},
      {"queue: {max: 0}\n", "3:14: queue.max is '0'; expected a whole number from 1 to 100000"},
      {"queue: {wait: forever}\n",
       "3:15: queue.wait is 'forever'; expected a time from 1s to 24h, such as 500ms, 60s, 10m or "
       "2h"},
      {"port: 0\n", "3:7: port is '0'; expected auto or a number from 1 to 65535"},
      {"port: 65536\n", "3:7: port is '65536'; expected auto or a number from 1 to 65535"},
      {"port: \"80\"\n", "3:7: port is '80'; expected auto or a number from 1 to 65535"},
      {"port: 80\nscale: {max: 2}\n",
       "4:14: scale.max is 2, but replicas on the fixed port 80 cannot run side by side; expected "
       "1, or port: auto"},
      {"port: 80\nscale: {min: 2}\n",
       "4:14: scale.min is 2, which is more than scale.max, 1 (because of the fixed port)"},
  };
  expect_single_complaints(table);
}

TEST(AppFile, RefusesWrongPathsNamesAndOrigins) {
  const Bad table[] = {
      {"ready: health\n",
       "3:8: ready is 'health'; expected a path that begins with '/', such as /health; did you "
       "mean '/health'?"},
      {"ready: \"/a b\"\n",
       "3:8: ready is '/a b'; expected a path that begins with '/', such as /health"},
      {"alive: http://x/\n",
       "3:8: alive is 'http://x/'; expected a path that begins with '/', such as /health"},
      {"model: https://example.com/m.gguf\n",
       "3:8: models by URL come with a later version of Kelvin; download the model and write its "
       "path"},
      {"model: \"\"\n", "3:8: model is ''; expected the path of a file or folder"},
      {"model: ~/m.gguf\n",
       "3:8: model is '~/m.gguf'; expected the path of a file or folder; '~' has no meaning here; "
       "write the path in "
       "full"},
      {"model: \"a\\eb\"\n", "3:8: model is 'a\\x1bb'; expected the path of a file or folder"},
      {"model: [a]\n", "3:8: model is a list; expected the path of a file or folder"},
      {"env: [A=1]\n",
       "3:6: env is a list; expected a map of names and values; write NAME: value, without the "
       "dash"},
      {"env: {1A: x}\n",
       "3:7: env has '1A' as a name; expected letters, digits and '_', with no digit first"},
      {"env: {PATH: /bin}\n",
       "3:7: env cannot set PATH: Kelvin sets HOME, PATH, PORT and TMPDIR itself"},
      {"env: {A: [1]}\n", "3:10: the variable 'A' is a list; expected text of at most 32768 bytes"},
      {"env: {A: }\n", "3:7: the variable 'A' has no value; write \"\" for an empty one"},
      {"env: {A: 1, A: 2}\n", "3:13: the variable 'A' stands twice in env"},
      {"served_model: \"\"\n",
       "3:15: served_model is ''; expected a model's name of 1 to 256 bytes"},
      {"cors: https://a.b\n",
       "3:7: cors is 'https://a.b'; expected a list of origins such as https://example.com"},
      {"cors: [\"*\"]\n",
       "3:8: an origin in cors is '*'; expected an origin such as https://example.com; name each "
       "origin; any web page "
       "at all may not call an app"},
      {"cors: [https://a.b, https://A.b:443]\n",
       "3:21: an origin in cors is 'https://A.b:443'; expected each origin once"},
      {"affinity: header\n",
       "3:11: affinity is 'header'; expected a map with the keys header, cookie or prefix"},
      {"affinity: {}\n", "3:11: affinity has 0 keys; expected one of header, cookie or prefix"},
      {"affinity: {header: x, prefix: 5}\n",
       "3:11: affinity has 2 keys; expected one of header, cookie or prefix"},
      {"affinity: {header: \"a b\"}\n",
       "3:20: affinity.header is 'a b'; expected a name of 1 to 128 letters, digits, '-' and '_'"},
      {"affinity: {prefix: 0}\n",
       "3:20: affinity.prefix is '0'; expected a whole number from 1 to 65536"},
      {"image: ghcr.io/acme/gemma:3\n",
       "3:8: images come with a later version of Kelvin; install the program on the server and "
       "name it in command"},
      {"secrets: [HF_TOKEN]\n",
       "3:10: secrets come with a later version of Kelvin; leave the key out"},
  };
  expect_single_complaints(table);
}

TEST(AppFile, RefusesWrongKeys) {
  const Bad table[] = {
      {"modle: x\n", "3:1: unknown key 'modle'; did you mean 'model'?"},
      {"concurrency: 4\n", "3:1: unknown key 'concurrency'; it belongs under scale"},
      {"volumes: [a]\n",
       "3:1: unknown key 'volumes'; known keys are name, command, image, model, gpu, cpu, memory, "
       "port, protocol, ready, alive, "
       "env, secrets, scale, park, served_model, start, rollout, timeout, queue, cors or affinity"},
      {"name: b\n", "3:1: key 'name' stands twice; the first is on line 1"},
      {"[a]: b\n", "3:1: a key is a word, but here stands a list"},
      {"<<: {a: b}\n",
       "3:1: unknown key '<<'; known keys are name, command, image, model, gpu, cpu, memory, port, "
       "protocol, ready, alive, env, "
       "secrets, scale, park, served_model, start, rollout, timeout, queue, cors or affinity"},
  };
  expect_single_complaints(table);
}

TEST(AppFile, RefusesWrongCommandsAndNames) {
  const Bad table[] = {
      {"name: a\n", "2:1: command is missing; add command: [PROGRAM, ARGUMENT, ...]"},
      {"name: a\ncomand: [b]\n", "3:1: unknown key 'comand'; did you mean 'command'?"},
      {"command: [b]\n", "2:1: name is missing; add name: NAME, by which the app is called"},
      {"name: My_App\ncommand: [b]\n",
       "2:7: name is 'My_App'; expected 1 to 63 of a-z, 0-9 and '-', with no '-' first or last; "
       "did you mean "
       "'my-app'?"},
      {"name: [a]\ncommand: [b]\n",
       "2:7: name is a list; expected 1 to 63 of a-z, 0-9 and '-', with no '-' first or last"},
      {"name: a\ncommand: llama-server -m {model} --port 80\n",
       "3:10: command is 'llama-server -m {model} --port 80'; expected a list of the program and "
       "its arguments; write "
       "command: [llama-server, -m, \"{model}\", --port, 80]"},
      {"name: a\ncommand: []\n",
       "3:10: command is a list of 0; expected a list of the program and its arguments (1 to 256 "
       "of them)"},
      {"name: a\ncommand: [\"\"]\n",
       "3:11: the program in command is ''; expected the name or path of a program"},
      {"name: a\ncommand: [b, {model}]\nmodel: x\n",
       "3:14: {model} without quotes is a map in YAML; write \"{model}\""},
      {"name: a\ncommand: [b, [c]]\n", "3:14: an argument of command is a list; expected text"},
      {"name: a\ncommand: [b, ~]\n", "3:14: an argument of command is nothing; expected text"},
      {"name: a\ncommand: [b, \"--m={model}\"]\n",
       "3:14: command uses {model}, but the file has no model; add model: PATH"},
      {"name: a\nimage: x\n",
       "3:8: images come with a later version of Kelvin; install the program on the server and "
       "name it in command"},
  };
  for (const Bad& bad : table) {
    const std::vector<std::string> said = complaints("\n" + std::string(bad.text));
    ASSERT_EQ(said.size(), 1U) << bad.text
                               << (said.empty() ? " was accepted" : "; second: " + said.back());
    EXPECT_EQ(said[0], bad.said) << bad.text;
  }
}

TEST(AppFile, AcceptsAModelThatTheCommandDoesNotName) {
  EXPECT_EQ(spec_of(with_head("model: x\n")).model, "x");
}

TEST(AppFile, SpeaksHttp1UnlessToldOtherwise) {
  EXPECT_EQ(spec_of(kHead).protocol, model::Protocol::Http1);
  EXPECT_EQ(spec_of(with_head("protocol: h2c\n")).protocol, model::Protocol::H2c);
}

TEST(AppFile, RunsOneReplicaOnAFixedPort) {
  const model::AppSpec spec = spec_of(with_head("port: 8080\n"));
  EXPECT_EQ(spec.fixed_port, 8080);
  EXPECT_EQ(spec.scale.replicas_max, 1U);
}

TEST(AppFile, ReportsEverythingAtOnceInTheOrderOfTheFile) {
  const std::vector<std::string> said =
      complaints("nam: a\ncommand: [b]\nmemory: 2\nscale: {min: x, mox: 3}\n");
  ASSERT_EQ(said.size(), 4U);
  EXPECT_TRUE(said[0].starts_with("1:1: unknown key 'nam'")) << said[0];
  EXPECT_TRUE(said[1].starts_with("3:9: memory is '2'")) << said[1];
  EXPECT_TRUE(said[2].starts_with("4:14: scale.min is 'x'")) << said[2];
  EXPECT_TRUE(said[3].starts_with("4:17: unknown key 'mox' in scale; did you mean 'max'?"))
      << said[3];
}

TEST(AppFile, RefusesWhatIsNoAppFile) {
  const std::pair<std::string, std::string> table[] = {
      {"", "1:1: the file is empty; an app file has at least name and command"},
      {"# nothing\n", "1:1: the file is empty; an app file has at least name and command"},
      {"- a\n", "1:1: the file is a list; expected keys and values, such as name: gemma"},
      {"hello\n", "1:1: the file is 'hello'; expected keys and values, such as name: gemma"},
      {"apiVersion: serving.knative.dev/v1\nkind: Service\n",
       "1:13: Knative Service files come with a later version of Kelvin; write a kelvin.yaml with "
       "name and command"},
      {"apiVersion: apps/v1\nkind: Deployment\n",
       "1:13: this is a Kubernetes object (apiVersion 'apps/v1'), not an app file; write a "
       "kelvin.yaml with name and "
       "command"},
      {"name: a\ncommand: [b]\n---\nname: b\n",
       "3:1: a second document begins here; an app file holds one app"},
      {"name: a\n\tcommand: [b]\n", "2:1: this line is indented with a tab; YAML wants spaces"},
      {", a: b\n", "1:1: this is not valid YAML: ',' cannot stand here"},
      {"name: a\n}\n", "2:1: this is not valid YAML: a closing bracket without its opening one"},
      {"name: [a\n", "2:1: this is not valid YAML: a '[' or a quote is not closed"},
      {std::string("name: a\0b\n", 10), "1:8: a NUL byte stands here; an app file is plain text"},
      {"name: \xc3\xa4\xff\n", "1:8: this byte is no UTF-8; save the file as UTF-8 text"},
      {"name: a\x1b[31m\n", "1:8: a control character stands here; an app file is plain text"},
      {std::string(256 * 1024 + 1, '#'),
       "1:1: the file has 262145 bytes; an app file has at most 262144"},
  };
  for (const auto& [text, expected] : table) {
    const std::vector<std::string> said = complaints(text);
    ASSERT_FALSE(said.empty()) << text;
    EXPECT_EQ(said[0], expected) << text.substr(0, 100);
  }
}

TEST(AppFile, CountsColumnsInCharactersAndSkipsAByteOrderMark) {
  EXPECT_EQ(complaints("\xef\xbb\xbfname: a\ncommand: [\xc3\xa4, {b}]\n")[0],
            "2:14: {b} without quotes is a map in YAML; write \"{b}\"");
}

TEST(AppFile, AcceptsLineEndsOfWindows) {
  EXPECT_EQ(spec_of("name: a\r\ncommand: [b]\r\nmemory: 1GiB\r\n").memory, 1_GiB);
}

TEST(AppFile, RefusesAnchorsAliasesAndTags) {
  const Bad table[] = {
      {"env: {A: &x 1}\n",
       "3:10: anchors (&name) are not accepted; write the value out where it is needed"},
      {"env: {A: !!str 1}\n",
       "3:10: tags such as !!str are not accepted; write the value without it"},
      {"env: {A: \"a\\0b\"}\n",
       "3:10: this text holds a NUL character, which no program can be given"},
  };
  expect_single_complaints(table);
  const std::vector<std::string> said = complaints(with_head("env: &x {A: b}\nqueue: *x\n"));
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[1], "4:8: aliases (*name) are not accepted; write the value out");
}

TEST(AppFile, IsQuickWithHostileText) {
  for (const std::string_view unit :
       {"[", "{", "- ", "? ", "a: ", "\"", "[a,", "&a ", "%", "|", "!", "a: {", "\n", "b,"}) {
    std::string text;
    while (text.size() + unit.size() <= 256 * 1024) text += unit;
    EXPECT_FALSE(complaints(text).empty()) << unit;
    EXPECT_FALSE(complaints(with_head("env: [" + text.substr(0, 200'000))).empty()) << unit;
  }
}

TEST(AppFile, LimitsWhatItSays) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> said = complaints(with_head(text));
  ASSERT_EQ(said.size(), 100U);
  EXPECT_EQ(said.back(), "102:1: and 2901 more complaints from here on");
  std::string many;
  for (int i = 0; i < 6000; ++i) many += "k" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(
      complaints(with_head(many)).back().ends_with("the file holds more than 10000 values"));
}

TEST(AppFile, LimitsWhatItTakes) {
  std::string arguments = "name: a\ncommand: [b";
  for (int i = 0; i < 256; ++i) arguments += ", c";
  EXPECT_EQ(complaints(arguments + "]\n").size(), 1U);
  EXPECT_EQ(complaints("name: a\ncommand: [b, " + std::string(64 * 1024 + 1, 'x') + "]\n").size(),
            1U);
  EXPECT_EQ(complaints(with_head("env: {A: " + std::string(32 * 1024 + 1, 'x') + "}\n")).size(),
            1U);
  std::string variables = "env:\n";
  for (int i = 0; i < 257; ++i) variables += "  A" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(complaints(with_head(variables)).size(), 1U);
}

}  // namespace
}  // namespace kelvin::appfile
