// problem: replies that the gateway makes itself.
//
// Under /v1 an error is an OpenAI envelope, elsewhere a problem document of RFC 9457; both carry a stable code and a
// sentence that says what happened and what to do next.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/route.h"

namespace kelvin::gateway {

struct OwnReply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body;
  std::string_view extra_fields;  // whole lines
  std::string_view request_id;    // empty: the request was not read far enough to have one
  std::string_view server_timing;
  std::int64_t unix_seconds = 0;  // for Date
  bool is_head = false;           // the body is left out, its length is said
  bool closes = false;
};
void append_own_reply(std::string& out, const OwnReply& reply);

// The body of an error, and its content type.
struct ErrorBody {
  std::string text;
  std::string_view content_type;
};
[[nodiscard]] ErrorBody error_body(const model::Refusal& refusal, bool is_openai);

// {"error":{"message",...}}: the envelope, also said inside an SSE stream.
[[nodiscard]] std::string openai_error(const model::Refusal& refusal);

// "Retry-After: 5\r\n", rounded up to seconds; empty when the refusal names no time.
[[nodiscard]] std::string retry_after_field(const model::Refusal& refusal);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7).
void append_http_date(std::string& out, std::int64_t unix_seconds);

}  // namespace kelvin::gateway
