// starts: how many cold apps a second the control plane starts, and how long each waits for its decision.
//
//   starts --by api|demand [--apps N] [--rate N] [--nodes N]
//
// The apps are deployed by `POST /api/v1/deploy`; then each is woken once, at `rate` a second whatever the answers do,
// or as fast as possible with rate 0. By api: `POST /api/v1/apps/NAME/wake`, a TCP connection each, through the real
// management API, its keys, JSON and views, and the real shell and its thread, to Cluster::start of a simulated
// cluster. By demand: the event that a gateway loop posts, through the real shell. The decision's latency runs from the
// moment the request was due to be sent to Cluster::start. The workers answer at once; the store is in memory.
//
// Prints {"apps", "refused", "seconds", "per_second", "ready", "p50_us", "p99_us", "max_us", "deploys_per_second",
// "bytes_per_idle_app"}.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "api/api.h"
#include "api/key_text.h"
#include "obs/decision_log.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/slot_table.h"
#include "outside.h"
#include "shell/shell.h"

namespace {

using namespace kelvin;

constexpr std::size_t kClients = 12;  // below the API's own threads

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "starts: %s\n", why.c_str());
  std::exit(2);
}

struct Options {
  bool is_by_api = true;
  std::size_t apps = 10'000;
  std::size_t rate = 2'500;
  std::uint32_t nodes = 100;
};

Options read(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    const auto number = std::strtoul(value.c_str(), nullptr, 10);
    if (name == "--by" && (value == "api" || value == "demand")) {
      options.is_by_api = value == "api";
    } else if (name == "--apps") {
      options.apps = number;
    } else if (name == "--rate") {
      options.rate = number;
    } else if (name == "--nodes") {
      options.nodes = static_cast<std::uint32_t>(number);
    } else {
      give_up(name + " " + value + " is not understood; see the top of starts.cc");
    }
  }
  if (argc % 2 == 0) give_up("an option without a value");
  return options;
}

// Everything from the listening socket to the cluster.
class Platform {
 public:
  explicit Platform(const Options& options)
      : cluster_({.nodes = options.nodes,
                  .cpus = static_cast<std::uint32_t>(2 * options.apps / options.nodes + 1),
                  .apps = options.apps}),
        entries_(2 * options.apps + 64),
        table_(entries_),
        log_(obs::Log::Options{.fd = -1}),
        token_(api::make_key_text()),
        shell_({.slots_max = static_cast<std::uint32_t>(entries_.size()),
                .starts = {.burst = 1'000'000, .per_second = 1'000'000}}),
        api_(api_options(), {.control = shell_,
                             .store = store_,
                             .content = content_,
                             .logs = logs_,
                             .data_plane = data_plane_,
                             .clock = clock_,
                             .log = log_}) {
    data_plane_.control = &shell_;
    const bool is_up = shell_
                           .start({.clock = clock_,
                                   .cluster = cluster_,
                                   .data_plane = data_plane_,
                                   .store = store_,
                                   .slots = table_,
                                   .decisions = decisions_,
                                   .log = log_})
                           .has_value() &&
                       api_.start().has_value();
    if (!is_up) give_up("the platform does not start");
    listen();
  }
  ~Platform() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.reset();
    api_.stop();
  }
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // The status of the reply.
  int post(const std::string& path, const std::string& body) {
    const os::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
      return 0;
    const std::string request =
        "POST " + path + " HTTP/1.1\r\nHost: " + listen_ + "\r\nAuthorization: Bearer " + token_ +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return 0;
    std::string reply(16'384, '\0');
    std::size_t received = 0;
    for (ssize_t n = 1; n > 0 && received < reply.size(); received += static_cast<std::size_t>(n)) {
      n = ::recv(socket.get(), reply.data() + received, reply.size() - received, 0);
      if (n <= 0) break;
    }
    return received > 12 ? std::atoi(reply.c_str() + 9) : 0;
  }

  bench::ManyNodes& cluster() { return cluster_; }
  bench::NobodyCalls& data_plane() { return data_plane_; }
  shell::Shell& shell() { return shell_; }

 private:
  api::ApiOptions api_options() {
    listen_ = "127.0.0.1:27315";
    return {.data_folder = "/data",
            .listen = listen_,
            .version = "bench",
            .epoch = 1,
            .admin_token = token_,
            .started = clock_.now(),
            .is_ready = [] { return true; },
            .in_flight_of = [](const model::ReplicaView&) { return 0U; },
            .memory_of = [](const model::ReplicaView&) { return std::optional<Bytes>(); },
            .nodes = [] { return std::vector<model::Node>{}; }};
  }

  void listen() {
    listener_ = os::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    const bool is_listening = ::bind(listener_.get(), address, size) == 0 &&
                              ::listen(listener_.get(), 1024) == 0 &&
                              ::getsockname(listener_.get(), address, &size) == 0;
    if (!is_listening) give_up("cannot listen on loopback");
    acceptor_ = std::make_unique<os::Thread>("acceptor", [this] {
      while (true) {
        const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        api_.take(fd, {});
      }
    });
  }

  bench::RealClock clock_;
  bench::MemoryStore store_;
  bench::NoContent content_;
  bench::NoLogs logs_;
  bench::NobodyCalls data_plane_;
  bench::ManyNodes cluster_;
  std::vector<os::SlotEntry> entries_;
  os::SlotTable table_;
  obs::DecisionLog decisions_;
  obs::Log log_;
  std::string token_;
  std::string listen_;
  shell::Shell shell_;
  api::Api api_;
  sockaddr_in address_{};
  os::Fd listener_;
  std::unique_ptr<os::Thread> acceptor_;
};

