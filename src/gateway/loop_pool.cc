// loop_pool: a loop's connections to replicas.
//
// A kept connection lives two seconds, or half of what the replica's Keep-Alive allows when that is less, so that the
// replica rarely closes one just as a request is written to it. Before its next use it is looked at for an end that
// has come meanwhile.
#include <algorithm>

#include "base/check.h"
#include "gateway/client.h"
#include "gateway/loop.h"
#include "gateway/socket.h"
#include "gateway/upstream.h"

namespace kelvin::gateway {

Upstream* Loop::take_idle(ReplicaId replica) {
  const auto found = idle_.find(replica);
  if (found == idle_.end()) return nullptr;
  std::vector<Upstream*>& kept = found->second;
  while (!kept.empty()) {
    // The youngest: the older ones age away when there are more than needed.
    Upstream* upstream = kept.back();
    kept.pop_back();
    upstream->timer.drop();
    if (is_quiet(upstream->fd.get())) {
      Metrics::add(metrics_.upstream_reuses);
      return upstream;
    }
    discard(*upstream);
  }
  return nullptr;
}

Result<Upstream*> Loop::connect(const model::RouteReplica& replica) {
  KELVIN_TRY(Connecting connecting, connect_loopback(replica.port));
  auto upstream = std::make_unique<Upstream>(replica.id, std::move(connecting.fd));
  upstream->is_connecting = !connecting.is_connected;
  upstream->may_write = connecting.is_connected;
  upstream->timer.owner = upstream.get();
  KELVIN_TRY_VOID(
      epoll_.add(upstream->fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 reinterpret_cast<std::uint64_t>(static_cast<Endpoint*>(upstream.get()))));
  if (upstream->is_connecting) {
    upstream->timer.kind = static_cast<std::uint8_t>(TimerKind::UpstreamConnect);
    timers_.set(upstream->timer, now_ + limits().connect_time);
  }
  Metrics::add(metrics_.upstream_connects);
  Upstream* made = upstream.get();
  upstreams_.emplace(made, std::move(upstream));
  return made;
}

void Loop::keep_idle(Upstream& upstream, Duration at_most) {
  upstream.client = nullptr;
  upstream.is_reused = true;
  std::vector<Upstream*>& kept = idle_[upstream.replica];
  kept.push_back(&upstream);
  if (kept.size() > limits().upstream_idle_max) {
    Upstream* oldest = kept.front();
    kept.erase(kept.begin());
    discard(*oldest);
  }
  upstream.timer.kind = static_cast<std::uint8_t>(TimerKind::UpstreamIdle);
  timers_.set(upstream.timer, now_ + std::min(at_most, limits().upstream_idle_time));
}

void Loop::discard(Upstream& upstream) {
  const auto found = upstreams_.find(&upstream);
  KELVIN_CHECK(found != upstreams_.end());
  upstream.fd.reset();
  upstream.timer.drop();
  upstream.client = nullptr;
  dead_upstreams_.push_back(std::move(found->second));
  upstreams_.erase(found);
}

void Loop::drop_idle(Upstream& upstream) {
  const auto found = idle_.find(upstream.replica);
  KELVIN_CHECK(found != idle_.end());
  std::erase(found->second, &upstream);
  if (found->second.empty()) idle_.erase(found);
  discard(upstream);
}

void Loop::close_idle_to(ReplicaId replica) {
  const auto found = idle_.find(replica);
  if (found == idle_.end()) return;
  for (Upstream* upstream : found->second) discard(*upstream);
  idle_.erase(found);
}

}  // namespace kelvin::gateway
