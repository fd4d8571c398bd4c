// client_slot: a slot, and a connection to the replica that it belongs to.
//
// Nobody sleeps on a slot that is free. Whoever finds none first raises the app's `waiting` and then tries once more;
// whoever gives one back first gives it and then looks at `waiting`. Whichever comes second sees the other: either the
// second try takes the slot, or the giver tells control, which has or gets the Demand. The fences make the two writes
// visible before the two reads.
#include <atomic>
#include <cstring>

#include "core/admit/admit.h"
#include "core/route/route.h"
#include "gateway/client.h"
#include "gateway/upstream.h"

namespace kelvin::gateway {

void Client::seek_slot() {
  const AppGate& gate = *exchange_.app->gate;
  // Who waits already comes first.
  if (gate.waiting.load(std::memory_order_acquire) == 0 && try_slot()) return;
  wait_for_slot();
}

// Takes a slot of some replica with room and goes there.
bool Client::try_slot() {
  const auto& replicas = exchange_.app->route.replicas;
  os::SlotTable& slots = *loop_.shared().slots;
  auto& loads = loop_.loads();
  loads.clear();
  for (const model::RouteReplica& replica : replicas) {
    const os::SlotWord word = slots.read(replica.slot);
    const bool is_open =
        !word.is_closed && word.generation == replica.generation && replica.id != exchange_.avoid;
    loads.push_back({.in_flight = word.in_flight, .slots = replica.slots, .is_open = is_open});
  }
  for (const std::uint32_t index : route::pick(loads, loop_.random())) {
    const model::RouteReplica& replica = replicas[index];
    if (!slots.try_take({replica.slot, replica.generation}, replica.slots)) continue;
    leave_queue();
    dispatch(replica);
    return true;
  }
  return false;
}

void Client::wait_for_slot() {
  Exchange& e = exchange_;
  request_timer_.drop();  // time in the queue is not the request's
  const std::uint32_t before = e.app->gate->waiting.fetch_add(1, std::memory_order_seq_cst);
  e.is_waiting = true;
  Metrics::add(loop_.counts().requests_waiting);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (before == 0 && try_slot()) return;
  const admit::Question question{
      .surface = e.is_openai ? admit::Surface::OpenAi : admit::Surface::App,
      .name = e.app->route.name,
      .route = &e.app->route,
      .waiting = before,
      .found_no_slot = true,
      .now = loop_.now()};
  const admit::Answer answer = admit::admit(question);
  if (answer.verdict == admit::Verdict::Refuse) {
    leave_queue();
    return refuse(answer.refusal);
  }
  set_step(Step::Waiting, Duration::zero());
  loop_.remember_waiting(e.id, *this);
  loop_.shared().control->post(model::Demand{.request = e.id,
                                             .app = e.app->route.app,
                                             .loop = loop_.index(),
                                             .key = e.key,
                                             .arrived = e.arrived});
}

void Client::leave_queue() {
  if (!std::exchange(exchange_.is_waiting, false)) return;
  exchange_.app->gate->waiting.fetch_sub(1, std::memory_order_acq_rel);
  Metrics::take(loop_.counts().requests_waiting);
  loop_.forget_waiting(exchange_.id);
}

void Client::on_handover(model::Handover& handover) {
  leave_queue();
  Exchange& e = exchange_;
  e.woke_from = handover.woke_from;
  e.stages = std::move(handover.stages);
  if (e.woke_from == model::Temperature::Cold) Metrics::add(loop_.counts().cold_starts);
  if (e.woke_from == model::Temperature::Parked) Metrics::add(loop_.counts().resumes);
  dispatch(handover.replica);
  if (!is_discarded()) advance();
}

void Client::on_refusal(const model::Refusal& refusal) {
  leave_queue();
  refuse(refusal);
  advance();
}

void Client::dispatch(const model::RouteReplica& replica) {
  Exchange& e = exchange_;
  e.replica = replica;
  e.avoid = {};
  if (e.tries++ > 0) Metrics::add(loop_.counts().retries);
  if (e.dispatched == Instant{}) e.dispatched = loop_.now();
  Metrics::add(loop_.counts().requests_in_flight);
  loop_.timers().set(request_timer_, loop_.now() + e.app->route.timeout);
  open_upstream();
}

void Client::open_upstream() {
  Upstream* upstream = loop_.take_idle(exchange_.replica.id);
  if (upstream == nullptr) {
    auto made = loop_.connect(exchange_.replica);
    if (!made) return connect_failed(std::move(made.error().what));
    upstream = *made;
  }
  upstream->client = this;
  upstream_ = upstream;
  set_step(upstream->is_connecting ? Step::Connecting : Step::Proxying, Duration::zero());
}

void Client::on_upstream_events(std::uint32_t events) {
  Upstream& upstream = *upstream_;
  if (upstream.is_connecting) {
    const int error = connect_error(upstream.fd.get());
    if (error != 0) {
      connect_failed("connecting to it failed: " + std::string(::strerrordesc_np(error)));
      if (!is_discarded()) advance();
      return;
    }
    if ((events & EPOLLOUT) == 0) return;
    upstream.is_connecting = false;
    upstream.timer.drop();
    step_ = Step::Proxying;
  }
  if ((events & EPOLLOUT) != 0) upstream.may_write = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) upstream.may_read = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) upstream.saw_end = true;
  advance();
}

