// client: one HTTP exchange at a time, through libcurl.
//
// Replies are collected, or given on piece by piece as they come. Redirects are not followed: a key must not travel to
// where a reply points. Proxies of the environment are not used for addresses of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "cli/failure.h"

namespace kelvin::cli {

struct Question {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::optional<std::string> body;
  std::string body_file;  // path of a file that is the body instead; empty: none
  Duration limit{};       // of the whole exchange; 0: none
  Duration silence{};     // give up when no byte moves for this long; 0: never
  std::function<void(std::uint64_t sent)> on_sent;  // bytes of body_file so far; may be empty
};

struct Answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                // what was collected
  std::int64_t first_byte_us = 0;  // since the question
  std::int64_t total_us = 0;

  // The first header of that name, without regard to case; empty when absent. Several Server-Timing lines are joined.
  std::string header(std::string_view name) const;
};

struct Listener {
  // Whether the body of this reply, whose head has come, goes to on_piece. May be empty: everything is collected.
  std::function<bool(const Answer& head)> wants;
  // False ends the exchange, which then counts as complete.
  std::function<bool(std::string_view piece)> on_piece;
};

class Client {
 public:
  // `authorities`: a file of the certificates that servers are trusted by; empty: the system's.
  explicit Client(std::string authorities = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Fails only when no whole answer came; a refusal is an answer. Unreachable: nobody answered, or the connection broke
  // off, or the server's certificate is none that is trusted for its name. TimedOut: `limit` or `silence` has passed.
  [[nodiscard]] Attempt<Answer> ask(const Question& question, const Listener& listener = {});

 private:
  struct Curl;
  std::unique_ptr<Curl> curl_;
  std::string authorities_;
};

// Percent-encodes what may not stand in a query's value or a path's part.
[[nodiscard]] std::string encoded(std::string_view text);

}  // namespace kelvin::cli
