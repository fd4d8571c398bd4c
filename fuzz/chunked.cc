// Fuzzes the chunk reader: the same body in one piece and byte by byte gives the same payload, the
// same trailers and the same end.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/message.h"

using namespace kelvin::http;

namespace {

struct Read {
  Parsed parsed = Parsed::NeedMore;
  std::string payload;
  std::string trailers;
  std::size_t consumed = 0;
};

Read read(std::string_view bytes, std::size_t piece) {
  ChunkReader reader;
  Read all;
  std::size_t shown = 0;
  for (;;) {
    const auto step = reader.feed(bytes.substr(all.consumed, shown - all.consumed));
    all.payload += step.payload;
    all.consumed += step.consumed;
    all.parsed = step.parsed;
    for (const Field& field : reader.trailers()) {
      KELVIN_CHECK(!is_for_heads_only(field.name) &&
                   field.name.find_first_of(" :\r\n") == field.name.npos);
      KELVIN_CHECK(field.value.find_first_of("\r\n") == field.value.npos);
      all.trailers.append(field.name).append("\n").append(field.value).append("\n");
    }
    if (step.parsed != Parsed::NeedMore) return all;
    if (step.consumed > 0) continue;
    KELVIN_CHECK(all.consumed == shown);
    if (shown == bytes.size()) return all;
    shown = std::min(bytes.size(), shown + piece);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read whole = read(bytes, bytes.size() + 1);
  const Read bytewise = read(bytes, 1);
  KELVIN_CHECK(whole.parsed == bytewise.parsed && whole.payload == bytewise.payload);
  KELVIN_CHECK(whole.consumed == bytewise.consumed && whole.trailers == bytewise.trailers);
  return 0;
}
