#include "cli/platform.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "api/api.h"
#include "cli/data_folder.h"
#include "cli/entrances.h"
#include "cli/platform_metrics.h"
#include "cluster/local/local_cluster.h"
#include "cluster/local/local_content.h"
#include "cluster/local/local_logs.h"
#include "gateway/gateway.h"
#include "obs/decision_log.h"
#include "os/clock.h"
#include "os/slot_memory.h"
#include "shell/shell.h"
#include "store/sqlite_store.h"

namespace kelvin::cli {

namespace {

// The real clocks of this machine.
class SystemClock final : public ports::Clock {
 public:
  Instant now() const override { return os::boot_now(); }
  std::int64_t unix_ns(Instant at) const override { return os::unix_ns_at(at); }
};

// The gateway hands connections to the management API, which tells the gateway about keys: one of the two is made
// first and meets the other here.
class ManagementDoor final : public ports::Management {
 public:
  void open(ports::Management& behind) { behind_ = &behind; }
  void take(int fd, std::string received) override { behind_->take(fd, std::move(received)); }

 private:
  ports::Management* behind_ = nullptr;
};

std::uint32_t loops_of_this_machine() {
  return static_cast<std::uint32_t>(std::clamp(::get_nprocs(), 1, 16));
}

}  // namespace
// In the order in which they are made; they end in reverse.
struct Platform::Parts {
  Parts(DataFolder owned_folder, obs::Log& given_log)
      : folder(std::move(owned_folder)), log(given_log) {}

  Status open_all(const PlatformOptions& options);
  Status open_stores(const PlatformOptions& options);
  Status open_cluster(const PlatformOptions& options);
  Status open_gateway(const PlatformOptions& options);
  Status open_api();
  Status begin();

