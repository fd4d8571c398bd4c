// destination: where a request wants to go, by its Host and then by its path.
//
// Under a host of its own (NAME.localhost) an app gets its path as it was sent: whatever it means, it means it inside
// this app. Where the path decides (/apps, /v1), it must have one reading: no part of it may be '.' or '..' in any
// spelling, and of the part that names the app only what RFC 3986 says means the same encoded may be encoded. The
// parts "apps" and "v1" are matched as sent. What follows the name is passed on byte by byte, double and
// encoded slashes included.
#include "gateway/destination.h"

#include <algorithm>
#include <array>
#include <optional>

#include "http/message.h"

namespace kelvin::gateway {
namespace {

std::string lower_of(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

// An address cannot be made to point elsewhere by a web page's own name server.
bool is_address(std::string_view host) {
  if (host.starts_with('[')) return true;
  return !host.empty() && std::all_of(host.begin(), host.end(),
                                      [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

// Whether the path is `part` or lies below it.
bool is_below(std::string_view path, std::string_view part) {
  if (!path.starts_with(part)) return false;
  return path.size() == part.size() || path[part.size()] == '/' || path[part.size()] == '?';
}

Destination by_app_host(std::string_view labels, std::string_view path) {
  Destination to{.surface = Surface::App, .path = path};
  const std::size_t dot = labels.find('.');
  to.name = labels.substr(0, dot);
  if (dot != std::string_view::npos) to.workspace = labels.substr(dot + 1);
  const bool is_odd = to.name.empty() || to.workspace.find('.') != std::string::npos ||
                      (dot != std::string_view::npos && to.workspace.empty());
  if (is_odd) return {};
  return to;
}

// A byte of a path as it is meant: `bytes` of the path stand for it.
struct PathByte {
  char meant = 0;
  std::size_t bytes = 1;
};
std::optional<PathByte> path_byte_at(std::string_view path, std::size_t at) {
  if (path[at] != '%') return PathByte{path[at], 1};
  const std::optional<std::string> decoded = http::decode_path(path.substr(at, 3));
  if (!decoded) return std::nullopt;
  return PathByte{decoded->front(), 3};
}

constexpr std::string_view kBadEscape =
    "The path holds a '%' that is not followed by two hex digits, or an encoded NUL.";
constexpr std::string_view kDotPart =
    "The path holds a part '.' or '..', plain or encoded, which servers resolve differently. Send "
    "the path that is meant.";
constexpr std::string_view kOddName =
    "The part of the path that names the app holds a character that no name has.";

// Why a path that is matched part by part has more than one reading; empty: it has one. Slashes of both kinds, plain
// and encoded, end a part here, and so does ';': there are servers for which they do.
std::string_view ambiguity_of(std::string_view path) {
  const std::string_view plain = path.substr(0, path.find('?'));
  if (plain.find_first_of("%\\") == std::string_view::npos &&
      plain.find("/.") == std::string_view::npos)
    return {};
  std::string part;
  bool is_cut = false;
  const auto is_dots = [&] { return part == "." || part == ".."; };
  for (std::size_t at = 0; at < plain.size();) {
    const auto byte = path_byte_at(plain, at);
    if (!byte) return kBadEscape;
    at += byte->bytes;
    if (byte->meant == '/' || byte->meant == '\\') {
      if (is_dots()) return kDotPart;
      part.clear();
      is_cut = false;
    } else if (byte->meant == ';') {
      is_cut = true;
    } else if (!is_cut && part.size() < 3) {
      part += byte->meant;
    }
  }
  return is_dots() ? kDotPart : std::string_view();
}

// Cuts "/NAME" off the front of `path`, which begins with a slash; what remains begins with one too, or is empty or a
// query.
std::string_view cut_part(std::string_view& path) {
  const std::size_t end = std::min(path.find_first_of("/?", 1), path.size());
  const std::string_view part = path.substr(1, end - 1);
  path.remove_prefix(end);
  return part;
}

// The name that a part of a path means: letters, digits, '-', '.', '_' and '~' may come encoded (RFC 3986 6.2.2.2),
// nothing else may; a backslash, which some servers take for a slash, is in no name.
std::optional<std::string> name_of(std::string_view part) {
  std::string name;
  for (std::size_t at = 0; at < part.size();) {
    const auto byte = path_byte_at(part, at);
    const char c = byte ? byte->meant : '\0';
    const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                               c == '~';
    if (!byte || c == '\\' || (byte->bytes > 1 && !is_unreserved)) return std::nullopt;
    name += c;
    at += byte->bytes;
  }
  return name;
}

Destination by_path(std::string_view path) {
  constexpr std::string_view apps = "/apps";
  const Surface surface = is_below(path, "/v1") ? Surface::OpenAi : Surface::Nowhere;
  if (const std::string_view why = ambiguity_of(path); !why.empty())
    return {.surface = surface, .path = path, .refusal = why};
  if (surface == Surface::OpenAi) return {.surface = surface, .path = path};
  if (!path.starts_with("/apps/")) return {};
  Destination to{.surface = Surface::App, .path = path.substr(apps.size())};
  const std::optional<std::string> name = name_of(cut_part(to.path));
  if (!name) return {.path = path, .refusal = kOddName};
  if (name->empty()) return {};
  to.name = *name;
  to.prefix = path.substr(0, path.size() - to.path.size());
  return to;
}

}  // namespace

Destination find_destination(std::string_view host, std::string_view path,
                             std::span<const std::string> own_hosts) {
  constexpr std::string_view suffix = ".localhost";
  std::string name = lower_of(http::host_name_of(host));
  if (name.ends_with('.')) name.pop_back();
  if (name.size() > suffix.size() && name.ends_with(suffix))
    return by_app_host(std::string_view(name).substr(0, name.size() - suffix.size()), path);
  constexpr std::array<std::string_view, 5> management = {"/api", "/metrics", "/healthz", "/readyz",
                                                          "/ui"};
  // Management judges the Host itself, so that its refusals have one form.
  for (const std::string_view part : management)
    if (is_below(path, part)) return {.surface = Surface::Management, .path = path};
  const bool is_ours = name.empty() || name == "localhost" || is_address(name) ||
                       std::find(own_hosts.begin(), own_hosts.end(), name) != own_hosts.end();
  if (!is_ours) return {.surface = Surface::ForeignHost, .path = path};
  return by_path(path);
}

Destination in_workspace(const Destination& first) {
  if (first.prefix.empty() || first.path.size() < 2 || first.path.front() != '/') return {};
  Destination to{.surface = Surface::App, .workspace = first.name, .path = first.path};
  to.name = name_of(cut_part(to.path)).value_or("");
  if (to.name.empty()) return {};
  // Both views lie in one path, the prefix in front.
  to.prefix = std::string_view(first.prefix.data(),
                               first.prefix.size() + (first.path.size() - to.path.size()));
  return to;
}

}  // namespace kelvin::gateway
