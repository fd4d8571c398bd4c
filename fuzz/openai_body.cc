// Fuzzes the search for a request's model: what was found lies where it says, and naming another model there is found
// again. The prompt lies inside the body and does not depend on the model's name. The first line of the input is the
// content type.
#include "gateway/openai_body.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "gateway/affinity.h"

using namespace kelvin::gateway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find('\n');
  const std::string_view type = bytes.substr(0, end);
  const std::string body(end == std::string_view::npos ? std::string_view()
                                                       : bytes.substr(end + 1));
  const std::string_view prompt = find_prompt(body);
  KELVIN_CHECK(prompt.empty() || (prompt.data() >= body.data() &&
                                  prompt.data() + prompt.size() <= body.data() + body.size()));
  const ModelField field = find_model(type, body);
  if (field.search != ModelSearch::Found) return 0;
  KELVIN_CHECK(field.from <= field.to && field.to <= body.size());
  std::string renamed = body;
  renamed.replace(field.from, field.to - field.from, model_text(field, "another"));
  const ModelField again = find_model(type, renamed);
  KELVIN_CHECK(again.search == ModelSearch::Found && again.model == "another");
  if (field.is_json) KELVIN_CHECK(find_prompt(renamed) == prompt);
  return 0;
}
