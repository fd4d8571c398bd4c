#include "cli/listen_options.h"

#include <algorithm>
#include <iterator>
#include <tl/expected.hpp>
#include <utility>

#include "cli/text.h"

namespace kelvin::cli {

namespace {

constexpr std::string_view kPlain = "http://";
constexpr std::string_view kSecure = "https://";

tl::unexpected<Failure> wrong(std::string what, std::string why, std::string next) {
  return failed({.exit = ExitCode::Usage,
                 .code = "usage",
                 .what = std::move(what),
                 .why = std::move(why),
                 .next = std::move(next)});
}

Attempt<ListenAddress> read_address(std::string_view text) {
  ListenAddress address{.is_secure = text.starts_with(kSecure)};
  std::string_view rest = text;
  if (address.is_secure) rest.remove_prefix(kSecure.size());
  if (rest.starts_with(kPlain)) rest.remove_prefix(kPlain.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find('/') != std::string_view::npos)
    return wrong("--listen",
                 "expected HOST:PORT, http://HOST:PORT or https://HOST:PORT, found \"" +
                     printable(text) + "\"",
                 "see kelvin serve --help");
  address.host_and_port = rest;
  return address;
}

Attempt<std::vector<ListenAddress>> read_addresses(const std::vector<std::string>& texts) {
  std::vector<ListenAddress> addresses;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    while (true) {
      const std::size_t comma = rest.find(',');
      auto address = read_address(rest.substr(0, comma));
      if (!address) return failed(std::move(address.error()));
      addresses.push_back(*std::move(address));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  if (addresses.empty()) addresses.push_back({.host_and_port = kDefaultListen});
  for (auto at = addresses.begin(); at != addresses.end(); ++at) {
    const auto is_same = [&](const ListenAddress& other) {
      return other.host_and_port == at->host_and_port;
    };
    if (std::any_of(std::next(at), addresses.end(), is_same))
      return wrong("--listen names " + at->host_and_port + " twice", "", "leave one out");
  }
  return addresses;
}

Attempt<std::vector<gateway::CertificateFiles>> pair_up(const ListenWanted& wanted) {
  if (wanted.certificates.size() != wanted.keys.size())
    return wrong("each --tls-cert needs its --tls-key",
                 "found " + std::to_string(wanted.certificates.size()) + " and " +
                     std::to_string(wanted.keys.size()),
                 "give them in pairs, in the same order");
  std::vector<gateway::CertificateFiles> pairs;
  for (std::size_t i = 0; i < wanted.keys.size(); ++i)
    pairs.push_back({.certificate = wanted.certificates[i], .key = wanted.keys[i]});
  return pairs;
}

}  // namespace

Attempt<ListenPlan> plan_listening(const ListenWanted& wanted) {
  auto addresses = read_addresses(wanted.addresses);
  if (!addresses) return failed(std::move(addresses.error()));
  auto certificates = pair_up(wanted);
  if (!certificates) return failed(std::move(certificates.error()));
  ListenPlan plan{.addresses = *std::move(addresses), .certificates = *std::move(certificates)};

  for (const ListenAddress& address : plan.addresses) {
    const std::string& where = address.host_and_port;
    if (address.is_secure && plan.certificates.empty())
      return wrong("--listen " + url_of(address) + " needs a certificate", "",
                   "add --tls-cert FILE --tls-key FILE");
    if (address.is_secure || wanted.allows_plain_text || is_loopback_address(where)) continue;
    return wrong(
        "refusing to listen on " + where + " without TLS",
        "requests, replies and keys would cross the network in plain text",
        "use --listen https://" + where +
            " with --tls-cert and --tls-key, or add --insecure-listen where the network is "
            "trusted or TLS ends in front of Kelvin");
  }
  if (!plan.certificates.empty() && !std::ranges::any_of(plan.addresses, &ListenAddress::is_secure))
    return wrong("--tls-cert is of no use", "no --listen says https://",
                 "use --listen https://HOST:PORT");
  const auto is_local = [](const ListenAddress& address) {
    return is_loopback_address(address.host_and_port);
  };
  plan.needs_keys = !wanted.opens_apps && !std::ranges::all_of(plan.addresses, is_local);
  return plan;
}

bool is_loopback_address(std::string_view host_and_port) {
  return host_and_port.starts_with("127.") || host_and_port.starts_with("localhost:") ||
         host_and_port.starts_with("[::1]:");
}

std::string url_of(const ListenAddress& address) {
  return std::string(address.is_secure ? kSecure : kPlain) + address.host_and_port;
}

}  // namespace kelvin::cli
