// app: what a user deploys, after every default is filled in and every path is resolved.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/time.h"

namespace kelvin::model {

// One way to satisfy an app's wish for accelerators.
struct AcceleratorNeed {
  std::string kind =
      "cpu";  // "cpu" (slots of the node's cores), or a lower-case GPU kind such as "h100"; "any" with memory_each
  std::uint32_t count = 1;
  Bytes memory_each;  // 0: whatever the kind has
  bool operator==(const AcceleratorNeed&) const = default;
};

// Keeps replicas warm at certain times: windows that open at every moment of one cron expression and close at the next
// moment of another, or after a length of time.
struct ScheduleRule {
  std::string begins;  // "0 8 * * 1-5"; src/schedule/cron.h says what may stand here
  std::string ends;    // empty: `length` says
  Duration length{};
  std::string zone = "UTC";  // IANA name
  std::uint32_t replicas_min = 1;
  bool operator==(const ScheduleRule&) const = default;
};

struct ScaleRule {
  std::uint32_t replicas_min = 0;  // kept warm
  std::uint32_t replicas_max = 4;  // counts replicas that hold a lease
  std::uint32_t concurrency = 4;   // slots per replica
  // Lambda: replica-seconds one would pay to save one request-second of waiting, in thousandths.
  // batch 1'000, balanced 5'000, interactive 20'000, strict 100'000.
  std::uint32_t urgency_milli = 20'000;
  std::vector<ScheduleRule> schedule;  // of their floors and `replicas_min` the largest holds
  bool operator==(const ScaleRule&) const = default;
};

struct StartRule {
  Duration progress = 60s;     // give up when nothing has moved for this long
  std::uint32_t attempts = 3;  // then back off
  bool operator==(const StartRule&) const = default;
};

// How a new revision takes over: the requests that it takes, step by step, while it fails no more of them than the old one.
struct RolloutRule {
  std::vector<std::uint32_t> steps;  // percent, rising; empty: at once when it is ready
  Duration every = 120s;             // a step lasts so long at least
  std::uint32_t errors_milli =
      2000;                     // thousandths of a percent that it may fail more than the old one
  std::uint32_t requests = 20;  // replies to judge a step by
  bool operator==(const RolloutRule&) const = default;
};

struct QueueRule {
  std::uint32_t requests_max = 1000;  // beyond: 429
  Duration wait = 600s;               // beyond: 503
  bool operator==(const QueueRule&) const = default;
};

enum class ParkRule { Auto, Never };

// What replicas speak.
enum class Protocol : std::uint8_t { Http1, H2c };

// Requests that have the same of this go to the same replica, as long as it is not much fuller than the others.
enum class AffinityBy : std::uint8_t { None, Header, Cookie, Prefix };
struct AffinityRule {
  AffinityBy by = AffinityBy::None;
  std::string name;         // of the header (lower case) or cookie
  std::uint32_t bytes = 0;  // Prefix: how much of the prompt counts
  bool operator==(const AffinityRule&) const = default;
};

struct AppSpec {
  std::string name;  // DNS label
  std::vector<std::string>
      command;        // argv; {model} and {port} are filled in at the start of a replica
  std::string model;  // as written in the app file; empty: none
  std::map<std::string, std::string> environment;
  std::vector<AcceleratorNeed> needs{{}};  // in order of preference, never empty
  Bytes memory{};                          // host memory limit; 0: no limit
  std::uint16_t fixed_port = 0;            // 0: auto
  Protocol protocol = Protocol::Http1;
  std::string ready_path;  // empty: the port accepts
  std::string alive_path;  // empty: not asked
  ScaleRule scale;
  ParkRule park = ParkRule::Auto;
  std::string served_model;  // empty: `model` in /v1 bodies is passed on as it came
  StartRule start;
  RolloutRule rollout;
  Duration timeout = 600s;  // of a running request
  QueueRule queue;
  std::vector<std::string> cors;  // origins that may call the app
  AffinityRule affinity;
  bool operator==(const AppSpec&) const = default;
};

// What an app's schedule says at a moment.
struct ScheduledFloor {
  std::uint32_t replicas_min = 0;  // 0: no window is open
  // "2 replicas by `0 8 * * 1-5` for 10h, UTC, since ... until ...", or when the next one opens; empty: no schedule.
  std::string words;
  std::int64_t since_unix_ms = 0;  // when the window opened; 0: none is open
  std::int64_t until_unix_ms = 0;  // when this changes; 0: not as far as can be seen
  bool operator==(const ScheduledFloor&) const = default;
};

enum class RolloutStage : std::uint8_t {
  Starting,    // `from` takes all requests until `to` has a ready replica
  Shifting,    // `to` takes the share of its step
  Paused,      // the same, and goes no further by itself
  RolledBack,  // `from` takes all requests again
};
// One revision that takes over from another by its RolloutRule; one that has taken over is none any more.
struct Rollout {
  RevisionId from;
  RevisionId to;
  std::uint32_t step = 0;  // index into steps
  RolloutStage stage = RolloutStage::Starting;
  std::string why;  // how the step goes, or why it was rolled back
  bool operator==(const Rollout&) const = default;
};

// Part of an app's requests that a revision takes.
struct RevisionShare {
  RevisionId revision;
  std::uint32_t percent = 0;  // 1 to 100
  bool operator==(const RevisionShare&) const = default;
};

// One immutable version of an app.
struct Revision {
  RevisionId id;
  AppId app;
  std::uint32_t number = 1;  // counts from 1 within the app; shown as "gemma@3"
  std::string workspace = "default";
  AppSpec spec;
  std::string folder;      // where its content lies on the node: the replica's working directory
  std::string program;     // argv[0], looked up at deploy time
  std::string model_path;  // what {model} becomes; empty: none
  std::int64_t created_unix_ms = 0;      // 0: unknown
  std::int64_t app_created_unix_ms = 0;  // when the app's first revision came; 0: unknown
};

}  // namespace kelvin::model
