// byte_file: a file that is read from its beginning to its end, whatever it is: a plain file, a pipe, a terminal.
#pragma once

#include <cstdint>
#include <string>

#include "plan/readers/readers.h"

namespace kelvin::plan {

struct ByteFile {
  ReadBytes read;
  std::uint64_t bytes = 0;  // 0: not known
  bool is_folder = false;   // then there is nothing to read
};
[[nodiscard]] Reading<ByteFile> open_byte_file(const std::string& path);

}  // namespace kelvin::plan
