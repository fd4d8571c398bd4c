// address: finds the server and the key to show it.
//
// Server: --server, else KELVIN_SERVER, else the `listen` that a running `kelvin serve` wrote to serve.json in the data
// folder, else http://127.0.0.1:27315. Key: KELVIN_TOKEN, else admin-token in the data folder. Data folder: --data, else
// KELVIN_DATA, else /var/lib/kelvin for root and ~/.local/share/kelvin otherwise. The certificate of a server is checked
// against those in the file KELVIN_CA, else the system's. What was looked at is kept, because "unreachable" and "refused"
// are of no use without it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace kelvin::cli {

constexpr const char* kDefaultServer = "http://127.0.0.1:27315";

struct Wanted {
  std::string server;  // --server; empty: not given
  std::string data;    // --data; empty: not given
};

struct ServerAddress {
  std::string url;                 // "http://127.0.0.1:27315", without a slash at its end
  std::vector<std::string> tried;  // "KELVIN_SERVER is not set", ..., up to what was used
  bool is_loopback = false;
  std::string authorities;  // a file of certificates to trust in place of the system's; empty: none
};

struct Token {
  std::string text;  // empty: none was found
  std::vector<std::string> tried;
};

struct Seeker {
  const Variables& variable;
  bool is_root = false;
};

[[nodiscard]] std::string find_data_folder(const Wanted& wanted, const Seeker& seeker);
[[nodiscard]] ServerAddress find_server(const Wanted& wanted, const Seeker& seeker);
// The data folder's own token is only offered to this machine: to a loopback address, or where serve.json says that the
// server of this folder listens.
[[nodiscard]] Token find_token(const Wanted& wanted, const Seeker& seeker,
                               const ServerAddress& server);

// "host:port", "http://host:port/" -> "http://host:port"; ":27315" and wildcard addresses -> loopback.
[[nodiscard]] std::string url_of(std::string address);
[[nodiscard]] bool is_loopback_url(std::string_view url);

}  // namespace kelvin::cli
