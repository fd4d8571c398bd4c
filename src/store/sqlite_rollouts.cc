// Rollouts by steps.
#include <algorithm>
#include <array>
#include <utility>

#include "model/view.h"
#include "store/sqlite_store.h"

namespace kelvin::store {

namespace {

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t loaded(std::int64_t value) { return static_cast<std::uint64_t>(value); }

Result<model::RolloutStage> parse_stage(const std::string& word) {
  using enum model::RolloutStage;
  for (const model::RolloutStage stage : {Starting, Shifting, Paused, RolledBack}) {
    if (word == model::to_text(stage)) return stage;
  }
  return fail(Code::Internal, Blame::Platform, Retry::Never,
              "a stored rollout is in no stage that is known");
}

}  // namespace

Status SqliteStore::clear_rollout(AppId app) {
  KELVIN_TRY(Statement clear, writer_.prepare("DELETE FROM rollouts WHERE app = ?1;"));
  return clear.bind(1, stored(app.value)).run();
}

// Of an app or revision that is gone by now nothing is written.
Status SqliteStore::insert_rollout(AppId app, const model::Rollout& rollout) {
  KELVIN_TRY(
      Statement add,
      writer_.prepare("INSERT INTO rollouts (app, from_revision, to_revision, step, stage, why) "
                      "SELECT a.app, a.id, b.id, ?4, ?5, ?6 FROM revisions a JOIN revisions b "
                      "ON a.app = ?1 AND a.id = ?2 AND b.app = ?1 AND b.id = ?3;"));
  add.bind(1, stored(app.value)).bind(2, stored(rollout.from.value));
  add.bind(3, stored(rollout.to.value)).bind(4, std::int64_t{rollout.step});
  add.bind(5, model::to_text(rollout.stage)).bind(6, rollout.why);
  return add.run();
}

Status SqliteStore::undo_activation(AppId app, const model::Rollout& rollout) {
  {
    KELVIN_TRY(Statement ask, writer_.prepare("SELECT 1 FROM revisions WHERE app = ?1 AND id = ?2 "
                                              "AND is_active = 1;"));
    ask.bind(1, stored(app.value)).bind(2, stored(rollout.to.value));
    KELVIN_TRY(const bool is_active, ask.step());
    if (!is_active) return {};
  }
  KELVIN_TRY_VOID(clear_scale(app));
  KELVIN_TRY(Statement activate,
             writer_.prepare("UPDATE revisions SET is_active = 1 WHERE app = ?1 AND id = ?2;"));
  return activate.bind(1, stored(app.value)).bind(2, stored(rollout.from.value)).run();
}

Status SqliteStore::keep_rollout(AppId app, const std::optional<model::Rollout>& rollout) {
  const std::scoped_lock lock(writing_);
  KELVIN_TRY(Transaction transaction, Transaction::begin(writer_));
  KELVIN_TRY_VOID(clear_rollout(app));
  if (rollout) KELVIN_TRY_VOID(insert_rollout(app, *rollout));
  if (rollout && rollout->stage == model::RolloutStage::RolledBack)
    KELVIN_TRY_VOID(undo_activation(app, *rollout));
  return transaction.commit();
}

Result<std::vector<ports::StoredRollout>> SqliteStore::rollouts() {
  const std::scoped_lock lock(reading_);
  KELVIN_TRY(Statement read,
             reader_.prepare("SELECT app, from_revision, to_revision, step, stage, why FROM "
                             "rollouts ORDER BY app;"));
  std::vector<ports::StoredRollout> out;
  while (true) {
    KELVIN_TRY(const bool has_row, read.step());
    if (!has_row) return out;
    KELVIN_TRY(const model::RolloutStage stage, parse_stage(read.text_at(4)));
    out.push_back({.app = {loaded(read.integer_at(0))},
                   .rollout = {.from = {loaded(read.integer_at(1))},
                               .to = {loaded(read.integer_at(2))},
                               .step = static_cast<std::uint32_t>(read.integer_at(3)),
                               .stage = stage,
                               .why = read.text_at(5)}});
  }
}

}  // namespace kelvin::store
