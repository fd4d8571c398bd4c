// wire: the management API's JSON as values, and values as its JSON.
//
// Read once, here; the rest of the folder knows no JSON. Fields that are absent or null stay at their defaults, so that
// an older server is still understood; an answer without the part that was asked for is a Failure, because then whoever
// answered is not a kelvin server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/failure.h"

namespace kelvin::cli::wire {

// Part of an app's requests that a revision takes.
struct Share {
  std::uint32_t revision = 0;
  std::uint32_t percent = 0;
};

struct Rollout {
  std::string stage;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint32_t percent = 0;
  std::uint32_t step = 0;  // from 1; 0: before the first
  std::uint32_t steps = 0;
  std::optional<std::int64_t> step_since_unix_ms;
  std::string why;
};

struct App {
  std::string name;
  std::uint32_t revision = 0;
  std::string condition;
  std::string reason;
  std::optional<std::int64_t> retry_at_unix_ms;
  std::uint32_t live = 0;
  std::uint32_t ready = 0;
  std::uint32_t parked = 0;
  std::uint32_t waiting = 0;
  std::uint32_t waiting_low = 0;
  std::uint32_t waiting_keys = 0;
  std::string waits_for;
  std::string keeps;  // what keeps replicas warm
  std::vector<Share> traffic;
  std::optional<Rollout> rollout;
  std::uint32_t scale_min = 0;
  std::uint32_t scale_max = 0;
  std::uint32_t concurrency = 0;
  std::uint32_t urgency_milli = 0;
  std::string schedule;  // what it keeps warm at this moment, or next; empty: there is none
  std::string url;
  std::optional<std::int64_t> created_unix_ms;
};

struct Revision {
  std::uint32_t number = 0;
  bool is_active = false;
  std::vector<std::string> command;
  std::string model;
  std::optional<std::int64_t> created_unix_ms;
};

struct Accelerator {
  std::string kind;
  std::uint32_t index = 0;
};

struct Replica {
  std::string id;
  std::string app;
  std::uint32_t revision = 0;
  std::string state;
  std::string temperature;
  std::string node;
  std::vector<Accelerator> accelerators;
  std::uint64_t memory_claim_bytes = 0;
  std::optional<std::uint64_t> memory_bytes;
  std::int64_t pid = 0;
  std::uint32_t in_flight = 0;
  std::optional<std::int64_t> created_unix_ms;
  std::optional<std::int64_t> state_since_unix_ms;
  std::string reason;
  std::string next;  // what happens to it by itself, at next_unix_ms where a moment is known
  std::optional<std::int64_t> next_unix_ms;
  bool is_adopted = false;
};

struct Description {
  App app;
  std::vector<Revision> revisions;
  std::vector<Replica> replicas;
};

struct Deployed {
  App app;
  bool is_unchanged = false;
};

struct Decision {
  std::int64_t at_unix_ms = 0;
  std::string app;
  std::string replica;
  std::string request;
  std::string verb;
  std::string sentence;
};

// A request that waits.
struct Request {
  std::string id;
  std::string app;
  std::string priority;
  std::uint32_t place = 0;
  std::uint32_t waiting = 0;
  std::string waits_for;
  std::int64_t arrived_unix_ms = 0;
  std::int64_t deadline_unix_ms = 0;
};

struct Explained {
  std::optional<Request> waiting;  // the request that was asked about, while it waits
  std::optional<Replica> replica;  // the replica that was asked about, while it lives
  std::vector<Decision> decisions;
};

struct LogLine {
  std::int64_t at_unix_ms = 0;
  std::string replica;
  std::string stream;  // "out", "err" or "system"
  std::string text;
};

struct Key {
  std::string name;
  std::string prefix;
  std::vector<std::string> scopes;
  std::uint32_t weight = 1;
  std::optional<std::int64_t> created_unix_ms;
};

struct NewKey {
  Key key;
  std::string secret;
};

struct UsageSum {
  std::string app;
  std::string kind;
  std::string phase;
  std::int64_t total_ms = 0;
  std::int64_t billable_ms = 0;
};

struct Usage {
  std::int64_t from_unix_ms = 0;
  std::int64_t to_unix_ms = 0;
  std::vector<UsageSum> sums;
};

struct BillLine {
  std::string app;
  std::string kind;
  std::int64_t busy_ms = 0;
  std::int64_t rate_nano_per_ms = 0;
  std::int64_t amount_nano = 0;
};

struct Bill {
  std::string plan;
  std::string currency;
  std::int64_t from_unix_ms = 0;
  std::int64_t to_unix_ms = 0;
  std::vector<BillLine> lines;
  std::int64_t total_nano = 0;
};

struct NodeAccelerators {
  std::string kind;
  std::uint32_t count = 0;
  std::uint32_t in_use = 0;
};

struct Node {
  std::string name;
  bool is_up = false;
  std::uint64_t memory_bytes = 0;
  std::vector<NodeAccelerators> accelerators;
};

struct ServerStatus {
  std::string version;
  std::uint64_t epoch = 0;
  std::int64_t pid = 0;
  std::string listen;
  std::string data_folder;
  std::int64_t uptime_ms = 0;
  std::vector<Node> nodes;
};

struct Upgrade {
  std::string stage;  // "none", "preparing", "draining", "done", "failed"
  std::string why;
  std::string version;
  std::int64_t pid = 0;
  std::int64_t draining_pid = 0;
};

// --- answers ---------------------------------------------------------------------------------------------------------

[[nodiscard]] Attempt<std::vector<App>> read_apps(std::string_view json);
[[nodiscard]] Attempt<App> read_app(std::string_view json);  // {"app": ...}
[[nodiscard]] Attempt<Description> read_description(std::string_view json);
[[nodiscard]] Attempt<Deployed> read_deployed(std::string_view json);
[[nodiscard]] Attempt<std::vector<Replica>> read_replicas(std::string_view json);
[[nodiscard]] Attempt<Explained> read_decisions(std::string_view json);
[[nodiscard]] Attempt<std::vector<Key>> read_keys(std::string_view json);
[[nodiscard]] Attempt<NewKey> read_new_key(std::string_view json);
[[nodiscard]] Attempt<Usage> read_usage(std::string_view json);
[[nodiscard]] Attempt<Bill> read_bill(std::string_view json);
[[nodiscard]] Attempt<ServerStatus> read_status(std::string_view json);
[[nodiscard]] Attempt<Upgrade> read_upgrade(std::string_view json);
// One line of a log stream; nullopt when it is none.
[[nodiscard]] std::optional<LogLine> read_log_line(std::string_view json);
// `listen` of serve.json; nullopt when there is none.
[[nodiscard]] std::optional<std::string> read_listen(std::string_view json);

// The failure that an answer with a status of 400 or above says, with its exit code. Reads problem details and the
// OpenAI envelope; anything else becomes a failure that quotes its beginning.
[[nodiscard]] Failure read_problem(int status, std::string_view body);
// Whether a body is a refusal of the platform's own: problem details with a code and a next step.
[[nodiscard]] bool is_platform_problem(std::string_view body);

// --- questions -------------------------------------------------------------------------------------------------------

struct ContentFile {
  std::string path;
  bool is_executable = false;
  std::string sha256;
  std::uint64_t bytes = 0;
};

struct Deploy {
  std::string file;
  std::string file_name;
  std::vector<ContentFile> folder;
  std::string model_name;  // empty: none
  bool model_is_folder = false;
  std::vector<ContentFile> model;
};

[[nodiscard]] std::string write_deploy(const Deploy& deploy);
[[nodiscard]] std::string write_rollback(std::optional<std::uint32_t> to);
// What is empty or absent is left out.
[[nodiscard]] std::string write_upgrade(const std::string& binary,
                                        const std::optional<Duration>& drain);
[[nodiscard]] std::string write_scale(std::uint32_t least, std::uint32_t most);
[[nodiscard]] std::string write_rollout(std::string_view wish);
[[nodiscard]] std::string write_traffic(const std::vector<Share>& shares);
struct KeyWanted {
  std::string name;
  std::vector<std::string> scopes;
  std::optional<std::uint32_t> weight;  // absent: the server's default
};
[[nodiscard]] std::string write_key(const KeyWanted& wanted);

// --- what verbs print with --json that no API answer says ------------------------------------------------------------

[[nodiscard]] std::string write_failure(const Failure& failure);
[[nodiscard]] std::string write_version(const std::string& version);
[[nodiscard]] std::string write_script(const std::string& shell, const std::string& script);

struct CallReport {
  int status = 0;
  std::string request_id;
  std::string cold_start;  // "cold", "parked"; empty: it waited for no start
  std::vector<std::pair<std::string, std::int64_t>> stages_us;
  std::int64_t first_byte_us = 0;
  std::int64_t total_us = 0;
  std::string content_type;
  std::string body;  // bytes that are no UTF-8 are replaced
};
[[nodiscard]] std::string write_call(const CallReport& report);

// Indented by two; text that is no JSON comes back as it is.
[[nodiscard]] std::string indented(std::string_view json);

}  // namespace kelvin::cli::wire
