#include "cli/data_folder.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "api/key_text.h"

namespace kelvin::cli {

namespace {

constexpr mode_t kPassThrough = 0711;

std::string without_line_end(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
  if (const Status made = os::make_dirs(path, kPassThrough); !made) {
    return fail(made.error(), "make the data folder");
  }
  const std::string lock_path = path + "/serve.lock";
  Result<os::FileLock> lock = os::FileLock::take(lock_path);
  if (!lock && lock.error().code == Code::Conflict) {
    const Result<std::string> pid = os::read_file(lock_path);
    return fail(Code::Conflict, Blame::Client, Retry::Never,
                "another kelvin serve (pid " + without_line_end(pid.value_or("unknown")) +
                    ") uses the data folder " + path);
  }
  if (!lock) return fail(lock.error(), "lock the data folder");
  KELVIN_TRY_VOID(lock->write(std::to_string(::getpid()) + "\n"));
  return DataFolder(path, std::move(*lock));
}

Result<std::string> DataFolder::admin_token() {
  const std::string path = file("admin-token");
  if (!os::path_exists(path)) {
    KELVIN_TRY_VOID(os::write_file_atomic(path, api::make_key_text() + "\n", {.mode = 0600}));
  }
  KELVIN_TRY(std::string text, os::read_file(path, 4_KiB));
  text = without_line_end(std::move(text));
  if (api::is_key_text(text)) return text;
  return fail(Code::Invalid, Blame::Host, Retry::Never,
              path + " does not hold a key; remove it, and the next start writes another");
}

Status DataFolder::announce(const Announcement& announcement) {
  const nlohmann::json text = {{"pid", ::getpid()},
                               {"listen", announcement.listen},
                               {"version", KELVIN_VERSION},
                               {"epoch", announcement.epoch}};
  return os::write_file_atomic(file("serve.json"), text.dump() + "\n",
                               {.mode = 0600, .durability = os::Durability::Process});
}

void DataFolder::forget() { (void)os::remove_file(file("serve.json")); }

}  // namespace kelvin::cli
