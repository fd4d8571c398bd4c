// listen_options: where `kelvin serve` listens, and which of these addresses speak TLS.
//
// An address is HOST:PORT or http://HOST:PORT in plain text, https://HOST:PORT with TLS. Plain text beyond this machine shows
// requests, replies and keys to everybody on the way, so it has to be asked for by name. As soon as one address can be
// reached from elsewhere, apps are called with a key only, unless the opposite is asked for by name as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "gateway/tls.h"

namespace kelvin::cli {

constexpr const char* kDefaultListen = "127.0.0.1:27315";

// The words of the command line, unread.
struct ListenWanted {
  std::vector<std::string>
      addresses;  // --listen; each may be several, with commas; none: kDefaultListen
  std::vector<std::string> certificates;  // --tls-cert, in the order of their keys
  std::vector<std::string> keys;          // --tls-key
  bool allows_plain_text = false;         // --insecure-listen
  bool opens_apps = false;                // --open-apps
};

struct ListenAddress {
  std::string host_and_port;  // "127.0.0.1:27315"
  bool is_secure = false;     // TLS
  bool operator==(const ListenAddress&) const = default;
};

struct ListenPlan {
  std::vector<ListenAddress> addresses;  // at least one
  std::vector<gateway::CertificateFiles>
      certificates;         // at least one where an address is secure, else none
  bool needs_keys = false;  // apps are not called without one
};

// Usage failures: plain text beyond loopback, TLS without a certificate, a certificate without TLS, a certificate without
// its key. Whether the addresses can be bound and the files read is found out later.
[[nodiscard]] Attempt<ListenPlan> plan_listening(const ListenWanted& wanted);

[[nodiscard]] bool is_loopback_address(std::string_view host_and_port);
// "https://127.0.0.1:443".
[[nodiscard]] std::string url_of(const ListenAddress& address);

}  // namespace kelvin::cli
