// shrink: the least part of a seed that still breaks the same promise.
//
// Delta debugging (Zeller, Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002) over
// operators' acts, then faults, then requests: a list is cut into pieces, and a piece, or all but one piece, that still
// fails takes its place; where none does the pieces get smaller. What is left is minimal: no single fault, act or
// request of it can be left out.
#pragma once

#include <functional>

#include "sim/runner.h"

namespace kelvin::sim {

struct Shrunk {
  Part part;
  Verdict verdict;        // of the part
  std::size_t tries = 0;  // simulations that this took
};

// `course` fails with `failed`.
[[nodiscard]] Shrunk shrink(const Course& course, const Verdict& failed);

// The least sub-list that still fails; `fails` holds of all of `numbers`.
[[nodiscard]] Numbers minimize(Numbers numbers, const std::function<bool(const Numbers&)>& fails);

}  // namespace kelvin::sim
