// appfile: kelvin.yaml read into a model::AppSpec, with a position in every complaint.
//
// Nothing of a file is accepted unless all of it is: the caller gets the whole app, or every complaint there is about
// it. Defaults are those of model::AppSpec. Paths stay as they are written; whoever has the folder resolves them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "model/app.h"

namespace kelvin::appfile {

// What a file may hold. A value outside is a complaint that states the range.
struct Limits {
  std::size_t file_bytes_max = 256 * 1024;
  std::size_t depth_max = 8;         // lists and maps inside each other
  std::size_t nodes_max = 10'000;    // values of any kind
  std::size_t complaints_max = 100;  // the last one says how many more there are
  std::size_t arguments_max = 256;
  std::size_t argument_bytes_max = 64 * 1024;
  std::size_t environment_max = 256;  // variables
  std::size_t environment_name_bytes_max = 256;
  std::size_t environment_value_bytes_max = 32 * 1024;
  std::size_t needs_max = 8;  // alternatives under `gpu`
  std::size_t origins_max = 64;
  std::size_t path_bytes_max = 4095;  // of the model, as written
  std::size_t url_path_bytes_max = 1024;
  std::size_t served_model_bytes_max = 256;
  std::uint64_t gpus_max = 16;         // per replica
  std::uint64_t cpu_slots_max = 1024;  // per replica
  Bytes memory_min = 1_MiB;
  Bytes memory_max = 65536_GiB;
  std::uint64_t replicas_max = 1000;
  std::uint64_t concurrency_max = 10'000;
  std::uint64_t urgency_max = 10'000;
  std::size_t schedule_max = 16;  // rules
  Duration window_min = 60s;      // scale.schedule: for
  Duration window_max = 168h;
  std::size_t rollout_steps_max = 20;
  std::uint64_t rollout_requests_max = 1'000'000;
  std::uint64_t attempts_max = 100;
  std::uint64_t queue_max = 100'000;
  std::size_t affinity_name_bytes_max = 128;      // of a header or cookie
  std::uint64_t affinity_prefix_max = 64 * 1024;  // bytes of a prompt
  Duration duration_min = 1s;                     // start.progress, timeout, queue.wait
  Duration duration_max = 24h;
};

// Both count from 1; columns count characters.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  auto operator<=>(const Position&) const = default;
};

struct Complaint {
  std::string file;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string
      found;  // what stands there, shortened and with control characters escaped; may be empty
  std::string expected;  // what may stand there; may be empty
  std::string message;   // the sentence, with both and the nearest known key
  bool operator==(const Complaint&) const = default;
};

// "kelvin.yaml:7:3: unknown key 'modle'; did you mean 'model'?", as compilers write it.
std::string to_text(const Complaint& complaint);

struct ParsedApp {
  model::AppSpec spec;
  std::string file;  // the name given to parse()
  std::map<std::string, Position>
      positions;  // of each value that was written: "model", "scale.max", "command.0"
};

// `text` may be anything at all. `file_name` is only repeated in complaints, which come in the order of the file.
// Never empty on failure.
tl::expected<ParsedApp, std::vector<Complaint>> parse(std::string_view text,
                                                      std::string_view file_name,
                                                      const Limits& limits = {});

// For what only shows when the file's folder or the server is known (no such model, command not found): a complaint
// at the value of `key` ("command.0"), or at the start of the file when it was not written.
Complaint complaint_at(const ParsedApp& app, std::string_view key, std::string found,
                       std::string message);

}  // namespace kelvin::appfile
