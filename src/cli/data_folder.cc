#include "cli/data_folder.h"

#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "api/key_text.h"
#include "os/clock.h"

namespace kelvin::cli {

namespace {

constexpr mode_t kPassThrough = 0711;

// As long as slot words are used by a process that has lost its successor: that ends with the socket between them.
constexpr Duration kDrainerMax = 20s;
constexpr int kLookAgainMs = 10;

std::string without_line_end(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

tl::unexpected<Error> still_drains(const std::string& lock_path) {
  const Result<std::string> pid = os::read_file(lock_path);
  return fail(Code::Conflict, Blame::Client, Retry::AfterDelay,
              "a process that an upgrade has replaced (pid " +
                  without_line_end(pid.value_or("unknown")) +
                  ") still has connections; it ends with its last one");
}

Status wait_for_drainer(const std::string& lock_path) {
  const Instant give_up = os::boot_now() + kDrainerMax;
  while (true) {
    const Result<os::FileLock> lock = os::FileLock::take(lock_path);
    if (lock) return {};
    if (lock.error().code != Code::Conflict) return fail(lock.error(), "lock the data folder");
    if (os::boot_now() >= give_up) return still_drains(lock_path);
    (void)::poll(nullptr, 0, kLookAgainMs);
  }
}

}  // namespace

Result<os::FileLock> DataFolder::lock_for_draining(const std::string& path) {
  const std::string lock_path = path + "/drain.lock";
  Result<os::FileLock> lock = os::FileLock::take(lock_path);
  if (!lock && lock.error().code == Code::Conflict) return still_drains(lock_path);
  if (!lock) return fail(lock.error(), "lock the data folder");
  KELVIN_TRY_VOID(lock->write(std::to_string(::getpid()) + "\n"));
  return lock;
}

Result<DataFolder> DataFolder::open(const std::string& path, For purpose) {
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
  if (purpose == For::Start) KELVIN_TRY_VOID(wait_for_drainer(path + "/drain.lock"));
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
