// listener: whose socket answers on a port of this machine.
#include "runtime/listener.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

#include "os/fd.h"
#include "os/files.h"
#include "os/process_set.h"

namespace kelvin::runtime {
namespace {

constexpr std::uint32_t kLowestPort = 20'000;

// Whether a listener on this address takes connections to 127.0.0.1; words in network order.
bool takes_loopback(std::uint8_t family, const std::uint32_t (&address)[4]) {
  const std::uint32_t loopback = htonl(INADDR_LOOPBACK);
  if (family == AF_INET) return address[0] == 0 || address[0] == loopback;
  if (address[0] != 0 || address[1] != 0) return false;
  const bool is_any = address[2] == 0 && address[3] == 0;
  return is_any || (address[2] == htonl(0xFFFF) && (address[3] == 0 || address[3] == loopback));
}

// Sockets of one family that listen, asked of the kernel by sock_diag(7): it looks at its listeners only, while the tables
// in /proc walk every bucket of all connections, milliseconds on a machine with much memory. False when it cannot answer.
bool ask_kernel(std::uint8_t family, std::uint16_t port, std::set<std::string>& inodes) {
  const os::Fd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.is_open()) return false;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.request.sdiag_family = family;
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = 1U << TCP_LISTEN;
  if (::send(socket.get(), &question, sizeof question, 0) != sizeof question) return false;
  alignas(nlmsghdr) std::array<char, 32 * 1024> answer{};
  while (true) {
    const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (got <= 0) return false;
    auto left = static_cast<unsigned int>(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(answer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return true;
      if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
      const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
      const bool is_wanted =
          ntohs(found->id.idiag_sport) == port && takes_loopback(family, found->id.idiag_src);
      if (is_wanted) inodes.insert(std::to_string(found->idiag_inode));
    }
  }
}

// Columns of /proc/net/tcp: "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode". Addresses are
// hexadecimal in the machine's byte order, "0100007F:1F90"; state 0A is LISTEN.
bool text_takes_loopback(const std::string& address) {
  static const std::set<std::string> kReached = {
      "0100007F",                          // 127.0.0.1
      "00000000",                          // 0.0.0.0
      "00000000000000000000000000000000",  // [::]
      "0000000000000000FFFF00000100007F",  // [::ffff:127.0.0.1]
  };
  return kReached.contains(address);
}

void read_table(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::istringstream lines(os::read_file(table).value_or(""));
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream columns(line);
    std::array<std::string, 10> column;
    for (std::string& text : column) columns >> text;
    const auto colon = column[1].find(':');
    if (column[3] != "0A" || colon == std::string::npos) continue;
    std::uint16_t found = 0;
    const std::string_view digits = std::string_view(column[1]).substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), found, 16);
    if (found == port && text_takes_loopback(column[1].substr(0, colon))) inodes.insert(column[9]);
  }
}

bool holds_any(pid_t pid, const std::set<std::string>& inodes) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  for (const std::string& name : os::list_dir(folder).value_or(std::vector<std::string>{})) {
    std::array<char, 64> target{};
    const ssize_t size = ::readlink((folder + "/" + name).c_str(), target.data(), target.size());
    if (size <= 9) continue;
    const std::string_view text(target.data(), static_cast<std::size_t>(size));  // "socket:[12345]"
    if (text.starts_with("socket:[") &&
        inodes.contains(std::string(text.substr(8, text.size() - 9))))
      return true;
  }
  return false;
}

bool can_be_bound(std::uint16_t port) {
  const os::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  // Every address, so that a program on any of them is noticed. Nothing listens: it is only a question.
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  return socket.is_open() &&
         ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Listener find_listener(std::uint16_t port, const std::vector<pid_t>& pids) {
  std::set<std::string> inodes;
  if (!ask_kernel(AF_INET, port, inodes)) read_table("/proc/net/tcp", port, inodes);
  if (!ask_kernel(AF_INET6, port, inodes)) read_table("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return {};
  for (const pid_t pid : pids) {
    if (holds_any(pid, inodes)) return {.who = Listening::Ours};
  }
  for (const std::string& name : os::list_dir("/proc").value_or(std::vector<std::string>{})) {
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid > 0 && holds_any(pid, inodes)) {
      return {.who = Listening::Stranger, .pid = pid, .name = os::process_name(pid)};
    }
  }
  return {.who = Listening::Stranger};
}

std::string in_use_text(std::uint16_t port, const Listener& stranger) {
  std::string text = "port " + std::to_string(port) + " is in use by another program";
  if (stranger.pid != 0)
    text += " (pid " + std::to_string(stranger.pid) + ", " + stranger.name + ")";
  return text;
}

Ports::Ports(std::uint32_t start) {
  std::uint32_t end = 32'768;
  std::istringstream range(os::read_file("/proc/sys/net/ipv4/ip_local_port_range").value_or(""));
  range >> end;
  // A machine that gives out nearly everything to outgoing connections: then among them, as any other program.
  if (end < kLowestPort + 1000 || end > 65'535) end = 65'535;
  first_ = kLowestPort;
  count_ = end - kLowestPort;
  next_ = start % count_;
  taken_.resize(count_);
}

Result<std::uint16_t> Ports::take() {
  for (std::uint32_t tried = 0; tried < count_; ++tried) {
    const std::uint32_t index = next_;
    next_ = (next_ + 1) % count_;
    const auto port = static_cast<std::uint16_t>(first_ + index);
    if (taken_[index] || !can_be_bound(port)) continue;
    taken_[index] = true;
    return port;
  }
  return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay, "no free port for a replica");
}

void Ports::mark(std::uint16_t port) {
  if (port >= first_ && port < first_ + count_) taken_[port - first_] = true;
}

void Ports::give_back(std::uint16_t port) {
  if (port >= first_ && port < first_ + count_) taken_[port - first_] = false;
}

}  // namespace kelvin::runtime
