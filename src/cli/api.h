// api: the management API as verbs ask it: paths below /api/v1, the key shown, refusals as failures.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/address.h"
#include "cli/client.h"
#include "cli/failure.h"

namespace kelvin::cli {

class Api {
 public:
  Api(ServerAddress server, Token token);

  const ServerAddress& server() const { return server_; }
  const Token& token() const { return token_; }
  Client& client() { return client_; }

  // `path` begins with a slash and is already encoded. They return the answer's body; anything from 400 up is a failure.
  [[nodiscard]] Attempt<std::string> get(const std::string& path);
  [[nodiscard]] Attempt<std::string> post(const std::string& path, const std::string& json);
  [[nodiscard]] Attempt<std::string> remove(const std::string& path);
  // Sends a file as content; `on_sent` is given the bytes so far.
  [[nodiscard]] Attempt<std::string> put_content(const std::string& sha256, const std::string& file,
                                                 const std::function<void(std::uint64_t)>& on_sent);
  // Gives an answer on line by line, as the lines come, until it ends or `on_line` returns false.
  [[nodiscard]] Attempt<void> stream_lines(const std::string& path,
                                           const std::function<bool(std::string_view)>& on_line);

  // Adds to a failure of an exchange what was tried to find the server and the key.
  [[nodiscard]] Failure explained(Failure failure) const;

 private:
  Attempt<std::string> exchange(Question question);
  Question question(const std::string& method, const std::string& path) const;

  ServerAddress server_;
  Token token_;
  Client client_;
};

// "/apps/gemma"; the name is encoded.
[[nodiscard]] std::string app_path(std::string_view name);

// "?a=1&b=2" from what is present; empty when nothing is.
struct Parameter {
  std::string name;
  std::optional<std::string> value;
};
[[nodiscard]] std::string query_of(const std::vector<Parameter>& parameters);

}  // namespace kelvin::cli
