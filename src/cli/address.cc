#include "cli/address.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/wire.h"

namespace kelvin::cli {

namespace {

struct FileText {
  std::optional<std::string> text;
  std::string problem;  // why there is none
};

FileText read_small_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) return {std::nullopt, std::strerror(errno == 0 ? ENOENT : errno)};
  std::ostringstream text;
  text << file.rdbuf();
  return {text.str(), ""};
}

// The host between "://" and the port or the path; empty where there is no "://".
std::string_view host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view rest = url.substr(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  if (rest.starts_with('[')) return rest.substr(0, rest.find(']') + 1);
  return rest.substr(0, rest.find(':'));
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

}  // namespace

std::string url_of(std::string address) {
  if (address.find("://") == std::string::npos) address.insert(0, "http://");
  while (address.ends_with('/')) address.pop_back();
  for (const auto& [wildcard, loopback] : {std::pair("://0.0.0.0", "://127.0.0.1"),
                                           {"://[::]", "://[::1]"},
                                           {"://:", "://127.0.0.1:"}}) {
    const std::size_t at = address.find(wildcard);
    if (at != std::string::npos) address.replace(at, std::strlen(wildcard), loopback);
  }
  return address;
}

bool is_loopback_url(std::string_view url) {
  const std::string_view host = host_of(url);
  // Digits and dots only: "127.example.com" is a name like any other.
  const bool is_number = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host.ends_with(".localhost") || host == "[::1]" ||
         (is_number && host.starts_with("127."));
}

std::string find_data_folder(const Wanted& wanted, const Seeker& seeker) {
  if (!wanted.data.empty()) return wanted.data;
  const auto named = seeker.variable("KELVIN_DATA");
  if (named && !named->empty()) return *named;
  if (seeker.is_root) return "/var/lib/kelvin";
  return seeker.variable("HOME").value_or("") + "/.local/share/kelvin";
}

ServerAddress find_server(const Wanted& wanted, const Seeker& seeker) {
  ServerAddress server;
  server.authorities = seeker.variable("KELVIN_CA").value_or("");
  const auto use = [&server](const std::string& address, const std::string& source) {
    server.url = url_of(address);
    server.tried.push_back(source);
    server.is_loopback = is_loopback_url(server.url);
    return server;
  };
  if (!wanted.server.empty()) return use(wanted.server, "the address is from --server");
  const auto named = seeker.variable("KELVIN_SERVER");
  if (named && !named->empty()) return use(*named, "the address is from KELVIN_SERVER");
  server.tried.push_back("KELVIN_SERVER is not set");
  const std::string path = find_data_folder(wanted, seeker) + "/serve.json";
  const FileText file = read_small_file(path);
  if (file.text) {
    const auto listen = wire::read_listen(*file.text);
    if (listen) return use(*listen, "the address is from " + path);
    server.tried.push_back(path + " names no address");
  } else {
    server.tried.push_back(path + ": " + file.problem);
  }
  return use(kDefaultServer, "the address is the default");
}

Token find_token(const Wanted& wanted, const Seeker& seeker, const ServerAddress& server) {
  Token token;
  const auto named = seeker.variable("KELVIN_TOKEN");
  if (named && !named->empty()) {
    token.text = trimmed(*named);
    token.tried.push_back("the key is from KELVIN_TOKEN");
    return token;
  }
  token.tried.push_back("KELVIN_TOKEN is not set");
  const std::string folder = find_data_folder(wanted, seeker);
  const std::string path = folder + "/admin-token";
  const FileText serve = read_small_file(folder + "/serve.json");
  const auto listen = serve.text ? wire::read_listen(*serve.text) : std::nullopt;
  const bool is_ours = server.is_loopback || (listen && url_of(*listen) == server.url);
  if (!is_ours) {
    token.tried.push_back(path + " is for this machine only and was not sent to " + server.url);
    return token;
  }
  const FileText file = read_small_file(path);
  if (!file.text) {
    token.tried.push_back(path + ": " + file.problem);
    return token;
  }
  token.text = trimmed(*file.text);
  token.tried.push_back("the key is from " + path);
  return token;
}

}  // namespace kelvin::cli
