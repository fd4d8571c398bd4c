// clients: every request of a simulation and how it ended; the judge of "ends exactly once, runs at most once".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/id.h"
#include "model/request.h"
#include "sim/ground.h"

namespace kelvin::sim {

enum class End : std::uint8_t {
  None,
  Answered,
  Refused,  // with a reason
  Left,     // the client went away
  Broken,   // by a crash: of the program, its node, the keeper or the platform
};

struct Client {
  std::uint64_t number = 0;
  std::size_t app = 0;  // index in the scenario
  Instant arrives;
  Duration service{};
  Duration patience = Duration::max();  // then it leaves
  KeyId key;
  model::Priority priority = model::Priority::Normal;
  Duration deadline = Duration::max();  // of its wait
  bool wants_last = false;              // the replica that served its app last
  std::optional<std::uint64_t> affinity;
  bool has_patience_begun = false;
  bool is_probe = false;  // sent after the faults to see whether its app has healed
  End end = End::None;
  std::string code;  // of a refusal
  Instant ended;
  std::uint32_t runs = 0;  // how often its bytes have reached a replica
};

class Clients {
 public:
  explicit Clients(Ground& ground) : ground_(ground) {}

  Client& add(Client client) {
    client.number = clients_.size() + 1;
    ++open_;
    return clients_.emplace_back(std::move(client));
  }

  void finish(Client& client, End end, std::string code = {}) {
    if (client.end != End::None)
      violate(Checker::Requests, "request " + std::to_string(client.number) + " ended twice");
    if (end == End::Refused && code.empty())
      violate(Checker::Requests, "request " + std::to_string(client.number) + " got no reason");
    ground_.trace([&] {
      return "request " + std::to_string(client.number) + " ends: " + to_text(end) +
             (code.empty() ? "" : " ") + code;
    });
    client.end = end;
    client.code = code;
    client.ended = ground_.now();
    --open_;
    ++ends_[to_text(end) + (code.empty() ? "" : " " + code)];
  }

  void run(Client& client) {
    if (++client.runs > 1)
      violate(Checker::Requests,
              "request " + std::to_string(client.number) + " reached a replica twice");
  }

  void served_by(std::size_t app, ReplicaId replica) { last_[app] = replica; }
  [[nodiscard]] ReplicaId last_of(std::size_t app) const {
    const auto found = last_.find(app);
    return found == last_.end() ? ReplicaId{} : found->second;
  }
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] const std::deque<Client>& all() const { return clients_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& ends() const { return ends_; }

  static std::string to_text(End end) {
    switch (end) {
      case End::None:
        return "open";
      case End::Answered:
        return "answered";
      case End::Refused:
        return "refused";
      case End::Left:
        return "left";
      case End::Broken:
        return "broken";
    }
    return "";
  }

 private:
  Ground& ground_;
  std::deque<Client> clients_;  // addresses stay
  std::size_t open_ = 0;
  std::map<std::size_t, ReplicaId> last_;  // who served an app last
  std::map<std::string, std::uint64_t> ends_;
};

}  // namespace kelvin::sim
