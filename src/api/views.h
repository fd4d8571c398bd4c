// views: what clients are shown of apps, revisions, replicas and keys, as JSON.
#pragma once

#include <optional>
#include <string_view>

#include "api/json.h"
#include "api/service.h"
#include "model/key.h"
#include "model/view.h"

namespace kelvin::api {

// An empty name is an item of an array.
void write_app(JsonWriter& json, std::string_view name, const Service& service,
               const model::AppView& app);
void write_revision(JsonWriter& json, const model::Revision& revision, bool is_active);
void write_replica(JsonWriter& json, const Service& service, const model::ReplicaView& replica,
                   std::string_view name = {});
// Null where there is none.
void write_request(JsonWriter& json, std::string_view name, const Service& service,
                   const std::optional<model::RequestView>& request);
void write_key(JsonWriter& json, std::string_view name, const model::Key& key);

// {"app": APP}
[[nodiscard]] std::string app_body(const Service& service, const model::AppView& app);

}  // namespace kelvin::api
