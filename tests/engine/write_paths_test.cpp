// Every way of writing through ODBC and what of it stands in the ring: arrays, pieces of data,
// descriptors, RETURNING, escapes, cursors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tests/engine/recording.h"

namespace understudy {
namespace {

class WritePaths : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    production_.define({sqlite() ? "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                   " v int UNIQUE, note text)"
                                 : "CREATE TABLE items (id serial PRIMARY KEY, v int UNIQUE,"
                                   " note text)",
                        // Without a key, or a view.
                        sqlite() ? "CREATE TABLE loose (v int UNIQUE, note text)"
                                 : "CREATE TABLE loose_rows (v int UNIQUE, note text)",
                        sqlite() ? "SELECT 1" : "CREATE VIEW loose AS SELECT * FROM loose_rows",
                        "INSERT INTO items (v, note) VALUES (1, 'one')",
                        "INSERT INTO items (v, note) VALUES (2, 'two')"});
  }
  [[nodiscard]] static bool sqlite() { return GetParam() == Dialect::sqlite; }
  /// Into a view on PostgreSQL; on SQLite what a failure leaves behind is not known.
  [[nodiscard]] static std::string opaque_insert() {
    return sqlite() ? "INSERT OR FAIL INTO loose" : "INSERT INTO loose";
  }
  Application& recording(const std::string& more = {}) {
    production_.record();
    app_ = std::make_unique<Application>(production_.through() + more);
    return *app_;
  }
  Application& in_transactions() {
    Application& app = recording();
    app.autocommit(false);
    return app;
  }
  /// Everything recorded, committed, and nothing left out.
  std::vector<SeenStatement> recorded() {
    std::vector<SeenStatement> out;
    for (const SeenTransaction& one : production_.drain().transactions) {
      EXPECT_EQ(one.outcome, Outcome::committed);
      EXPECT_TRUE(one.notes.empty()) << one.notes.front();
      out.insert(out.end(), one.statements.begin(), one.statements.end());
    }
    EXPECT_EQ(production_.map().header().uncaptured, 0u);
    return out;
  }
  /// The values of `column` of all rows of effects, as text without quotes.
  static std::vector<std::string> column(const std::vector<SeenStatement>& statements,
                                         std::size_t column) {
    std::vector<std::string> out;
    for (const SeenStatement& one : statements) {
      for (const SeenRow& row : one.effects) {
        std::string value = row.values.at(column).value_or("NULL");
        if (sqlite()) std::erase(value, '\'');
        out.push_back(std::move(value));
      }
    }
    return out;
  }
  /// Sessions marked as in a transaction that has written.
  std::size_t writing() {
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      const std::uint32_t mark = production_.map().slot(i).writing.load();
      if (mark != static_cast<std::uint32_t>(Writing::none)) ++count;
    }
    return count;
  }
  static void set(const raw::Statement& stmt, SQLINTEGER attribute, const void* value) {
    ASSERT_TRUE(SQL_SUCCEEDED(
        SQLSetStmtAttr(stmt.handle, attribute, const_cast<void*>(value), SQL_IS_POINTER)))
        << stmt.problems();
  }
  static void set(const raw::Statement& stmt, SQLINTEGER attribute, SQLULEN value) {
    set(stmt, attribute, reinterpret_cast<const void*>(value));
  }

  Production production_{GetParam()};
  std::unique_ptr<Application> app_;
};

/// What libsqliteodbc or SQLite does not have: descriptors, results of RETURNING, cursors by name.
class WritePathsPostgresql : public WritePaths {};

INSTANTIATE_TEST_SUITE_P(Engines, WritePathsPostgresql, testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });
INSTANTIATE_TEST_SUITE_P(Engines, WritePaths, testing::Values(Dialect::sqlite, Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

using Strings = std::vector<std::string>;

// --- keys that change ---

std::string rows_of(const SeenStatement& statement) {
  std::string out;
  for (const SeenRow& row : statement.effects) {
    out += row.verb == Verb::move ? '>' : row.verb == Verb::remove ? '-' : '+';
    for (const auto& value : row.values) out += value.value_or("NULL") + ' ';
  }
  return out;
}

TEST_P(WritePathsPostgresql, ChangedKeysAreRecordedWithTheOnesBefore) {
  Application& app = recording();
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("UPDATE items SET id = id + 10, note = note || '!' WHERE v > 0"), SQL_SUCCESS)
      << stmt.problems();
  SQLLEN rows = 0;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 2);
  SQLSMALLINT columns = -1;
  SQLNumResultCols(stmt.handle, &columns);
  EXPECT_EQ(columns, 0);
  EXPECT_EQ(run(app, "UPDATE items SET id = 30 WHERE id = 12"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE items SET id = 31 WHERE v > 100"), SQL_NO_DATA);
  const auto seen = recorded();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].verdict, Verdict::effects);
  EXPECT_EQ(rows_of(seen[0]), ">1 11 1 one! >2 12 2 two! ");
  EXPECT_EQ(seen[1].verdict, Verdict::keyed);
}

TEST_P(WritePathsPostgresql, AnExecuteThatChangesKeysIsOpaque) {
  Application& app = recording();
  RUN(app, "PREPARE p AS UPDATE items SET id = id + $1 WHERE v > $2");
  RUN(app, "EXECUTE p (10, 0)");
  const auto seen = recorded();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].verdict, Verdict::opaque);
  EXPECT_EQ(production_.scalar("SELECT sum(id) FROM items"), "23");
}

TEST_P(WritePathsPostgresql, ChangedKeysInATransactionKeepTheApplicationsSavepoints) {
  Application& app = in_transactions();
  RUN(app, "SAVEPOINT here");
  RUN(app, "UPDATE items SET id = id + 10 WHERE v = 1");
  EXPECT_EQ(run(app, "UPDATE items SET id = v / 0"), SQL_ERROR);
  RUN(app, "ROLLBACK TO here");
  RUN(app, "UPDATE items SET id = id + 20 WHERE v = 2");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const auto seen = recorded();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(rows_of(seen[0]), ">2 22 2 two ");
}

