// spans: a finished request as spans of its trace.
//
//   POST v1/chat/completions  |---------------------------------------|   the server span: arrival to end
//     queue                   |---|                                       stages of its waiting, one after the other
//     start                       |------|
//     load                               |-------|
//     ttfb                                       |----|                   first byte sent to first byte of the reply
#pragma once

#include <vector>

#include "gateway/request_facts.h"
#include "obs/otlp.h"

namespace kelvin::gateway {

// `unix_ns`: when the request ended. The first one is the server span.
[[nodiscard]] std::vector<obs::Span> spans_of(const RequestRecord& record, std::int64_t unix_ns,
                                              TraceIds& ids);

}  // namespace kelvin::gateway
