// limit_options: the limits of the gateway as `kelvin serve` sets and shows them.
//
// Everything here is made from the rows of gateway/limits.h. A limit is set by --limit NAME=VALUE, else by its variable
// (header-time: KELVIN_LIMIT_HEADER_TIME), else it has its default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "gateway/limits.h"

namespace kelvin::cli {

// `settings`: "header-time=5s"; a later one of the same name wins. Usage failures name the limit, what was found, and what
// was expected.
[[nodiscard]] Attempt<gateway::GatewayLimits> read_limits(const std::vector<std::string>& settings,
                                                          const Variables& variable);

// "10s", "32KiB", "128", "240B/s": as read_limits takes it.
[[nodiscard]] std::string limit_text(gateway::LimitUnit unit, std::uint64_t value);

// Every limit with its value, its default, what it bounds and what happens beyond it.
[[nodiscard]] std::string render_limits(const gateway::GatewayLimits& limits, const Page& page);
[[nodiscard]] std::string write_limits(const gateway::GatewayLimits& limits);  // as JSON
// The table in SPECIFICATION.md.
[[nodiscard]] std::string limits_markdown();

}  // namespace kelvin::cli