TEST_P(WritePathsPostgresql, RowsWithoutAKeyAreRecordedWhole) {
  production_.define({"CREATE TABLE keyless (v int, j json)"});
  Application& app = recording();
  RUN(app, "INSERT INTO keyless SELECT v, NULL FROM items");
  RUN(app, "UPDATE keyless SET j = '{}' WHERE v < 9");
  RUN(app, "DELETE FROM keyless WHERE v = 2");
  const auto seen = recorded();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(rows_of(seen[0]), "+1 NULL +2 NULL ");
  EXPECT_EQ(rows_of(seen[1]), ">1 NULL 1 {} >2 NULL 2 {} ");
  EXPECT_EQ(rows_of(seen[2]), "-2 {} ");
}

// --- arrays ---

TEST_P(WritePaths, EachSetOfAColumnWiseArrayLeavesItsRow) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLINTEGER values[] = {31, 32, 33};
  SQLLEN lengths[] = {0, 0, 0};
  SQLULEN processed = 0;
  set(stmt, SQL_ATTR_PARAMSET_SIZE, 3);
  set(stmt, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, values, 0,
                   lengths);
  ASSERT_EQ(stmt.run("INSERT INTO items (v) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(processed, 3u);
  EXPECT_EQ(column(recorded(), 1), (Strings{"31", "32", "33"}));
}

TEST_P(WritePaths, ARowWiseArrayWithAnOffsetAndLeftOutSetsIsRecordedAsItRan) {
  Application& app = in_transactions();
  raw::Statement stmt(app);
  struct Line {
    SQLINTEGER v;
    SQLLEN v_length;
    char note[8];
    SQLLEN note_length;
  };
  // libsqliteodbc reads where the parameter was bound, whatever the offset.
  Line lines[5] = {
      {40, 0, "z", 1}, {41, 0, "a", 1}, {42, 0, "b", SQL_NTS}, {43, 0, "c", 1}, {44, 0, "", -1}};
  SQLULEN offset = sizeof(Line);
  SQLUSMALLINT operations[] = {SQL_PARAM_PROCEED, SQL_PARAM_IGNORE, SQL_PARAM_PROCEED,
                               SQL_PARAM_PROCEED};
  set(stmt, SQL_ATTR_PARAM_BIND_TYPE, sizeof(Line));
  set(stmt, SQL_ATTR_PARAM_BIND_OFFSET_PTR, &offset);
  set(stmt, SQL_ATTR_PARAMSET_SIZE, 4);
  if (!sqlite()) set(stmt, SQL_ATTR_PARAM_OPERATION_PTR, operations);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &lines[0].v, 0,
                   &lines[0].v_length);
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 8, 0, lines[0].note, 8,
                   &lines[0].note_length);
  ASSERT_EQ(stmt.run("INSERT INTO items (v, note) VALUES (?, ?)"), SQL_SUCCESS) << stmt.problems();
  app.commit();
  const auto statements = recorded();
  EXPECT_EQ(column(statements, 1),
            sqlite() ? (Strings{"40", "41", "42", "43"}) : (Strings{"41", "43", "44"}));
  EXPECT_EQ(column(statements, 2),
            sqlite() ? (Strings{"z", "a", "b", "c"}) : (Strings{"a", "c", "NULL"}));
}

TEST_P(WritePaths, AFailedSetLeavesWhatTheRealDriverKept) {
  for (const std::string more : {"", "BatchSize=1;", "BatchSize=2;"}) {
    for (const bool manual : {false, true}) {
      SCOPED_TRACE(more + (manual ? "manual" : "autocommit"));
      production_.define({"DELETE FROM items WHERE id > 2"});
      (void)production_.drain();
      Application& app = recording(more);
      if (manual) app.autocommit(false);
      raw::Statement stmt(app);
      SQLINTEGER values[] = {51, 52, 53, 51, 55, 56};
      SQLLEN lengths[6] = {};
      set(stmt, SQL_ATTR_PARAMSET_SIZE, 6);
      SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, values, 0,
                       lengths);
      EXPECT_EQ(stmt.run("INSERT INTO items (v) VALUES (?)"), SQL_ERROR);
      if (manual) app.commit();
      Strings kept;
      for (const std::string& value : column(recorded(), 1)) kept.push_back(value);
      std::string there;
      for (const std::string& value : kept) there += (there.empty() ? "" : ",") + value;
      const std::string list = sqlite() ? "group_concat(v)" : "string_agg(v::text, ',' ORDER BY v)";
      const std::string production = production_.scalar(
          "SELECT " + list + " FROM (SELECT v FROM items WHERE id > 2 ORDER BY v) x");
      EXPECT_EQ(there.empty() ? "NULL" : there, production);
    }
  }
}

TEST_P(WritePaths, AnArrayOnAnOpaqueTableIsAStatementForEachSet) {
  Application& app = in_transactions();
  raw::Statement stmt(app);
  SQLINTEGER values[] = {61, 62};
  SQLLEN lengths[] = {0, 0};
  set(stmt, SQL_ATTR_PARAMSET_SIZE, 2);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, values, 0,
                   lengths);
  ASSERT_EQ(stmt.run(opaque_insert() + " (v) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  app.commit();
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(statements[i].verdict, Verdict::opaque);
    EXPECT_EQ(statements[i].rows, 1);
    SQLINTEGER bound = 0;
    ASSERT_EQ(statements[i].parameters.at(0).bytes.size(), sizeof bound);
    std::memcpy(&bound, statements[i].parameters[0].bytes.data(), sizeof bound);
    EXPECT_EQ(bound, values[i]);
  }
}

TEST_P(WritePaths, AnArrayLargerThanOneRecordOfTheRingIsRecorded) {
  Application& app = in_transactions();
  raw::Statement stmt(app);
  constexpr std::size_t kSets = 3'000;
  constexpr std::size_t kNoteBytes = 1'000;
  static_assert(kSets * kNoteBytes > kTestRingBytes / 8);
  std::vector<SQLINTEGER> ids(kSets);
  std::iota(ids.begin(), ids.end(), 1'000);
  std::vector<SQLLEN> id_lengths(kSets);
  std::vector<SQLLEN> note_lengths(kSets, kNoteBytes);
  std::string notes(kSets * kNoteBytes, 'n');
  set(stmt, SQL_ATTR_PARAMSET_SIZE, kSets);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, ids.data(), 0,
                   id_lengths.data());
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, kNoteBytes, 0,
                   notes.data(), kNoteBytes, note_lengths.data());
  ASSERT_EQ(stmt.run("INSERT INTO items (id, note) VALUES (?, ?)"), SQL_SUCCESS) << stmt.problems();
  app.commit();
  EXPECT_EQ(production_.mode(), Mode::record) << production_.map().reason();
  EXPECT_EQ(column(recorded(), 2), Strings(kSets, std::string(kNoteBytes, 'n')));
}

