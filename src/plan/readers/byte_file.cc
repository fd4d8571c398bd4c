#include "plan/readers/byte_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "os/files.h"

namespace kelvin::plan {

Reading<ByteFile> open_byte_file(const std::string& path) {
  Result<os::Fd> opened = os::open_file(path, O_RDONLY);
  if (!opened) {
    const std::string why = opened.error().code == Code::NotFound
                                ? "there is no such file"
                                : "cannot be opened: " + opened.error().what;
    return tl::unexpected(Refusal{path, 0, why, "Check the path"});
  }
  // A copyable function needs a copyable owner.
  const auto file = std::make_shared<os::Fd>(std::move(*opened));
  struct stat facts{};
  if (::fstat(file->get(), &facts) != 0) facts = {};
  ByteFile result{.bytes = S_ISREG(facts.st_mode) ? static_cast<std::uint64_t>(facts.st_size) : 0,
                  .is_folder = S_ISDIR(facts.st_mode)};
  result.read = [file](std::span<char> into) -> tl::expected<std::size_t, std::string> {
    for (;;) {
      const ssize_t count = ::read(file->get(), into.data(), into.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return tl::unexpected(std::string(std::strerror(errno)));
    }
  };
  return result;
}

}  // namespace kelvin::plan
