// loop: waits for sockets, timers and messages, and hands each to whom it concerns.
#include "gateway/loop.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "gateway/h1_client.h"
#include "gateway/h1_upstream.h"
#include "gateway/h2_client.h"
#include "gateway/h2_upstream.h"
#include "gateway/socket.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

constexpr std::size_t kClientBufferBytes = 128 * 1024;
constexpr std::size_t kUpstreamBufferBytes = 256 * 1024;
// Of one listener in a row: the other loops and the open connections want their turn too.
constexpr int kAcceptsInARow = 32;
constexpr Duration kAcceptPause = 50ms;

std::uint64_t tag_of(Endpoint& endpoint) { return reinterpret_cast<std::uint64_t>(&endpoint); }

}  // namespace

Result<std::unique_ptr<Loop>> Loop::create(Shared& shared, std::uint32_t index) {
  KELVIN_TRY(os::Epoll epoll, os::Epoll::create());
  KELVIN_TRY(os::EventFd inbox, os::EventFd::create());
  std::unique_ptr<Loop> loop(new Loop(shared, index, std::move(epoll), std::move(inbox)));
  KELVIN_TRY_VOID(loop->epoll_.add(loop->inbox_.fd(), EPOLLIN, tag_of(loop->inbox_endpoint_)));
  return loop;
}

Loop::Loop(Shared& shared, std::uint32_t index, os::Epoll epoll, os::EventFd inbox)
    : shared_(shared),
      index_(index),
      epoll_(std::move(epoll)),
      inbox_(std::move(inbox)),
      timers_(shared.clock->now()),
      now_(shared.clock->now()),
      reported_(now_),
      random_{shared.epoch * 64 + index},
      keys_(std::make_shared<KeyRing>()),
      notary_(*shared.records, metrics_, index),
      client_buffer_(kClientBufferBytes),
      upstream_buffer_(kUpstreamBufferBytes) {
  if (auto pipe = SplicePipe::make()) pipe_.emplace(std::move(*pipe));
  accept_again_.owner = this;
  accept_again_.kind = static_cast<std::uint8_t>(TimerKind::AcceptAgain);
  for (const Listening& listening : shared.listening)
    listeners_.push_back({{EndpointKind::Listener}, listening.fd, listening.is_secure});
  if (shared.tls != nullptr) certificates_.emplace(*shared.tls);
}

Loop::~Loop() = default;

void Loop::start() {
  thread_ = os::Thread("gateway-" + std::to_string(index_), [this] { run(); });
}

void Loop::post(Message message) {
  bool was_empty = false;
  {
    const std::lock_guard lock(messages_mutex_);
    was_empty = messages_.empty();
    messages_.push_back(std::move(message));
  }
  if (was_empty) inbox_.signal();
}

RequestId Loop::next_request_id() {
  return model::make_request_id(shared_.epoch, index_, ++requests_);
}

void Loop::run() {
  std::array<epoll_event, 256> events{};
  watch_listeners();
  while (!is_ending_) {
    const auto ready = epoll_.wait(events, sleep_time());
    now_ = clock_now();
    for (const epoll_event& event : ready) handle(event);
    give_turns();
    fire_timers();
    report_busy_when_due();
    std::erase_if(again_, [](const Downstream* downstream) { return downstream->is_gone(); });
    dead_clients_.clear();
    dead_upstreams_.clear();
    dead_streams_.clear();
    dead_upstream_streams_.clear();
    dead_h2_upstreams_.clear();
  }
  end_everything();
}

std::optional<Duration> Loop::sleep_time() const {
  if (!again_.empty()) return Duration::zero();
  Instant until = timers_.next_look();
  if (busy_.has_something()) until = std::min(until, reported_ + limits().busy_interval);
  if (until == Instant::never()) return std::nullopt;
  return std::max(until - clock_now(), Duration::zero());
}

void Loop::handle(const epoll_event& event) {
  auto* endpoint = reinterpret_cast<Endpoint*>(event.data.u64);
  switch (endpoint->kind) {
    case EndpointKind::Listener:
      accept_some(*static_cast<Listener*>(endpoint));
      return;
    case EndpointKind::Inbox:
      read_messages();
      return;
    case EndpointKind::Client: {
      auto* client = static_cast<ClientConnection*>(endpoint);
      if (!client->is_discarded()) client->on_events(event.events);
      return;
    }
    case EndpointKind::H2Upstream: {
      auto* upstream = static_cast<H2Upstream*>(endpoint);
      if (!upstream->is_discarded()) upstream->on_events(event.events);
      return;
    }
    case EndpointKind::H1Upstream: {
      auto* upstream = static_cast<H1Upstream*>(endpoint);
      if (upstream->is_discarded()) return;
      if (!upstream->is_idle()) {
        upstream->on_events(event.events);
      } else if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0 &&
                 !is_quiet(upstream->transport().fd())) {
        // Bytes that nobody asked for, or the end: either way it is of no more use.
        drop_idle(*upstream);
      }
      return;
    }
  }
}

