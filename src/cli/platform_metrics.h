// platform_metrics: the families of /metrics that the platform's parts count.
#pragma once

#include "gateway/metrics.h"
#include "obs/metrics.h"
#include "shell/usage_writer.h"

namespace kelvin::cli {

void write_gateway_metrics(const gateway::MetricsSnapshot& counts, obs::MetricsWriter& page);
void write_usage_metrics(const shell::UsageWriter::Figures& counts, obs::MetricsWriter& page);

}  // namespace kelvin::cli
