#include "cli/entrances.h"

#include <algorithm>
#include <utility>

#include "os/clock.h"
#include "os/tcp.h"

namespace kelvin::cli {

namespace {

constexpr Duration kLookInterval = 1s;
// Programs that renew certificates begin 30 days before the end; by then they have failed for two weeks.
constexpr std::int64_t kWarnSeconds = 16 * 86'400;

}  // namespace

Result<std::unique_ptr<Entrances>> Entrances::open(const ListenPlan& plan, const Listen& listen,
                                                   obs::Log& log) {
  std::unique_ptr<Entrances> made(new Entrances(log));
  if (!plan.certificates.empty()) {
    KELVIN_TRY(made->certificates_, gateway::TlsContexts::open({.files = plan.certificates}));
  }
  for (const ListenAddress& address : plan.addresses) {
    KELVIN_TRY(os::Fd socket, listen(address.host_and_port));
    KELVIN_TRY(const std::uint16_t port, os::local_port(socket.get()));
    const std::string host = address.host_and_port.substr(0, address.host_and_port.rfind(':') + 1);
    made->addresses_.push_back(
        {.host_and_port = host + std::to_string(port), .is_secure = address.is_secure});
    made->sockets_.push_back(std::move(socket));
  }
  if (made->certificates_ != nullptr) KELVIN_TRY_VOID(made->watch_certificates());
  return made;
}

Entrances::~Entrances() {
  if (loop_ != nullptr) loop_->stop();
}

std::vector<gateway::Listening> Entrances::listening() const {
  std::vector<gateway::Listening> all;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    all.push_back({.fd = sockets_[i].get(), .is_secure = addresses_[i].is_secure});
  return all;
}

const ListenAddress& Entrances::main() const {
  const auto is_local = [](const ListenAddress& address) {
    return !address.is_secure && is_loopback_address(address.host_and_port);
  };
  const auto at = std::ranges::find_if(addresses_, is_local);
  return at == addresses_.end() ? addresses_.front() : *at;
}

std::vector<std::string> Entrances::other_hosts() const {
  std::vector<std::string> hosts = certificate_names();
  for (const ListenAddress& address : addresses_)
    if (address != main()) hosts.push_back(address.host_and_port);
  return hosts;
}

std::vector<std::string> Entrances::certificate_names() const {
  std::vector<std::string> names;
  if (certificates_ == nullptr) return names;
  for (const gateway::TlsCertificate& certificate : certificates_->snapshot()->certificates()) {
    for (const std::string& name : certificate.names)
      if (!name.starts_with("*.")) names.push_back(name);
  }
  return names;
}

Status Entrances::watch_certificates() {
  warn_of_dates();
  KELVIN_TRY(loop_, os::Loop::create());
  loop_->at(os::boot_now() + kLookInterval, [this] { look_again(); });
  watcher_ = os::Thread("certificates", [this] { loop_->run(); });
  return {};
}

void Entrances::look_again() {
  const Instant now = os::boot_now();
  for (const gateway::TlsChange& change : certificates_->reload_if_changed(now)) {
    if (change.is_loaded) {
      log_.info("a certificate has changed and is used from here on", {{"file", change.file}});
      warn_of_dates();
    } else {
      log_.error("a certificate has changed and is no good; the one from before stays in use",
                 {{"file", change.file}, {"why", change.why}});
    }
  }
  loop_->at(now + kLookInterval, [this] { look_again(); });
}

void Entrances::warn_of_dates() {
  const std::int64_t now = os::unix_now_ms() / 1000;
  for (const gateway::TlsCertificate& certificate : certificates_->snapshot()->certificates()) {
    if (certificate.valid_from_unix_s > now) {
      log_.warn("a certificate is not valid yet", {{"file", certificate.file}});
    } else if (certificate.expires_unix_s <= now) {
      log_.warn("a certificate has expired; clients will refuse it", {{"file", certificate.file}});
    } else if (certificate.expires_unix_s - now < kWarnSeconds) {
      log_.warn("a certificate expires soon",
                {{"file", certificate.file},
                 {"days_left", std::to_string((certificate.expires_unix_s - now) / 86'400)}});
    }
  }
}

}  // namespace kelvin::cli