std::string app_name(std::size_t app) { return "app-" + std::to_string(app); }

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double seconds_since(Instant began) {
  return static_cast<double>((os::boot_now() - began).count()) / 1e9;
}

struct Deployed {
  double per_second = 0;
  double bytes_each = 0;
};

Deployed deploy_all(Platform& platform, std::size_t apps) {
  const auto deploy = [&](std::size_t app) {
    const std::string body =
        R"({"file": "name: )" + app_name(app) +
        R"(\ncommand: [serve]\nscale: {max: 1}\n", "file_name": "kelvin.yaml", "folder": [], "model_name": null, "model_is_folder": false, "model": []})";
    if (const int status = platform.post("/api/v1/deploy", body); status != 200)
      give_up("a deploy was answered " + std::to_string(status));
  };
  deploy(0);
  const double before = resident_bytes();
  const Instant began = os::boot_now();
  for (std::size_t app = 1; app < apps; ++app) deploy(app);
  const auto many = static_cast<double>(std::max<std::size_t>(apps - 1, 1));
  return {many / seconds_since(began), (resident_bytes() - before) / many};
}

// One start; `due` is when it should have been asked for.
class Starter {
 public:
  Starter(Platform& platform, const Options& options)
      : platform_(platform), options_(options), due_ns_(options.apps) {}

  void run() {
    began_ = os::boot_now();
    std::vector<std::unique_ptr<os::Thread>> clients;
    for (std::size_t i = 0; i < kClients; ++i)
      clients.push_back(std::make_unique<os::Thread>("client", [this] { ask_many(); }));
    for (const auto& client : clients) client->join();
    while (platform_.cluster().ordered() < options_.apps && seconds_since(began_) < 120)
      ::usleep(1000);
    seconds_ = seconds_since(began_);
    while (platform_.shell().find_app(AppId{options_.apps})->replicas_ready == 0 &&
           seconds_since(began_) < 120)
      ::usleep(1000);
  }

  void print(const Deployed& deployed) {
    std::vector<std::int64_t> waits;
    for (std::size_t app = 0; app < options_.apps; ++app) {
      if (const std::int64_t at = platform_.cluster().ordered_ns(app); at != 0)
        waits.push_back(at - due_ns_[app]);
    }
    if (waits.empty()) give_up("nothing was started");
    std::ranges::sort(waits);
    const auto us_at = [&](std::size_t per_thousand) {
      return static_cast<double>(waits[(waits.size() - 1) * per_thousand / 1000]) / 1e3;
    };
    std::printf(
        "{\"apps\": %zu, \"started\": %zu, \"refused\": %zu, \"seconds\": %.3f, \"per_second\": "
        "%.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f, \"deploys_per_second\": %.0f, "
        "\"bytes_per_idle_app\": %.0f}\n",
        options_.apps, waits.size(), refused_.load(), seconds_,
        static_cast<double>(waits.size()) / seconds_, us_at(500), us_at(990), us_at(1000),
        deployed.per_second, deployed.bytes_each);
  }

 private:
  void ask_many() {
    while (true) {
      const std::size_t app = next_++;
      if (app >= options_.apps) return;
      Instant due = os::boot_now();
      if (options_.rate > 0) {
        due = began_ + std::chrono::nanoseconds(app * 1'000'000'000 / options_.rate);
        const Duration early = due - os::boot_now();
        if (early > 0ns) ::usleep(static_cast<useconds_t>(early.count() / 1000));
      }
      due_ns_[app] = due.ns;
      ask(app);
    }
  }

  void ask(std::size_t app) {
    if (!options_.is_by_api) {
      platform_.shell().post(
          model::Demand{.request = {app + 1}, .app = {app + 1}, .arrived = os::boot_now()});
      return;
    }
    if (platform_.post("/api/v1/apps/" + app_name(app) + "/wake", "{}") != 200) refused_ += 1;
  }

  Platform& platform_;
  const Options options_;
  std::vector<std::int64_t> due_ns_;
  Instant began_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> refused_{0};
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = read(argc, argv);
  Platform platform(options);
  const Deployed deployed = deploy_all(platform, options.apps);
  Starter starter(platform, options);
  starter.run();
  starter.print(deployed);
  // The platform's own shutdown would stop every replica first.
  std::fflush(stdout);
  std::_Exit(0);
}
