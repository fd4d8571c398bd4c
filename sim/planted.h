// planted: bugs that plant.py plants in copies of the core's sources, to see whether the checkers catch them.
#pragma once

#include <string>
#include <vector>

// Which of them is in force; -1: none. Read by the copies, set before a simulation begins.
extern int kelvin_planted;

namespace kelvin::sim {

struct PlantedBug {
  std::string name;
  std::string words;  // what goes wrong
  bool fits = false;  // false: the sources have changed under it
};
[[nodiscard]] std::vector<PlantedBug> planted_bugs();

}  // namespace kelvin::sim
