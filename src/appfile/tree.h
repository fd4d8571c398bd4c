// tree: a YAML text as plain values with positions; the only file that knows yaml-cpp is tree.cc.
//
// The subset is what a configuration needs: maps, lists and scalars of one document. Anchors, aliases and tags are
// refused rather than resolved, so that a short text cannot stand for a huge tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appfile/appfile.h"

namespace kelvin::appfile {

struct Node {
  enum class Kind : std::uint8_t { Nothing, Scalar, List, Map };

  Kind kind = Kind::Nothing;
  Position at;
  bool is_quoted = false;   // a scalar in quotes or a block: always text
  bool is_refused = false;  // an alias: has its flaw, needs no complaint
  std::string text;         // of a scalar: valid UTF-8 without NUL
  std::vector<Node> items;  // of a list; of a map: key, value, key, value, ...
};

// What is wrong with a text before anybody asks what it means.
struct Flaw {
  Position at;
  std::string found;
  std::string expected;
  std::string sentence;
};

struct Tree {
  std::optional<Node> root;  // absent: not YAML, or nothing in it
  std::vector<Flaw> flaws;
};

Tree read_tree(std::string_view text, const Limits& limits);

// "a list", "a map", "nothing" or "'the text'", shortened to one line.
std::string describe(const Node& node);
// Cut to about `most` bytes between characters; control characters become escapes, so that a terminal stays calm.
std::string shorten(std::string_view text, std::size_t most = 60);

}  // namespace kelvin::appfile
