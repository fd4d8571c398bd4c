// destination: where a request wants to go, by its Host and then by its path.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kelvin::gateway {

enum class Surface : std::uint8_t {
  App,         // plain proxy
  OpenAi,      // /v1: the body names the app
  Management,  // /api, /metrics, /healthz, /readyz, /ui
  Nowhere,     // no path of ours: 404
  ForeignHost,  // a Host that is not this server: 403, because a web page can make any name point here
};

struct Destination {
  Surface surface = Surface::Nowhere;
  std::string name;         // App: of the app
  std::string workspace;    // App: of the app; empty: the default one
  std::string_view path;    // what the app sees, with the query; views the caller's path
  std::string_view prefix;  // what was taken off in front of it: "/apps/gemma", else empty
  // Nowhere and OpenAi: why the path has more than one reading, a sentence for the client (400). Else empty.
  std::string_view refusal;
};

// `host` and `path` as in http::RequestHead. `own_hosts`: names beside localhost and IP addresses by which this server
// is called, lower case, without ports.
[[nodiscard]] Destination find_destination(std::string_view host, std::string_view path,
                                           std::span<const std::string> own_hosts);

// /apps/WORKSPACE/NAME/...: the other reading of an /apps path, for when the first names no app. Nowhere when the path
// has no second part.
[[nodiscard]] Destination in_workspace(const Destination& first);

}  // namespace kelvin::gateway
