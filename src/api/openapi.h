// openapi: the OpenAPI 3.1 document of the management API, embedded at build from schema/openapi.json.
#pragma once

#include <string_view>

namespace kelvin::api {

[[nodiscard]] std::string_view openapi_document();

}  // namespace kelvin::api
