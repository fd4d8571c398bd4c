// thread: a thread with a name that is joined at its end.
#include "os/thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace kelvin::os {

Thread::Thread(std::string name, std::function<void()> body) {
  // The mask is inherited, so it is set around the creation: no signal can reach the thread before
  // its first line.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([named = name.substr(0, 15), run = std::move(body)] {
    pthread_setname_np(pthread_self(), named.c_str());
    run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    join();
    thread_ = std::move(other.thread_);
  }
  return *this;
}

void Thread::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace kelvin::os