// --- data at execution ---

/// Gives one parameter in pieces.
SQLRETURN in_pieces(SQLHSTMT handle, const Strings& pieces) {
  SQLPOINTER which = nullptr;
  if (const SQLRETURN ret = SQLParamData(handle, &which); ret != SQL_NEED_DATA) return ret;
  for (const std::string& piece : pieces) {
    if (!SQL_SUCCEEDED(SQLPutData(handle, raw::text(piece), static_cast<SQLLEN>(piece.size())))) {
      return SQL_ERROR;
    }
  }
  return SQL_NEED_DATA;
}

TEST_P(WritePaths, DataGivenInPiecesLeavesTheRow) {
  for (const bool manual : {false, true}) {
    SCOPED_TRACE(manual);
    Application& app = recording();
    if (manual) app.autocommit(false);
    raw::Statement stmt(app);
    SQLLEN later = SQL_LEN_DATA_AT_EXEC(9);
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 9, 0, &later, 0,
                     &later);
    ASSERT_EQ(stmt.run("INSERT INTO items (note) VALUES (?)"), SQL_NEED_DATA) << stmt.problems();
    ASSERT_EQ(in_pieces(stmt.handle, {"in ", "pieces"}), SQL_NEED_DATA);
    SQLPOINTER which = nullptr;
    ASSERT_EQ(SQLParamData(stmt.handle, &which), SQL_SUCCESS) << stmt.problems();
    if (manual) app.commit();
    EXPECT_EQ(column(recorded(), 2), (Strings{"in pieces"}));
  }
}

TEST_P(WritePaths, DataGivenInPiecesToAnOpaqueTableIsRecordedAsAValue) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLLEN later = SQL_LEN_DATA_AT_EXEC(9);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 9, 0, &later, 0,
                   &later);
  SQLINTEGER v = 8;
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 9, 0, &v, 0, nullptr);
  ASSERT_EQ(stmt.run(opaque_insert() + " (note, v) VALUES (?, ?)"), SQL_NEED_DATA);
  ASSERT_EQ(in_pieces(stmt.handle, {"in ", "pieces"}), SQL_NEED_DATA);
  SQLPOINTER which = nullptr;
  ASSERT_EQ(SQLParamData(stmt.handle, &which), SQL_SUCCESS) << stmt.problems();
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(statements[0].parameters.at(0).bytes, "in pieces");
  EXPECT_EQ(statements[0].parameters.at(0).indicator, 9);
  EXPECT_EQ(statements[0].parameters.at(1).bytes.size(), sizeof v);
}

/// Begins an INSERT into the table without a key whose text comes by SQLPutData, and gives 1 MiB.
std::string begin_large_insert(raw::Statement& stmt, const std::string& text, SQLLEN* later) {
  *later = SQL_LEN_DATA_AT_EXEC(1 << 20);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, 1 << 20, 0, later,
                   0, later);
  EXPECT_EQ(stmt.run(text + " (note) VALUES (?)"), SQL_NEED_DATA) << stmt.problems();
  Strings pieces;
  for (char letter = 'a'; letter <= 'p'; ++letter) pieces.emplace_back(1 << 16, letter);
  EXPECT_EQ(in_pieces(stmt.handle, pieces), SQL_NEED_DATA);
  std::string whole;
  for (const std::string& piece : pieces) whole += piece;
  return whole;
}

TEST_P(WritePaths, ALargeValueGivenInPiecesLeavesWhileItComes) {
  for (const bool manual : {false, true}) {
    SCOPED_TRACE(manual);
    Application& app = recording();
    if (manual) app.autocommit(false);
    raw::Statement stmt(app);
    SQLLEN later = 0;
    const std::string whole = begin_large_insert(stmt, opaque_insert(), &later);
    const std::uint64_t in_ring = production_.map().header().tail - production_.map().header().head;
    EXPECT_GT(in_ring, whole.size() / 2);
    SQLPOINTER which = nullptr;
    ASSERT_EQ(SQLParamData(stmt.handle, &which), SQL_SUCCESS) << stmt.problems();
    if (manual) app.commit();
    const auto statements = recorded();
    ASSERT_EQ(statements.size(), 1u);
    EXPECT_EQ(statements[0].parameters.at(0).bytes, whole);
    EXPECT_EQ(statements[0].parameters.at(0).indicator, static_cast<SQLLEN>(whole.size()));
  }
}

TEST_P(WritePaths, ALargeValueOfACancelledExecutionIsVoid) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (70)");
  raw::Statement stmt(app);
  SQLLEN later = 0;
  begin_large_insert(stmt, opaque_insert(), &later);
  ASSERT_TRUE(SQL_SUCCEEDED(SQLCancel(stmt.handle)));
  RUN(app, "INSERT INTO items (v) VALUES (71)");
  app.commit();
  EXPECT_EQ(column(recorded(), 1), (Strings{"70", "71"}));
}

TEST_P(WritePathsPostgresql, ALargeValueWhoseTransactionEndsMeanwhileIsCounted) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (70)");
  raw::Statement stmt(app);
  SQLLEN later = 0;
  begin_large_insert(stmt, opaque_insert(), &later);
  RUN(app, "COMMIT");
  SQLPOINTER which = nullptr;
  ASSERT_EQ(SQLParamData(stmt.handle, &which), SQL_SUCCESS) << stmt.problems();
  app.commit();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[1].notes, (Strings{"value-too-large"}));
}

TEST_P(WritePaths, AnExecutionThatIsCancelledWhileItWaitsForDataLeavesNothing) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLLEN later = SQL_DATA_AT_EXEC;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 9, 0, &later, 0,
                   &later);
  ASSERT_EQ(stmt.run("INSERT INTO items (note) VALUES (?)"), SQL_NEED_DATA);
  ASSERT_EQ(in_pieces(stmt.handle, {"x"}), SQL_NEED_DATA);
  ASSERT_TRUE(SQL_SUCCEEDED(SQLCancel(stmt.handle)));
  RUN(app, "INSERT INTO items (v) VALUES (71)");
  EXPECT_EQ(column(recorded(), 1), (Strings{"71"}));
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "3");
}

// --- descriptors (libsqliteodbc has none) ---

