// platform: an Api with a real store and doubles for the rest, and a client that speaks HTTP to it over a socket pair.
//
// Every reply is held against the OpenAPI document: its status must stand there, and its body must fit the schema.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api.h"
#include "doubles.h"
#include "os/fd.h"
#include "os/files.h"
#include "store/sqlite_store.h"

namespace kelvin::api {

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> fields;  // by lower-case name
  std::string body;                           // without its chunk framing
  bool is_whole = false;                      // the body ended as its framing promised
};

// The client's end of a connection that the Api has taken.
class Client {
 public:
  explicit Client(os::Fd socket) : socket_(std::move(socket)) {}
  void send(std::string_view text);
  // Reads until `text` has come; false when the connection ends first.
  [[nodiscard]] bool await(std::string_view text);
  // Reads to the end.
  [[nodiscard]] HttpReply reply();
  void close() { socket_.reset(); }

 private:
  bool receive();
  os::Fd socket_;
  std::string received_;
};

struct Question {
  std::string method = "GET";
  std::string path;
  std::string body = {};
  std::string content_type = "application/json";  // of a body
  std::string host = "localhost:27315";
  std::string key = {};  // empty: the admin token; "none": shows none
  std::string extra_fields = {};
};

struct Platform {
  explicit Platform(const Limits& limits = {});
  ~Platform() { api.stop(); }

  HttpReply ask(const Question& question);
  HttpReply get(const std::string& path) { return ask({.path = path}); }
  HttpReply post(const std::string& path, const std::string& body) {
    return ask({.method = "POST", .path = path, .body = body});
  }
  // A connection whose first bytes the Api gets as already received.
  Client connect(std::string received = {});
  [[nodiscard]] std::string text_of(const Question& question) const;

  // Deploys an app named `name` with the file "run.sh"; fails the test when that is refused.
  void deploy_app(const std::string& name, const std::string& rest = {});
  // The body of a deploy; files are what FakeContent stores under their hash.
  [[nodiscard]] std::string deploy_body(const std::string& file,
                                        const std::string& script = "echo");

  os::TempDir folder = *os::TempDir::create("kelvin-api");
  std::unique_ptr<store::SqliteStore> store;
  FakeClock clock;
  FakeControl control;
  FakeContent content;
  FakeLogs logs;
  FakeDataPlane data_plane;
  obs::Log log = obs::Log::silent();
  std::string token;
  std::optional<UpgradeOrder> upgrade_asked;
  std::optional<Error> upgrade_refusal;
  UpgradeView upgrade;
  Api api;

 private:
  ApiOptions options(const Limits& limits);
};

// Compares a JSON text with tests/golden/api/NAME.json; with KELVIN_ACCEPT=1 writes it and marks the test as skipped.
void expect_golden(const std::string& name, const std::string& json);
// The JSON with the value at `pointer` ("/key/secret") replaced by a text.
[[nodiscard]] std::string masked(const std::string& json, const std::vector<std::string>& pointers);
// The member of a JSON object, as compact JSON; "absent" when there is none.
[[nodiscard]] std::string at(const std::string& json, const std::string& pointer);

}  // namespace kelvin::api
