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
#include "cli/listen_options.h"
#include "cli/platform.h"
#include "cli/session.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "os/clock.h"
#include "os/signal_fd.h"

namespace kelvin::cli {

namespace {

constexpr std::uint32_t kLoopsMax = 16;

struct ServeWanted {
  PlatformOptions platform;
  std::optional<std::uint32_t> slots;
  ListenWanted listen;
  std::vector<std::string> limits;
  bool prints_limits = false;
  std::string log_sample = "1";
  std::optional<Duration> log_slow;
  std::optional<std::uint32_t> log_mib;
  std::string otlp_sample = "1";
  bool keeps_replicas = false;
  // Long enough for a model's answer to end, shorter than what supervisors wait before they kill (90 s in systemd).
  std::optional<Duration> drain = 60s;
  std::optional<std::uint32_t> take_over;  // the socket to the process that is to be replaced
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

std::optional<Failure> failure_of(const PlatformOptions& wanted) {
  const std::uint32_t loops = wanted.loops.value_or(1);
  if (loops >= 1 && loops <= kLoopsMax) return std::nullopt;
  return Failure{.exit = ExitCode::Usage,
                 .code = "usage",
                 .what = "--loops is " + std::to_string(loops) + "; expected 1 to " +
                         std::to_string(kLoopsMax),
                 .next = "see kelvin serve --help"};
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

// True: an upgrade is asked for. False: a signal came.
bool wait_for_upgrade(const os::SignalFd& signals, const Platform& platform) {
  std::array<pollfd, 2> waited{{{.fd = signals.fd(), .events = POLLIN, .revents = 0},
                                {.fd = platform.upgrade_fd(), .events = POLLIN, .revents = 0}}};
  while (!signals.read()) {
    (void)::poll(waited.data(), waited.size(), -1);
    if (waited[1].revents != 0) return true;
  }
  return false;
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

Attempt<std::uint32_t> share_of(const std::string& option, const std::string& text) {
  if (const auto share = parse_share(text)) return *share;
  return failed({.exit = ExitCode::Usage,
                 .code = "usage",
                 .what = "cannot serve",
                 .why = option + " is '" + text + "', which is no share",
                 .next = "give a number from 0 to 1 with at most six decimals, such as 0.1"});
}

Attempt<gateway::RecordOptions> records_of(const ServeWanted& wanted) {
  gateway::RecordOptions records = wanted.platform.records;
  const auto log_share = share_of("--access-log-sample", wanted.log_sample);
  if (!log_share) return failed(log_share.error());
  records.log.sample_ppm = *log_share;
  const auto trace_share = share_of("--otlp-sample", wanted.otlp_sample);
  if (!trace_share) return failed(trace_share.error());
  records.traces.sample_ppm = *trace_share;
  if (wanted.log_slow) records.log.slow = *wanted.log_slow;
  if (wanted.log_mib) records.log.file.bytes_max = std::uint64_t{*wanted.log_mib} << 20U;
  return records;
}

// What is left to do once the platform runs, to its end or to that of its last connection.
ExitCode serve_on(Platform& platform, const os::SignalFd& signals, const ServeWanted& wanted,
                  obs::Log& log) {
  while (wait_for_upgrade(signals, platform)) {
    const Result<bool> is_replaced = platform.upgrade(signals.fd());
    if (!is_replaced) {
      log.error("kelvin ends: the upgrade failed, and control could not be taken again",
                {{"why", is_replaced.error().what}});
      return ExitCode::Failed;
    }
    if (!*is_replaced) continue;
    const bool is_clean = platform.drain(signals, *wanted.drain);
    log.info("kelvin has been replaced and ends", {{"clean", is_clean ? "yes" : "no"}});
    return is_clean ? ExitCode::Ok : ExitCode::Failed;
  }
  let_signals_kill();
  const Farewell farewell = wanted.keeps_replicas ? Farewell::KeepReplicas : Farewell::StopReplicas;
  log.info("kelvin ends: running requests may finish; ask again to end at once", {});
  const bool is_clean = platform.shut_down(farewell, *wanted.drain);
  log.info("kelvin has ended", {{"clean", is_clean ? "yes" : "no"}});
  return is_clean ? ExitCode::Ok : ExitCode::Failed;
}

Result<std::unique_ptr<Platform>> begin(const PlatformOptions& options, const ServeWanted& wanted,
                                        obs::Log& log) {
  if (!wanted.take_over) return Platform::start(options, log);
  return Platform::take_over(options, log, os::Fd(static_cast<int>(*wanted.take_over)));
}

ExitCode serve(Session& session, const ServeWanted& wanted) {
  const Attempt<gateway::RecordOptions> records = records_of(wanted);
  if (!records) return session.fail(records.error());
  const Surroundings& here = session.surroundings();
  const Attempt<gateway::GatewayLimits> limits = read_limits(wanted.limits, here.variable);
  if (!limits) return session.fail(limits.error());
  if (wanted.prints_limits) return show_limits(session, *limits);
  if (const auto wrong = failure_of(wanted.platform)) return session.fail(*wrong);
  const Attempt<ListenPlan> listen = plan_listening(wanted.listen);
  if (!listen) return session.fail(listen.error());
  const Result<os::SignalFd> signals = os::SignalFd::create({SIGTERM, SIGINT});
  if (!signals) return session.fail(failure_of(signals.error()));
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();

  obs::Log log({.fd = 2, .unix_ms = os::unix_now_ms});
  PlatformOptions options = wanted.platform;
  options.cpu_slots = wanted.slots;
  options.limits = *limits;
  options.records = *records;
  options.listen = *listen;
  options.data =
      find_data_folder({.server = {}, .data = options.data}, {here.variable, here.is_root});
  options.program = own_program();
  options.search_path = here.variable("PATH").value_or("");
  options.notify_socket = here.variable("NOTIFY_SOCKET").value_or("");
  const Result<std::unique_ptr<Platform>> platform = begin(options, wanted, log);
  if (!platform) return session.fail(failure_of(platform.error()));
  log.info("kelvin serves", {{"url", (*platform)->url()}, {"data", options.data}});

  return serve_on(**platform, *signals, wanted, log);
}

std::vector<Option> listen_options(ServeWanted& wanted) {
  return {{.names = "--listen",
           .value = "ADDR",
           .summary = "host:port, or https://host:port",
           .variable = "KELVIN_LISTEN",
           .into = &wanted.listen.addresses},
          {.names = "--tls-cert",
           .value = "FILE",
           .summary = "a certificate in PEM, with its chain",
           .variable = "KELVIN_TLS_CERT",
           .into = &wanted.listen.certificates},
          {.names = "--tls-key",
           .value = "FILE",
           .summary = "the private key of that certificate",
           .variable = "KELVIN_TLS_KEY",
           .into = &wanted.listen.keys},
          {.names = "--insecure-listen",
           .summary = "allow plain text beyond this machine",
           .variable = "KELVIN_INSECURE_LISTEN",
           .into = &wanted.listen.allows_plain_text},
          {.names = "--open-apps",
           .summary = "let anybody who reaches it call apps",
           .variable = "KELVIN_OPEN_APPS",
           .into = &wanted.listen.opens_apps}};
}

std::vector<Option> record_options(ServeWanted& wanted) {
  return {{.names = "--access-log",
           .value = "FILE",
           .summary = "one JSON line per request",
           .into = &wanted.platform.records.log.path},
          {.names = "--access-log-sample",
           .value = "SHARE",
           .summary = "of requests in the log",
           .into = &wanted.log_sample},
          {.names = "--access-log-slow",
           .value = "TIME",
           .summary = "slower ones are always in it",
           .into = &wanted.log_slow},
          {.names = "--access-log-mib",
           .value = "N",
           .summary = "size of one file",
           .into = &wanted.log_mib},
          {.names = "--access-log-query",
           .summary = "keep queries of paths in it",
           .into = &wanted.platform.records.log.keeps_query},
          {.names = "--otlp",
           .value = "URL",
           .summary = "collector of traces",
           .into = &wanted.platform.records.traces.endpoint},
          {.names = "--otlp-sample",
           .value = "SHARE",
           .summary = "of traces that begin here",
           .into = &wanted.otlp_sample}};
}

std::vector<Option> other_options(ServeWanted& wanted) {
  return {{.names = "--data",
           .value = "DIR",
           .summary = "the data folder",
           .into = &wanted.platform.data},
          {.names = "--slots",
           .value = "N",
           .summary = "CPU slots of this machine",
           .into = &wanted.slots},
          {.names = "--loops",
           .value = "N",
           .summary = "threads of the gateway",
           .into = &wanted.platform.loops},
          {.names = "--limit",
           .value = "NAME=VALUE",
           .summary = "set a limit of the gateway",
           .into = &wanted.limits},
          {.names = "--limits",
           .summary = "print the limits instead of serving",
           .into = &wanted.prints_limits},
          {.names = "--drain",
           .value = "DURATION",
           .summary = "how long running requests may take at the end",
           .into = &wanted.drain},
          {.names = "--take-over",
           .value = "FD",
           .summary = "for kelvin upgrade: take another serve's place",
           .into = &wanted.take_over},
          {.names = "--keep-replicas",
           .summary = "leave the replicas to the next serve at the end",
           .into = &wanted.keeps_replicas}};
}

std::vector<Option> all_options(ServeWanted& wanted) {
  std::vector<Option> all = listen_options(wanted);
  for (const std::vector<Option>& more : {other_options(wanted), record_options(wanted)})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

void add_serve(Cli& cli) {
  const auto wanted = std::make_shared<ServeWanted>();
  cli.verbs.push_back({.name = "serve",
                       .summary = "run the platform",
                       .group = Group::Platform,
                       .reach = Reach::Nobody,
                       .options = all_options(*wanted),
                       .run = [wanted](Session& session) { return serve(session, *wanted); }});
}

}  // namespace kelvin::cli