TEST_P(WritePathsPostgresql, ValuesBoundThroughDescriptorsAreRecorded) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLHDESC apd = nullptr;
  SQLHDESC ipd = nullptr;
  SQLGetStmtAttr(stmt.handle, SQL_ATTR_APP_PARAM_DESC, &apd, SQL_IS_POINTER, nullptr);
  SQLGetStmtAttr(stmt.handle, SQL_ATTR_IMP_PARAM_DESC, &ipd, SQL_IS_POINTER, nullptr);
  char note[] = "described";
  SQLLEN length = 4;
  SQLLEN null = 0;
  const auto field = [](SQLHDESC desc, SQLSMALLINT id, const void* value) {
    ASSERT_EQ(SQLSetDescField(desc, 1, id, const_cast<void*>(value), 0), SQL_SUCCESS) << id;
  };
  const auto number = [](SQLLEN value) { return reinterpret_cast<const void*>(value); };
  field(apd, SQL_DESC_CONCISE_TYPE, number(SQL_C_CHAR));
  field(apd, SQL_DESC_OCTET_LENGTH, number(sizeof note));
  field(apd, SQL_DESC_INDICATOR_PTR, &null);
  field(apd, SQL_DESC_OCTET_LENGTH_PTR, &length);
  field(apd, SQL_DESC_DATA_PTR, note);
  field(ipd, SQL_DESC_CONCISE_TYPE, number(SQL_VARCHAR));
  ASSERT_EQ(stmt.run("INSERT INTO items (note) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  ASSERT_EQ(stmt.run("INSERT INTO loose (note) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  null = SQL_NULL_DATA;
  ASSERT_EQ(stmt.run("INSERT INTO items (note) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 3u);
  EXPECT_EQ(column(statements, 2), (Strings{"desc", "NULL"}));
  EXPECT_EQ(statements[1].parameters.at(0).bytes, "desc");
}

TEST_P(WritePathsPostgresql, ADescriptorSharedByTwoStatementsIsReadForBoth) {
  Application& app = recording();
  SQLHDESC shared = nullptr;
  ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_DESC, app.dbc, &shared), SQL_SUCCESS);
  {
    raw::Statement first(app);
    raw::Statement second(app);
    for (raw::Statement* one : {&first, &second}) {
      set(*one, SQL_ATTR_APP_PARAM_DESC, static_cast<const void*>(shared));
    }
    SQLINTEGER v = 81;
    ASSERT_EQ(SQLBindParameter(first.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &v,
                               0, nullptr),
              SQL_SUCCESS);
    ASSERT_EQ(first.run("INSERT INTO items (v) VALUES (?)"), SQL_SUCCESS) << first.problems();
    v = 82;
    ASSERT_EQ(second.run("INSERT INTO items (v) VALUES (?)"), SQL_SUCCESS) << second.problems();
  }
  EXPECT_EQ(column(recorded(), 1), (Strings{"81", "82"}));
  SQLFreeHandle(SQL_HANDLE_DESC, shared);
}

// --- RETURNING, escapes, cursors ---

TEST_P(WritePathsPostgresql, TheResultOfAReturningHasTheColumnsTheApplicationAskedFor) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLINTEGER id = 0;
  SQLLEN length = 0;
  ASSERT_EQ(SQLBindCol(stmt.handle, 1, SQL_C_LONG, &id, 0, &length), SQL_SUCCESS);
  ASSERT_EQ(stmt.run("UPDATE items SET v = v + 100 WHERE id <= 2 RETURNING id, note"), SQL_SUCCESS);
  SQLSMALLINT columns = 0;
  ASSERT_EQ(SQLNumResultCols(stmt.handle, &columns), SQL_SUCCESS);
  EXPECT_EQ(columns, 2);
  SQLHDESC ird = nullptr;
  SQLGetStmtAttr(stmt.handle, SQL_ATTR_IMP_ROW_DESC, &ird, SQL_IS_POINTER, nullptr);
  SQLSMALLINT count = 0;
  ASSERT_EQ(SQLGetDescField(ird, 0, SQL_DESC_COUNT, &count, SQL_IS_SMALLINT, nullptr), SQL_SUCCESS);
  EXPECT_EQ(count, 2);
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(id, 1);
  char note[20] = "";
  EXPECT_EQ(SQLGetData(stmt.handle, 3, SQL_C_CHAR, note, sizeof note, &length), SQL_ERROR);
  ASSERT_EQ(SQLGetData(stmt.handle, 2, SQL_C_CHAR, note, sizeof note, &length), SQL_SUCCESS);
  EXPECT_STREQ(note, "one");
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  EXPECT_EQ(id, 2);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_NO_DATA);
  EXPECT_EQ(column(recorded(), 1), (Strings{"101", "102"}));
}

TEST_P(WritePaths, AnEscapeIsReadThrough) {
  Application& app = recording();
  RUN(app, "INSERT INTO items (v, note) VALUES (91, {d '2020-01-02'})");
  const auto statements = recorded();
  EXPECT_EQ(column(statements, 1), (Strings{"91"}));
  EXPECT_NE(statements.at(0).text.find("{d"), std::string::npos);
}

TEST_P(WritePathsPostgresql, TheRowUnderACursorLeavesItsKey) {
  Application& app = in_transactions();
  RUN(app, "DECLARE c CURSOR FOR SELECT * FROM items ORDER BY id FOR UPDATE");
  RUN(app, "MOVE 2 FROM c");
  RUN(app, "DELETE FROM items WHERE CURRENT OF c");
  app.commit();
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(column(statements, 0), (Strings{"2"}));
}

TEST_P(WritePathsPostgresql, AReturningOfMoreThanTheServerKeepsIsCountedAndNamed) {
  Application& app = recording();
  raw::Statement stmt(app);
  ASSERT_EQ(
      stmt.run("INSERT INTO items (note) SELECT repeat('x', 1000) FROM generate_series(1, 600)"
               " RETURNING id"),
      SQL_SUCCESS)
      << stmt.problems();
  int rows = 0;
  while (SQLFetch(stmt.handle) == SQL_SUCCESS) ++rows;
  EXPECT_EQ(rows, 600);
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, Strings{"effects-unreadable"});
  EXPECT_EQ(production_.map().header().uncaptured, 1u);
}

