#include "weights/tree.h"

#include <gtest/gtest.h>

namespace kelvin::weights {
namespace {

const std::string kHash(64, 'a');

TreeFile file(std::string path) { return {.path = std::move(path), .sha256 = kHash}; }

TEST(Path, StaysInsideItsFolder) {
  const TreeLimits limits;
  for (const char* path :
       {"a", "a/b", ".hidden", "..a", "a..", "a/...", "with space", "back\\slash", "\xc3\xa4"}) {
    EXPECT_TRUE(check_path(path, limits).has_value()) << path;
  }
  const std::string with_nul("a\0b", 3);
  const std::string long_part(256, 'p');
  std::string deep = "d";
  for (int i = 0; i < 64; ++i) deep += "/d";
  std::string long_path;
  while (long_path.size() < 4096) long_path += std::string(200, 'p') + "/";
  long_path += "p";
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("/"), std::string(".."), std::string("."),
        std::string("a/.."), std::string("../a"), std::string("a/../b"), std::string("a/./b"),
        std::string("a//b"), std::string("a/"), with_nul, long_part, std::string("a\nb"),
        std::string("\xff"), deep, long_path}) {
    const Status checked = check_path(path, limits);
    ASSERT_FALSE(checked.has_value()) << path;
    EXPECT_EQ(checked.error().code, Code::Invalid);
    EXPECT_EQ(checked.error().blame, Blame::Client);
  }
}

TEST(Path, IsQuotedSoThatATerminalStaysCalm) {
  EXPECT_EQ(quote("a\x1b[31m"), "'a\\x1b[31m'");
  EXPECT_EQ(quote("\xff"), "'\\xff'");
  EXPECT_EQ(quote(std::string(1000, 'x')), "'" + std::string(119, 'x') + "...'");
}

TEST(Tree, HasNoPathTwiceAndNoFileThatIsAFolder) {
  const TreeLimits limits;
  EXPECT_TRUE(check_tree({.folder = {file("a"), file("b/a"), file("b/b")}}, limits).has_value());
  EXPECT_EQ(check_tree({.folder = {file("a"), file("a")}}, limits).error().what,
            "path 'a' stands twice");
  EXPECT_EQ(check_tree({.folder = {file("a/b/c"), file("a")}}, limits).error().what,
            "path 'a' is both a file and a folder");
}

TEST(Tree, HasOnlyHashesThatAreHashes) {
  for (const std::string& hash : {std::string(), std::string(64, 'A'), std::string(63, 'a'),
                                  std::string(65, 'a'), "../" + std::string(61, 'a')}) {
    EXPECT_FALSE(check_tree({.folder = {{.path = "a", .sha256 = hash}}}, {}).has_value()) << hash;
  }
}

TEST(Tree, HasAModelInOneOfTwoForms) {
  const TreeLimits limits;
  EXPECT_TRUE(check_tree({.model_name = "m", .model = {file("")}}, limits).has_value());
  EXPECT_TRUE(check_tree({.model_name = "m", .model_is_folder = true, .model = {file("x")}}, limits)
                  .has_value());
  EXPECT_FALSE(check_tree({.model_name = "m", .model = {file("x")}}, limits).has_value());
  EXPECT_FALSE(check_tree({.model_name = "m", .model = {}}, limits).has_value());
  EXPECT_FALSE(check_tree({.model_name = "m/n", .model = {file("")}}, limits).has_value());
  EXPECT_FALSE(check_tree({.model_name = "..", .model = {file("")}}, limits).has_value());
  EXPECT_FALSE(check_tree({.model = {file("")}}, limits).has_value());
}

TEST(Tree, HasALimitedNumberOfFiles) {
  Tree tree;
  for (int i = 0; i < 20'001; ++i) tree.folder.push_back(file("f" + std::to_string(i)));
  EXPECT_EQ(check_tree(tree, {}).error().what,
            "the app brings 20001 files; at most 20000 are accepted");
}

TEST(Manifest, IsTheSameInAnyOrderAndDiffersWithAnythingInIt) {
  const Tree tree{.folder = {file("a"), file("b")}, .model_name = "m", .model = {file("")}};
  Tree swapped = tree;
  std::swap(swapped.folder[0], swapped.folder[1]);
  EXPECT_EQ(manifest_sha256(tree), manifest_sha256(swapped));
  Tree renamed = tree, retouched = tree, runnable = tree, other_model = tree, moved = tree;
  renamed.folder[0].path = "c";
  retouched.folder[0].sha256 = std::string(64, 'b');
  runnable.folder[0].is_executable = true;
  other_model.model_name = "n";
  moved.model_is_folder = true;
  for (const Tree& other : {renamed, retouched, runnable, other_model, moved}) {
    EXPECT_NE(manifest_sha256(tree), manifest_sha256(other));
  }
}

}  // namespace
}  // namespace kelvin::weights
