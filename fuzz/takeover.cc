// Fuzzes what two platform processes read from each other during an upgrade. A message that is accepted is written out
// as the very bytes it was read from: there is one way to say each thing.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "takeover/codec.h"

using namespace kelvin;
using namespace kelvin::takeover;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto bytes = frame_bytes(received);
  if (!bytes || !*bytes || received.size() < **bytes) return 0;
  const std::string_view frame = received.substr(0, **bytes);
  const Result<Message> message = decode(frame);
  if (!message) return 0;
  const Result<std::string> written = encode(*message);
  KELVIN_CHECK(written.has_value() && *written == frame);
  return 0;
}