TEST_P(WritePathsPostgresql, AValueOfUnknownLengthLeavesItsRowAndNoResult) {
  Application& app = recording();
  raw::Statement stmt(app);
  char bytes[] = "bytes";
  SQLLEN length = SQL_NTS;  // says nothing about binary data
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_VARCHAR, 5, 0, bytes, 5,
                   &length);
  ASSERT_EQ(stmt.run("INSERT INTO items (note) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  SQLSMALLINT columns = -1;
  EXPECT_EQ(SQLNumResultCols(stmt.handle, &columns), SQL_SUCCESS);
  EXPECT_EQ(columns, 0);
  EXPECT_EQ(column(recorded(), 2),
            Strings{production_.scalar("SELECT note FROM items WHERE id = 3")});
  ASSERT_EQ(stmt.run("INSERT INTO loose (note) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, Strings{"unknown-length"});
}

TEST_P(WritePathsPostgresql, ABatchThatLeavesATransactionOpenKeepsTheSessionMarked) {
  Application app(production_.through());  // no migration records yet
  RUN(app, "BEGIN; INSERT INTO items (v) VALUES (95)");
  EXPECT_EQ(writing(), 1u);
  production_.record();
  RUN(app, "INSERT INTO items (v) VALUES (96)");
  RUN(app, "COMMIT");
  EXPECT_EQ(writing(), 0u);
  EXPECT_TRUE(production_.drain().transactions.empty());  // `start` waits for it
}

// --- PREPARE and EXECUTE as text ---

constexpr char kOwnPrepared[] =
    "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'understudy%'";

TEST_P(WritePathsPostgresql, AnExecuteOfATextLeavesItsRows) {
  for (const bool manual : {false, true}) {
    for (const bool prepared : {false, true}) {
      SCOPED_TRACE(testing::Message() << manual << prepared);
      Application& app = recording();
      if (manual) app.autocommit(false);
      RUN(app, "PREPARE ins (int, text) AS INSERT INTO items (v, note) VALUES ($1, $2)");
      raw::Statement stmt(app);
      const int v = 50 + (manual ? 2 : 0) + (prepared ? 1 : 0);
      const std::string text = "EXECUTE ins (" + std::to_string(v) + ", 'x')";
      if (prepared) {
        ASSERT_EQ(SQLPrepare(stmt.handle, raw::text(text), SQL_NTS), SQL_SUCCESS);
        ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
      } else {
        ASSERT_EQ(stmt.run(text), SQL_SUCCESS) << stmt.problems();
      }
      SQLLEN rows = -7;
      EXPECT_EQ(SQLRowCount(stmt.handle, &rows), SQL_SUCCESS);
      EXPECT_EQ(rows, 1);
      SQLSMALLINT columns = -7;
      EXPECT_EQ(SQLNumResultCols(stmt.handle, &columns), SQL_SUCCESS);
      EXPECT_EQ(columns, 0);
      EXPECT_EQ(SQLMoreResults(stmt.handle), SQL_NO_DATA);
      if (manual) app.commit();
      const auto statements = recorded();
      ASSERT_EQ(statements.size(), 1u);
      EXPECT_EQ(statements[0].verdict, Verdict::effects);
      EXPECT_EQ(statements[0].text, text);
      EXPECT_EQ(column(statements, 1), Strings{std::to_string(v)});
      EXPECT_EQ(column(statements, 0), Strings{production_.scalar("SELECT max(id) FROM items")});
    }
  }
}

TEST_P(WritePathsPostgresql, AnExecuteOfWhatWasPreparedBeforeTheRecordingLeavesItsRows) {
  Application app(production_.through());
  RUN(app, "BEGIN; PREPARE \"Up\" AS UPDATE items SET note = $2 WHERE v <= $1; COMMIT");
  production_.record();
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("EXECUTE \"Up\" (2, 'now ' || now()::text)"), SQL_SUCCESS);
  SQLLEN rows = -7;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 2);
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(column(statements, 0), (Strings{"1", "2"}));
  EXPECT_EQ(column(statements, 2),
            (Strings(2, production_.scalar("SELECT note FROM items WHERE id = 1"))));
}

TEST_P(WritePathsPostgresql, AnExecuteWithAReturningShowsTheApplicationItsOwnColumns) {
  Application& app = in_transactions();
  RUN(app, "PREPARE ins (int) AS INSERT INTO items (v) VALUES ($1), ($1 + 1) RETURNING v, id");
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("EXECUTE ins (60)"), SQL_SUCCESS) << stmt.problems();
  SQLSMALLINT columns = -7;
  SQLNumResultCols(stmt.handle, &columns);
  EXPECT_EQ(columns, 2);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  SQLINTEGER v = 0;
  SQLGetData(stmt.handle, 1, SQL_C_LONG, &v, 0, nullptr);
  EXPECT_EQ(v, 61);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_NO_DATA);
  app.commit();
  EXPECT_EQ(column(recorded(), 1), (Strings{"60", "61"}));
}

TEST_P(WritePathsPostgresql, AnExecuteOfAQueryLeavesNothing) {
  Application& app = recording();
  RUN(app, "PREPARE s (int) AS SELECT id FROM items WHERE v = $1");
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("EXECUTE s (2)"), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  EXPECT_TRUE(production_.drain().transactions.empty());
  EXPECT_EQ(production_.map().header().opaque, 0u);
}

TEST_P(WritePathsPostgresql, AnExecuteFollowsWhatItsNameMeansNow) {
  Application& app = recording();
  RUN(app, "PREPARE p AS INSERT INTO items (v) VALUES (70)");
  RUN(app, "EXECUTE p");
  RUN(app, "DEALLOCATE p");
  RUN(app, "PREPARE p AS INSERT INTO items (v) VALUES (71)");
  RUN(app, "EXECUTE p");
  RUN(app, "SELECT 1; DEALLOCATE p; PREPARE p AS INSERT INTO items (v) VALUES (72)");
  RUN(app, "EXECUTE p");
  RUN(app, "DO 'BEGIN DEALLOCATE p; PREPARE p AS DELETE FROM items WHERE v = 72; END'");
  RUN(app, "EXECUTE p");
  RUN(app, "DEALLOCATE ALL");
  RUN(app, "PREPARE p AS INSERT INTO items (v) VALUES (73)");
  RUN(app, "EXECUTE p");
  std::vector<SeenStatement> executed;
  for (const SeenTransaction& one : production_.drain().transactions) {
    for (const SeenStatement& statement : one.statements) {
      if (statement.text == "EXECUTE p") executed.push_back(statement);
    }
  }
  ASSERT_EQ(executed.size(), 5u);
  const std::string key = executed[2].effects.at(0).values.at(0).value();
  EXPECT_EQ(executed[3].effects.at(0).verb, Verb::remove);
  EXPECT_EQ(executed[3].effects.at(0).values, Row{key});
  executed.erase(executed.begin() + 3);
  EXPECT_EQ(column(executed, 1), (Strings{"70", "71", "72", "73"}));
}

