// app_reader: the keys of kelvin.yaml. One table per map names each key and the function that reads its value.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appfile/appfile.h"
#include "appfile/reader.h"
#include "appfile/tree.h"

namespace kelvin::appfile {

class AppReader {
 public:
  // `reader` may hold complaints about the text as such.
  AppReader(Reader reader, const Limits& limits) : reader_(std::move(reader)), limits_(limits) {}

  tl::expected<ParsedApp, std::vector<Complaint>> read(const Node& root) &&;

 private:
  struct Key {
    std::string_view name;
    void (AppReader::*read)(const Node& value);
  };
  struct Table {
    std::string_view prefix;  // "scale."; empty at the top
    std::span<const Key> keys;
  };
  // Sized where another file reads them as a whole.
  static const Key kAppKeys[], kGpuKeys[], kScaleKeys[5], kScheduleKeys[5], kStartKeys[],
      kRolloutKeys[4], kQueueKeys[], kAffinityKeys[];

  void read_map(const Node& map, const Table& table);
  // The key's entry, or null after a complaint about a key that is unknown or stands twice.
  const Key* find_key(const Node& key, const Table& table, const std::vector<const Node*>& before);
  void complain_unknown(const Node& key, const Table& table);
  // A map under `name`, or a complaint that lists the keys it may have.
  void read_group(const Node& value, std::string_view name, std::span<const Key> keys);

  // Each reads the key of its name.
  void read_name(const Node& value);
  void read_command(const Node& value);
  void read_argument(const Node& value, std::size_t index);
  void read_image(const Node& value);
  void read_model(const Node& value);
  void read_gpu(const Node& value);
  void read_cpu(const Node& value);
  void read_memory(const Node& value);
  void read_port(const Node& value);
  void read_protocol(const Node& value);
  void read_ready(const Node& value);
  void read_alive(const Node& value);
  void read_env(const Node& value);
  void read_variable(const Node& name, const Node& value);
  void read_secrets(const Node& value);
  void read_scale(const Node& value);
  void read_scale_min(const Node& value);
  void read_scale_max(const Node& value);
  void read_scale_concurrency(const Node& value);
  void read_scale_urgency(const Node& value);
  void read_schedule(const Node& value);
  void read_schedule_cron(const Node& value);
  void read_schedule_until(const Node& value);
  void read_schedule_for(const Node& value);
  void read_schedule_zone(const Node& value);
  void read_schedule_min(const Node& value);
  std::string read_cron(const Node& value, std::string_view key);  // empty where it was rejected
  void check_schedule_rule(const Node& value, const std::string& name);
  void read_park(const Node& value);
  void read_served_model(const Node& value);
  void read_start(const Node& value);
  void read_start_progress(const Node& value);
  void read_start_attempts(const Node& value);
  void read_rollout(const Node& value);
  void read_rollout_steps(const Node& value);
  void read_rollout_every(const Node& value);
  void read_rollout_errors(const Node& value);
  void read_rollout_requests(const Node& value);
  void read_timeout(const Node& value);
  void read_queue(const Node& value);
  void read_queue_max(const Node& value);
  void read_queue_wait(const Node& value);
  void read_cors(const Node& value);
  void read_affinity(const Node& value);
  void read_affinity_header(const Node& value);
  void read_affinity_cookie(const Node& value);
  void read_affinity_prefix(const Node& value);
  void read_affinity_name(const Node& value, std::string_view name, model::AffinityBy by);

  std::optional<model::AcceleratorNeed> read_gpu_kind(const Node& value);  // "a100:2"
  void read_gpu_memory(const Node& value);
  void read_gpu_count(const Node& value);
  std::optional<std::string> read_path(const Node& value, std::string_view name);

  // What only shows when all keys are read.
  void check_required(const Node& root);
  void check_model_use();
  void check_probes();
  void check_scale();
  void check_schedule_minima();
  void check_rollout();
  void check_needs();
  Position position_of(std::string_view key) const;

  Reader reader_;
  const Limits& limits_;
  ParsedApp app_;
  model::AcceleratorNeed gpu_by_memory_;
  model::ScheduleRule schedule_rule_;  // the one that is being read
  std::optional<std::uint64_t> cpu_slots_;
  std::set<std::string, std::less<>> meant_;  // known keys that unknown ones were taken for
};

}  // namespace kelvin::appfile
