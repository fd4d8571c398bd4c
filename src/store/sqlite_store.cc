// Apps, revisions, keys. Usage and ledger are in sqlite_usage.cc, rollouts in sqlite_rollouts.cc.
#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "os/fd.h"
#include "os/files.h"
#include "store/migrations.h"
#include "store/spec_text.h"

namespace kelvin::store {

namespace {

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t loaded(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// SQLite gives its journals the mode of the file.
Status ensure_private_file(const std::string& path) {
  KELVIN_TRY(const os::Fd file, os::open_file(path, O_RDWR | O_CREAT, 0600));
  if (::fchmod(file.get(), 0600) != 0) {
    return fail(Code::Refused, Blame::Host, Retry::Never,
                path + " belongs to another user, so that its mode cannot be set to 0600");
  }
  return {};
}

tl::unexpected<Error> no_such_app() {
  return fail(Code::NotFound, Blame::Client, Retry::Never, "there is no such app");
}

constexpr std::string_view kReadRevisions =
    "SELECT r.id, r.app, r.number, a.workspace, r.spec, r.folder, r.program, r.model_path, "
    "r.created_unix_ms, a.created_unix_ms, r.is_active, a.replicas_min, a.replicas_max "
    "FROM revisions r JOIN apps a ON a.id = r.app ORDER BY r.app, r.number;";

Result<ports::StoredRevision> read_revision(const Statement& row) {
  ports::StoredRevision out;
  model::Revision& revision = out.revision;
  revision.id = {loaded(row.integer_at(0))};
  revision.app = {loaded(row.integer_at(1))};
  revision.number = static_cast<std::uint32_t>(row.integer_at(2));
  revision.workspace = row.text_at(3);
  KELVIN_TRY(revision.spec, parse_stored_text(row.text_at(4)));
  revision.folder = row.text_at(5);
  revision.program = row.text_at(6);
  revision.model_path = row.text_at(7);
  revision.created_unix_ms = row.integer_at(8);
  revision.app_created_unix_ms = row.integer_at(9);
  out.is_active = row.integer_at(10) != 0;
  if (out.is_active && !row.is_null_at(11)) {
    revision.spec.scale.replicas_min = static_cast<std::uint32_t>(row.integer_at(11));
    revision.spec.scale.replicas_max = static_cast<std::uint32_t>(row.integer_at(12));
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  KELVIN_TRY_VOID(ensure_private_file(path));
  KELVIN_TRY(Database writer, Database::open(path, Database::Access::Write));
  KELVIN_TRY_VOID(migrate(writer));
  KELVIN_TRY(Database reader, Database::open(path, Database::Access::Read));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(writer), std::move(reader)));
}

std::uint32_t SqliteStore::schema() { return static_cast<std::uint32_t>(migrations().size()); }

Result<std::uint64_t> SqliteStore::next_epoch() {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  {
    KELVIN_TRY(Statement grow,
               writer_.prepare("UPDATE counters SET value = value + 1 WHERE name = 'epoch';"));
    KELVIN_TRY_VOID(grow.run());
  }
  KELVIN_TRY(Statement read, writer_.prepare("SELECT value FROM counters WHERE name = 'epoch';"));
  KELVIN_TRY(const bool is_there, read.step());
  if (!is_there) {
    return fail(Code::Internal, Blame::Host, Retry::Never,
                "the database has lost its epoch counter");
  }
  const std::uint64_t epoch = loaded(read.integer_at(0));
  KELVIN_TRY_VOID(read.run());
  KELVIN_TRY_VOID(transaction.commit());
  return epoch;
}

Result<std::vector<ports::StoredRevision>> SqliteStore::revisions() {
  const std::scoped_lock lock(reading_);
  KELVIN_TRY(Statement read, reader_.prepare(kReadRevisions));
  std::vector<ports::StoredRevision> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) return out;
    KELVIN_TRY(ports::StoredRevision revision, read_revision(read));
    out.push_back(std::move(revision));
  }
}

