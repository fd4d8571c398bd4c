// certificate_names: which certificate answers for the name that a TLS client asks for.
#include "gateway/certificate_names.h"

namespace kelvin::gateway {
namespace {

constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;
constexpr std::string_view kWildcard = "*.";

// '\0' where the character may not stand in a label.
char label_character(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  const bool may_stand = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  return may_stand ? c : '\0';
}

}  // namespace

std::string plain_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kNameBytesMax) return {};
  std::string name(text);
  std::size_t label_bytes = 0;
  for (char& c : name) {
    if (c == '.') {
      if (label_bytes == 0) return {};
      label_bytes = 0;
      continue;
    }
    c = label_character(c);
    if (c == '\0' || ++label_bytes > kLabelBytesMax) return {};
  }
  return label_bytes == 0 ? std::string() : name;
}

bool CertificateNames::add(std::string_view name, std::size_t certificate) {
  const bool is_wildcard = name.starts_with(kWildcard);
  std::string plain = plain_host_name(is_wildcard ? name.substr(kWildcard.size()) : name);
  if (plain.empty()) return false;
  (is_wildcard ? below_ : exact_).try_emplace(std::move(plain), certificate);
  return true;
}

std::optional<std::size_t> CertificateNames::find(std::string_view server_name) const {
  const std::string name = plain_host_name(server_name);
  if (name.empty()) return std::nullopt;
  if (const auto at = exact_.find(name); at != exact_.end()) return at->second;
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const auto at = below_.find(name.substr(dot + 1));
  return at == below_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace kelvin::gateway
