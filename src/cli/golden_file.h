// golden_file: compares text with a file of tests/golden/cli. For tests.
#pragma once

#include <string>

namespace kelvin::cli {

// With KELVIN_ACCEPT=1 the file is rewritten and the test reported as skipped, so that a run which only accepted is never
// green. Escape characters are kept as "\e", so that the files can be read.
void expect_golden(const std::string& name, std::string text);

}  // namespace kelvin::cli
