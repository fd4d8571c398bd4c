// thread: a thread with a name that is joined at its end.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace kelvin::os {

// `body` must return when its owner asks it to (by whatever flag, event or queue they share): the
// destructor waits for it. Every signal is blocked in the thread, so that the main thread alone
// receives them.
class Thread {
 public:
  Thread() = default;
  // The kernel keeps the first 15 bytes of `name`.
  Thread(std::string name, std::function<void()> body);
  Thread(Thread&&) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  // Waits for the body to return; fine when nothing runs.
  void join();
  bool is_running() const { return thread_.joinable(); }

 private:
  std::thread thread_;
};

}  // namespace kelvin::os