TEST_P(WritePathsPostgresql, APreparedTextOutlivesTheTransactionItWasMadeIn) {
  Application& app = in_transactions();
  RUN(app, "PREPARE p (int) AS INSERT INTO items (v) VALUES ($1)");
  RUN(app, "EXECUTE p (80)");
  app.rollback();
  RUN(app, "EXECUTE p (81)");
  RUN(app, "SAVEPOINT a");
  RUN(app, "EXECUTE p (82)");
  RUN(app, "ROLLBACK TO a");
  EXPECT_EQ(run(app, "EXECUTE p (81)"), SQL_ERROR);
  RUN(app, "EXECUTE p (83)");
  app.commit();
  EXPECT_EQ(column(recorded(), 1), (Strings{"81", "83"}));
}

TEST_P(WritePathsPostgresql, OurPreparedTextsGoWithTheApplications) {
  Application& app = recording();
  raw::Statement stmt(app);
  for (int i = 0; i < 3; ++i) {
    RUN(app, "PREPARE p (int) AS INSERT INTO items (v) VALUES ($1)");
    RUN(app, "EXECUTE p (" + std::to_string(90 + i) + ")");
    RUN(app, "DEALLOCATE p");
  }
  ASSERT_EQ(stmt.run(kOwnPrepared), SQL_SUCCESS);
  SQLFetch(stmt.handle);
  SQLINTEGER count = -7;
  SQLGetData(stmt.handle, 1, SQL_C_LONG, &count, 0, nullptr);
  EXPECT_EQ(count, 0);
}

TEST_P(WritePathsPostgresql, AnExecuteThatTheServerRefusesIsToldOfByItsOwnName) {
  Application& app = recording();
  RUN(app, "PREPARE p (int) AS INSERT INTO items (v) VALUES ($1)");
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("EXECUTE p (1, 2)"), SQL_ERROR);
  EXPECT_NE(stmt.problems().find("\"p\""), std::string::npos) << stmt.problems();
  EXPECT_EQ(stmt.run("EXECUTE q"), SQL_ERROR);
  EXPECT_NE(stmt.problems().find("\"q\""), std::string::npos) << stmt.problems();
  EXPECT_TRUE(production_.drain().transactions.empty());
}

TEST_P(WritePathsPostgresql, AnExecuteOnAnOpaqueTableIsOpaque) {
  Application& app = recording();
  RUN(app, "PREPARE p (int) AS INSERT INTO loose (v) VALUES ($1)");
  RUN(app, "EXECUTE p (1)");
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(statements[0].verdict, Verdict::opaque);
  EXPECT_EQ(production_.map().header().opaque, 1u);
}

TEST_P(WritePathsPostgresql, AContextIsAllThatIsInForce) {
  Application& app = in_transactions();
  RUN(app, "SET TIME ZONE 'UTC'");
  RUN(app, "PREPARE p AS INSERT INTO loose (v) VALUES (1)");
  RUN(app, "PREPARE q AS INSERT INTO loose (v) VALUES (2)");
  RUN(app, "EXECUTE p");
  RUN(app, "SET DateStyle TO ISO");
  RUN(app, "EXECUTE q");
  RUN(app, "DEALLOCATE p");
  app.commit();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  using Contexts = std::vector<Strings>;
  const std::string zone = "SET TIME ZONE 'UTC'";
  const std::string p = "PREPARE p AS INSERT INTO loose (v) VALUES (1)";
  const std::string q = "PREPARE q AS INSERT INTO loose (v) VALUES (2)";
  const std::string style = "SET DateStyle TO ISO";
  EXPECT_EQ(seen.transactions[0].contexts,
            (Contexts{{zone, p, q}, {zone, p, q, style}, {zone, q, style}}));
}

TEST_P(WritePathsPostgresql, NamesMeanWhatTheSessionHasSet) {
  production_.define({"CREATE SCHEMA other", "CREATE TABLE other.items (id int PRIMARY KEY)"});
  Application& app = recording();
  RUN(app, "SET search_path TO other, public");
  RUN(app, "INSERT INTO items SELECT 7");
  RUN(app, "SELECT set_config('search_path', 'public', false)");
  RUN(app, "DELETE FROM items WHERE v < 2");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 3u);
  EXPECT_EQ(rows_of(seen.transactions[0].statements.at(0)), "+7 ");
  EXPECT_EQ(seen.transactions[2].statements.at(0).verdict, Verdict::opaque);
}

TEST_P(WritePathsPostgresql, ASettingThatWasRolledBackIsNotInForce) {
  production_.define({"CREATE SCHEMA other", "CREATE TABLE other.items (id int PRIMARY KEY)"});
  Application& app = recording();
  app.autocommit(false);
  RUN(app, "SET search_path TO other");
  RUN(app, "PREPARE p AS SELECT 1");
  RUN(app, "INSERT INTO items VALUES (1)");
  app.rollback();
  RUN(app, "SET TIME ZONE 'UTC'");
  RUN(app, "SAVEPOINT a");
  RUN(app, "SET search_path TO other");
  RUN(app, "ROLLBACK TO a");
  RUN(app, "DELETE FROM items WHERE v = 1");
  RUN(app, "SET LOCAL search_path TO other");
  RUN(app, "INSERT INTO items VALUES (2)");
  app.commit();
  RUN(app, "DELETE FROM items WHERE v = 2");
  app.commit();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  const Strings kept = {"PREPARE p AS SELECT 1", "SET TIME ZONE 'UTC'"};
  const Strings local = {kept[0], kept[1], "SET LOCAL search_path TO other"};
  EXPECT_EQ(seen.transactions[0].contexts, (std::vector<Strings>{kept, local}));
  EXPECT_EQ(seen.transactions[0].statements.at(0).verdict, Verdict::effects);
  EXPECT_EQ(seen.transactions[0].statements.at(1).verdict, Verdict::keyed);
  EXPECT_EQ(seen.transactions[1].contexts, std::vector<Strings>{kept});
  EXPECT_EQ(seen.transactions[1].statements.at(0).verdict, Verdict::effects);
}

