#include "store/sqlite_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/migrations.h"
#include "store/samples_test.h"

namespace kelvin::store {
namespace {

TEST(SqliteStore, GrowsTheEpochByOneAtEveryStart) {
  const Fixture fixture;
  EXPECT_EQ(fixture.open()->next_epoch().value(), 1U);
  const auto store = fixture.open();
  EXPECT_EQ(store->next_epoch().value(), 2U);
  EXPECT_EQ(store->next_epoch().value(), 3U);
}

TEST(SqliteStore, KeepsItsFilesToItsOwner) {
  const Fixture fixture;
  const auto store = fixture.open();
  ASSERT_TRUE(store->add_revision(revision_of("gemma")).has_value());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat file{};
    ASSERT_EQ(::stat((fixture.path() + suffix).c_str(), &file), 0) << suffix;
    EXPECT_EQ(file.st_mode & 0777, 0600U) << suffix;
  }
}

TEST(SqliteStore, NumbersRevisionsWithinTheirApp) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  const model::Revision other = store->add_revision(revision_of("other")).value();
  const model::Revision second = store->add_revision(revision_of("gemma")).value();
  EXPECT_EQ(first.number, 1U);
  EXPECT_EQ(other.number, 1U);
  EXPECT_EQ(second.number, 2U);
  EXPECT_EQ(first.app, second.app);
  EXPECT_NE(first.app, other.app);
  EXPECT_NE(first.id, second.id);
}

TEST(SqliteStore, GivesBackRevisionsAfterReopening) {
  const Fixture fixture;
  model::Revision wanted = revision_of("gemma");
  wanted.spec.scale.replicas_max = 3;
  const model::Revision added = fixture.open()->add_revision(wanted).value();
  ASSERT_TRUE(fixture.open()->add_revision(revision_of("gemma")).has_value());

  const auto found = fixture.open()->revisions().value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FALSE(found[0].is_active);
  EXPECT_TRUE(found[1].is_active);
  const model::Revision& read = found[0].revision;
  EXPECT_EQ(read.id, added.id);
  EXPECT_EQ(read.app, added.app);
  EXPECT_EQ(read.workspace, "default");
  EXPECT_EQ(read.spec, wanted.spec);
  EXPECT_EQ(read.folder, wanted.folder);
  EXPECT_EQ(read.program, wanted.program);
  EXPECT_EQ(read.model_path, wanted.model_path);
  EXPECT_EQ(read.created_unix_ms, 1'700'000'000'000);
  EXPECT_EQ(read.app_created_unix_ms, 1'700'000'000'000);
}

TEST(SqliteStore, ActivatesAnOlderRevisionAndRefusesAForeignOne) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  ASSERT_TRUE(store->add_revision(revision_of("gemma")).has_value());
  const model::Revision other = store->add_revision(revision_of("other")).value();

  ASSERT_TRUE(store->activate_revision(first.app, first.id).has_value());
  EXPECT_TRUE(store->revisions().value()[0].is_active);
  EXPECT_FALSE(store->revisions().value()[1].is_active);

  const Status foreign = store->activate_revision(first.app, other.id);
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code, Code::NotFound);
  EXPECT_TRUE(store->revisions().value()[0].is_active) << "a refused call changes nothing";
}

TEST(SqliteStore, ScaleSetByHandHoldsUntilTheNextDeployOrRollback) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  ASSERT_TRUE(store->set_scale(first.app, 2, 9).has_value());
  EXPECT_EQ(store->revisions().value()[0].revision.spec.scale.replicas_min, 2U);
  EXPECT_EQ(store->revisions().value()[0].revision.spec.scale.replicas_max, 9U);

  ASSERT_TRUE(store->add_revision(revision_of("gemma")).has_value());
  EXPECT_EQ(store->revisions().value()[1].revision.spec.scale, model::ScaleRule{});
  ASSERT_TRUE(store->set_scale(first.app, 2, 9).has_value());
  ASSERT_TRUE(store->activate_revision(first.app, first.id).has_value());
  EXPECT_EQ(store->revisions().value()[0].revision.spec.scale, model::ScaleRule{});

  EXPECT_EQ(store->set_scale({99}, 0, 1).error().code, Code::NotFound);
}