void Client::on_connect_timeout() {
  connect_failed("it did not accept a connection in time");
  if (!is_discarded()) advance();
}

void Client::connect_failed(std::string detail) {
  suspect(model::Suspicion::ConnectFailed, std::move(detail));
  leave_replica(false);
  try_elsewhere();
}

// No byte of the request has reached a replica.
void Client::try_elsewhere() {
  Exchange& e = exchange_;
  if (e.tries >= loop_.limits().tries_max) {
    return refuse({.status = 502,
                   .code = "replica_unreachable",
                   .sentence = "No replica of '" + e.app->route.name +
                               "' accepted a connection. They are being "
                               "replaced; try again. 'kelvin explain " +
                               e.app->route.name + "' says more.",
                   .retry_after = 1s});
  }
  const auto& all = loop_.routes().all();
  if (const auto found = all.find(e.app->route.app); found != all.end()) e.app = found->second;
  seek_slot();
}

void Client::suspect(model::Suspicion suspicion, std::string detail) {
  loop_.shared().control->post(
      model::ReplicaSuspected{exchange_.replica.id, suspicion, std::move(detail)});
}

void Client::give_slot_back(Instant at) {
  const model::RouteReplica& replica = exchange_.replica;
  Shared& shared = loop_.shared();
  const auto given = shared.slots->give_back({replica.slot, replica.generation}, at);
  if (given.was_last_of_closed) {
    loop_.report_busy();
    shared.control->post(model::SlotsDrained{replica.id});
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (exchange_.app->gate->waiting.load(std::memory_order_seq_cst) > 0)
    shared.control->post(model::SlotFree{replica.id});
}

void Client::leave_replica(bool keeps) {
  Exchange& e = exchange_;
  if (!e.replica.id) return;
  const Instant at = loop_.clock_now();
  if (e.any_byte_sent) loop_.busy().end(e.replica.id, at, e.head_is_done);
  if (upstream_ != nullptr) {
    Upstream& upstream = *std::exchange(upstream_, nullptr);
    if (keeps && !upstream.saw_end && e.upstream_idle > Duration::zero())
      loop_.keep_idle(upstream, e.upstream_idle);
    else
      loop_.discard(upstream);
  }
  Metrics::take(loop_.counts().requests_in_flight);
  request_timer_.drop();
  give_slot_back(at);
  e.avoid = e.replica.id;
  e.left = e.replica.id;
  e.left_at = at;
  e.replica = {};
}

}  // namespace kelvin::gateway