TEST_P(WritePathsPostgresql, OfASettingTheLastValueAloneIsKept) {
  Application& app = recording();
  for (int i = 0; i < 300; ++i) {
    RUN(app, "SET search_path TO tenant_" + std::to_string(i) + ", public");
    RUN(app, "SET SESSION understudy.number = " + std::to_string(i));
  }
  RUN(app, "INSERT INTO items (v) VALUES (50)");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].contexts,
            (std::vector<Strings>{
                {"SET search_path TO tenant_299, public", "SET SESSION understudy.number = 299"}}));
}

// --- several statements in one text ---

std::vector<Strings> texts_by_transaction(const Seen& seen) {
  std::vector<Strings> out;
  for (const SeenTransaction& one : seen.transactions) {
    Strings& texts = out.emplace_back();
    for (const SeenStatement& statement : one.statements) texts.push_back(statement.text);
  }
  return out;
}

TEST_P(WritePathsPostgresql, ABatchLeavesItsStatementsInTheTransactionsThatTheyRanIn) {
  Application& app = recording();
  RUN(app,
      "INSERT INTO items (v) VALUES (50); BEGIN; INSERT INTO items (v) VALUES (51); COMMIT;"
      "BEGIN; INSERT INTO items (v) VALUES (52); ROLLBACK; BEGIN; INSERT INTO items (v) VALUES "
      "(53); SAVEPOINT a; INSERT INTO items (v) VALUES (54); ROLLBACK TO a; COMMIT AND CHAIN; "
      "UPDATE items SET note = 'x' WHERE v = 53; END; INSERT INTO items (v) VALUES (55)");
  const Seen seen = production_.drain();
  const auto insert = [](int v) {
    return "INSERT INTO items (v) VALUES (" + std::to_string(v) + ")";
  };
  EXPECT_EQ(texts_by_transaction(seen),
            (std::vector<Strings>{{insert(50), insert(51)},
                                  {insert(53)},
                                  {"UPDATE items SET note = 'x' WHERE v = 53"},
                                  {insert(55)}}));
  for (const SeenTransaction& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
  EXPECT_EQ(column(seen.transactions.at(3).statements, 0),
            Strings{production_.scalar("SELECT max(id) FROM items")});
  EXPECT_EQ(production_.map().header().uncaptured, 0u);
  EXPECT_EQ(production_.map().header().opaque, 0u);
  EXPECT_EQ(writing(), 0u);
}

TEST_P(WritePathsPostgresql, ABatchWithoutTransactionControlLeavesTheRowsOfEachStatement) {
  for (const bool manual : {false, true}) {
    Application& app = recording();
    if (manual) app.autocommit(false);
    const std::string v = manual ? "61" : "60";
    RUN(app, "INSERT INTO items (v, note) VALUES (" + v +
                 ", now()::text); DELETE FROM items WHERE v = " + (manual ? "1" : "2"));
    if (manual) app.commit();
    const auto statements = recorded();
    ASSERT_EQ(statements.size(), 2u);
    EXPECT_EQ(column({statements[0]}, 2),
              Strings{production_.scalar("SELECT note FROM items WHERE v = " + v)});
    EXPECT_EQ(statements[1].effects.at(0).verb, Verb::remove);
    EXPECT_EQ(production_.map().header().opaque, 0u);
  }
}

TEST_P(WritePathsPostgresql, TheRowsThatABatchReturnsAreTheApplicationsAndInTheJournal) {
  Application& app = recording();
  raw::Statement stmt(app);
  for (int i = 0; i < 2; ++i) {
    const std::string v = std::to_string(60 + i);
    ASSERT_EQ(stmt.run("SELECT v FROM items ORDER BY v; INSERT INTO items (v) VALUES (" + v +
                       ") RETURNING v; DELETE FROM items WHERE v = 99; SET search_path TO public; "
                       "INSERT INTO items (v) VALUES (1" +
                       v + ") RETURNING v; SELECT 7"),
              SQL_SUCCESS)
        << stmt.problems();
    Strings firsts;
    for (SQLRETURN ret = SQL_SUCCESS; ret == SQL_SUCCESS; ret = SQLMoreResults(stmt.handle)) {
      SQLSMALLINT columns = -7;
      SQLNumResultCols(stmt.handle, &columns);
      SQLINTEGER first = -1;
      if (columns == 1 && SQLFetch(stmt.handle) == SQL_SUCCESS) {
        SQLGetData(stmt.handle, 1, SQL_C_LONG, &first, 0, nullptr);
      }
      firsts.push_back(std::to_string(columns) + ":" + std::to_string(first));
    }
    EXPECT_EQ(firsts, (Strings{"1:1", "1:" + v, "0:-1", "0:-1", "1:1" + v, "1:7"}));
    SQLFreeStmt(stmt.handle, SQL_CLOSE);
  }
  EXPECT_EQ(column(recorded(), 1), (Strings{"60", "160", "61", "161"}));
}

TEST_P(WritePathsPostgresql, ABatchThatFailsLeavesWhatItHadCommitted) {
  Application& app = recording();
  EXPECT_EQ(run(app,
                "BEGIN; INSERT INTO items (v) VALUES (70); COMMIT; INSERT INTO items (v) VALUES "
                "(71); INSERT INTO items (v) VALUES (70)"),
            SQL_ERROR);
  EXPECT_EQ(column(recorded(), 1), Strings{"70"});
  EXPECT_EQ(writing(), 0u);
  EXPECT_EQ(production_.scalar("SELECT max(v) FROM items"), "70");
}

TEST_P(WritePathsPostgresql, AFailedBatchInATransactionLeavesWhatCameBeforeAndAfter) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (80)");
  EXPECT_EQ(run(app, "INSERT INTO items (v) VALUES (81); INSERT INTO items (v) VALUES (80)"),
            SQL_ERROR);
  RUN(app, "INSERT INTO items (v) VALUES (82)");
  app.commit();
  EXPECT_EQ(column(recorded(), 1), (Strings{"80", "82"}));
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items WHERE v >= 80"), "2");
}

TEST_P(WritePathsPostgresql, ABatchInWhichTheServerWarnsIsCountedAndNamed) {
  Application& app = recording();
  RUN(app,
      "INSERT INTO items (v) VALUES (90); COMMIT; INSERT INTO items (v) VALUES (91); ROLLBACK");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, Strings{"batch-with-transaction-control"});
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_EQ(production_.map().header().uncaptured, 1u);
  EXPECT_EQ(production_.scalar("SELECT max(v) FROM items"), "90");
}

