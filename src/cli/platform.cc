#include "cli/platform.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/platform_metrics.h"
#include "cli/platform_parts.h"
#include "os/supervisor.h"

namespace kelvin::cli {

namespace {

std::uint32_t loops_of_this_machine() {
  return static_cast<std::uint32_t>(std::clamp(::get_nprocs(), 1, 16));
}

}  // namespace

Platform::Parts::~Parts() {
  if (tenure && tenure->api) tenure->api->stop();
  drop_predecessor();
  gateway.reset();
}

std::uint32_t Platform::Parts::own_loops() const {
  return options.loops.value_or(loops_of_this_machine());
}

Status Platform::Parts::open_gateway(os::SlotSide side) {
  KELVIN_TRY(os::SlotMemory memory, tenure->cluster->slots());
  slot_memory.emplace(std::move(memory));
  slots.emplace(slot_memory->table(side));
  const auto listen = [this](const std::string& address) {
    return tenure->cluster->listen(address);
  };
  KELVIN_TRY(entrances, Entrances::open(options.listen, listen, log));
  KELVIN_TRY(upgrade_asked, os::EventFd::create());

  gateway::GatewayOptions gateway_options{.listening = entrances->listening(),
                                          .tls = entrances->certificates(),
                                          .loops = own_loops(),
                                          .limits = options.limits,
                                          .is_open = !options.listen.needs_keys,
                                          .own_hosts = entrances->certificate_names(),
                                          .epoch = tenure->epoch,
                                          .records = options.records};
  gateway_options.records.traces.version = KELVIN_VERSION;
  const gateway::GatewayPorts outside{
      .control = &line, .slots = &*slots, .management = &door, .clock = &clock, .log = &log};
  KELVIN_TRY(gateway, gateway::Gateway::create(std::move(gateway_options), outside));
  planes.emplace(takeover::Planes::Outside{
      .to_control = [this](model::Event event) { to_control(std::move(event)); },
      .slots = &*slots,
      .clock = &clock});
  planes->set_local({.plane = gateway.get(),
                     .loops = own_loops(),
                     .tell_every_slot = [this](bool tells) { gateway->tell_every_slot(tells); }});
  return {};
}

// The line and the planes are quiet whenever there is no control.
void Platform::Parts::to_control(model::Event event) { tenure->shell->post(std::move(event)); }

void Platform::Parts::connect_line() {
  line.connect([this](model::Event event) { planes->hear_local(std::move(event)); });
}

// Control learns what exists before the first request may ask for it.
Status Platform::Parts::begin_control(control::Handed before) {
  const std::uint32_t loops = own_loops();
  tenure->shell = std::make_unique<shell::Shell>(
      control::Settings{.epoch = tenure->epoch,
                        .first_generation = slots->generation_max() + 1,
                        .slots_max = slots->size(),
                        .gateway_loops = loops + other_loops(),
                        .random = {.state = tenure->epoch}});
  connect_line();
  KELVIN_TRY_VOID(tenure->shell->start({.clock = clock,
                                        .cluster = *tenure->cluster,
                                        .data_plane = *planes,
                                        .store = *tenure->store,
                                        .slots = *slots,
                                        .decisions = tenure->decisions,
                                        .log = log,
                                        .loops_here = loops},
                                       std::move(before)));
  return begin_api();
}

Status Platform::Parts::open_api() {
  api::ApiOptions api_options{.data_folder = tenure->folder.path(),
                              .listen = entrances->main().host_and_port,
                              .is_secure = entrances->main().is_secure,
                              .other_hosts = entrances->other_hosts(),
                              .version = KELVIN_VERSION,
                              .epoch = tenure->epoch,
                              .admin_token = tenure->admin_token,
                              .started = started};
  api_options.is_ready = [this] { return is_ready.load(); };
  api_options.in_flight_of = [this](const model::ReplicaView& replica) {
    return slots->read(replica.slot).in_flight;
  };
  api_options.memory_of = [this](const model::ReplicaView& replica) {
    return tenure->cluster->memory_of(replica.id);
  };
  api_options.nodes = [this] { return std::vector<model::Node>{tenure->cluster->node()}; };
  api_options.ask_upgrade = [this](const api::UpgradeOrder& order) { return ask_upgrade(order); };
  api_options.upgrade = [this] { return upgrade_view(); };
  api_options.metric_sources = {
      [this](obs::MetricsWriter& page) { write_gateway_metrics(gateway->metrics(), page); },
      [this](obs::MetricsWriter& page) { write_app_metrics(gateway->app_metrics(), page); },
      [this](obs::MetricsWriter& page) {
        write_record_metrics(gateway->access_log_figures(), gateway->trace_figures(), page);
      },
      [this](obs::MetricsWriter& page) {
        write_upgrade_metrics(upgrade_view().draining_connections, page);
      },
      [this](obs::MetricsWriter& page) {
        write_usage_metrics(tenure->shell->usage_figures(), page);
      }};
  const api::ApiPorts outside{.control = *tenure->shell,
                              .store = *tenure->store,
                              .content = *tenure->content,
                              .logs = *tenure->logs,
                              .data_plane = *planes,
                              .clock = clock,
                              .log = log};
  tenure->api = std::make_unique<api::Api>(std::move(api_options), outside);
  return {};
}

Status Platform::Parts::begin_api() {
  KELVIN_TRY_VOID(open_api());
  KELVIN_TRY_VOID(tenure->api->start());
  const ListenAddress& listen = entrances->main();
  const std::string announced = listen.is_secure ? url_of(listen) : listen.host_and_port;
  KELVIN_TRY_VOID(tenure->folder.announce({.listen = announced, .epoch = tenure->epoch}));
  is_ready = true;
  door.open(*tenure->api);
  return {};
}

Platform::Platform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Platform::~Platform() = default;

Result<std::unique_ptr<Platform>> Platform::start(const PlatformOptions& options, obs::Log& log) {
  auto parts = std::make_unique<Parts>(options, log);
  KELVIN_TRY(parts->tenure, Tenure::open(options, log, DataFolder::For::Start));
  for (const std::string& sentence : parts->tenure->cluster->limitations()) log.warn(sentence);
  Status opened = parts->open_gateway(os::SlotSide::First);
  if (opened) opened = parts->begin_control({});
  if (!opened) {
    // Nothing is left running by a start that failed; a keeper that has replicas stays with them.
    (void)parts->tenure->cluster->quit_keeper();
    return tl::unexpected<Error>(opened.error());
  }
  parts->gateway->start();
  (void)os::tell_supervisor(options.notify_socket, "READY=1");
  return std::unique_ptr<Platform>(new Platform(std::move(parts)));
}

std::string Platform::url() const { return url_of(parts_->entrances->main()); }

bool Platform::shut_down(Farewell farewell, Duration patience) {
  Parts& parts = *parts_;
  const Instant give_up = parts.clock.now() + patience;
  const auto left = [&] { return std::max<Duration>(give_up - parts.clock.now(), 0s); };
  (void)os::tell_supervisor(parts.options.notify_socket, "STOPPING=1");
  parts.is_ready = false;
  parts.tenure->folder.forget();
  if (parts.predecessor) parts.predecessor->channel->post(takeover::EndAsked{.within = left()});
  parts.gateway->stop_accepting();
  bool is_clean = true;
  if (farewell == Farewell::StopReplicas) {
    is_clean = parts.tenure->shell->shut_down(left());
    // Whoever still reads its reply has that long.
    is_clean = parts.gateway->drain(std::min<Duration>(left(), 1s)) && is_clean;
  } else {
    is_clean = parts.gateway->drain(left());
  }
  const Duration rest =
      farewell == Farewell::StopReplicas ? std::min<Duration>(left(), 1s) : left();
  is_clean = parts.wait_for_predecessor(rest) && is_clean;
  // With the channel the process that was replaced ends, whatever it still has.
  parts.drop_predecessor();
  parts.tenure->api->stop();
  if (farewell == Farewell::KeepReplicas) return is_clean;
  return parts.tenure->cluster->quit_keeper().has_value() && is_clean;
}

}  // namespace kelvin::cli