TEST(SqliteStore, TrafficSplitByHandOutlivesADeployButNoRollback) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  const model::Revision second = store->add_revision(revision_of("gemma")).value();
  const std::vector<model::RevisionShare> shares{{first.id, 90}, {second.id, 10}};
  ASSERT_TRUE(store->set_traffic(first.app, shares).has_value());
  ASSERT_TRUE(store->add_revision(revision_of("gemma")).has_value());
  const auto kept = fixture.open()->traffic().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].app, first.app);
  EXPECT_EQ(kept[0].shares, shares);
  ASSERT_TRUE(store->activate_revision(first.app, first.id).has_value());
  EXPECT_TRUE(store->traffic().value().empty());

  ASSERT_TRUE(store->set_traffic(first.app, shares).has_value());
  ASSERT_TRUE(store->set_traffic(first.app, {{second.id, 100}}).has_value());
  EXPECT_EQ(store->traffic().value()[0].shares.size(), 1U);
  ASSERT_TRUE(store->delete_app(first.app).has_value());
  EXPECT_TRUE(store->traffic().value().empty());
}

TEST(SqliteStore, KeepsTheLastWordAboutARollout) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  const model::Revision second = store->add_revision(revision_of("gemma")).value();
  model::Rollout rollout{.from = first.id, .to = second.id};
  ASSERT_TRUE(store->keep_rollout(first.app, rollout).has_value());
  rollout.step = 2;
  rollout.stage = model::RolloutStage::Paused;
  rollout.why = "0 of 7";
  ASSERT_TRUE(store->keep_rollout(first.app, rollout).has_value());
  const auto kept = fixture.open()->rollouts().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].app, first.app);
  EXPECT_EQ(kept[0].rollout, rollout);
  EXPECT_TRUE(store->revisions().value()[1].is_active);
  ASSERT_TRUE(store->keep_rollout(first.app, std::nullopt).has_value());
  EXPECT_TRUE(store->rollouts().value().empty());
}

TEST(SqliteStore, ARolloutThatWasRolledBackMakesTheOldRevisionTheActiveOne) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  const model::Revision second = store->add_revision(revision_of("gemma")).value();
  const model::Rollout undone{
      .from = first.id, .to = second.id, .stage = model::RolloutStage::RolledBack};
  ASSERT_TRUE(store->keep_rollout(first.app, undone).has_value());
  EXPECT_TRUE(store->revisions().value()[0].is_active);
  EXPECT_FALSE(store->revisions().value()[1].is_active);
  // A word that comes late changes nothing for the revision that was deployed meanwhile.
  ASSERT_TRUE(store->add_revision(revision_of("gemma")).has_value());
  EXPECT_TRUE(store->rollouts().value().empty()) << "a deploy clears it";
  ASSERT_TRUE(store->keep_rollout(first.app, undone).has_value());
  EXPECT_TRUE(store->revisions().value()[2].is_active);
}

TEST(SqliteStore, ClearsARolloutAtARollbackASplitAndADeletion) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  const model::Revision second = store->add_revision(revision_of("gemma")).value();
  const model::Rollout rollout{.from = first.id, .to = second.id};
  ASSERT_TRUE(store->keep_rollout(first.app, rollout).has_value());
  ASSERT_TRUE(store->activate_revision(first.app, first.id).has_value());
  EXPECT_TRUE(store->rollouts().value().empty());
  ASSERT_TRUE(store->keep_rollout(first.app, rollout).has_value());
  ASSERT_TRUE(store->set_traffic(first.app, {{second.id, 100}}).has_value());
  EXPECT_TRUE(store->rollouts().value().empty());
  ASSERT_TRUE(store->delete_app(first.app).has_value());
  ASSERT_TRUE(store->keep_rollout(first.app, rollout).has_value()) << "of an app that is gone";
  EXPECT_TRUE(store->rollouts().value().empty());
}