TEST_P(WritePathsPostgresql, ABatchWithACallIsOpaqueAsAWhole) {
  Application& app = recording();
  RUN(app, "INSERT INTO items (v) VALUES (95); DO 'BEGIN INSERT INTO items (v) VALUES (96); END'");
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(statements[0].verdict, Verdict::opaque);
  EXPECT_EQ(production_.map().header().opaque, 1u);
}

// --- calls ---

TEST_P(WritePathsPostgresql, CallsAndBlocksAreOpaque) {
  production_.define(
      {"CREATE PROCEDURE put(n int) LANGUAGE sql AS "
       "'INSERT INTO items (v) VALUES (n)'"});
  Application& app = recording();
  RUN(app, "CALL put(50)");
  RUN(app, "DO 'BEGIN INSERT INTO items (v) VALUES (51); END'");
  const auto statements = recorded();
  ASSERT_EQ(statements.size(), 2u);
  for (const SeenStatement& one : statements) EXPECT_EQ(one.verdict, Verdict::opaque);
  EXPECT_EQ(production_.map().header().opaque, 2u);
}

TEST_P(WritePathsPostgresql, AProcedureThatCommitsRunsAsItIsAndIsCountedAndNamed) {
  production_.define(
      {"CREATE PROCEDURE put(n int) LANGUAGE plpgsql AS 'BEGIN INSERT INTO items (v) "
       "VALUES (n); COMMIT; INSERT INTO items (v) VALUES (n + 1); END'"});
  Application& app = recording();
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("CALL put(50)"), SQL_SUCCESS) << stmt.problems();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, Strings{"call-with-transaction-control"});
  EXPECT_TRUE(seen.transactions[0].statements.empty());
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_EQ(production_.map().header().uncaptured, 1u);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items WHERE v >= 50"), "2");
  EXPECT_EQ(writing(), 0u);
  RUN(app, "INSERT INTO items (v) VALUES (60)");
  EXPECT_EQ(production_.drain().transactions.size(), 1u);
  EXPECT_EQ(stmt.run("CALL put(59)"), SQL_ERROR);  // its first half is committed
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items WHERE v = 59"), "1");
  const Seen failed = production_.drain();
  ASSERT_EQ(failed.transactions.size(), 1u);
  EXPECT_EQ(failed.transactions[0].notes, Strings{"call-with-transaction-control"});
  EXPECT_EQ(writing(), 0u);
}

// --- through a cursor ---

/// A rowset of two rows, bound by column, on which the application may write.
struct Rowset {
  SQLINTEGER id[2] = {};
  SQLLEN id_length[2] = {};
  SQLINTEGER v[2] = {};
  SQLLEN v_length[2] = {};

  void open(const raw::Statement& stmt) {
    const auto set = [&](SQLINTEGER attribute, SQLULEN value) {
      SQLSetStmtAttr(stmt.handle, attribute, reinterpret_cast<SQLPOINTER>(value), 0);
    };
    set(SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    set(SQL_ATTR_CONCURRENCY, SQL_CONCUR_ROWVER);
    set(SQL_ATTR_ROW_ARRAY_SIZE, 2);
    SQLBindCol(stmt.handle, 1, SQL_C_LONG, id, 0, id_length);
    SQLBindCol(stmt.handle, 2, SQL_C_LONG, v, 0, v_length);
    ASSERT_EQ(SQLExecDirect(stmt.handle, raw::text("SELECT id, v FROM items ORDER BY id"), SQL_NTS),
              SQL_SUCCESS)
        << stmt.problems();
    ASSERT_EQ(SQLFetchScroll(stmt.handle, SQL_FETCH_NEXT, 0), SQL_SUCCESS) << stmt.problems();
  }
};

TEST_P(WritePaths, RowsChangedThroughACursorLeaveTheirKeys) {
  for (const bool manual : {false, true}) {
    SCOPED_TRACE(manual);
    Application& app = recording();
    if (manual) app.autocommit(false);
    {
      raw::Statement stmt(app);
      Rowset rows;
      rows.open(stmt);
      rows.v[0] = manual ? 202 : 201;
      ASSERT_EQ(SQLSetPos(stmt.handle, 1, SQL_UPDATE, SQL_LOCK_NO_CHANGE), SQL_SUCCESS)
          << stmt.problems();
      if (manual) {
        ASSERT_EQ(SQLSetPos(stmt.handle, 2, SQL_DELETE, SQL_LOCK_NO_CHANGE), SQL_SUCCESS)
            << stmt.problems();
      }
    }
    if (manual) app.commit();
    const auto statements = recorded();
    ASSERT_EQ(statements.size(), manual ? 2u : 1u);
    EXPECT_EQ(column({statements[0]}, 0), Strings{"1"});
    EXPECT_EQ(column({statements[0]}, 1), Strings{manual ? "202" : "201"});
    if (manual) {
      EXPECT_EQ(statements[1].effects.at(0).verb, Verb::remove);
      EXPECT_EQ(statements[1].effects.at(0).values, Row{"2"});
    }
  }
}

TEST_P(WritePaths, RowsAddedThroughACursorAreRecordedWhole) {
  Application& app = recording();
  raw::Statement stmt(app);
  Rowset rows;
  rows.open(stmt);
  for (int i = 0; i < 2; ++i) {
    rows.id[i] = 30 + i;
    rows.v[i] = 300 + i;
    rows.id_length[i] = rows.v_length[i] = 0;
  }
  ASSERT_EQ(SQLBulkOperations(stmt.handle, SQL_ADD), SQL_SUCCESS) << stmt.problems();
  const auto statements = recorded();
  EXPECT_EQ(column(statements, 0), (Strings{"30", "31"}));
  EXPECT_EQ(column(statements, 1), (Strings{"300", "301"}));
}

TEST_P(WritePaths, AStatementThatWroteThroughACursorForgetsItsRows) {
  Application& app = recording();
  raw::Statement stmt(app);
  Rowset rows;
  rows.open(stmt);
  SQLPOINTER place = stmt.handle;
  SQLGetStmtAttr(stmt.handle, SQL_ATTR_ROWS_FETCHED_PTR, &place, SQL_IS_POINTER, nullptr);
  EXPECT_EQ(place, nullptr);
  SQLFreeStmt(stmt.handle, SQL_CLOSE);
  ASSERT_EQ(stmt.run("SELECT id, v FROM items ORDER BY id"), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
}

}  // namespace
}  // namespace understudy
