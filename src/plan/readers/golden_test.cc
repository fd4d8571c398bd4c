// Every file in tests/golden/plan gives the trace or the refusal that the *.txt beside it says.
// KELVIN_ACCEPT=1 writes the *.txt afresh and reports the test as skipped.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "plan/readers/readers.h"
#include "plan/readers/test_bytes.h"

namespace kelvin::plan {
namespace {

namespace fs = std::filesystem;

std::string read_whole(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string render(const fs::path& path) {
  const std::string text = read_whole(path);
  const auto read = read_stream(path.filename().string(), bytes_of(text), {});
  if (!read) return to_text(read.error()) + ".\nNext: " + read.error().next + ".\n";
  std::string out =
      fmt::format("{}, {} skipped, {} lost\n", to_text(read->format), read->skipped, read->lost);
  for (const Arrival& arrival : read->trace.arrivals) {
    out += fmt::format("at {} ns, {}: {} ns\n", arrival.at.count(), read->trace.apps[arrival.app],
                       arrival.service.count());
  }
  return out;
}

TEST(TraceReaders, SayWhatTheGoldenFilesSay) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(KELVIN_GOLDEN)) {
    if (entry.path().extension() != ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 10U) << "in " << KELVIN_GOLDEN;
  const char* accept = std::getenv("KELVIN_ACCEPT");
  for (const fs::path& file : files) {
    const std::string text = render(file);
    const fs::path golden = file.string() + ".txt";
    if (accept != nullptr) {
      std::ofstream(golden, std::ios::binary) << text;
    } else {
      EXPECT_EQ(text, read_whole(golden)) << file;
    }
  }
  if (accept != nullptr) GTEST_SKIP() << "golden files written afresh";
}

}  // namespace
}  // namespace kelvin::plan
