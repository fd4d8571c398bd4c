// spec_text: an AppSpec as the JSON text that the store keeps, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/app.h"

namespace kelvin::store {

[[nodiscard]] std::string to_stored_text(const model::AppSpec& spec);

// Keys that are missing keep their defaults, keys that are not known are passed over: a spec written by another version
// stays readable. Internal when the text is no JSON object or a value has the wrong type.
[[nodiscard]] Result<model::AppSpec> parse_stored_text(std::string_view text);

}  // namespace kelvin::store
