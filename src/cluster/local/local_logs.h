// local_logs: reads the files that the keeper writes.
#pragma once

#include <string>

#include "ports/logs.h"

namespace kelvin::cluster::local {

// DATA/logs/APP/REPLICA.log and .log.1. Every call works on its own; any number of threads.
class LocalLogs final : public ports::Logs {
 public:
  explicit LocalLogs(std::string data) : data_(std::move(data)) {}

  // Lines of several replicas are merged by their time. An app that never printed has no lines, which is no error.
  Status read(const ports::LogQuery& query, const std::function<bool(const ports::LogLine&)>& sink,
              const std::function<bool()>& is_done) override;

 private:
  std::string data_;
};

}  // namespace kelvin::cluster::local
