// Fuzzes the head parser: no crash, views inside the input, and a head that was accepted is
// accepted again, with the same framing, after it was written out anew.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/message.h"
#include "http/write.h"

using namespace kelvin::http;

namespace {

void check_request(std::string_view bytes) {
  RequestHead head;
  if (parse_request(bytes, {}, head).parsed != Parsed::Done) return;
  KELVIN_CHECK(head.bytes <= bytes.size() && !head.path.empty());
  KELVIN_CHECK(!(head.is_chunked && head.content_length));
  std::string again;
  append_request_line(again, head.method, head.target);
  for (const Field& field : head.fields) append_field(again, field.name, field.value);
  again = again.substr(0, again.find("HTTP/1.1\r\n")) +
          (head.minor_version == 0 ? "HTTP/1.0\r\n" : "HTTP/1.1\r\n") +
          again.substr(again.find("HTTP/1.1\r\n") + 10) + "\r\n";
  RequestHead second;
  KELVIN_CHECK(parse_request(again, {.head_bytes_max = 1 << 20}, second).parsed == Parsed::Done);
  KELVIN_CHECK(second.content_length == head.content_length &&
               second.is_chunked == head.is_chunked);
  KELVIN_CHECK(second.host == head.host && second.path == head.path);
  // Nothing is decided on half a head.
  RequestHead cut;
  const std::string_view shorter = bytes.substr(0, head.bytes - 1);
  KELVIN_CHECK(parse_request(shorter, {}, cut).parsed == Parsed::NeedMore);
}

void check_response(std::string_view bytes) {
  ResponseHead head;
  if (parse_response(bytes, {}, head).parsed != Parsed::Done) return;
  KELVIN_CHECK(head.status >= 100 && head.status <= 599 && head.bytes <= bytes.size());
  KELVIN_CHECK(!(head.is_chunked && head.content_length));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_request(bytes);
  check_response(bytes);
  static_cast<void>(decode_path(bytes));
  return 0;
}
