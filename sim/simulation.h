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

#include "sim/plan.h"
#include "sim/platform.h"
#include "sim/shape.h"

namespace kelvin::sim {

struct Course {
  std::uint64_t seed = 1;
  Shape shape;
  Part part;
  bool is_traced = false;
};

class Simulation {
 public:
  explicit Simulation(const Course& course);

  // Throws Violation.
  void run();
  // What the seed has, whatever part of it is played.
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  // One line of counts.
  [[nodiscard]] std::string summary() const;

 private:
  // What the store knows of an app; outlives the platform.
  struct StoredApp {
    AppId id;
    std::vector<std::shared_ptr<const model::Revision>> revisions;
    std::size_t active = 0;
    std::optional<model::ScaleRule>
        scale;  // set by hand, until something is deployed or rolled back
    std::vector<model::RevisionShare> shares;
    std::optional<model::Rollout> rollout;
    bool is_deleted = false;
    [[nodiscard]] const model::ScaleRule& scale_rule() const {
      return scale ? *scale : revisions[active]->spec.scale;
    }
  };

  void start_platform();
  void crash_platform();
  void release_backlog();
  [[nodiscard]] Platform::Outside outside();

  void deploy(std::size_t app);
  void set_scale(std::size_t app, std::uint32_t least, std::uint32_t most);
  void act_as_operator(Chance& chance);
  void split_traffic(std::size_t app, Chance& chance);
  void turn_schedule(std::size_t app, std::uint32_t floor);
  void begin_plan();
  void keep_rollout(const model::KeepRollout& word);
  void send(Client& client);
  void play(PlannedFault& planned);
  void crash_soon(Chance& chance, bool is_keeper_too);
  void lose_time(const PlannedFault& planned, Duration time);

  void settle();
  void watch_until(Instant until);
  void await_open_requests();
  void probe_apps();
  [[nodiscard]] bool probe(std::size_t app);
  [[nodiscard]] std::size_t probed() const;
  void cool_down();
  void check_cold() const;

  Ground ground_;
  Scenario scenario_;
  Plan plan_;
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