// --- clients -----------------------------------------------------------------------------------

void Loop::watch_listeners() {
  is_accepting_ = true;
  for (Listener& listener : listeners_) {
    const Status added = epoll_.add(listener.fd, EPOLLIN | EPOLLEXCLUSIVE, tag_of(listener));
    KELVIN_CHECK(added.has_value());
  }
}

void Loop::pause_accepting() {
  Metrics::add(metrics_.accept_pauses);
  for (const Listener& listener : listeners_) epoll_.remove(listener.fd);
  is_accepting_ = false;
  timers_.set(accept_again_, now_ + kAcceptPause);
}

void Loop::accept_some(const Listener& listener) {
  for (int i = 0; i < kAcceptsInARow && is_accepting_; ++i) {
    if (shared_.connections_open.load(std::memory_order_relaxed) >= limits().connections_max)
      return pause_accepting();
    Accepted accepted = accept_client(listener.fd);
    if (!accepted.fd.is_open()) {
      // A connection that ended in the backlog is no reason to stop; a lack of descriptors or memory is.
      if (accepted.error == ECONNABORTED || accepted.error == EINTR) continue;
      if (accepted.error != EAGAIN && accepted.error != EWOULDBLOCK) pause_accepting();
      return;
    }
    auto place = shared_.addresses->enter(shared_.count_as(accepted.address));
    if (!place) {
      Metrics::add(metrics_.connections_refused);
      continue;
    }
    Transport transport = listener.is_secure
                              ? Transport(std::move(accepted.fd), certificates_->current())
                              : Transport(std::move(accepted.fd));
    auto client =
        std::make_unique<H1Client>(*this, std::move(transport), std::move(accepted.address));
    const Status added = epoll_.add(client->transport().fd(),
                                    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, tag_of(*client));
    if (!added) return pause_accepting();
    shared_.connections_open.fetch_add(1, std::memory_order_relaxed);
    Metrics::add(metrics_.connections_accepted);
    H1Client& taken = *client;
    taken.keep_place(*std::move(place));
    clients_.emplace(&taken, std::move(client));
    taken.begin({});
  }
}

void Loop::call_again(Downstream& downstream) {
  if (downstream.is_in_again) return;
  downstream.is_in_again = true;
  again_.push_back(&downstream);
}

void Loop::give_turns() {
  std::vector<Downstream*> turns;
  turns.swap(again_);
  for (Downstream* downstream : turns) {
    downstream->is_in_again = false;
    if (!downstream->is_gone()) downstream->advance();
  }
  if (again_.empty()) {
    turns.clear();
    turns.swap(again_);  // keeps the room
  }
}

void Loop::note_connection_ended() {
  shared_.connections_open.fetch_sub(1, std::memory_order_acq_rel);
  if (!shared_.is_draining.load(std::memory_order_acquire)) return;
  {
    const std::lock_guard lock(shared_.drain_mutex);
  }
  shared_.connection_ended.notify_all();
}

void Loop::discard(ClientConnection& client) {
  const auto found = clients_.find(&client);
  KELVIN_CHECK(found != clients_.end());
  client.transport().close();
  static_cast<void>(client.take_place());
  dead_clients_.push_back(std::move(found->second));
  clients_.erase(found);
  note_connection_ended();
}

void Loop::switch_to_h2(H1Client& client, std::string_view received) {
  const std::string first(received);
  const auto found = clients_.find(&client);
  KELVIN_CHECK(found != clients_.end());
  auto next =
      std::make_unique<H2Client>(*this, std::move(client.transport()), client.address_text());
  dead_clients_.push_back(std::move(found->second));
  clients_.erase(found);
  H2Client& taken = *next;
  taken.keep_place(client.take_place());
  clients_.emplace(&taken, std::move(next));
  const Status changed = epoll_.change(taken.transport().fd(),
                                       EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, tag_of(taken));
  if (!changed) return taken.give_up();
  // What came with its first bytes is served.
  taken.begin(first);
  if (shared_.is_draining.load(std::memory_order_acquire) && !taken.is_discarded())
    taken.on_drain();
}

void Loop::hand_to_management(ClientConnection& client, int fd, std::string received) {
  epoll_.remove(fd);
  discard(client);
  shared_.management->take(fd, std::move(received));
}

// --- timers ------------------------------------------------------------------------------------

void Loop::fire_timers() {
  while (Timer* timer = timers_.take_due(now_)) {
    switch (static_cast<TimerKind>(timer->kind)) {
      case TimerKind::ClientStep:
        static_cast<ClientConnection*>(timer->owner)->on_step_timeout();
        break;
      case TimerKind::StreamStep:
        static_cast<H2ClientStream*>(timer->owner)->on_step_timeout();
        break;
      case TimerKind::H2Upstream:
        static_cast<H2Upstream*>(timer->owner)->on_timer();
        break;
      case TimerKind::Progress:
        static_cast<Exchange*>(timer->owner)->on_progress_due();
        break;
      case TimerKind::RequestTimeout:
        static_cast<Exchange*>(timer->owner)->on_timeout();
        break;
      case TimerKind::UpstreamIdle:
        drop_idle(*static_cast<H1Upstream*>(timer->owner));
        break;
      case TimerKind::UpstreamConnect:
        static_cast<H1Upstream*>(timer->owner)->on_connect_timeout();
        break;
      case TimerKind::AcceptAgain:
        if (!is_accepting_ && !shared_.is_draining.load()) watch_listeners();
        break;
    }
  }
}

