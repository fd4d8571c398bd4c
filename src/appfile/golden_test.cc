// Every *.yaml in tests/golden/appfile gives the complaints of the *.txt beside it, or "ok" and its values.
// KELVIN_ACCEPT=1 writes the *.txt afresh and reports the test as skipped.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "appfile/appfile.h"

namespace kelvin::appfile {
namespace {

namespace fs = std::filesystem;

std::string read_whole(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string render(const fs::path& path) {
  const auto app = parse(read_whole(path), path.filename().string());
  std::string text;
  if (app) {
    text = "ok\n";
    for (const auto& [key, at] : app->positions) {
      text += key + " at " + std::to_string(at.line) + ":" + std::to_string(at.column) + "\n";
    }
    return text;
  }
  for (const Complaint& complaint : app.error()) text += to_text(complaint) + "\n";
  return text;
}

TEST(AppFile, ComplainsAsTheGoldenFilesSay) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(KELVIN_GOLDEN)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 10U) << "in " << KELVIN_GOLDEN;
  const char* accept = std::getenv("KELVIN_ACCEPT");
  for (const fs::path& file : files) {
    const std::string text = render(file);
    fs::path golden = file;
    golden.replace_extension(".txt");
    if (accept != nullptr) {
      std::ofstream(golden, std::ios::binary) << text;
    } else {
      EXPECT_EQ(text, read_whole(golden)) << file;
    }
  }
  if (accept != nullptr) GTEST_SKIP() << "golden files written afresh";
}

}  // namespace
}  // namespace kelvin::appfile
