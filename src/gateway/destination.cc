// destination: where a request wants to go, by its Host and then by its path.
#include "gateway/destination.h"

#include <algorithm>
#include <array>

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
  const bool is_odd = to.name.empty() || to.workspace.find('.') != std::string::npos;
  if (is_odd) return {};
  return to;
}

// Cuts "/NAME" off the front of `path`, which begins with a slash; what remains begins with one too, or is empty or a
// query.
std::string_view cut_part(std::string_view& path) {
  const std::size_t end = std::min(path.find_first_of("/?", 1), path.size());
  const std::string_view part = path.substr(1, end - 1);
  path.remove_prefix(end);
  return part;
}

Destination by_path(std::string_view path) {
  constexpr std::string_view apps = "/apps";
  if (is_below(path, "/v1")) return {.surface = Surface::OpenAi, .path = path};
  if (!path.starts_with("/apps/")) return {};
  Destination to{.surface = Surface::App, .path = path.substr(apps.size())};
  to.name = cut_part(to.path);
  if (to.name.empty()) return {};
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
  to.name = cut_part(to.path);
  if (to.name.empty()) return {};
  // Both views lie in one path, the prefix in front.
  to.prefix = std::string_view(first.prefix.data(),
                               first.prefix.size() + (first.path.size() - to.path.size()));
  return to;
}

}  // namespace kelvin::gateway
