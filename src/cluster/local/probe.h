// probe: asks a replica once whether it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/time.h"
#include "os/fd.h"
#include "os/loop.h"

namespace kelvin::cluster::local {

struct Question {
  std::uint16_t port = 0;  // on 127.0.0.1
  std::string path;        // empty: only whether the port accepts
  Duration timeout = 5s;
};

enum class Answer : std::uint8_t {
  Refused,   // nobody listens
  Accepted,  // the port accepts; for questions without a path
  Status,    // an HTTP status came back
  Broken,    // it accepted and then broke off, or answered something else than HTTP
  TimedOut,
};
struct Outcome {
  Answer answer = Answer::Refused;
  int status = 0;    // with Status
  std::string what;  // what to tell of it: "answered 503"
};

// True for 2xx but 204, which means "still starting".
constexpr bool is_ready_status(int status) {
  return status >= 200 && status < 300 && status != 204;
}

// Lives on the loop's thread. `done` is called once, never from the constructor, and may destroy the probe. Destroying
// it earlier ends the question.
class Probe {
 public:
  Probe(os::Loop& loop, Question question, std::function<void(const Outcome&)> done);
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe();

 private:
  void connected();
  void receive();
  void finish(Outcome outcome);

  os::Loop& loop_;
  const Question question_;
  std::function<void(const Outcome&)> done_;
  os::Fd socket_;
  os::Loop::WatchId watch_ = 0;
  os::Loop::TimerId timer_;
  std::string received_;
};

}  // namespace kelvin::cluster::local