TEST(SqliteStore, SplitsNoTrafficOverAnotherAppsRevision) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision own = store->add_revision(revision_of("gemma")).value();
  const model::Revision other = store->add_revision(revision_of("whisper")).value();
  const Status refused = store->set_traffic(own.app, {{own.id, 50}, {other.id, 50}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::NotFound);
  EXPECT_TRUE(store->traffic().value().empty()) << "nothing of it was kept";
}

TEST(SqliteStore, NeverGivesTheIdentityOfADeletedApp) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision first = store->add_revision(revision_of("gemma")).value();
  ASSERT_TRUE(store->delete_app(first.app).has_value());
  EXPECT_TRUE(store->revisions().value().empty());
  EXPECT_EQ(store->delete_app(first.app).error().code, Code::NotFound);

  const model::Revision again = store->add_revision(revision_of("gemma")).value();
  EXPECT_GT(again.app, first.app);
  EXPECT_GT(again.id, first.id);
  EXPECT_EQ(again.number, 1U);
}

model::Key key_of(const std::string& prefix, std::uint8_t byte) {
  model::Key key{.name = "ci", .prefix = prefix, .scopes = {.invoke = true}, .created_unix_ms = 5};
  key.hash.fill(byte);
  return key;
}

TEST(SqliteStore, KeepsKeysByHash) {
  const Fixture fixture;
  const model::Key added = fixture.open()->add_key(key_of("aaaaaaaa", 1)).value();
  const auto store = fixture.open();
  model::Key heavy = key_of("bbbbbbbb", 2);
  heavy.weight = 7;
  ASSERT_TRUE(store->add_key(heavy).has_value());
  const auto keys = store->keys().value();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].id, added.id);
  EXPECT_EQ(keys[0].name, "ci");
  EXPECT_EQ(keys[0].prefix, "aaaaaaaa");
  EXPECT_EQ(keys[0].workspace, "default");
  EXPECT_TRUE(keys[0].scopes.invoke);
  EXPECT_FALSE(keys[0].scopes.admin);
  EXPECT_EQ(keys[0].hash, added.hash);
  EXPECT_EQ(keys[0].created_unix_ms, 5);
  EXPECT_EQ(keys[0].weight, 1U);
  EXPECT_EQ(keys[1].weight, 7U);

  ASSERT_TRUE(store->delete_key(added.id).has_value());
  EXPECT_EQ(store->keys().value().size(), 1U);
  EXPECT_EQ(store->delete_key(added.id).error().code, Code::NotFound);
}

TEST(SqliteStore, RefusesASecondKeyOfTheSamePrefix) {
  const Fixture fixture;
  const auto store = fixture.open();
  ASSERT_TRUE(store->add_key(key_of("aaaaaaaa", 1)).has_value());
  EXPECT_EQ(store->add_key(key_of("aaaaaaaa", 2)).error().code, Code::Conflict);
}

TEST(SqliteStore, TwoOpenStoresSeeEachOthersWrites) {
  const Fixture fixture;
  const auto one = fixture.open();
  const auto two = fixture.open();
  ASSERT_TRUE(one->add_revision(revision_of("gemma")).has_value());
  ASSERT_TRUE(two->add_revision(revision_of("gemma")).has_value());
  EXPECT_EQ(one->revisions().value().size(), 2U);
  EXPECT_EQ(one->next_epoch().value(), 1U);
  EXPECT_EQ(two->next_epoch().value(), 2U);
}

TEST(Migrations, LeaveTheirNumberAsTheSchemaVersion) {
  const Fixture fixture;
  (void)fixture.open();
  EXPECT_EQ(ask(fixture.path(), "PRAGMA user_version;"),
            static_cast<std::int64_t>(migrations().size()));
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM pragma_foreign_key_check();"), 0);
}

}  // namespace
}  // namespace kelvin::store
