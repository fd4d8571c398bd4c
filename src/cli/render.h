// render: what verbs show, as text. Pure: values in, text out; goldens hold every form of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "cli/page.h"
#include "cli/wire.h"

namespace kelvin::cli {

[[nodiscard]] std::string render_apps(const std::vector<wire::App>& apps, const Page& page);
[[nodiscard]] std::string render_description(const wire::Description& description,
                                             const Page& page);
// "gemma: ready (1 ready, 1 parked)".
[[nodiscard]] std::string render_app_line(const wire::App& app, const Page& page);
// A line each: how a rollout stands, what keeps replicas warm, what the schedule says.
[[nodiscard]] std::string render_keeps(const wire::App& app, const Page& page);
// "12 requests wait (7 of low priority, 3 keys): replica r3-17 is loading"; nothing where none does.
[[nodiscard]] std::string render_queue(const wire::App& app, const Page& page);
// "q3-1-902 waits for a slot of gemma: place 3 of 12, for 4s, at most 9m56s more: replica r3-17 is loading".
[[nodiscard]] std::string render_waiting(const wire::Request& request, const Page& page);
// "1: 90 %, 2: 10 %"; nothing where the traffic is not split.
[[nodiscard]] std::string traffic_text(const wire::App& app);
// How a rollout by steps stands, or why it was rolled back; nothing where there is none.
[[nodiscard]] std::string rollout_text(const wire::App& app, const Page& page);
// "gemma@3  http://gemma.localhost:27315/".
[[nodiscard]] std::string render_deployed(const wire::App& app, const Page& page);

[[nodiscard]] std::string render_replicas(const std::vector<wire::Replica>& replicas,
                                          const Page& page);
// "r3-17 of gemma@3: ready for 40s (warm): ready after 1.2 s", and below it what happens to it next.
[[nodiscard]] std::string render_replica_state(const wire::Replica& replica, const Page& page);
[[nodiscard]] std::string render_decisions(const std::vector<wire::Decision>& decisions,
                                           const Page& page);
[[nodiscard]] std::string render_log_line(const wire::LogLine& line, const Page& page);

[[nodiscard]] std::string render_usage(const wire::Usage& usage, const Page& page);
// With the usage of the same time, which says what was not billed.
[[nodiscard]] std::string render_bill(const wire::Bill& bill, const wire::Usage& usage,
                                      const Page& page);

[[nodiscard]] std::string render_keys(const std::vector<wire::Key>& keys, const Page& page);
[[nodiscard]] std::string render_status(const wire::ServerStatus& status, std::string_view server,
                                        const Page& page);

// Faults first, as compilers write them, each with its line of `source` (the app file's text; may be empty) and a mark
// below the column; then what failed, why, and what to do next.
[[nodiscard]] std::string render_failure(const Failure& failure, std::string_view source,
                                         const Page& page);

}  // namespace kelvin::cli
