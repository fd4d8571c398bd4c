// node: a machine that holds accelerators.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"

namespace kelvin::model {

// `count` accelerators of one kind, with indices 0 .. count-1 on their node.
struct AcceleratorPool {
  std::string kind = "cpu";
  std::uint32_t count = 0;
  Bytes memory_each;
};

struct Node {
  NodeId id;
  std::string name;
  bool is_up = true;
  Bytes memory;                        // host memory that replicas may claim in sum
  std::vector<AcceleratorPool> pools;  // one per kind
};

}  // namespace kelvin::model
