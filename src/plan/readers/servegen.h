// servegen: a folder of clients' workload models, as ServeGen publishes them.
//
// Of client N, chunk-N-trace.csv holds one window a line, without a header: its first second, requests a second, the
// variation of the gaps, their family (Gamma, Weibull, or empty where the rate is 0), shape and scale. A window lasts
// 600 s. chunk-N-dataset.json maps the first second of longer windows to tables of lengths, each written as text:
// {"0": {"input_tokens": "{378: 0.25, 412: 0.75}", "output_tokens": "{...}"}}. plan/generate.h says what is drawn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/generate.h"
#include "plan/readers/readers.h"

namespace kelvin::plan {

struct ClientSource {
  std::uint32_t number = 0;
  std::string trace_name;  // both only repeated in refusals
  std::string dataset_name;
  ReadBytes trace;
  std::string dataset;
};
[[nodiscard]] Reading<ClientModel> read_client(const ClientSource& source,
                                               const ReadLimits& limits);

// Requests of these clients, in order.
[[nodiscard]] Reading<ReadTrace> draw_trace(const std::string& name,
                                            const std::vector<ClientModel>& clients,
                                            const ReadOptions& options);

[[nodiscard]] Reading<ReadTrace> read_servegen(const std::string& folder,
                                               const ReadOptions& options);

}  // namespace kelvin::plan
