// Keys: made, listed, removed; every change reaches the gateway before it is answered.
#include <algorithm>

#include "api/bodies.h"
#include "api/key_text.h"
#include "api/routes.h"
#include "api/views.h"

namespace kelvin::api {

Answer list_keys(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  JsonWriter json;
  json.open_object();
  json.open_array("keys");
  for (const model::Key& key : *service.keys.keys()) {
    if (!service.keys.is_admin_token(key.prefix)) write_key(json, {}, key);
  }
  json.close_array();
  json.close_object();
  return json_reply(json.take());
}

Answer create_key(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.body_max));
  KELVIN_ANSWER_TRY(const KeyBody wanted, parse_key(text));
  const std::scoped_lock lock(service.changes);
  if (service.keys.keys()->size() > service.options.limits.keys_max) {
    return refuse({.status = 409,
                   .code = "too_many_keys",
                   .detail = "There are " + std::to_string(service.options.limits.keys_max) +
                             " keys already.",
                   .next = "Remove one that is not needed with: kelvin keys rm PREFIX"});
  }
  const std::string secret = make_key_text();
  KELVIN_ANSWER_TRY(const model::Key key,
                    service.ports.store.add_key({.name = wanted.name,
                                                 .prefix = key_prefix(secret),
                                                 .scopes = wanted.scopes,
                                                 .hash = hash_key_text(secret),
                                                 .weight = wanted.weight,
                                                 .created_unix_ms = service.unix_ms_now()}));
  KELVIN_ANSWER_TRY_VOID(service.keys.load(service.ports.store, service.ports.data_plane));
  JsonWriter json;
  json.open_object();
  write_key(json, "key", key);
  json.text("secret", secret);
  json.close_object();
  return json_reply(json.take(), 201);
}

Answer delete_key(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  const std::string& prefix = call.parameters[0];
  if (service.keys.is_admin_token(prefix)) {
    return refuse(
        {.status = 409,
         .code = "admin_token",
         .detail = "This is the admin token of the data folder, which is not removed here.",
         .next = "To change it, stop the server, remove the file admin-token and start again."});
  }
  const std::scoped_lock lock(service.changes);
  const std::shared_ptr<const std::vector<model::Key>> keys = service.keys.keys();
  const auto found = std::ranges::find(*keys, prefix, &model::Key::prefix);
  if (found == keys->end()) {
    return refuse({.status = 404,
                   .code = "key_not_found",
                   .detail = "There is no key with the prefix '" + prefix + "'.",
                   .next = "See which there are with: kelvin keys ls"});
  }
  KELVIN_ANSWER_TRY_VOID(service.ports.store.delete_key(found->id));
  KELVIN_ANSWER_TRY_VOID(service.keys.load(service.ports.store, service.ports.data_plane));
  JsonWriter json;
  json.open_object();
  json.text("deleted", prefix);
  json.close_object();
  return json_reply(json.take());
}

}  // namespace kelvin::api
