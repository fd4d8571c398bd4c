// otlp: spans as OTLP/HTTP JSON (https://opentelemetry.io/docs/specs/otlp/), and the sending of them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace kelvin::obs {

struct SpanAttribute {
  std::string_view name;  // a literal
  std::variant<std::string, std::int64_t> value;
};

// The numbers are those of the protocol.
enum class SpanKind : std::uint8_t { Internal = 1, Server = 2, Client = 3 };
enum class SpanStatus : std::uint8_t { Unset = 0, Ok = 1, Error = 2 };

struct Span {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> id{};
  std::array<std::uint8_t, 8> parent{};  // all zero: none
  std::uint8_t flags = 0;                // of the trace parent
  std::string name;
  SpanKind kind = SpanKind::Internal;
  std::int64_t start_unix_ns = 0;
  std::int64_t end_unix_ns = 0;
  std::vector<SpanAttribute> attributes;
  SpanStatus status = SpanStatus::Unset;
};

// Who speaks.
struct SpanSource {
  std::string version;
  std::string instance;
};

// An ExportTraceServiceRequest. Text that is not UTF-8 is replaced.
[[nodiscard]] std::string otlp_json(const SpanSource& source, std::span<const Span> spans);

// "http://127.0.0.1:4318" -> ".../v1/traces"; a URL that ends so already stays. Invalid when it is no http or https URL.
[[nodiscard]] Result<std::string> otlp_traces_url(std::string_view endpoint);

struct ExportAnswer {
  enum class Kind : std::uint8_t {
    Taken,
    TryAgain,  // nobody answered, or 429, 502, 503, 504
    Refused,   // sending the same again cannot help
  };
  Kind kind = Kind::TryAgain;
  Duration retry_after{};      // the collector's wish; 0: none
  std::uint64_t rejected = 0;  // spans of a taken request that the collector threw away
  std::string why;             // unless taken whole
};

// Reads what a collector says: the status, Retry-After in whole seconds, and the body.
[[nodiscard]] ExportAnswer judge_export(int status, std::string_view retry_after,
                                        std::string_view body);

// A connection to a collector; one thread's own.
class OtlpClient {
 public:
  // `gives_up`, when it becomes true, ends a post that hangs; it outlives the client.
  static Result<std::unique_ptr<OtlpClient>> create(std::string_view endpoint,
                                                    const std::atomic<bool>& gives_up);
  virtual ~OtlpClient() = default;
  virtual ExportAnswer post(const std::string& json, Duration at_most) = 0;
};

}  // namespace kelvin::obs
