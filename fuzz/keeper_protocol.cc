// Fuzzes what the keeper reads back: records on the disk, requests and messages on its socket. What is accepted is
// accepted again, and says the same, after it was written out anew.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "keeper/protocol.h"
#include "keeper/record.h"

using namespace kelvin;
using namespace kelvin::keeper;

namespace {

void check_record(std::string_view text) {
  const Result<Record> record = decode_record(text);
  if (!record) return;
  const std::string written = encode(*record);
  const Result<Record> again = decode_record(written);
  KELVIN_CHECK(again.has_value() && encode(*again) == written);
}

void check_request(std::string_view text) {
  const Result<Request> request = decode_request(text);
  if (!request) return;
  // One that was read may be too long to be sent.
  const Result<std::string> written = encode(*request);
  if (!written) return;
  const Result<Request> again = decode_request(*written);
  KELVIN_CHECK(again.has_value() && again->id == request->id && again->verb == request->verb);
  KELVIN_CHECK(again->replica == request->replica &&
               again->order.arguments == request->order.arguments);
}

void check_message(std::string_view text) {
  const Result<Message> message = decode_message(text);
  if (!message) return;
  const std::string written = encode(*message);
  const Result<Message> again = decode_message(written);
  KELVIN_CHECK(again.has_value() && again->id == message->id && again->pid == message->pid);
  KELVIN_CHECK(again->records.size() == message->records.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_record(text);
  check_request(text);
  check_message(text);
  return 0;
}
