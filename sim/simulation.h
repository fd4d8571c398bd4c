// simulation: one seed from its first deploy until everything is cold again.
//
// Traffic, faults and operators come together for some minutes; then the faults stop, and what was promised must come
// true: every request has ended, apps heal, everything cools to nothing, and the books agree with what was served.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/platform.h"

namespace kelvin::sim {

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool is_traced);

  // Throws Violation.
  void run();
  // One line of counts.
  [[nodiscard]] std::string summary() const;

 private:
  // What the store knows of an app; outlives the platform.
  struct StoredApp {
    AppId id;
    std::vector<std::shared_ptr<const model::Revision>> revisions;
    std::size_t active = 0;
    std::vector<model::RevisionShare> shares;
    bool is_deleted = false;
  };

  void start_platform();
  void crash_platform();
  void release_backlog();
  [[nodiscard]] Platform::Outside outside();

  void deploy(std::size_t app);
  void set_scale(std::size_t app, std::uint32_t least, std::uint32_t most);
  void act_as_operator();
  void split_traffic(std::size_t app);
  void plan_traffic();
  void draw_wishes(Client& client);
  void plan_client(std::size_t app, Instant at);
  void send(Client& client);
  void plan_faults();
  void fault();
  void fault_of_platform(bool is_keeper_too);

  void settle();
  void watch_until(Instant until);
  void await_open_requests();
  void probe_apps();
  [[nodiscard]] bool probe(std::size_t app);
  void cool_down();
  void check_cold() const;

  Ground ground_;
  Scenario scenario_;
  Books books_;
  Clients clients_;
  Machine machine_;
  Weather weather_;
  std::vector<StoredApp> apps_;
  std::vector<Client*> backlog_;  // came while no platform was there
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<Platform> dead_;  // kept until its last step has returned
  bool is_low_app_open_ = false;    // others than clients of low priority may call it
  std::uint64_t epoch_ = 0;
  std::uint64_t ids_made_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t faults_played_ = 0;
  std::uint64_t platform_crashes_ = 0;
};

}  // namespace kelvin::sim
