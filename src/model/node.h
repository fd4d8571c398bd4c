// node: a machine that holds accelerators.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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

// Where on a node the bytes lie that a replica reads at its start.
enum class Nearness : std::uint8_t { Disk, Memory };

struct Node {
  NodeId id;
  std::string name;
  bool is_up = true;
  Bytes memory;                        // host memory that replicas may claim in sum
  std::vector<AcceleratorPool> pools;  // one per kind
  // What it holds of what revisions read, by content id. Empty: it does not say.
  std::map<std::string, Nearness, std::less<>> contents;
};

}  // namespace kelvin::model
