// addresses: how many connections each client address has open, counted over all loops.
#include "gateway/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "base/check.h"
#include "base/random.h"

namespace kelvin::gateway {
namespace {

constexpr std::uint32_t kLoopbackNet = 127;

AddressPrefix prefix_of_v4(std::uint32_t address) {
  if (address >> 24 == kLoopbackNet) return {};
  return {.kind = AddressPrefix::Kind::V4, .bits = address};
}

AddressPrefix prefix_of_v6(const in6_addr& address) {
  if (IN6_IS_ADDR_LOOPBACK(&address)) return {};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    std::uint32_t v4 = 0;
    std::memcpy(&v4, &address.s6_addr[12], sizeof(v4));
    return prefix_of_v4(ntohl(v4));
  }
  AddressPrefix prefix{.kind = AddressPrefix::Kind::V6};
  for (std::size_t i = 0; i < sizeof(prefix.bits); ++i)
    prefix.bits = prefix.bits << 8U | address.s6_addr[i];
  return prefix;
}

}  // namespace

AddressPrefix prefix_of(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return prefix_of_v4(ntohl(v4.s_addr));
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return prefix_of_v6(v6);
  return {};
}

std::size_t AddressBook::Hash::operator()(const AddressPrefix& prefix) const {
  return Random{.state = secret ^ prefix.bits ^ static_cast<std::uint64_t>(prefix.kind) << 40U}
      .next();
}

AddressBook::Shard& AddressBook::shard_of(AddressPrefix prefix) {
  // The high bits; the table inside goes by the low ones.
  return shards_[Hash{secret_}(prefix) >> 60U];
}

std::optional<AddressBook::Place> AddressBook::enter(AddressPrefix prefix) {
  static_assert(kShards == 16, "four bits choose the shard");
  if (limit_ == 0 || prefix.kind == AddressPrefix::Kind::Uncounted) return Place();
  Shard& shard = shard_of(prefix);
  const std::lock_guard lock(shard.mutex);
  std::uint32_t& open = shard.open[prefix];
  if (open == limit_) return std::nullopt;
  ++open;
  return Place(this, prefix);
}

void AddressBook::leave(AddressPrefix prefix) {
  Shard& shard = shard_of(prefix);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.open.find(prefix);
  KELVIN_CHECK(at != shard.open.end() && at->second > 0);
  if (--at->second == 0) shard.open.erase(at);
}

std::size_t AddressBook::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.open.size();
  }
  return total;
}

}  // namespace kelvin::gateway
