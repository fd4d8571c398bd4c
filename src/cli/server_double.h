// server_double: a stand-in for the server, for tests of the command line. It checks nothing and decides nothing: it
// says what it was told to say and writes down what it was asked.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "os/thread.h"

namespace kelvin::cli {

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  std::vector<std::string> headers;  // "Name: value"
  std::vector<std::string> chunks;   // instead of a body: sent one by one as a chunked reply
  bool breaks_off = false;           // the connection is closed where the last chunk should come
};

struct Asked {
  std::string line;  // "POST /api/v1/deploy"
  std::string head;  // the whole head
  std::string body;
};

// Listens on 127.0.0.1; one connection at a time, one request per connection.
class ServerDouble {
 public:
  ServerDouble();
  ~ServerDouble();
  ServerDouble(const ServerDouble&) = delete;
  ServerDouble& operator=(const ServerDouble&) = delete;

  // Answers to "METHOD /path?query", in turn; the last one is given again and again. What has none is answered with 404.
  void script(const std::string& line, std::vector<ScriptedAnswer> answers);
  [[nodiscard]] std::vector<Asked> asked();
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve();
  void answer(int connection);
  ScriptedAnswer next_answer(const std::string& line);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::deque<ScriptedAnswer>> answers_;
  std::vector<Asked> asked_;
  os::Thread thread_;  // last, so that it ends before what it uses
};

}  // namespace kelvin::cli
