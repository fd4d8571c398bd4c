// entrances: the listening sockets of a platform and the certificates shown there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/listen_options.h"
#include "gateway/gateway.h"
#include "gateway/tls.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/loop.h"
#include "os/thread.h"

namespace kelvin::cli {

class Entrances {
 public:
  // Gives the listening socket of HOST:PORT.
  using Listen = std::function<Result<os::Fd>(const std::string&)>;

  // Where an address is secure, a thread looks at the certificate files once a second; what it finds, and certificates that
  // are near their end, go to the log, which outlives this.
  static Result<std::unique_ptr<Entrances>> open(const ListenPlan& plan, const Listen& listen,
                                                 obs::Log& log);
  ~Entrances();
  Entrances(const Entrances&) = delete;
  Entrances& operator=(const Entrances&) = delete;

  std::vector<gateway::Listening> listening() const;
  gateway::TlsContexts* certificates() const { return certificates_.get(); }

  // Ports as bound, in the order of the plan.
  const std::vector<ListenAddress>& addresses() const { return addresses_; }
  // Where programs of this machine find the platform: loopback in plain text if there is one, because they then need no
  // certificate that they trust.
  const ListenAddress& main() const;
  // By which this server may be called besides its main address: other addresses as HOST:PORT, and the names in its
  // certificates as they were at the start.
  std::vector<std::string> other_hosts() const;
  std::vector<std::string> certificate_names() const;  // without wildcards

 private:
  explicit Entrances(obs::Log& log) : log_(log) {}
  Status watch_certificates();
  void look_again();
  void warn_of_dates();

  obs::Log& log_;
  std::vector<ListenAddress> addresses_;
  std::vector<os::Fd> sockets_;                         // one per address
  std::unique_ptr<gateway::TlsContexts> certificates_;  // null: no address is secure
  std::unique_ptr<os::Loop> loop_;                      // likewise
  os::Thread watcher_;
};

}  // namespace kelvin::cli
