// readers: a file of requests, in any of the formats below, read into a Trace or refused.
//
//   azure-llm        CSV: TIMESTAMP,ContextTokens,GeneratedTokens; in order; one app
//   azure-functions  CSV: app,func,end_timestamp,duration in seconds; any order; an app per func, arrived at end - duration
//   mooncake         JSON lines: timestamp in milliseconds, input_length, output_length; in order; one app
//   servegen         a folder of chunk-N-trace.csv and chunk-N-dataset.json; an app per client, requests drawn by seed
//   access-log       JSON lines of Kelvin's own access log (docs/ops/access-log.md); nearly in order; an app per app
//
// Where a file says tokens instead of times, a request holds its slot for fixed + per_context * context tokens +
// per_generated * generated tokens. Nothing is guessed: one bad line refuses the trace, with its number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/time.h"
#include "plan/trace.h"

namespace kelvin::plan {

enum class Format : std::uint8_t { AzureLlm, AzureFunctions, Mooncake, ServeGen, AccessLog };
[[nodiscard]] std::string_view to_text(Format format);  // "azure-llm"
[[nodiscard]] std::optional<Format> to_format(std::string_view text);
[[nodiscard]] std::span<const Format> formats();

// Seconds that a request holds its slot. The defaults are those of an 8-billion-parameter model on one H100, roughly.
struct ServiceTime {
  double fixed = 0.05;
  double per_context = 8e-5;
  double per_generated = 0.02;
};

// Beyond each of them a trace is refused.
struct ReadLimits {
  std::size_t requests_max = 50'000'000;
  std::size_t apps_max = 100'000;
  std::size_t line_bytes_max = std::size_t{1} << 20;
  std::size_t dataset_bytes_max = std::size_t{64} << 20;  // of one client of a ServeGen folder
  std::size_t name_bytes_max = 256;                       // of an app
  double tokens_max = 10e6;                               // of a request, each way
  Duration service_max = 7 * 24h;                         // of a request
  Duration span_max = 400 * 24h;                          // from the first arrival to the last
  double rate_max = 1e6;                                  // requests a second of a ServeGen client
  double shape_min = 0.005;                               // of its gaps: a variation of 14
  double shape_max = 1e6;
};

struct ReadOptions {
  std::optional<Format> format;  // nothing: from the content
  ServiceTime service;
  std::vector<std::uint32_t> clients;  // of a ServeGen folder; empty: all
  std::uint64_t seed = 1;              // of drawn requests
  ReadLimits limits;
  // Told now and then how many bytes have been read, of how many; 0 where that is not known.
  std::function<void(std::uint64_t read, std::uint64_t total)> progress;
};

struct ReadTrace {
  Trace trace;  // with at least one arrival
  Format format = Format::AzureLlm;
  std::uint64_t skipped = 0;  // lines of an access log about requests that no replica served
  std::uint64_t lost = 0;     // requests that an access log says it lost
};

// Why a trace is not read. Sentences without a full stop.
struct Refusal {
  std::string file;
  std::uint64_t line = 0;  // from 1; 0: the file as a whole
  std::string what;
  std::string next;  // what to do
};
template <class T>
using Reading = tl::expected<T, Refusal>;

// "trace.csv:17: GeneratedTokens is 'x', which is no number".
[[nodiscard]] std::string to_text(const Refusal& refusal);

// Fills in up to so many bytes and returns how many; 0 at the end. On failure, why.
using ReadBytes = std::function<tl::expected<std::size_t, std::string>(std::span<char>)>;

[[nodiscard]] Reading<ReadTrace> read_trace(const std::string& path, const ReadOptions& options);
// Any format but ServeGen, from wherever its bytes are; `name` is only repeated in refusals.
[[nodiscard]] Reading<ReadTrace> read_stream(const std::string& name, const ReadBytes& bytes,
                                             const ReadOptions& options);

}  // namespace kelvin::plan