// Fills in what is known of the app; makes it when it is new.
Result<AppId> SqliteStore::ensure_app(model::Revision& revision) {
  KELVIN_TRY(
      Statement find,
      writer_.prepare("SELECT id, created_unix_ms FROM apps WHERE workspace = ?1 AND name = ?2;"));
  find.bind(1, revision.workspace).bind(2, revision.spec.name);
  KELVIN_TRY(const bool is_known, find.step());
  if (is_known) {
    revision.app_created_unix_ms = find.integer_at(1);
    return AppId{loaded(find.integer_at(0))};
  }
  KELVIN_TRY(
      Statement add,
      writer_.prepare("INSERT INTO apps (workspace, name, created_unix_ms) VALUES (?1, ?2, ?3);"));
  add.bind(1, revision.workspace).bind(2, revision.spec.name).bind(3, revision.created_unix_ms);
  KELVIN_TRY_VOID(add.run());
  revision.app_created_unix_ms = revision.created_unix_ms;
  return AppId{loaded(writer_.last_id())};
}

// A deploy or rollback brings its own scale, in place of what was set by hand. Also stops the app's active revision
// from being so.
Status SqliteStore::clear_scale(AppId app) {
  KELVIN_TRY(
      Statement scale,
      writer_.prepare("UPDATE apps SET replicas_min = NULL, replicas_max = NULL WHERE id = ?1;"));
  KELVIN_TRY_VOID(scale.bind(1, stored(app.value)).run());
  KELVIN_TRY(
      Statement rest,
      writer_.prepare("UPDATE revisions SET is_active = 0 WHERE app = ?1 AND is_active = 1;"));
  return rest.bind(1, stored(app.value)).run();
}

Status SqliteStore::clear_traffic(AppId app) {
  KELVIN_TRY(Statement clear, writer_.prepare("DELETE FROM traffic WHERE app = ?1;"));
  return clear.bind(1, stored(app.value)).run();
}

Status SqliteStore::insert_revision(model::Revision& revision) {
  KELVIN_TRY(Statement last,
             writer_.prepare("SELECT COALESCE(MAX(number), 0) FROM revisions WHERE app = ?1;"));
  last.bind(1, stored(revision.app.value));
  KELVIN_TRY_VOID(last.step());
  revision.number = static_cast<std::uint32_t>(last.integer_at(0)) + 1;

  KELVIN_TRY(
      Statement add,
      writer_.prepare(
          "INSERT INTO revisions (app, number, is_active, spec, folder, program, model_path, "
          "created_unix_ms) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7);"));
  const std::string spec = to_stored_text(revision.spec);
  add.bind(1, stored(revision.app.value)).bind(2, std::int64_t{revision.number}).bind(3, spec);
  add.bind(4, revision.folder).bind(5, revision.program).bind(6, revision.model_path);
  add.bind(7, revision.created_unix_ms);
  KELVIN_TRY_VOID(add.run());
  revision.id = {loaded(writer_.last_id())};
  return {};
}

Result<model::Revision> SqliteStore::add_revision(model::Revision revision) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  KELVIN_TRY(revision.app, ensure_app(revision));
  KELVIN_TRY_VOID(clear_scale(revision.app));
  KELVIN_TRY_VOID(clear_rollout(revision.app));
  KELVIN_TRY_VOID(insert_revision(revision));
  KELVIN_TRY_VOID(transaction.commit());
  return revision;
}

Status SqliteStore::activate_revision(AppId app, RevisionId revision) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  KELVIN_TRY_VOID(clear_scale(app));
  KELVIN_TRY_VOID(clear_traffic(app));
  KELVIN_TRY_VOID(clear_rollout(app));
  KELVIN_TRY(Statement activate,
             writer_.prepare("UPDATE revisions SET is_active = 1 WHERE app = ?1 AND id = ?2;"));
  activate.bind(1, stored(app.value)).bind(2, stored(revision.value));
  KELVIN_TRY_VOID(activate.run());
  if (writer_.rows_changed() == 0) {
    return fail(Code::NotFound, Blame::Client, Retry::Never, "the app has no such revision");
  }
  return transaction.commit();
}

Status SqliteStore::set_scale(AppId app, std::uint32_t replicas_min, std::uint32_t replicas_max) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(
      Statement set,
      writer_.prepare("UPDATE apps SET replicas_min = ?2, replicas_max = ?3 WHERE id = ?1;"));
  set.bind(1, stored(app.value))
      .bind(2, std::int64_t{replicas_min})
      .bind(3, std::int64_t{replicas_max});
  KELVIN_TRY_VOID(set.run());
  if (writer_.rows_changed() == 0) return no_such_app();
  return {};
}

