// loop_pool: a loop's connections to replicas.
//
// A kept connection lives two seconds, or half of what the replica's Keep-Alive allows when that is less, so that the
// replica rarely closes one just as a request is written to it. Before its next use it is looked at for an end that
// has come meanwhile.
#include <algorithm>

#include "base/check.h"
#include "gateway/h1_upstream.h"
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
  const auto found = idle_.find(replica);
  if (found == idle_.end()) return;
  for (H1Upstream* upstream : found->second) discard(*upstream);
  idle_.erase(found);
}

}  // namespace kelvin::gateway
