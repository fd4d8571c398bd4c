// metrics: what the data plane counts about itself.
#include "gateway/metrics.h"

namespace kelvin::gateway {

void Metrics::add_to(MetricsSnapshot& sum) const {
  const auto read = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  for (std::size_t i = 0; i < requests_by_class.size(); ++i)
    sum.requests_by_class[i] += read(requests_by_class[i]);
  sum.requests_in_flight += read(requests_in_flight);
  sum.requests_waiting += read(requests_waiting);
  sum.cold_starts += read(cold_starts);
  sum.resumes += read(resumes);
  sum.retries += read(retries);
  sum.request_bytes += read(request_bytes);
  sum.reply_bytes += read(reply_bytes);
  sum.connections_accepted += read(connections_accepted);
  sum.connections_refused += read(connections_refused);
  sum.accept_pauses += read(accept_pauses);
  sum.upstream_connects += read(upstream_connects);
  sum.upstream_reuses += read(upstream_reuses);
}

}  // namespace kelvin::gateway
