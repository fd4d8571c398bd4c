// platform_upgrade: from one process to the next. docs/adr/0015-upgrade-by-two-processes.md says why it goes this way.
//
// The side that is replaced: upgrade() = start the successor, switch_to() = end control and let the successor take it,
// or take_back(); then drain(). The side that replaces: take_over().
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cli/platform_parts.h"
#include "cli/successor.h"
#include "keeper/protocol.h"
#include "os/supervisor.h"

namespace kelvin::cli {

namespace {

// For the store to take the usage of the last seconds.
constexpr Duration kFlushMax = 5s;
// From letting go of everything until the successor serves; a migration of the store lies in between.
constexpr Duration kServingMax = 120s;
// A successor waits for the switch as long as a long deploy through the management API may hold it up.
constexpr Duration kHandedMax = 24h;
// For a process whose socket has ended, before it is killed.
constexpr Duration kDeathMax = 5s;
constexpr Duration kReportInterval = 1s;
constexpr Duration kLookAgain = 100ms;

int whole_poll_ms(Duration time) {
  return static_cast<int>(std::clamp<std::int64_t>(whole_ms(time), 0, 1'000'000));
}

bool wait_for_death(const os::Pidfd& process, Duration at_most) {
  pollfd item{.fd = process.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, whole_poll_ms(at_most)) > 0;
}

void send_handed(takeover::Channel& channel, const control::Handed& handed, takeover::Handed last) {
  for (const model::KeptReplica& replica : handed.replicas)
    channel.post(model::ReplicaKept{replica});
  for (const model::MeterLine& line : handed.lines) channel.post(model::MeterLineKept{line});
  channel.post(std::move(last));
}

// What the control of another process asks of the gateway of this one. False for anything else.
bool carry_out(gateway::Gateway& gateway, takeover::Message& message) {
  bool is_order = true;
  std::visit(
      [&](auto& said) {
        using Said = std::remove_cvref_t<decltype(said)>;
        if constexpr (std::is_same_v<Said, model::RouteChanged>) {
          gateway.change_route(said.route);
        } else if constexpr (std::is_same_v<Said, takeover::KeysChanged>) {
          gateway.change_keys(
              std::make_shared<const std::vector<model::Key>>(std::move(said.keys)));
        } else if constexpr (std::is_same_v<Said, model::Handover>) {
          gateway.hand_over(said);
        } else if constexpr (std::is_same_v<Said, model::RefuseRequest>) {
          gateway.refuse(said);
        } else if constexpr (std::is_same_v<Said, model::TellProgress>) {
          gateway.tell_progress(said);
        } else if constexpr (std::is_same_v<Said, model::CloseConnections>) {
          gateway.close_connections(said.replica);
        } else if constexpr (std::is_same_v<Said, model::AskBusy>) {
          gateway.ask_busy();
        } else {
          is_order = false;
        }
      },
      message);
  return is_order;
}

tl::unexpected<Error> out_of_turn() {
  return fail(Code::Invalid, Blame::Platform, Retry::Never,
              "the other binary said something out of turn");
}

// Until the successor serves. What it orders meanwhile is carried out.
Status wait_until_serving(gateway::Gateway& gateway, Successor& successor) {
  const Instant until = os::boot_now() + kServingMax;
  while (true) {
    auto said = successor.channel().receive(until);
    if (!said) {
      said.error().what += successor.last_words();
      return fail(std::move(said).error(), "the other binary did not take over");
    }
    if (std::holds_alternative<takeover::Serving>(said->message)) return {};
    if (const auto* failed = std::get_if<takeover::Failed>(&said->message)) {
      return fail(Code::Unavailable, Blame::Platform, Retry::AfterDelay,
                  "the other binary could not take over: " + failed->why);
    }
    if (!carry_out(gateway, said->message)) return out_of_turn();
  }
}

// Management connections that still come to a process which has been replaced.
class Forwarding final : public ports::Management {
 public:
  explicit Forwarding(takeover::Channel& to) : to_(to) {}
  void take(int fd, std::string received) override {
    to_.post(takeover::ManagementTaken{std::move(received)}, os::Fd(fd));
  }

