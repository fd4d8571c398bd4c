// gateway: makes the loops and hands control's messages to them.
#include "gateway/gateway.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <latch>
#include <span>
#include <utility>

#include "base/check.h"
#include "gateway/client_connection.h"
#include "gateway/h1_upstream.h"
#include "gateway/loop.h"
#include "os/hash.h"
#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

constexpr std::uint32_t kLoopsMax = 16;  // four bits of a request id name the loop

std::uint64_t make_secret() {
  std::uint64_t secret = 0;
  os::fill_random(std::as_writable_bytes(std::span(&secret, 1)));
  return secret;
}

Status make_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return os::fail_errno("prepare a listening socket", errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::create(GatewayOptions options,
                                                 const GatewayPorts& ports) {
  KELVIN_CHECK(options.loops >= 1 && options.loops <= kLoopsMax);
  auto shared = std::make_unique<Shared>();
  shared->limits = options.limits;
  shared->listening = std::move(options.listening);
  shared->tls = options.tls;
  shared->is_open = options.is_open;
  shared->own_hosts = std::move(options.own_hosts);
  shared->addresses.emplace(options.limits.connections_per_address_max, make_secret());
  shared->count_as = options.count_as;
  shared->epoch = options.epoch;
  shared->control = ports.control;
  shared->slots = ports.slots;
  shared->management = ports.management;
  shared->clock = ports.clock;
  // Another loop may take the connection that woke this one.
  for (const Listening& listening : shared->listening)
    KELVIN_TRY_VOID(make_non_blocking(listening.fd));
  KELVIN_TRY(shared->records, Records::open(options.records, {.clock = ports.clock,
                                                              .log = ports.log,
                                                              .loops = options.loops,
                                                              .epoch = options.epoch}));
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(shared)));
  for (std::uint32_t i = 0; i < options.loops; ++i) {
    KELVIN_TRY(std::unique_ptr<Loop> loop, Loop::create(*gateway->shared_, i));
    gateway->loops_.push_back(std::move(loop));
  }
  return gateway;
}

Gateway::Gateway(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

Gateway::~Gateway() {
  for (const auto& loop : loops_) loop->post(EndAsked{});
  loops_.clear();
}

void Gateway::start() {
  KELVIN_CHECK(!is_started_);
  is_started_ = true;
  shared_->loops_accepting = static_cast<std::uint32_t>(loops_.size());
  for (const auto& loop : loops_) loop->start();
}

void Gateway::stop_accepting() {
  shared_->is_draining = true;
  if (is_stopped_.exchange(true)) return;
  for (const auto& loop : loops_) loop->post(DrainAsked{DrainAsked::Manner::AtOnce});
}

void Gateway::retire() {
  if (shared_->is_draining.exchange(true)) return;
  for (const auto& loop : loops_) loop->post(DrainAsked{DrainAsked::Manner::Gently});
}

void Gateway::announce_waiting() {
  if (!is_started_) return;
  const auto left = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(loops_.size()));
  for (const auto& loop : loops_) loop->post(WaitingAsked{left});
  left->wait();
}

void Gateway::tell_every_slot(bool tells) { shared_->tells_every_slot = tells; }

bool Gateway::drain(Duration at_most) {
  stop_accepting();
  return wait_until_drained(at_most);
}

bool Gateway::wait_until_drained(Duration at_most) {
  std::unique_lock lock(shared_->drain_mutex);
  return shared_->connection_ended.wait_for(lock, at_most, [&] {
    return shared_->loops_accepting.load(std::memory_order_acquire) == 0 &&
           shared_->connections_open.load(std::memory_order_acquire) == 0;
  });
}

MetricsSnapshot Gateway::metrics() const {
  MetricsSnapshot sum;
  for (const auto& loop : loops_) loop->metrics().add_to(sum);
  sum.connections_open = shared_->connections_open.load(std::memory_order_relaxed);
  sum.held_body_bytes = shared_->held_bytes.load(std::memory_order_relaxed);
  return sum;
}

std::vector<AppSnapshot> Gateway::app_metrics() const {
  return shared_->records->series().read(shared_->clock->now());
}

AccessLogFigures Gateway::access_log_figures() const {
  const AccessLog* log = shared_->records->log();
  return log == nullptr ? AccessLogFigures{} : log->figures();
}

TraceFigures Gateway::trace_figures() const {
  const SpanSender* traces = shared_->records->traces();
  return traces == nullptr ? TraceFigures{} : traces->figures();
}

void Gateway::change_route(const model::Route& route) {
  auto entry = std::make_shared<AppRoute>();
  entry->route = route;
  {
    const std::lock_guard lock(apps_mutex_);
    AppKept& kept = apps_[route.app];
    if (kept.gate == nullptr) {
      kept.gate = std::make_shared<AppGate>();
      kept.created_unix_s = shared_->clock->unix_ns(shared_->clock->now()) / 1'000'000'000;
    }
    entry->gate = kept.gate;
    entry->created_unix_s = kept.created_unix_s;
    SeriesBook& series = shared_->records->series();
    const Instant now = shared_->clock->now();
    entry->series = series.ensure(route.workspace, route.name, now);
    if (route.is_gone) {
      apps_.erase(route.app);
      series.note_gone(route.workspace, route.name, now);
    }
  }
  const std::shared_ptr<const AppRoute> for_all = std::move(entry);
  for (const auto& loop : loops_) loop->post(for_all);
}

void Gateway::change_keys(std::shared_ptr<const std::vector<model::Key>> keys) {
  const auto ring = std::make_shared<const KeyRing>(std::move(keys));
  for (const auto& loop : loops_) loop->post(KeysChanged{ring});
}

void Gateway::hand_over(const model::Handover& handover) {
  KELVIN_CHECK(handover.loop < loops_.size());
  loops_[handover.loop]->post(handover);
}

void Gateway::refuse(const model::RefuseRequest& refusal) {
  KELVIN_CHECK(refusal.loop < loops_.size());
  loops_[refusal.loop]->post(refusal);
}

void Gateway::tell_progress(const model::TellProgress& progress) {
  KELVIN_CHECK(progress.loop < loops_.size());
  loops_[progress.loop]->post(progress);
}

void Gateway::close_connections(ReplicaId replica) {
  auto left =
      std::make_shared<std::atomic<std::uint32_t>>(static_cast<std::uint32_t>(loops_.size()));
  for (const auto& loop : loops_) loop->post(ConnectionsUnwanted{replica, left});
}

void Gateway::ask_busy() {
  for (const auto& loop : loops_) loop->post(model::AskBusy{});
}

}  // namespace kelvin::gateway
