// id: numbers that cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>

namespace kelvin {

// 0 means "none"; every real id is positive.
template <class Tag>
struct Id {
  std::uint64_t value = 0;
  auto operator<=>(const Id&) const = default;
  explicit constexpr operator bool() const { return value != 0; }
};

using AppId = Id<struct AppTag>;
using RevisionId = Id<struct RevisionTag>;
using ReplicaId = Id<struct ReplicaTag>;
using RequestId = Id<struct RequestTag>;
using NodeId = Id<struct NodeTag>;
using KeyId = Id<struct KeyTag>;

}  // namespace kelvin
