// sockets: what the load tools need of the kernel.
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

namespace bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kSourceAddresses = 200;
constexpr int kConnectMs = 60'000;

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * kSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl((127U << 24U) + host);
  return address;
}

void switch_on(int fd, int level, int option) {
  const int on = 1;
  must(::setsockopt(fd, level, option, &on, sizeof on), "setsockopt");
}

const sockaddr* plain(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

std::uint64_t now_ns() { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t processor_ns(int pid) {
  clockid_t clock{};
  return ::clock_getcpuclockid(pid, &clock) == 0 ? read_clock(clock) : 0;
}

void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

int must(int result, const char* what) {
  if (result < 0) give_up(std::string(what) + ": " + std::strerror(errno));
  return result;
}

void raise_limits() {
  rlimit limit{};
  must(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  rlim_t most = limit.rlim_max;
  std::ifstream("/proc/sys/fs/nr_open") >> most;
  const rlimit system{.rlim_cur = most, .rlim_max = most};
  if (::setrlimit(RLIMIT_NOFILE, &system) != 0) {
    limit.rlim_cur = limit.rlim_max;
    must(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  }
  must(::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0), "prctl");
  std::signal(SIGPIPE, SIG_IGN);
}

int listen_on(std::uint16_t port) {
  const int fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  switch_on(fd, SOL_SOCKET, SO_REUSEADDR);
  const sockaddr_in address = loopback(1, port);
  must(::bind(fd, plain(address), sizeof address), "bind");
  must(::listen(fd, 16384), "listen");
  return fd;
}

int connect_to(std::uint16_t port, std::uint32_t number) {
  const int fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
  switch_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const sockaddr_in source = loopback(2 + number % kSourceAddresses, 0);
  must(::bind(fd, plain(source), sizeof source), "bind");
  const sockaddr_in target = loopback(1, port);
  const int connected = ::connect(fd, plain(target), sizeof target);
  if (connected != 0 && errno != EINPROGRESS) must(-1, "connect");
  return fd;
}

int connect_and_wait(std::uint16_t port, std::uint32_t number) {
  const int fd = connect_to(port, number);
  pollfd connected{.fd = fd, .events = POLLOUT, .revents = 0};
  if (must(::poll(&connected, 1, kConnectMs), "poll") == 0) give_up("connect: no answer");
  return fd;
}

int accept_from(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

Epoll::Epoll() : fd_(must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

Epoll::~Epoll() { ::close(fd_); }

void Epoll::add(int fd, std::uint32_t events, std::uint64_t tag) const {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  must(::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void Epoll::change(int fd, std::uint32_t events, std::uint64_t tag) const {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  must(::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

std::span<const epoll_event> Epoll::wait(std::uint64_t until_ns) {
  const std::uint64_t now = now_ns();
  const std::uint64_t left = until_ns > now ? until_ns - now : 0;
  const timespec timeout{.tv_sec = static_cast<time_t>(std::min(left / kSecond, 3600 * kSecond)),
                         .tv_nsec = static_cast<long>(left % kSecond)};
  const int count = ::epoll_pwait2(fd_, events_, kEventsMax, &timeout, nullptr);
  if (count < 0 && errno != EINTR) must(count, "epoll_pwait2");
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace bench
