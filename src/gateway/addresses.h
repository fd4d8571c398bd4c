// addresses: how many connections each client address has open, counted over all loops.
//
// An IPv6 client usually owns a whole /64, so the first 64 bits count as one address. Connections from this machine are not
// counted: whoever runs programs here, or a proxy, has other ways to use it up. Memory is bounded by the connections that
// are open, because an address without any is forgotten. Only accepting and closing touch it, each for the length of one
// lookup under one of 16 locks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace kelvin::gateway {

struct AddressPrefix {
  enum class Kind : std::uint8_t {
    Uncounted,  // loopback, or no IP address
    V4,
    V6
  };
  Kind kind = Kind::Uncounted;
  std::uint64_t bits = 0;  // the address, or the first half of it
  bool operator==(const AddressPrefix&) const = default;
};

// "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7" (which is V4).
[[nodiscard]] AddressPrefix prefix_of(std::string_view address);

class AddressBook {
 public:
  // At most `limit` connections each; 0: any number. `secret` is random, so that nobody can choose addresses that slow the
  // lookup down.
  AddressBook(std::uint32_t limit, std::uint64_t secret) : limit_(limit), secret_(secret) {}
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  // One connection's place among those of its address; given back at its end, on whatever thread that is.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : book_(std::exchange(other.book_, nullptr)), prefix_(other.prefix_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(book_, other.book_);
      std::swap(prefix_, other.prefix_);
      return *this;
    }
    ~Place() {
      if (book_ != nullptr) book_->leave(prefix_);
    }

   private:
    friend class AddressBook;
    Place(AddressBook* book, AddressPrefix prefix) : book_(book), prefix_(prefix) {}
    AddressBook* book_ = nullptr;  // null: nothing is counted
    AddressPrefix prefix_;
  };

  // Nothing when the address has as many as it may: the connection is closed at once. The book outlives the place.
  [[nodiscard]] std::optional<Place> enter(AddressPrefix prefix);

  // Addresses that have a connection.
  std::size_t size() const;

 private:
  struct Hash {
    std::uint64_t secret;
    std::size_t operator()(const AddressPrefix& prefix) const;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<AddressPrefix, std::uint32_t, Hash> open;  // guarded by mutex
    explicit Shard(std::uint64_t secret) : open(0, Hash{secret}) {}
  };
  void leave(AddressPrefix prefix);
  Shard& shard_of(AddressPrefix prefix);

  static constexpr std::size_t kShards = 16;
  template <std::size_t... I>
  static std::array<Shard, kShards> make_shards(std::uint64_t secret, std::index_sequence<I...>) {
    return {((void)I, Shard(secret))...};
  }

  std::uint32_t limit_;
  std::uint64_t secret_;
  std::array<Shard, kShards> shards_ = make_shards(secret_, std::make_index_sequence<kShards>());
};

}  // namespace kelvin::gateway
