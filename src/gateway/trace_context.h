// trace_context: which trace a request belongs to, by W3C Trace Context (https://www.w3.org/TR/trace-context-2/).
//
//   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//                version, trace id, id of the caller's span, flags; lower-case hex digits
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "http/message.h"

namespace kelvin::gateway {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// Flags; the others are reserved and never passed on.
constexpr std::uint8_t kTraceSampled = 0x01;  // somebody records this trace
constexpr std::uint8_t kTraceRandom = 0x02;   // its id is random in its last seven bytes

struct TraceParent {
  TraceId trace{};  // never all zero
  SpanId span{};    // never all zero
  std::uint8_t flags = 0;
  bool operator==(const TraceParent&) const = default;
};

// Strict: one malformed character and there is no trace parent. A version after 00 is read as far as 00 goes, as the
// recommendation asks; version ff is none.
[[nodiscard]] std::optional<TraceParent> parse_traceparent(std::string_view value);

// As version 00.
constexpr std::size_t kTraceParentBytes = 55;
[[nodiscard]] std::array<char, kTraceParentBytes> traceparent_text(const TraceParent& parent);

// Of a whole head: a field that comes twice is as bad as a malformed one.
[[nodiscard]] std::optional<TraceParent> find_traceparent(const http::Head& head);

// Whether an id falls into the share of traces that are recorded, in millionths. The same id is judged alike everywhere.
[[nodiscard]] bool is_in_sample(const TraceId& trace, std::uint32_t share_ppm);

// Ids that no other source gives, as far as 128 and 64 random bits go. One thread's own.
class TraceIds {
 public:
  // Seeds from the system's randomness.
  TraceIds();
  TraceIds(Random first, Random second) : first_(first), second_(second) {}

  TraceId next_trace();
  SpanId next_span();

 private:
  Random first_;
  Random second_;
};

// The trace of one request.
struct RequestTrace {
  TraceId trace{};  // all zero: none
  SpanId parent{};  // all zero: the trace begins here
  SpanId
      span{};  // of the request itself; all zero: none is recorded and the fields pass as they came
  std::uint8_t flags = 0;
  bool is_restarted = false;  // the client's fields were unusable: its tracestate is dropped too

  [[nodiscard]] bool has_id() const { return trace != TraceId{}; }
  [[nodiscard]] bool has_span() const { return span != SpanId{}; }
  [[nodiscard]] bool is_sampled() const { return has_span() && (flags & kTraceSampled) != 0; }
  // What the replica is told: the request's span is its parent.
  [[nodiscard]] std::array<char, kTraceParentBytes> traceparent() const {
    return traceparent_text({.trace = trace, .span = span, .flags = flags});
  }
};

}  // namespace kelvin::gateway