  DataFolder folder;
  obs::Log& log;
  SystemClock clock;
  Instant started = clock.now();
  std::string admin_token;
  std::uint64_t epoch = 0;
  std::atomic<bool> is_ready{false};

  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<cluster::local::LocalContent> content;
  std::unique_ptr<cluster::local::LocalCluster> cluster;
  std::unique_ptr<cluster::local::LocalLogs> logs;
  obs::DecisionLog decisions;
  std::optional<os::SlotMemory> slot_memory;
  std::optional<os::SlotTable> slots;
  std::unique_ptr<Entrances> entrances;
  std::unique_ptr<shell::Shell> shell;
  ManagementDoor door;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<api::Api> api;
};

Status Platform::Parts::open_all(const PlatformOptions& options) {
  KELVIN_TRY_VOID(open_stores(options));
  KELVIN_TRY_VOID(open_cluster(options));
  KELVIN_TRY_VOID(open_gateway(options));
  KELVIN_TRY_VOID(open_api());
  return begin();
}

Status Platform::Parts::open_stores(const PlatformOptions& options) {
  KELVIN_TRY(admin_token, folder.admin_token());
  KELVIN_TRY(store, store::SqliteStore::open(folder.file("kelvin.db")));
  KELVIN_TRY(epoch, store->next_epoch());
  KELVIN_TRY(content, cluster::local::LocalContent::open(
                          {.data = folder.path(), .search_path = options.search_path}));
  return {};
}

// The keeper holds the slot table and the listening sockets, so that both outlive this process.
Status Platform::Parts::open_cluster(const PlatformOptions& options) {
  cluster::local::ClusterOptions here{
      .data = folder.path(), .program = options.program, .cpu_slots = options.cpu_slots};
  if (!options.search_path.empty()) here.search_path = options.search_path;
  KELVIN_TRY(cluster, cluster::local::LocalCluster::open(std::move(here), log));
  for (const std::string& sentence : cluster->limitations()) log.warn(sentence);
  KELVIN_TRY(os::SlotMemory memory, cluster->slots());
  slot_memory.emplace(std::move(memory));
  slots.emplace(slot_memory->table());
  const auto listen = [this](const std::string& address) { return cluster->listen(address); };
  KELVIN_TRY(entrances, Entrances::open(options.listen, listen, log));
  return {};
}

Status Platform::Parts::open_gateway(const PlatformOptions& options) {
  const std::uint32_t loops = options.loops.value_or(loops_of_this_machine());
  shell = std::make_unique<shell::Shell>(
      control::Settings{.epoch = epoch,
                        .first_generation = slots->generation_max() + 1,
                        .slots_max = slots->size(),
                        .gateway_loops = loops,
                        .random = {.state = epoch}});
  gateway::GatewayOptions gateway_options{.listening = entrances->listening(),
                                          .tls = entrances->certificates(),
                                          .loops = loops,
                                          .limits = options.limits,
                                          .is_open = !options.listen.needs_keys,
                                          .own_hosts = entrances->certificate_names(),
                                          .epoch = epoch,
                                          .records = options.records};
  gateway_options.records.traces.version = KELVIN_VERSION;
  const gateway::GatewayPorts outside{
      .control = shell.get(), .slots = &*slots, .management = &door, .clock = &clock, .log = &log};
  KELVIN_TRY(gateway, gateway::Gateway::create(std::move(gateway_options), outside));
  return {};
}

Status Platform::Parts::open_api() {
  logs = std::make_unique<cluster::local::LocalLogs>(folder.path());
  api::ApiOptions options{.data_folder = folder.path(),
                          .listen = entrances->main().host_and_port,
                          .is_secure = entrances->main().is_secure,
                          .other_hosts = entrances->other_hosts(),
                          .version = KELVIN_VERSION,
                          .epoch = epoch,
                          .admin_token = admin_token,
                          .started = started};
  options.is_ready = [this] { return is_ready.load(); };
  options.in_flight_of = [this](const model::ReplicaView& replica) {
    return slots->read(replica.slot).in_flight;
  };
  options.memory_of = [this](const model::ReplicaView& replica) {
    return cluster->memory_of(replica.id);
  };
  options.nodes = [this] { return std::vector<model::Node>{cluster->node()}; };
  options.metric_sources = {
      [this](obs::MetricsWriter& page) { write_gateway_metrics(gateway->metrics(), page); },
      [this](obs::MetricsWriter& page) { write_app_metrics(gateway->app_metrics(), page); },
      [this](obs::MetricsWriter& page) {
        write_record_metrics(gateway->access_log_figures(), gateway->trace_figures(), page);
      },
      [this](obs::MetricsWriter& page) { write_usage_metrics(shell->usage_figures(), page); }};
  const api::ApiPorts outside{.control = *shell,
                              .store = *store,
                              .content = *content,
                              .logs = *logs,
                              .data_plane = *gateway,
                              .clock = clock,
                              .log = log};
  api = std::make_unique<api::Api>(std::move(options), outside);
  door.open(*api);
  return {};
}

// Control learns what exists before the first request may ask for it.
Status Platform::Parts::begin() {
  KELVIN_TRY_VOID(shell->start({.clock = clock,
                                .cluster = *cluster,
                                .data_plane = *gateway,
                                .store = *store,
                                .slots = *slots,
                                .decisions = decisions,
                                .log = log}));
  KELVIN_TRY_VOID(api->start());
  const ListenAddress& listen = entrances->main();
  const std::string announced = listen.is_secure ? url_of(listen) : listen.host_and_port;
  KELVIN_TRY_VOID(folder.announce({.listen = announced, .epoch = epoch}));
  is_ready = true;
  gateway->start();
  return {};
}

Platform::Platform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Platform::~Platform() = default;

Result<std::unique_ptr<Platform>> Platform::start(const PlatformOptions& options, obs::Log& log) {
  KELVIN_TRY(DataFolder folder, DataFolder::open(options.data));
  auto parts = std::make_unique<Parts>(std::move(folder), log);
  if (const Status opened = parts->open_all(options); !opened) {
    // Nothing is left running by a start that failed; a keeper that has replicas stays with them.
    if (parts->cluster) (void)parts->cluster->quit_keeper();
    return tl::unexpected<Error>(opened.error());
  }
  return std::unique_ptr<Platform>(new Platform(std::move(parts)));
}

std::string Platform::url() const { return url_of(parts_->entrances->main()); }

bool Platform::shut_down(Farewell farewell, Duration patience) {
  const Instant give_up = parts_->clock.now() + patience;
  const auto left = [&] { return std::max<Duration>(give_up - parts_->clock.now(), 0s); };
  parts_->is_ready = false;
  parts_->folder.forget();
  if (farewell == Farewell::KeepReplicas) {
    const bool is_drained = parts_->gateway->drain(left());
    parts_->api->stop();
    return is_drained;
  }
  parts_->gateway->stop_accepting();
  bool is_clean = parts_->shell->shut_down(left());
  is_clean = parts_->gateway->drain(std::min<Duration>(left(), 1s)) && is_clean;
  parts_->api->stop();
  return parts_->cluster->quit_keeper().has_value() && is_clean;
}

}  // namespace kelvin::cli
