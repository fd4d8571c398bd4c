// session: what one run of a verb has at hand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "cli/address.h"
#include "cli/failure.h"
#include "cli/page.h"
#include "cli/terminal.h"

namespace kelvin::cli {

class Api;

// Everything outside the program that a verb may touch, so that tests can stand in for it.
struct Surroundings {
  Variables variable;                               // the environment
  std::function<void(std::string_view)> out;        // stdout: what was asked for
  std::function<void(std::string_view)> err;        // stderr: messages
  std::function<std::optional<std::string>()> ask;  // one line of stdin; nullopt at its end
  bool can_ask = false;                             // stdin is a terminal
  std::function<Terminal()> out_terminal;           // asked each time, because windows change size
  std::function<Terminal()> err_terminal;
  std::function<std::int64_t()> unix_ms;
  std::function<Instant()> now;
  std::function<bool(Duration)> pause;  // false: stop what is going on
  bool is_root = false;
};

// What the options that every verb shares say.
struct Shared {
  bool wants_json = false;
  Wanted wanted;  // --server and --data
};

class Session {
 public:
  Session(const Surroundings& surroundings, Shared shared);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Surroundings& surroundings() const { return surroundings_; }
  bool wants_json() const { return shared_.wants_json; }
  // The server is looked for at the first call.
  Api& api();
  std::string data_folder() const;

  // How stdout and stderr want to be written to.
  Page page() const;
  Page err_page() const;

  void print(std::string_view text) const { surroundings_.out(text); }
  void say(std::string_view text) const { surroundings_.err(text); }
  // The server's answer as it is, indented on a terminal, ending in one line end.
  void print_json(std::string_view text) const;
  // Says why on stderr, with --json as one line of JSON, and returns the failure's exit code. `source` is the text that the
  // failure's faults point into; empty where it is not at hand.
  [[nodiscard]] ExitCode fail(const Failure& failure, std::string_view source = {}) const;

 private:
  const Surroundings& surroundings_;
  Shared shared_;
  std::unique_ptr<Api> api_;
};

}  // namespace kelvin::cli
