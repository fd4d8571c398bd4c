// Fuzzes the reader of traceparent: what it accepts has ids, keeps its meaning when written anew, and is accepted again.
#include "gateway/trace_context.h"

#include <cstdint>
#include <string_view>

#include "base/check.h"

using namespace kelvin::gateway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto parent = parse_traceparent(value);
  if (!parent) return 0;
  KELVIN_CHECK(parent->trace != TraceId{} && parent->span != SpanId{});
  const auto text = traceparent_text(*parent);
  const std::string_view again(text.data(), text.size());
  KELVIN_CHECK(parse_traceparent(again) == parent);
  KELVIN_CHECK(value.substr(2, 51) == again.substr(2, 51));
  return 0;
}
