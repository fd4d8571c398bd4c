#include "api/access.h"

#include <algorithm>
#include <cstdint>

#include "api/key_text.h"

namespace kelvin::api {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "[::1]" or four numbers; how sound the numbers are does not matter, a name never looks like this.
bool is_numeric_address(std::string_view name) {
  if (name.starts_with('[')) return name.ends_with(']');
  return !name.empty() && name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_local_name(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost") || name == "127.0.0.1" ||
         name == "[::1]";
}

bool stands_for(std::string_view listen, std::string_view name) {
  const std::string bound = lower(http::host_name_of(listen));
  if (name == bound) return !name.empty();
  return (bound == "0.0.0.0" || bound == "[::]") && is_numeric_address(name);
}

// The token of "Bearer TOKEN"; empty: none.
std::string_view bearer_of(const http::RequestHead& head) {
  constexpr std::string_view scheme = "bearer ";
  const http::Field* field = head.find("Authorization");
  if (field == nullptr || field->value.size() <= scheme.size()) return {};
  if (!http::same_name(field->value.substr(0, scheme.size()), scheme)) return {};
  std::string_view token = field->value.substr(scheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

model::Key admin_key(std::string_view token) {
  return {.id = {UINT64_MAX},  // no stored key gets there
          .name = "admin-token",
          .prefix = is_key_text(token) ? key_prefix(token) : std::string(),
          .scopes = {.invoke = true, .admin = true},
          .hash = hash_key_text(token)};
}

constexpr std::string_view kFindToken =
    "Send 'Authorization: Bearer KEY' with a key of scope admin; the one made at the first start "
    "is in the file "
    "admin-token of the data folder.";

}  // namespace

OrProblem<void> check_host(const http::RequestHead& head, std::string_view listen,
                           std::span<const std::string> others) {
  const std::string name = lower(http::host_name_of(head.host));
  const auto stands_for_name = [&](const std::string& other) { return stands_for(other, name); };
  if (!is_local_name(name) && !stands_for(listen, name) &&
      !std::ranges::any_of(others, stands_for_name)) {
    return refuse({.status = 403,
                   .code = "foreign_host",
                   .detail = "The request names a host that is not this server's.",
                   .next = "Call the server by localhost or by the address it listens on (" +
                           std::string(listen) + ")."});
  }
  const http::Field* origin = head.find("Origin");
  // The port is part of the host, and no port speaks both.
  const std::string host(head.host);
  if (origin == nullptr || origin->value == "http://" + host || origin->value == "https://" + host)
    return {};
  return refuse({.status = 403,
                 .code = "foreign_origin",
                 .detail = "Web pages of other origins may not use the management API.",
                 .next = "Call it from a program instead of a web page."});
}

KeyRing::KeyRing(std::string_view admin_token)
    : admin_(admin_key(admin_token)),
      keys_(std::make_shared<const std::vector<model::Key>>(std::vector<model::Key>{admin_})) {}

Status KeyRing::load(ports::Store& store, ports::DataPlane& data_plane) {
  KELVIN_TRY(std::vector<model::Key> keys, store.keys());
  keys.insert(keys.begin(), admin_);
  auto shared = std::make_shared<const std::vector<model::Key>>(std::move(keys));
  {
    const std::scoped_lock lock(mutex_);
    keys_ = shared;
  }
  data_plane.change_keys(std::move(shared));
  return {};
}

std::shared_ptr<const std::vector<model::Key>> KeyRing::keys() const {
  const std::scoped_lock lock(mutex_);
  return keys_;
}

OrProblem<model::Key> KeyRing::check_admin(const http::RequestHead& head) const {
  const std::string_view token = bearer_of(head);
  const model::KeyHash shown = hash_key_text(token);
  const model::Key* found = nullptr;
  const std::shared_ptr<const std::vector<model::Key>> all = keys();
  // Goes through all of them, found or not.
  for (const model::Key& key : *all) {
    if (is_same_hash(shown, key.hash)) found = &key;
  }
  if (token.empty() || found == nullptr) {
    return refuse({.status = 401,
                   .code = token.empty() ? "key_missing" : "key_unknown",
                   .detail = token.empty()
                                 ? "The management API needs a key, and the request shows none."
                                 : "The key that the request shows does not exist.",
                   .next = std::string(kFindToken),
                   .extra_fields = "WWW-Authenticate: Bearer\r\n"});
  }
  if (!found->scopes.admin) {
    return refuse({.status = 403,
                   .code = "key_lacks_admin",
                   .detail = "The key " + found->prefix + " may call apps but not manage them.",
                   .next = std::string(kFindToken)});
  }
  return *found;
}

}  // namespace kelvin::api
