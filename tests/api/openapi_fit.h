// openapi_fit: whether a reply is what the OpenAPI document says it is.
#pragma once

#include <string>
#include <string_view>

namespace kelvin::api {

// Empty: the reply fits. Otherwise where and why it does not. `content_type` without parameters.
struct Shown {
  std::string_view method;
  std::string_view pattern;  // "/api/v1/apps/{name}"
  int status = 0;
  std::string_view content_type;
  std::string_view body;
};
[[nodiscard]] std::string misfit(const Shown& shown);

// "It knows: app, to." of the query parameters that the document gives a GET; "It takes no parameters." for none.
[[nodiscard]] std::string described_parameters(std::string_view pattern);

}  // namespace kelvin::api
