// loop_pool: a loop's connections to replicas.
//
// A kept connection lives two seconds, or half of what the replica's Keep-Alive allows when that is less, so that the
// replica rarely closes one just as a request is written to it. Before its next use it is looked at for an end that
// has come meanwhile.
#include <algorithm>

#include "base/check.h"
#include "gateway/h1_upstream.h"
#include "gateway/h2_upstream.h"
#include "gateway/loop.h"
#include "gateway/socket.h"

namespace kelvin::gateway {

H1Upstream* Loop::take_idle(ReplicaId replica) {
  const auto found = idle_.find(replica);
  if (found == idle_.end()) return nullptr;
  std::vector<H1Upstream*>& kept = found->second;
  while (!kept.empty()) {
    // The youngest: the older ones age away when there are more than needed.
    H1Upstream* upstream = kept.back();
    kept.pop_back();
    upstream->timer().drop();
    if (is_quiet(upstream->transport().fd())) {
      Metrics::add(metrics_.upstream_reuses);
      return upstream;
    }
    discard(*upstream);
  }
  return nullptr;
}

Result<H1Upstream*> Loop::connect(const model::RouteReplica& replica) {
  KELVIN_TRY(Connecting connecting, connect_loopback(replica.port));
  return watch_upstream(std::make_unique<H1Upstream>(*this, replica.id, std::move(connecting.fd),
                                                     connecting.is_connected));
}

Result<H2Upstream*> Loop::connect_h2(const model::RouteReplica& replica) {
  for (H2Upstream* upstream : h2_by_replica_[replica.id]) {
    if (!upstream->has_room()) continue;
    Metrics::add(metrics_.upstream_reuses);
    return upstream;
  }
  KELVIN_TRY(Connecting connecting, connect_loopback(replica.port));
  auto upstream = std::make_unique<H2Upstream>(*this, replica.id, std::move(connecting));
  KELVIN_TRY_VOID(
      epoll_.add(upstream->fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 reinterpret_cast<std::uint64_t>(static_cast<Endpoint*>(upstream.get()))));
  Metrics::add(metrics_.upstream_connects);
  H2Upstream* made = upstream.get();
  h2_upstreams_.emplace(made, std::move(upstream));
  h2_by_replica_[replica.id].push_back(made);
  return made;
}

void Loop::discard(H2Upstream& upstream) {
  const auto found = h2_upstreams_.find(&upstream);
  KELVIN_CHECK(found != h2_upstreams_.end());
  upstream.close();
  const auto kept = h2_by_replica_.find(upstream.replica());
  std::erase(kept->second, &upstream);
  if (kept->second.empty()) h2_by_replica_.erase(kept);
  dead_h2_upstreams_.push_back(std::move(found->second));
  h2_upstreams_.erase(found);
}

Result<H1Upstream*> Loop::connect_management() {
  KELVIN_TRY(SocketPair pair, make_socket_pair());
  KELVIN_TRY(H1Upstream * made, watch_upstream(std::make_unique<H1Upstream>(
                                    *this, ReplicaId{}, std::move(pair.ours), true)));
  shared_.management->take(pair.theirs.release(), {});
  return made;
}

Result<H1Upstream*> Loop::watch_upstream(std::unique_ptr<H1Upstream> upstream) {
  KELVIN_TRY_VOID(
      epoll_.add(upstream->transport().fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 reinterpret_cast<std::uint64_t>(static_cast<Endpoint*>(upstream.get()))));
  if (!upstream->is_connected()) {
    upstream->timer().kind = static_cast<std::uint8_t>(TimerKind::UpstreamConnect);
    timers_.set(upstream->timer(), now_ + limits().connect_time);
  }
  Metrics::add(metrics_.upstream_connects);
  H1Upstream* made = upstream.get();
  upstreams_.emplace(made, std::move(upstream));
  return made;
}

void Loop::keep_idle(H1Upstream& upstream, Duration at_most) {
  upstream.become_idle();
  std::vector<H1Upstream*>& kept = idle_[upstream.replica()];
  kept.push_back(&upstream);
  if (kept.size() > limits().upstream_idle_max) {
    H1Upstream* oldest = kept.front();
    kept.erase(kept.begin());
    discard(*oldest);
  }
  upstream.timer().kind = static_cast<std::uint8_t>(TimerKind::UpstreamIdle);
  timers_.set(upstream.timer(), now_ + std::min(at_most, limits().upstream_idle_time));
}

void Loop::discard(H1Upstream& upstream) {
  const auto found = upstreams_.find(&upstream);
  KELVIN_CHECK(found != upstreams_.end());
  upstream.close();
  dead_upstreams_.push_back(std::move(found->second));
  upstreams_.erase(found);
}

void Loop::drop_idle(H1Upstream& upstream) {
  const auto found = idle_.find(upstream.replica());
  KELVIN_CHECK(found != idle_.end());
  std::erase(found->second, &upstream);
  if (found->second.empty()) idle_.erase(found);
  discard(upstream);
}

void Loop::close_idle_to(ReplicaId replica) {
  if (const auto shared = h2_by_replica_.find(replica); shared != h2_by_replica_.end()) {
    const std::vector<H2Upstream*> all = shared->second;
    for (H2Upstream* upstream : all)
      if (upstream->is_idle()) discard(*upstream);
  }
  const auto found = idle_.find(replica);
  if (found == idle_.end()) return;
  for (H1Upstream* upstream : found->second) discard(*upstream);
  idle_.erase(found);
}

}  // namespace kelvin::gateway
