#include "platform.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/key_text.h"
#include "api/routes.h"
#include "http/message.h"
#include "openapi_fit.h"

namespace kelvin::api {

namespace {

using Json = nlohmann::ordered_json;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(c));
  return out;
}

// The chunks' payload; sets `is_whole` when the last one has come.
std::string unchunked(std::string_view bytes, bool& is_whole) {
  http::ChunkReader reader;
  std::string out;
  while (true) {
    const http::ChunkReader::Step step = reader.feed(bytes);
    out += step.payload;
    is_whole = step.parsed == http::Parsed::Done;
    if (step.parsed != http::Parsed::NeedMore || step.consumed == 0) return out;
    bytes.remove_prefix(step.consumed);
  }
}

void check_against_document(const Question& question, const HttpReply& reply) {
  const OrProblem<Match> match =
      find_route(question.method, question.path.substr(0, question.path.find('?')));
  if (!match || reply.status == 500) return;
  const std::string type =
      reply.fields.contains("content-type") ? reply.fields.at("content-type") : "";
  const std::string problem =
      misfit({.method = match->route->method,
              .pattern = match->route->pattern,
              .status = reply.status,
              .content_type = std::string_view(type).substr(0, type.find(';')),
              .body = reply.body});
  EXPECT_EQ(problem, "") << reply.body;
}

}  // namespace

void Client::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the Api may close early; what it said is still to be read
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Client::receive() {
  std::array<char, 65536> bytes{};
  const ssize_t n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (n > 0) received_.append(bytes.data(), static_cast<std::size_t>(n));
  return n > 0;
}

bool Client::await(std::string_view text) {
  while (received_.find(text) == std::string::npos) {
    if (!receive()) return false;
  }
  return true;
}

HttpReply Client::reply() {
  while (receive()) {
  }
  std::string_view rest = received_;
  http::ResponseHead head;
  HttpReply reply;
  do {
    if (http::parse_response(rest, {}, head).parsed != http::Parsed::Done) return reply;
    rest.remove_prefix(head.bytes);
  } while (head.status == 100);
  reply.status = head.status;
  for (const http::Field& field : head.fields)
    reply.fields[lower(field.name)] = std::string(field.value);
  if (head.is_chunked) {
    reply.body = unchunked(rest, reply.is_whole);
  } else {
    reply.body = std::string(rest);
    reply.is_whole = head.content_length == rest.size();
  }
  return reply;
}

Platform::Platform(const Limits& limits)
    : store(std::move(*store::SqliteStore::open(folder.path() + "/kelvin.db"))),
      token(make_key_text()),
      api(options(limits), {.control = control,
                            .store = *store,
                            .content = content,
                            .logs = logs,
                            .data_plane = data_plane,
                            .clock = clock,
                            .log = log}) {
  const Status started = api.start();
  EXPECT_TRUE(started.has_value());
}

ApiOptions Platform::options(const Limits& limits) {
  ApiOptions options;
  options.data_folder = "/data";
  options.listen = "127.0.0.1:27315";
  options.version = "0.1.0";
  options.epoch = 3;
  options.admin_token = token;
  options.started = {40'000'000'000};
  options.ask_upgrade = [this](const UpgradeOrder& order) -> Status {
    if (upgrade_refusal) return tl::unexpected<Error>(*upgrade_refusal);
    upgrade_asked = order;
    upgrade.stage = UpgradeStage::Preparing;
    return {};
  };
  options.upgrade = [this] { return upgrade; };
  options.in_flight_of = [](const model::ReplicaView& replica) { return replica.slot; };
  options.memory_of = [](const model::ReplicaView& replica) {
    return replica.pid == 0 ? std::nullopt : std::optional(Bytes{123'456});
  };
  options.nodes = [] {
    return std::vector<model::Node>{
        {.id = {1}, .name = "here", .memory = 8_GiB, .pools = {{.kind = "cpu", .count = 4}}}};
  };
  options.metric_sources.emplace_back([](obs::MetricsWriter& writer) {
    writer.family(obs::MetricType::Counter, "kelvin_test_total", "Of another part.");
    writer.sample({}, std::uint64_t{7});
  });
  options.limits = limits;
  return options;
}

Client Platform::connect(std::string received) {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  EXPECT_EQ(::fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  api.take(ends[1], std::move(received));
  return Client(os::Fd(ends[0]));
}

std::string Platform::text_of(const Question& question) const {
  std::string text =
      question.method + " " + question.path + " HTTP/1.1\r\nHost: " + question.host + "\r\n";
  if (question.key != "none") {
    text += "Authorization: Bearer " + (question.key.empty() ? token : question.key) + "\r\n";
  }
  const bool has_body =
      question.method == "POST" || question.method == "PUT" || !question.body.empty();
  if (has_body && !question.content_type.empty())
    text += "Content-Type: " + question.content_type + "\r\n";
  const bool is_chunked = question.extra_fields.find("Transfer-Encoding") != std::string::npos;
  if (has_body && !is_chunked)
    text += "Content-Length: " + std::to_string(question.body.size()) + "\r\n";
  return text + question.extra_fields + "\r\n" + question.body;
}

HttpReply Platform::ask(const Question& question) {
  // Half of it comes with the connection and half after, as from the gateway.
  const std::string text = text_of(question);
  Client client = connect(text.substr(0, text.size() / 2));
  client.send(std::string_view(text).substr(text.size() / 2));
  HttpReply reply = client.reply();
  EXPECT_TRUE(reply.fields.contains("kelvin-request-id")) << question.path << " " << reply.status;
  check_against_document(question, reply);
  return reply;
}

std::string Platform::deploy_body(const std::string& file, const std::string& script) {
  const std::string sha256 = os::sha256_hex(script);
  content.stored[sha256] = script;
  const Json body = {{"file", file},
                     {"file_name", "kelvin.yaml"},
                     {"folder",
                      {{{"path", "run.sh"},
                        {"is_executable", true},
                        {"sha256", sha256},
                        {"bytes", script.size()}}}},
                     {"model_name", nullptr},
                     {"model_is_folder", false},
                     {"model", Json::array()}};
  return body.dump();
}

void Platform::deploy_app(const std::string& name, const std::string& rest) {
  const HttpReply reply =
      post("/api/v1/deploy", deploy_body("name: " + name + "\ncommand: [serve]\n" + rest));
  ASSERT_EQ(reply.status, 200) << reply.body;
}

void expect_golden(const std::string& name, const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded()) << json;
  const std::string text = parsed.dump(2) + "\n";
  const std::string path = std::string(KELVIN_GOLDEN) + "/" + name + ".json";
  const char* accept = std::getenv("KELVIN_ACCEPT");
  if (accept != nullptr && std::string_view(accept) == "1") {
    std::ofstream(path) << text;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path);
  std::stringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(text, wanted.str()) << "differs from " << path << "; KELVIN_ACCEPT=1 accepts it";
}

std::string masked(const std::string& json, const std::vector<std::string>& pointers) {
  Json parsed = Json::parse(json);
  for (const std::string& pointer : pointers) {
    Json& value = parsed.at(Json::json_pointer(pointer));
    value = "(differs)";
  }
  return parsed.dump();
}

std::string at(const std::string& json, const std::string& pointer) {
  const Json parsed = Json::parse(json, nullptr, false);
  const Json::json_pointer where(pointer);
  if (parsed.is_discarded() || !parsed.contains(where)) return "absent";
  return parsed.at(where).dump();
}

}  // namespace kelvin::api
