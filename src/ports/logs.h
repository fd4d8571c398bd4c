// logs: what replicas have printed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/id.h"
#include "base/result.h"

namespace kelvin::ports {

enum class LogStream : std::uint8_t { Out, Err };

struct LogLine {
  std::int64_t unix_ms = 0;
  ReplicaId replica;
  LogStream stream = LogStream::Out;
  std::string text;  // without the line end; long lines are cut at 16 KiB
};

struct LogQuery {
  AppId app;
  ReplicaId replica;  // 0: every replica of the app
  std::int64_t since_unix_ms = 0;
  bool follow = false;  // go on with lines as they come
};

class Logs {
 public:
  virtual ~Logs() = default;
  // Gives the lines to `sink`, oldest first, until it returns false or, without follow, until there are no more.
  // With follow, `is_done` is asked at least twice a second. Blocks.
  virtual Status read(const LogQuery& query, const std::function<bool(const LogLine&)>& sink,
                      const std::function<bool()>& is_done) = 0;
};

}  // namespace kelvin::ports
