#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "cli/address.h"
#include "cli/limit_options.h"
#include "cli/platform.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "os/clock.h"
#include "os/signal_fd.h"

namespace kelvin::cli {

namespace {

// Long enough for a model's answer to end, shorter than what supervisors wait before they kill (90 s in systemd).
constexpr Duration kPatience = 60s;

struct ServeWanted {
  PlatformOptions platform;
  std::optional<std::uint32_t> slots;
  std::vector<std::string> limits;
  bool prints_limits = false;
  bool keeps_replicas = false;
};

ExitCode exit_of(const Error& error) {
  return error.code == Code::Conflict ? ExitCode::Conflict : ExitCode::Failed;
}

Failure failure_of(const Error& error) {
  Failure failure{
      .exit = exit_of(error), .code = "cannot_serve", .what = "cannot serve", .why = error.what};
  if (error.code == Code::Conflict) {
    failure.next = "stop the other one, or choose another --data and --listen";
  }
  return failure;
}

// Every connection is a descriptor; the soft limit of most systems is 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// The keeper is run from the same file. Once that is replaced, the link still leads to what runs here.
std::string own_program() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string program(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return ::access(program.c_str(), X_OK) == 0 ? program : "/proc/self/exe";
}

void wait_for_signal(const os::SignalFd& signals) {
  pollfd waited{.fd = signals.fd(), .events = POLLIN, .revents = 0};
  while (!signals.read()) (void)::poll(&waited, 1, -1);
}

// From here on a further signal ends the process at once; the next start adopts the replicas.
void let_signals_kill() {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGTERM);
  sigaddset(&both, SIGINT);
  (void)::pthread_sigmask(SIG_UNBLOCK, &both, nullptr);
}

ExitCode show_limits(Session& session, const gateway::GatewayLimits& limits) {
  if (session.wants_json())
    session.print_json(write_limits(limits));
  else
    session.print(render_limits(limits, session.page()));
  return ExitCode::Ok;
}

ExitCode serve(Session& session, const ServeWanted& wanted) {
  const Surroundings& here = session.surroundings();
  const Attempt<gateway::GatewayLimits> limits = read_limits(wanted.limits, here.variable);
  if (!limits) return session.fail(limits.error());
  if (wanted.prints_limits) return show_limits(session, *limits);
  const Result<os::SignalFd> signals = os::SignalFd::create({SIGTERM, SIGINT});
  if (!signals) return session.fail(failure_of(signals.error()));
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();

  obs::Log log({.fd = 2, .unix_ms = os::unix_now_ms});
  PlatformOptions options = wanted.platform;
  options.cpu_slots = wanted.slots;
  options.limits = *limits;
  options.data =
      find_data_folder({.server = {}, .data = options.data}, {here.variable, here.is_root});
  options.program = own_program();
  options.search_path = here.variable("PATH").value_or("");
  const Result<std::unique_ptr<Platform>> platform = Platform::start(options, log);
  if (!platform) return session.fail(failure_of(platform.error()));
  log.info("kelvin serves", {{"url", (*platform)->url()}, {"data", options.data}});

  wait_for_signal(*signals);
  let_signals_kill();
  const Farewell farewell = wanted.keeps_replicas ? Farewell::KeepReplicas : Farewell::StopReplicas;
  log.info("kelvin ends: running requests may finish; ask again to end at once", {});
  const bool is_clean = (*platform)->shut_down(farewell, kPatience);
  log.info("kelvin has ended", {{"clean", is_clean ? "yes" : "no"}});
  return is_clean ? ExitCode::Ok : ExitCode::Failed;
}

}  // namespace

void add_serve(Cli& cli) {
  const auto wanted = std::make_shared<ServeWanted>();
  cli.verbs.push_back({.name = "serve",
                       .summary = "run the platform",
                       .group = Group::Platform,
                       .reach = Reach::Nobody,
                       .options = {{.names = "--listen",
                                    .value = "ADDR",
                                    .summary = "host:port",
                                    .variable = "KELVIN_LISTEN",
                                    .into = &wanted->platform.listen},
                                   {.names = "--data",
                                    .value = "DIR",
                                    .summary = "the data folder",
                                    .into = &wanted->platform.data},
                                   {.names = "--slots",
                                    .value = "N",
                                    .summary = "CPU slots of this machine",
                                    .into = &wanted->slots},
                                   {.names = "--request-log",
                                    .value = "FILE",
                                    .summary = "one JSON line per request",
                                    .into = &wanted->platform.request_log},
                                   {.names = "--limit",
                                    .value = "NAME=VALUE",
                                    .summary = "set a limit of the gateway",
                                    .into = &wanted->limits},
                                   {.names = "--limits",
                                    .summary = "print the limits instead of serving",
                                    .into = &wanted->prints_limits},
                                   {.names = "--keep-replicas",
                                    .summary = "leave the replicas to the next serve at the end",
                                    .into = &wanted->keeps_replicas}},
                       .run = [wanted](Session& session) { return serve(session, *wanted); }});
}

}  // namespace kelvin::cli
