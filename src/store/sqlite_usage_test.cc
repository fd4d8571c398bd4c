#include <gtest/gtest.h>

#include "base/random.h"
#include "store/samples_test.h"

namespace kelvin::store {
namespace {

constexpr std::int64_t kUnixMinusBoot = 1'700'000'000'000'000'000;
constexpr std::int64_t kStartMs = kUnixMinusBoot / 1'000'000;

const ports::UsageSum* sum_of(const std::vector<ports::UsageSum>& sums, model::Phase phase) {
  for (const ports::UsageSum& sum : sums) {
    if (sum.phase == phase) return &sum;
  }
  return nullptr;
}

std::int64_t ledger_total(const Fixture& fixture) {
  return ask(fixture.path(), "SELECT COALESCE(SUM(amount_nano), 0) FROM ledger;");
}

TEST(Usage, SplitsRowsIntoBusyTimeAndTheRest) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 1'500);
  add_row(batch, {11}, 1, 0);
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());

  const auto sums = store->sum_usage({}).value();
  ASSERT_EQ(sums.size(), 2U);
  const ports::UsageSum* busy = sum_of(sums, model::Phase::Busy);
  ASSERT_NE(busy, nullptr);
  EXPECT_EQ(busy->app, "gemma");
  EXPECT_EQ(busy->kind, "h100");
  EXPECT_EQ(busy->total_ms, 2 * 1'500) << "two accelerators";
  EXPECT_EQ(busy->rows, 1U);
  const ports::UsageSum* idle = sum_of(sums, model::Phase::Idle);
  ASSERT_NE(idle, nullptr);
  EXPECT_EQ(idle->total_ms, 2 * (8'500 + 10'000));
  EXPECT_EQ(idle->billable_ms, 2 * (8'500 + 10'000));
}

TEST(Usage, CountsAParkedReplicaOnceAndWaivedTimeAsNotBillable) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 0);
  batch.rows[0].accelerators = 0;
  batch.rows[0].phase = model::Phase::Parked;
  add_row(batch, {12}, 0, 0);
  batch.rows[1].phase = model::Phase::Load;
  batch.rows[1].is_billable = false;
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  const auto sums = store->sum_usage({}).value();
  ASSERT_NE(sum_of(sums, model::Phase::Parked), nullptr);
  EXPECT_EQ(sum_of(sums, model::Phase::Parked)->total_ms, 10'000);
  ASSERT_NE(sum_of(sums, model::Phase::Load), nullptr);
  EXPECT_EQ(sum_of(sums, model::Phase::Load)->total_ms, 20'000);
  EXPECT_EQ(sum_of(sums, model::Phase::Load)->billable_ms, 0);
  EXPECT_TRUE(store->bill({}).value().empty());
}

TEST(Usage, ARepeatedBatchAddsNothing) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 1'500);
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  add_row(batch, {11}, 1, 500);
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());

  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM usage;"), 2);
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM ledger;"), 4);
  const auto lines = store->bill({}).value();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].busy_ms, 4'000);
  EXPECT_EQ(lines[0].rate_per_ms.nano, 833);
  EXPECT_EQ(lines[0].amount.nano, 4'000 * 833);
}

