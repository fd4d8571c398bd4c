// openai_body: finds the model that a request under /v1 asks for.
//
// A JSON body is read once, strictly by its grammar, without building anything: only the keys of the outermost object
// are decoded. A form body (multipart/form-data, for audio and images) is cut at its boundary and its part named
// "model" is taken. Two models are refused, because the replica might read the other one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kelvin::gateway {

enum class ModelSearch : std::uint8_t {
  Found,
  InvalidBody,  // neither JSON nor a form that can be read: 400
  Missing,      // no top-level "model": 400
  Repeated,     // more than one: 400
  NotText,      // it is not a string, or longer than 256 bytes: 400
};

struct ModelField {
  ModelSearch search = ModelSearch::InvalidBody;
  std::string model;  // decoded; with Found
  std::size_t from =
      0;  // with Found: its bytes in the body are [from, to), quotes included for JSON
  std::size_t to = 0;
  bool is_json = true;
  bool is_streaming = false;  // a JSON body whose last outermost "stream" is true
};

[[nodiscard]] ModelField find_model(std::string_view content_type, std::string_view body);

// The text to put in place of [from, to) so that the body names another model.
[[nodiscard]] std::string model_text(const ModelField& field, std::string_view model);

}  // namespace kelvin::gateway