// --- busy time ---------------------------------------------------------------------------------

void Loop::report_busy() {
  const Instant now = clock_now();
  reported_ = now;
  shared_.control->post(busy_.report(index_, now));
}

void Loop::report_busy_when_due() {
  if (busy_.has_something() && now_ - reported_ >= limits().busy_interval) report_busy();
}

// --- messages ----------------------------------------------------------------------------------

void Loop::read_messages() {
  inbox_.drain();
  std::vector<Message> messages;
  {
    const std::lock_guard lock(messages_mutex_);
    messages.swap(messages_);
  }
  for (Message& message : messages) std::visit([this](auto& of_kind) { take(of_kind); }, message);
}

void Loop::take(std::shared_ptr<const AppRoute>& entry) {
  const auto before = routes_.change(entry);
  if (before == nullptr) return;
  for (const model::RouteReplica& old : before->route.replicas) {
    const auto& replicas = entry->route.replicas;
    const bool stays = std::any_of(replicas.begin(), replicas.end(),
                                   [&](const auto& replica) { return replica.id == old.id; });
    if (!stays) close_idle_to(old.id);
  }
}

void Loop::take(KeysChanged& change) { keys_ = std::move(change.ring); }

void Loop::take(model::Handover& handover) {
  const auto found = waiting_.find(handover.request);
  if (found != waiting_.end()) return found->second->on_handover(handover);
  // Its client has left while this was on its way.
  const model::RouteReplica& replica = handover.replica;
  const auto given = shared_.slots->give_back({replica.slot, replica.generation}, clock_now());
  shared_.control->post(
      model::HandoverRefused{handover.request, replica.id, model::HandoverProblem::ClientLeft});
  if (given.was_last_of_closed) {
    report_busy();
    shared_.control->post(model::SlotsDrained{replica.id});
  }
}

void Loop::take(model::RefuseRequest& refusal) {
  const auto found = waiting_.find(refusal.request);
  if (found != waiting_.end()) found->second->on_refusal(refusal.refusal);
}

void Loop::take(model::TellProgress& progress) {
  const auto found = waiting_.find(progress.request);
  if (found != waiting_.end()) found->second->on_progress(progress.sentence);
}

void Loop::take(ConnectionsUnwanted& unwanted) {
  close_idle_to(unwanted.replica);
  if (unwanted.loops_left->fetch_sub(1, std::memory_order_acq_rel) == 1)
    shared_.control->post(model::ConnectionsClosed{unwanted.replica});
}

void Loop::take(model::AskBusy&) { report_busy(); }

// A connection in the backlog may have woken this loop and none of another process: it is taken, or nobody would be
// woken for it again.
void Loop::stop_accepting() {
  if (std::exchange(has_stopped_, true)) return;
  if (is_accepting_) {
    for (const Listener& listener : listeners_) epoll_.remove(listener.fd);
    for (const Listener& listener : listeners_) accept_some(listener);
  }
  is_accepting_ = false;
  accept_again_.drop();
  shared_.loops_accepting.fetch_sub(1, std::memory_order_acq_rel);
}

void Loop::take(DrainAsked& ask) {
  stop_accepting();
  std::vector<ClientConnection*> clients;
  clients.reserve(clients_.size());
  for (const auto& [client, owned] : clients_) clients.push_back(client);
  for (ClientConnection* client : clients) {
    if (ask.manner == DrainAsked::Manner::Gently) {
      client->on_retire();
    } else {
      client->on_drain();
    }
  }
  {
    const std::lock_guard lock(shared_.drain_mutex);
  }
  shared_.connection_ended.notify_all();
}

void Loop::take(WaitingAsked& ask) {
  for (const auto& [request, exchange] : waiting_) shared_.control->post(exchange->demand());
  ask.loops_left->count_down();
}

void Loop::take(EndAsked&) { is_ending_ = true; }

void Loop::end_everything() {
  while (!clients_.empty()) clients_.begin()->first->give_up();
  while (!upstreams_.empty()) discard(*upstreams_.begin()->first);
  while (!h2_upstreams_.empty()) discard(*h2_upstreams_.begin()->first);
  again_.clear();
  dead_clients_.clear();
  dead_upstreams_.clear();
  dead_streams_.clear();
  dead_upstream_streams_.clear();
  dead_h2_upstreams_.clear();
  if (busy_.has_something()) report_busy();
}

}  // namespace kelvin::gateway