TEST(Usage, ARowThatIsThereKeepsItsFirstValues) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch first;
  add_row(first, {11}, 0, 1'500);
  model::UsageBatch other;
  add_row(other, {11}, 0, 9'000);
  ASSERT_TRUE(store->append_usage(first, kUnixMinusBoot).has_value());
  ASSERT_TRUE(store->append_usage(other, kUnixMinusBoot).has_value());
  EXPECT_EQ(store->bill({}).value()[0].busy_ms, 3'000);
  EXPECT_EQ(ledger_total(fixture), 0);
}

TEST(Usage, RefusesEntriesThatDoNotBalanceOrHaveNoRow) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch lopsided;
  add_row(lopsided, {11}, 0, 1'500);
  lopsided.entries.pop_back();
  EXPECT_EQ(store->append_usage(lopsided, 0).error().code, Code::Internal);
  model::UsageBatch stray;
  add_row(stray, {11}, 0, 1'500);
  stray.rows.clear();
  EXPECT_EQ(store->append_usage(stray, 0).error().code, Code::Internal);
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM usage;"), 0);
}

TEST(Usage, ABatchWithABrokenRowIsNotWrittenAtAll) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 1'500);
  add_row(batch, {11}, 1, 1'500);
  batch.rows[1].total_ms = -1;
  EXPECT_EQ(store->append_usage(batch, 0).error().code, Code::Conflict);
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM usage;"), 0);
  EXPECT_EQ(ask(fixture.path(), "SELECT COUNT(*) FROM ledger;"), 0);
}

TEST(Usage, CountsARowInTheRangeInWhichItBegins) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  for (std::uint64_t i = 0; i < 6; ++i) add_row(batch, {11}, i, 100);
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  const auto busy_in = [&](std::int64_t from, std::int64_t to) {
    const auto lines = store->bill({.from_unix_ms = from, .to_unix_ms = to}).value();
    return lines.empty() ? 0 : lines[0].busy_ms;
  };
  EXPECT_EQ(busy_in(0, INT64_MAX), 1'200);
  const std::int64_t middle = kStartMs + 25'000;
  EXPECT_EQ(busy_in(0, middle), 600);
  EXPECT_EQ(busy_in(middle, INT64_MAX), 600);
  EXPECT_EQ(busy_in(kStartMs + 10'000, kStartMs + 20'000), 200);
}

TEST(Usage, FiltersByAppAndWorkspaceAndOutlivesTheApp) {
  const Fixture fixture;
  const auto store = fixture.open();
  const model::Revision app = store->add_revision(revision_of("gemma")).value();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 100);
  add_row(batch, {12}, 0, 200);
  batch.rows[1].app_name = "other";
  add_row(batch, {13}, 0, 400);
  batch.rows[2].workspace = "team";
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  ASSERT_TRUE(store->delete_app(app.app).has_value());

  EXPECT_EQ(store->bill({.app = "gemma"}).value()[0].busy_ms, 200);
  EXPECT_EQ(store->bill({.app = "other"}).value()[0].busy_ms, 400);
  EXPECT_EQ(store->bill({.workspace = "team"}).value()[0].busy_ms, 800);
  EXPECT_EQ(store->bill({}).value().size(), 2U);
  EXPECT_TRUE(store->bill({.app = "nobody"}).value().empty());
}

TEST(Usage, ShowsOneBillLineForEachRate) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 100);
  add_row(batch, {11}, 1, 100);
  batch.entries[2].amount = {2 * 100 * 1000};
  batch.entries[3].amount = {-2 * 100 * 1000};
  ASSERT_TRUE(store->append_usage(batch, kUnixMinusBoot).has_value());
  const auto lines = store->bill({}).value();
  ASSERT_EQ(lines.size(), 2U);
  for (const ports::BillLine& line : lines) EXPECT_EQ(line.amount, line.rate_per_ms * line.busy_ms);
}

TEST(Usage, NamesTheFirstFreeSequenceOfAReplica) {
  const Fixture fixture;
  const auto store = fixture.open();
  EXPECT_EQ(store->usage_sequence({11}).value(), 0U);
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 1);
  add_row(batch, {11}, 1, 1);
  ASSERT_TRUE(store->append_usage(batch, 0).has_value());
  EXPECT_EQ(store->usage_sequence({11}).value(), 2U);
  EXPECT_EQ(store->usage_sequence({12}).value(), 0U);
}

TEST(Usage, UsageAndLedgerRefuseToBeChanged) {
  const Fixture fixture;
  const auto store = fixture.open();
  model::UsageBatch batch;
  add_row(batch, {11}, 0, 1'500);
  ASSERT_TRUE(store->append_usage(batch, 0).has_value());
  EXPECT_EQ(try_sql(fixture.path(), "UPDATE usage SET busy_ms = 0;"), "usage is append-only");
  EXPECT_EQ(try_sql(fixture.path(), "DELETE FROM usage;"), "usage is append-only");
  EXPECT_EQ(try_sql(fixture.path(), "UPDATE ledger SET amount_nano = 0;"),
            "the ledger is append-only");
  EXPECT_EQ(try_sql(fixture.path(), "DELETE FROM ledger;"), "the ledger is append-only");
}

// Batches in any order, repeated, overlapping and partly seen before.
TEST(Usage, TheLedgerSumsToZeroWhateverArrives) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Fixture fixture;
    const auto store = fixture.open();
    Random random{seed};
    std::int64_t expected = 0;
    std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
    for (int i = 0; i < 20; ++i) {
      model::UsageBatch batch;
      for (std::uint64_t n = random.below(6); n > 0; --n) {
        const std::pair<std::uint64_t, std::uint64_t> name{10 + random.below(3), random.below(12)};
        const std::int64_t busy = static_cast<std::int64_t>(name.first * 100 + name.second);
        bool is_twice = false;
        for (const model::Usage& row : batch.rows) {
          is_twice = is_twice || (row.replica.value == name.first && row.sequence == name.second);
        }
        if (is_twice) continue;
        add_row(batch, {name.first}, name.second, busy);
        if (seen.insert(name).second) expected += busy * 2 * 833;
      }
      ASSERT_TRUE(store->append_usage(batch, 0).has_value()) << "seed " << seed;
      ASSERT_EQ(ledger_total(fixture), 0) << "seed " << seed;
    }
    std::int64_t billed = 0;
    const auto lines = store->bill({}).value();
    for (const ports::BillLine& line : lines) billed += line.amount.nano;
    EXPECT_EQ(billed, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kelvin::store
