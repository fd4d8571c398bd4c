// platform_metrics: the families of /metrics that the platform's parts count.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/app_series.h"
#include "gateway/metrics.h"
#include "gateway/notary.h"
#include "obs/metrics.h"
#include "shell/usage_writer.h"

namespace kelvin::cli {

void write_gateway_metrics(const gateway::MetricsSnapshot& counts, obs::MetricsWriter& page);
void write_app_metrics(const std::vector<gateway::AppSnapshot>& apps, obs::MetricsWriter& page);
void write_record_metrics(const gateway::AccessLogFigures& log, const gateway::TraceFigures& traces,
                          obs::MetricsWriter& page);
// `connections`: of the process that an upgrade has replaced.
void write_upgrade_metrics(std::uint32_t connections, obs::MetricsWriter& page);
void write_usage_metrics(const shell::UsageWriter::Figures& counts, obs::MetricsWriter& page);

}  // namespace kelvin::cli
