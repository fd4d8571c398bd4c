// names: which fields only a head may say.
#include "http/message.h"
#include "http/octets.h"

namespace kelvin::http {
namespace {

// By the groups of RFC 9110 6.5.1, and what browsers keep for later.
constexpr std::string_view kForHeadsOnly[] = {
    // framing and routing
    "content-length", "transfer-encoding", "host", "trailer", "max-forwards", "expect", "via",
    "forwarded", "x-real-ip", "traceparent", "tracestate",
    // one hop
    "connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings",
    // who is calling
    "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
    "authentication-info", "proxy-authentication-info", "cookie", "set-cookie", "origin",
    // modifiers of the request and controls of the reply
    "cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since",
    "if-unmodified-since", "if-range", "age", "date", "expires", "location", "retry-after", "vary",
    "warning", "allow", "prefer",
    // what the content is
    "content-encoding", "content-type", "content-range", "content-disposition", "content-location",
    // what a browser keeps for later
    "strict-transport-security", "alt-svc", "clear-site-data"};
// Whole families of them.
constexpr std::string_view kFamiliesForHeadsOnly[] = {"x-forwarded-", "kelvin-", "access-control-",
                                                      "content-security-policy", "sec-"};

char as_dashed(char c) { return c == '_' ? '-' : lower(c); }
bool begins_like(std::string_view name, std::string_view lower_prefix) {
  if (name.size() < lower_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_prefix.size(); ++i)
    if (as_dashed(name[i]) != lower_prefix[i]) return false;
  return true;
}

}  // namespace

bool is_for_heads_only(std::string_view name) {
  for (const std::string_view one : kForHeadsOnly)
    if (one.size() == name.size() && begins_like(name, one)) return true;
  for (const std::string_view family : kFamiliesForHeadsOnly)
    if (begins_like(name, family)) return true;
  return false;
}

}  // namespace kelvin::http
