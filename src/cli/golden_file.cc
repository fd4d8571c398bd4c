#include "cli/golden_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kelvin::cli {

namespace {

std::string with_visible_escapes(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\x1b') {
      out += "\\e";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void expect_golden(const std::string& name, std::string text) {
  text = with_visible_escapes(text);
  const std::filesystem::path path = std::filesystem::path(KELVIN_GOLDEN) / name;
  if (std::getenv("KELVIN_ACCEPT") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    GTEST_SKIP() << "rewrote " << path;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << "there is no " << path << "; make it with KELVIN_ACCEPT=1";
  const std::string expected(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(expected, text) << "differs from " << path
                            << "; if it should, run with KELVIN_ACCEPT=1";
}

}  // namespace kelvin::cli
