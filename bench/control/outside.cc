#include "outside.h"

namespace bench {

using namespace kelvin;

ManyNodes::ManyNodes(const Size& size)
    : size_(size), ordered_ns_(size.apps), worker_("workers", [this] { work(); }) {}

ManyNodes::~ManyNodes() {
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  arrived_.notify_all();
  worker_.join();
}

Result<std::vector<model::Event>> ManyNodes::connect(std::function<void(model::Event)> sink) {
  const std::scoped_lock lock(mutex_);
  sink_ = std::move(sink);
  std::vector<model::Event> nodes;
  for (std::uint32_t node = 1; node <= size_.nodes; ++node) {
    nodes.emplace_back(model::NodeChanged{{.id = {node},
                                           .name = "node-" + std::to_string(node),
                                           .memory = {std::uint64_t{size_.cpus} << 30U},
                                           .pools = {{.kind = "cpu", .count = size_.cpus}}}});
  }
  return nodes;
}

void ManyNodes::start(const model::StartReplica& order) {
  const std::uint64_t app = order.revision->app.value - 1;
  if (app < ordered_ns_.size()) ordered_ns_[app] = os::boot_now().ns;
  ordered_ += 1;
  for (const model::State state :
       {model::State::Starting, model::State::Loading, model::State::Ready})
    tell(model::ReplicaMoved{.replica = order.replica, .to = state, .port = 9000, .pid = 77});
}

void ManyNodes::park(const model::ParkReplica& order) {
  tell(model::ReplicaMoved{.replica = order.replica, .to = model::State::Parked});
}

void ManyNodes::resume(const model::ResumeReplica& order) {
  tell(model::ReplicaMoved{.replica = order.replica, .to = model::State::Ready});
}

void ManyNodes::stop(const model::StopReplica& order) {
  tell(model::ReplicaMoved{.replica = order.replica,
                           .to = model::State::Gone,
                           .exit = model::Exit{.cause = order.cause}});
}

void ManyNodes::tell(model::Event event) {
  {
    const std::scoped_lock lock(mutex_);
    due_.push_back(std::move(event));
  }
  arrived_.notify_one();
}

void ManyNodes::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return is_closing_ || !due_.empty(); });
    if (is_closing_) return;
    const std::vector<model::Event> due = std::exchange(due_, {});
    lock.unlock();
    for (const model::Event& event : due) sink_(event);
  }
}

}  // namespace bench
