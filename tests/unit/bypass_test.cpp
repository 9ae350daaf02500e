#include "replayer/migration/bypass.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

FeedTransaction wrote(const std::string& table, std::size_t rows) {
  static auto store = std::make_shared<TextStore>();
  Shape shape;
  shape.table = table;
  shape.key_count = 1;
  shape.columns = {"id"};
  const std::string encoded = shape.encode();
  store->add(text_id(encoded), encoded);
  FeedTransaction out;
  out.outcome = Outcome::committed;
  out.texts.push_back(store);
  Entry entry;
  entry.statement.verdict = Verdict::effects;
  entry.statement.shape = text_id(encoded);
  entry.statement.rows.resize(rows);
  out.entries.push_back(std::move(entry));
  return out;
}

FeedTransaction opaque() {
  FeedTransaction out;
  out.outcome = Outcome::committed;
  out.entries.emplace_back();
  return out;
}

std::vector<std::string> names(const std::vector<BypassAccounts::Suspicion>& suspected) {
  std::vector<std::string> out;
  for (const auto& one : suspected) out.push_back(one.table + (one.certain ? "" : "?"));
  return out;
}

using Names = std::vector<std::string>;

TEST(Bypass, SuspectsNothingThatTheJournalExplains) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  EXPECT_EQ(names(accounts.look({{"t", 100, true}}, recorded)), Names{});
  recorded.add(wrote("t", 3));
  EXPECT_EQ(names(accounts.look({{"t", 103, true}}, recorded)), Names{});
}

TEST(Bypass, SuspectsATableWithMoreRowsThanWereRecorded) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"t", 100, true}, {"u", 0, true}}, recorded);
  recorded.add(wrote("t", 3));
  EXPECT_EQ(names(accounts.look({{"t", 104, true}, {"u", 0, true}}, recorded)), Names{"t"});
}

TEST(Bypass, SuspectsATableTogetherWithThoseItsRowsAreIn) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  const std::vector<std::string> family = {"t", "t1", "t2"};
  (void)accounts.look({{"t", 100, true, family}}, recorded);
  recorded.add(wrote("t", 3));
  recorded.add(wrote("t2", 2));
  EXPECT_EQ(names(accounts.look({{"t", 105, true, family}}, recorded)), Names{});
  const auto suspected = accounts.look({{"t", 106, true, family}}, recorded);
  EXPECT_EQ(names(suspected), Names{"t"});
  EXPECT_EQ(suspected[0].members, family);
}

TEST(Bypass, KeepsSuspectingUntilItIsExplainedAndThenAsksForMore) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"t", 0, true}}, recorded);
  (void)accounts.look({{"t", 5, true}}, recorded);
  const auto suspected = accounts.look({{"t", 5, true}}, recorded);
  EXPECT_EQ(names(suspected), Names{"t"});
  accounts.explained(suspected);
  EXPECT_EQ(names(accounts.look({{"t", 5, true}}, recorded)), Names{});
  EXPECT_EQ(names(accounts.look({{"t", 6, true}}, recorded)), Names{"t"});
}

TEST(Bypass, WhereOnlyAChangeIsToldSuspectsAChangeThatNothingRecordedCameWith) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"t", 1, false}}, recorded);
  recorded.add(wrote("t", 1));
  EXPECT_EQ(names(accounts.look({{"t", 2, false}}, recorded)), Names{});
  recorded.add(wrote("other", 1));
  EXPECT_EQ(names(accounts.look({{"t", 3, false}}, recorded)), Names{"t"});
}

TEST(Bypass, OfADatabaseAsAWholeAnyRecordedTransactionExplainsAChange) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"", 1, false}}, recorded);
  recorded.add(wrote("t", 1));
  EXPECT_EQ(names(accounts.look({{"", 2, false}}, recorded)), Names{});
  EXPECT_EQ(names(accounts.look({{"", 3, false}}, recorded)), Names{""});
}

TEST(Bypass, IsNotCertainWhereAStatementWasRecordedWhoseTablesAreNotKnown) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"t", 0, true}}, recorded);
  recorded.add(opaque());
  EXPECT_EQ(names(accounts.look({{"t", 1, true}}, recorded)), Names{"t?"});
}

TEST(Bypass, BeginsAnewWhenTheServerCountsAnew) {
  RecordedWrites recorded;
  BypassAccounts accounts;
  (void)accounts.look({{"t", 100, true}}, recorded);
  EXPECT_EQ(names(accounts.look({{"t", 1, true}}, recorded)), Names{});
  EXPECT_EQ(names(accounts.look({{"t", 2, true}}, recorded)), Names{"t"});
}

TEST(Bypass, DoesNotCountWhatWasRolledBack) {
  RecordedWrites recorded;
  FeedTransaction transaction = wrote("t", 4);
  transaction.outcome = Outcome::rolled_back;
  recorded.add(transaction);
  EXPECT_EQ(recorded.of({"t", 0, true}).rows, 0u);
}

}  // namespace
}  // namespace understudy