 private:
  takeover::Channel& to_;
};

// What a draining process hears from the one that has control.
struct Orders {
  std::mutex mutex;
  std::optional<Duration> end_within;  // guarded by mutex
  std::atomic<bool> is_alone{false};   // the successor is gone
};

takeover::Channel::Ears ears_of(Orders& orders, gateway::Gateway& gateway) {
  return {.on_message =
              [&orders, &gateway](takeover::Received received) {
                if (const auto* end = std::get_if<takeover::EndAsked>(&received.message)) {
                  const std::scoped_lock lock(orders.mutex);
                  orders.end_within = end->within;
                } else {
                  (void)carry_out(gateway, received.message);
                }
              },
          .on_end = [&orders](const Error& /*why*/) { orders.is_alone = true; }};
}

}  // namespace

// --- asking for it ---------------------------------------------------------------------------------------------------

Status Platform::Parts::ask_upgrade(const api::UpgradeOrder& order) {
  if (::getpid() == 1) {
    return fail(Code::Conflict, Blame::Client, Retry::Never,
                "this is process 1 of its container, whose end would end the container; replace "
                "the container instead");
  }
  const std::scoped_lock lock(upgrade_mutex);
  if (upgrade.stage == api::UpgradeStage::Preparing)
    return fail(Code::Conflict, Blame::Client, Retry::AfterDelay, "an upgrade is under way");
  if (upgrade.stage == api::UpgradeStage::Draining) {
    return fail(Code::Conflict, Blame::Client, Retry::AfterDelay,
                "the process that the last upgrade replaced (pid " +
                    std::to_string(upgrade.draining_pid) + ") still has " +
                    std::to_string(upgrade.draining_connections) +
                    " connections; SIGTERM makes it end sooner");
  }
  upgrade = {.stage = api::UpgradeStage::Preparing};
  upgrade_wish = order;
  upgrade_asked->signal();
  return {};
}

api::UpgradeView Platform::Parts::upgrade_view() {
  const std::scoped_lock lock(upgrade_mutex);
  return upgrade;
}

void Platform::Parts::note_stage(api::UpgradeStage stage, std::string why) {
  const std::scoped_lock lock(upgrade_mutex);
  upgrade.stage = stage;
  upgrade.why = std::move(why);
}

int Platform::upgrade_fd() const { return parts_->upgrade_asked->fd(); }

// --- being replaced --------------------------------------------------------------------------------------------------

Result<bool> Platform::upgrade(int cancel) {
  Parts& parts = *parts_;
  (void)parts.upgrade_asked->drain();
  std::optional<api::UpgradeOrder> order;
  {
    const std::scoped_lock lock(parts.upgrade_mutex);
    order.swap(parts.upgrade_wish);
  }
  if (!order) return false;
  parts.drain_max = order->drain;
  const auto goes_on = [&parts](const Error& error) {
    parts.log.error("the upgrade did not come about; this process goes on", {{"why", error.what}});
    parts.note_stage(api::UpgradeStage::Failed, error.what);
    return false;
  };
  const Result<std::string> binary = check_binary(
      order->binary.empty() ? parts.options.program : order->binary, parts.options.data);
  if (!binary) return goes_on(binary.error());
  parts.log.info("an upgrade begins", {{"binary", *binary}});
  auto successor = Successor::start(*binary, cancel);
  if (!successor) return goes_on(successor.error());
  return switch_to(**successor);
}

// From here to the end the gateway is without control: what it has to say is held.
Result<control::Handed> Platform::hand_over_control() {
  Parts& parts = *parts_;
  KELVIN_TRY(os::FileLock drain_lock, DataFolder::lock_for_draining(parts.options.data));
  parts.drop_predecessor();
  parts.door.hold();
  parts.tenure->api->stop_for(parts.door);
  parts.line.hold();
  // Who waits in the successor must hear of a slot that is given back here.
  parts.gateway->tell_every_slot(true);
  std::optional<shell::Left> left = parts.tenure->shell->hand_over(kFlushMax);
  if (!left) {
    parts.gateway->tell_every_slot(false);
    parts.connect_line();
    KELVIN_TRY_VOID(parts.begin_api());
    return fail(Code::Unavailable, Blame::Host, Retry::AfterDelay,
                "the store does not take the usage of the last seconds");
  }
  std::vector<model::Event> unseen;
  for (model::Event& event : left->events) {
    if (takeover::as_message(event)) unseen.push_back(std::move(event));
  }
  parts.line.put_in_front(std::move(unseen));
  parts.drain_lock = std::move(drain_lock);
  parts.tenure.reset();
  return std::move(left->handed);
}

Result<bool> Platform::switch_to(Successor& successor) {
  Parts& parts = *parts_;
  Result<control::Handed> handed = hand_over_control();
  if (!handed && parts.tenure == nullptr) return tl::unexpected<Error>(handed.error());
  if (!handed) {
    parts.log.error("the upgrade did not come about; this process goes on",
                    {{"why", handed.error().what}});
    parts.note_stage(api::UpgradeStage::Failed, handed.error().what);
    return false;
  }
  send_handed(successor.channel(), *handed,
              {.side = parts.slots->side(),
               .loops = parts.gateway->loops(),
               .pid = ::getpid(),
               .version = KELVIN_VERSION});
  const Status serving = wait_until_serving(*parts.gateway, successor);
  if (!serving) {
    successor.kill();
    return take_back(std::move(*handed), serving.error());
  }
  begin_draining(successor);
  return true;
}

// The successor is dead, and has left everything as it found it or further on its way up.
Result<bool> Platform::take_back(control::Handed handed, const Error& why) {
  Parts& parts = *parts_;
  parts.log.error("the upgrade did not come about; this process takes control again",
                  {{"why", why.what}});
  parts.drain_lock.reset();
  KELVIN_TRY(parts.tenure, Tenure::open(parts.options, parts.log, DataFolder::For::Start));
  // The successor's half of the slot words, and the words that it has opened.
  parts.slots->clear(os::other_side(parts.slots->side()));
  parts.gateway->tell_every_slot(false);
  parts.gateway->announce_waiting();
  KELVIN_TRY_VOID(parts.begin_control(std::move(handed)));
  parts.note_stage(api::UpgradeStage::Failed, why.what);
  return false;
}

void Platform::begin_draining(Successor& successor) {
  Parts& parts = *parts_;
  const pid_t pid = successor.pid();
  parts.successor = successor.let_go();
  parts.log.info("another process has taken over; this one ends with its last connection",
                 {{"pid", std::to_string(pid)}});
  (void)os::tell_supervisor(parts.options.notify_socket, "MAINPID=" + std::to_string(pid));
  parts.gateway->announce_waiting();
  parts.line.connect([channel = parts.successor.get()](model::Event event) {
    if (auto message = takeover::as_message(std::move(event))) channel->post(std::move(*message));
  });
  parts.gateway->retire();
}

bool Platform::drain(const os::SignalFd& signals, Duration patience) {
  Parts& parts = *parts_;
  Orders orders;
  Forwarding forwarding(*parts.successor);
  parts.door.open(forwarding);
  parts.successor->start(ears_of(orders, *parts.gateway));
  Instant end = parts.clock.now() + parts.drain_max;
  Instant reported{};
  bool is_hurried = false;
  bool is_drained = false;
  const auto hurry = [&](Duration within) {
    is_hurried = true;
    end = std::min(end, parts.clock.now() + within);
    parts.gateway->stop_accepting();
  };
  while (!is_drained && !orders.is_alone && parts.clock.now() < end) {
    is_drained = parts.gateway->wait_until_drained(kLookAgain);
    if (signals.read()) {
      if (is_hurried) break;
      hurry(patience);
    }
    {
      const std::scoped_lock lock(orders.mutex);
      if (const auto within = std::exchange(orders.end_within, std::nullopt)) hurry(*within);
    }
    if (parts.clock.now() < reported + kReportInterval) continue;
    reported = parts.clock.now();
    const std::uint64_t connections = parts.gateway->metrics().connections_open;
    parts.successor->post(
        takeover::Draining{.connections = static_cast<std::uint32_t>(connections)});
  }
  if (orders.is_alone)
    parts.log.error("the process that took over has ended; this one, which drains, ends too");
  // The last words of its loops go over before the end is told.
  parts.successor->stop_listening();
  parts.gateway.reset();
  parts.successor->post(takeover::Ended{});
  const bool is_told = parts.successor->flush(parts.clock.now() + kFlushMax);
  parts.door.hold();
  return is_drained && is_told;
}

// --- replacing -------------------------------------------------------------------------------------------------------

namespace {

struct Inheritance {
  control::Handed handed;
  takeover::Handed last;
};

Result<Inheritance> receive_inheritance(takeover::Channel& channel) {
  channel.post(takeover::Hello{.keeper_protocol = keeper::kProtocolVersion,
                               .schema = store::SqliteStore::schema(),
                               .version = KELVIN_VERSION});
  Inheritance all;
  const Instant until = os::boot_now() + kHandedMax;
  while (true) {
    KELVIN_TRY(takeover::Received said, channel.receive(until));
    if (auto* kept = std::get_if<model::ReplicaKept>(&said.message)) {
      all.handed.replicas.push_back(std::move(kept->replica));
    } else if (auto* line = std::get_if<model::MeterLineKept>(&said.message)) {
      all.handed.lines.push_back(std::move(line->line));
    } else if (auto* last = std::get_if<takeover::Handed>(&said.message)) {
      all.last = std::move(*last);
      return all;
    } else {
      return out_of_turn();
    }
  }
}

}  // namespace

Result<std::unique_ptr<Platform>> Platform::take_over(const PlatformOptions& options, obs::Log& log,
                                                      os::Fd socket) {
  KELVIN_TRY(auto channel, takeover::Channel::create(std::move(socket)));
  KELVIN_TRY(Inheritance inheritance, receive_inheritance(*channel));
  takeover::Channel* const to_predecessor = channel.get();
  const auto open = [&]() -> Result<std::unique_ptr<Parts>> {
    auto parts = std::make_unique<Parts>(options, log);
    KELVIN_TRY(os::Pidfd process, os::Pidfd::open(inheritance.last.pid));
    KELVIN_TRY(parts->tenure, Tenure::open(options, log, DataFolder::For::TakeOver));
    KELVIN_TRY_VOID(parts->open_gateway(os::other_side(inheritance.last.side)));
    parts->predecessor = std::make_unique<Predecessor>(
        Predecessor{.process = std::move(process), .handed = inheritance.last});
    parts->upgrade = {.stage = api::UpgradeStage::Draining,
                      .from_version = inheritance.last.version,
                      .draining_pid = inheritance.last.pid};
    parts->planes->join(
        {.loops = inheritance.last.loops, .send = [to_predecessor](takeover::Message message) {
           to_predecessor->post(std::move(message));
         }});
    KELVIN_TRY_VOID(parts->begin_control(std::move(inheritance.handed)));
    return parts;
  };
  Result<std::unique_ptr<Parts>> parts = open();
  if (!parts) {
    // Everything has been let go of by now.
    channel->post(takeover::Failed{parts.error().what});
    (void)channel->flush(os::boot_now() + kFlushMax);
    return tl::unexpected<Error>(parts.error());
  }
  (*parts)->gateway->start();
  channel->post(takeover::Serving{.epoch = (*parts)->tenure->epoch});
  (*parts)->predecessor->channel = std::move(channel);
  (*parts)->listen_to_predecessor();
  return std::unique_ptr<Platform>(new Platform(std::move(*parts)));
}

void Platform::Parts::listen_to_predecessor() {
  predecessor->channel->start(
      {.on_message = [this](takeover::Received received) { hear_predecessor(std::move(received)); },
       .on_end = [this](const Error& /*why*/) { predecessor_ended(); }});
}

void Platform::Parts::hear_predecessor(takeover::Received received) {
  if (auto* taken = std::get_if<takeover::ManagementTaken>(&received.message)) {
    door.take(received.fd.release(), std::move(taken->received));
  } else if (const auto* draining = std::get_if<takeover::Draining>(&received.message)) {
    const std::scoped_lock lock(upgrade_mutex);
    upgrade.draining_connections = draining->connections;
  } else if (!std::holds_alternative<takeover::Ended>(received.message)) {
    // What it has no business to say ends it, and its slots are given back.
    if (!planes->hear_other(std::move(received.message))) predecessor->channel->close();
  }
}

// Its half of the slot words may be cleared only once it can change it no more.
void Platform::Parts::predecessor_ended() {
  if (!wait_for_death(predecessor->process, kDeathMax)) {
    log.error("the process that was replaced does not end; it is killed",
              {{"pid", std::to_string(predecessor->handed.pid)}});
    (void)predecessor->process.signal(SIGKILL);
    (void)wait_for_death(predecessor->process, kServingMax);
  }
  planes->leave();
  log.info("the process that was replaced has ended",
           {{"pid", std::to_string(predecessor->handed.pid)}});
  const std::scoped_lock lock(upgrade_mutex);
  upgrade.stage = api::UpgradeStage::Done;
  upgrade.draining_pid = 0;
  upgrade.draining_connections = 0;
}

void Platform::Parts::drop_predecessor() {
  if (!predecessor) return;
  if (predecessor->channel) predecessor->channel->end();
  predecessor.reset();
}

bool Platform::Parts::wait_for_predecessor(Duration at_most) {
  return !predecessor || wait_for_death(predecessor->process, at_most);
}

}  // namespace kelvin::cli
