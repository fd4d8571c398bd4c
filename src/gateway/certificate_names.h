// certificate_names: which certificate answers for the name that a TLS client asks for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kelvin::gateway {

// The host name as names are compared: lower case, without one dot at its end. Empty where it is no host name: labels of
// 1 to 63 letters, digits, '-' and '_', 253 bytes in all.
[[nodiscard]] std::string plain_host_name(std::string_view text);

class CertificateNames {
 public:
  // A name of certificate number `certificate`, such as "box.example.com" or "*.example.com". The first certificate with
  // a name keeps it. False when it is no such name (also "a.*.example.com", "*x.example.com" and "*"): then it answers
  // for nothing.
  bool add(std::string_view name, std::size_t certificate);

  // A certificate with exactly this name comes before one with a wildcard; a wildcard stands for one whole label.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view server_name) const;

 private:
  using Table = std::unordered_map<std::string, std::size_t>;
  Table exact_;
  Table below_;  // by what follows "*."
};

}  // namespace kelvin::gateway
