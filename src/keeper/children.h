// children: the replicas of one data folder, as their parent sees them.
//
// A child is made in this order: log FIFOs, control group, record without pid, process held back, record with pid, go.
// Whatever point the keeper dies at, the next one finds either a record whose process never ran its program, or one that
// names the process for good. Output goes through FIFOs (see docs/adr/0010): they outlive the keeper, and as the replica
// opens them for reading too, it never meets a closed pipe.
//
// When the main process ends, everything that is left of the replica is killed before its end is written down and told.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "keeper/log_file.h"
#include "keeper/protocol.h"
#include "keeper/record.h"
#include "os/loop.h"
#include "os/process_set.h"
#include "os/spawn.h"

namespace kelvin::keeper {

class Children {
 public:
  struct Setup {
    std::string folder;  // run/replicas: records and FIFOs
    os::Loop* loop = nullptr;
    const os::CgroupParent* groups = nullptr;
    std::function<void(const Record&)> on_ended;
    LogLimits log_limits;
  };
  explicit Children(Setup setup) : setup_(std::move(setup)) {}
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children();

  // At start: goes on with what the records say, and ends what has none.
  void adopt();
  // Kills and removes the groups below `groups` that no record names.
  void sweep(const os::CgroupParent& groups);

  // `done` gets the record once the program runs, or why it does not; then nothing is left of it.
  void spawn(const SpawnOrder& order, std::function<void(Result<Record>)> done);
  // Kills a replica that nobody knows of, and forgets it when it has ended; nobody is told.
  void end_unwanted(const std::string& replica);
  // NotFound without a record, Conflict while it lives.
  Status forget(const std::string& replica);
  // Records whose id comes after `replica` in the order of text.
  std::vector<Record> records_after(const std::string& replica) const;
  bool has_live() const;

 private:
  struct Output {
    os::Fd fifo;
    os::Loop::WatchId watch = 0;
  };
  struct Child {
    Record record;
    os::ProcessSet processes;
    os::Pidfd pidfd;
    os::Loop::WatchId pidfd_watch = 0;
    std::array<Output, 2> outputs;  // by Stream
    std::unique_ptr<LogFile> log;
    std::optional<os::Spawned> held;  // until its outcome is known
    os::SpawnSpec spec;               // while held: what its failure is told with
    os::Loop::WatchId outcome_watch = 0;
    std::function<void(Result<Record>)> done;
    std::optional<Error> launch_error;
    std::optional<os::ExitStatus> status;
    Instant dead_since;
    bool is_unwanted = false;
  };

  Status prepare(Child& child, const SpawnOrder& order);
  Status open_output(Child& child, Stream stream);
  Status launch(Child& child, const SpawnOrder& order);
  void learn_outcome(const std::string& replica);
  Status watch_process(Child& child);
  void read_output(Child& child, Stream stream);
  void close_outputs(Child& child);
  void see_death(const std::string& replica);
  void settle(const std::string& replica);
  void finish(Child& child);
  void discard(Child& child);
  void adopt_one(Record record);
  bool is_alive(const Record& record) const;
  void end_group(const os::Cgroup& group, Instant until);

  std::string path_of(const std::string& replica, const char* ending) const;
  Status write(const Record& record) const;

  Setup setup_;
  std::map<std::string, std::unique_ptr<Child>> children_;
};

}  // namespace kelvin::keeper