Status SqliteStore::set_traffic(AppId app, const std::vector<model::RevisionShare>& shares) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  KELVIN_TRY_VOID(clear_traffic(app));
  KELVIN_TRY_VOID(clear_rollout(app));
  for (const model::RevisionShare& share : shares) {
    // Only a revision of this very app.
    KELVIN_TRY(Statement add,
               writer_.prepare("INSERT INTO traffic (app, revision, percent) SELECT app, id, ?3 "
                               "FROM revisions WHERE app = ?1 AND id = ?2;"));
    add.bind(1, stored(app.value)).bind(2, stored(share.revision.value));
    KELVIN_TRY_VOID(add.bind(3, std::int64_t{share.percent}).run());
    if (writer_.rows_changed() == 0) {
      return fail(Code::NotFound, Blame::Client, Retry::Never, "the app has no such revision");
    }
  }
  return transaction.commit();
}

Result<std::vector<ports::StoredTraffic>> SqliteStore::traffic() {
  const std::scoped_lock lock(reading_);
  KELVIN_TRY(Statement read,
             reader_.prepare("SELECT app, revision, percent FROM traffic ORDER BY app, revision;"));
  std::vector<ports::StoredTraffic> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) return out;
    const AppId app{loaded(read.integer_at(0))};
    if (out.empty() || out.back().app != app) out.push_back({.app = app, .shares = {}});
    out.back().shares.push_back({.revision = {loaded(read.integer_at(1))},
                                 .percent = static_cast<std::uint32_t>(read.integer_at(2))});
  }
}

Status SqliteStore::delete_app(AppId app) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Statement remove, writer_.prepare("DELETE FROM apps WHERE id = ?1;"));
  KELVIN_TRY_VOID(remove.bind(1, stored(app.value)).run());
  if (writer_.rows_changed() == 0) return no_such_app();
  return {};
}

Result<std::vector<model::Key>> SqliteStore::keys() {
  const std::scoped_lock lock(reading_);
  KELVIN_TRY(Statement read,
             reader_.prepare("SELECT id, name, prefix, workspace, may_invoke, may_admin, hash, "
                             "created_unix_ms, weight FROM keys ORDER BY id;"));
  std::vector<model::Key> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) return out;
    model::Key& key = out.emplace_back();
    key.id = {loaded(read.integer_at(0))};
    key.name = read.text_at(1);
    key.prefix = read.text_at(2);
    key.workspace = read.text_at(3);
    key.scopes = {.invoke = read.integer_at(4) != 0, .admin = read.integer_at(5) != 0};
    const std::span<const std::uint8_t> hash = read.bytes_at(6);
    std::copy_n(hash.begin(), std::min(hash.size(), key.hash.size()), key.hash.begin());
    key.created_unix_ms = read.integer_at(7);
    key.weight = static_cast<std::uint32_t>(read.integer_at(8));
  }
}

Result<model::Key> SqliteStore::add_key(model::Key key) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(
      Statement add,
      writer_.prepare("INSERT INTO keys (name, prefix, workspace, may_invoke, may_admin, hash, "
                      "created_unix_ms, weight) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);"));
  add.bind(1, key.name).bind(2, key.prefix).bind(3, key.workspace);
  add.bind(4, std::int64_t{key.scopes.invoke}).bind(5, std::int64_t{key.scopes.admin});
  add.bind_bytes(6, key.hash).bind(7, key.created_unix_ms).bind(8, std::int64_t{key.weight});
  KELVIN_TRY_VOID(add.run());
  key.id = {loaded(writer_.last_id())};
  return key;
}

Status SqliteStore::delete_key(KeyId key) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Statement remove, writer_.prepare("DELETE FROM keys WHERE id = ?1;"));
  KELVIN_TRY_VOID(remove.bind(1, stored(key.value)).run());
  if (writer_.rows_changed() == 0) {
    return fail(Code::NotFound, Blame::Client, Retry::Never, "there is no such key");
  }
  return {};
}

}  // namespace kelvin::store
