// The tool's `replay` and `journal` commands on a journal made by the real writer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "journal/record.h"
#include "journal/segment.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

class ReplayToolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    journal_ = folder_.path() + "/journal";
    auto opened = JournalWriter::open(journal_, {});
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    writer_ = std::move(*opened);
    target_ = sqlite_target(folder_, "shadow");
    shadow_ = std::make_unique<odbc::Connection>(target_);
    shadow_->run("CREATE TABLE account (id integer PRIMARY KEY, owner text, balance integer)");
    shadow_->run("INSERT INTO account VALUES (1, 'ann', 100)");
  }

  /// UPDATE of one account by a bound secret and a literal one; the seq of its record.
  std::uint64_t pay(std::uint64_t id, int amount, std::int64_t rows = 1) {
    EntryWriter entries;
    entries.begin_statement(Verdict::keyed, Verb::update, 0,
                            "UPDATE account SET balance = balance + CAST(? AS integer) WHERE id = 1"
                            " AND owner <> 'literal-secret'",
                            "");
    const std::string text = std::to_string(amount);
    Parameter parameter;
    parameter.io_type = SQL_PARAM_INPUT;
    parameter.c_type = SQL_C_CHAR;
    parameter.sql_type = SQL_VARCHAR;
    parameter.column_size = 20;
    parameter.indicator = static_cast<std::int64_t>(text.size());
    parameter.bytes = text;
    entries.add_parameter(parameter);
    entries.end_statement(rows);
    TransactionHead head;
    head.txn_id = id;
    head.sealed_at_us = 1'700'000'000'000'000 + static_cast<std::int64_t>(id);
    head.entries = entries.entries();
    std::vector<std::byte> payload(entries.payload_bytes(false));
    entries.write_payload(payload, &head);
    const auto split = split_ring_payload(payload);
    for (const auto& [name, value] : split->texts) {
      EXPECT_TRUE(writer_->need_text(name, value).ok());
    }
    const auto seq = writer_->append(RecordType::transaction, split->body);
    EXPECT_TRUE(writer_->sync().ok());
    return *seq;
  }
  void outcome(std::uint64_t id, Outcome value) {
    OutcomeRecord record;
    record.txn_id = id;
    record.outcome = value;
    EXPECT_TRUE(writer_->append(RecordType::outcome, std::as_bytes(std::span(&record, 1))).ok());
    EXPECT_TRUE(writer_->sync().ok());
  }
  std::uint64_t paid(std::uint64_t id, int amount) {
    const auto seq = pay(id, amount);
    outcome(id, Outcome::committed);
    return seq;
  }

  Finished tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
    return run_program(arguments);
  }
  Finished replay(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"replay", "--journal", journal_, "--shadow", target_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return tool(arguments);
  }
  std::string balance() { return *shadow_->scalar("SELECT balance FROM account WHERE id = 1"); }

  TempDir folder_;
  std::string journal_;
  std::string target_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<odbc::Connection> shadow_;
};

TEST_F(ReplayToolTest, AppliesAJournalOnceHoweverOftenItIsRun) {
  paid(1, 5);
  paid(2, 6);
  const auto first = replay();
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_EQ(replay().exit_code, 0);
  EXPECT_EQ(balance(), "111");
  paid(3, 7);
  EXPECT_EQ(replay().exit_code, 0);
  EXPECT_EQ(balance(), "118");
}

TEST_F(ReplayToolTest, DoesNothingWithAMappingBesideTheJournalThatDoesNotFit) {
  paid(1, 5);
  std::ofstream(folder_.path() + "/mapping.toml") << "[tables.nowhere]\ndrop = true\n";
  const auto result = replay();
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_NE(result.output.find("mapping.toml:1:9: "), std::string::npos) << result.output;
  EXPECT_EQ(balance(), "100");
}

TEST_F(ReplayToolTest, AppliesBetweenTwoRecordsBothInclusive) {
  paid(1, 1);
  const auto from = paid(2, 10);
  const auto until = paid(3, 100);
  paid(4, 1000);
  const auto result = replay({"--from", std::to_string(from), "--until", std::to_string(until)});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(balance(), "210");
}

TEST_F(ReplayToolTest, WritesNothingInADryRun) {
  paid(1, 5);
  const auto result = replay({"--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("would apply 1 transactions"), std::string::npos) << result.output;
  EXPECT_EQ(balance(), "100");
  EXPECT_EQ(shadow_->scalar("SELECT count(*) FROM sqlite_master WHERE name LIKE 'understudy%'"),
            "0");
}

TEST_F(ReplayToolTest, AnswersNoWhenStatementsDiffer) {
  pay(1, 5, 2);
  outcome(1, Outcome::committed);
  const auto result = replay();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("row-count"), std::string::npos) << result.output;
  EXPECT_EQ(result.output.find("literal-secret"), std::string::npos) << result.output;
}

TEST_F(ReplayToolTest, AnswersNoWhenATransactionInDoubtHoldsUpTheRest) {
  pay(1, 5);
  outcome(1, Outcome::unknown);
  paid(2, 6);
  const auto result = replay();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("in doubt"), std::string::npos) << result.output;
  EXPECT_EQ(balance(), "100");
}

TEST_F(ReplayToolTest, FailsInOneLineWithoutAJournal) {
  const auto result = tool({"replay", "--journal", folder_.path() + "/none", "--shadow", target_});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
}

TEST_F(ReplayToolTest, RefusesWrongUse) {
  EXPECT_EQ(tool({"replay", "--journal", journal_}).exit_code, 2);
  EXPECT_EQ(tool({"journal", "polish", journal_}).exit_code, 2);
}

TEST_F(ReplayToolTest, DumpsWithoutValuesUnlessAskedForThem) {
  paid(1, 987654);
  const auto redacted = tool({"journal", "dump", journal_});
  EXPECT_EQ(redacted.exit_code, 0) << redacted.output;
  EXPECT_NE(redacted.output.find("UPDATE account"), std::string::npos) << redacted.output;
  EXPECT_EQ(redacted.output.find("987654"), std::string::npos) << redacted.output;
  EXPECT_EQ(redacted.output.find("literal-secret"), std::string::npos) << redacted.output;
  const auto shown = tool({"journal", "dump", "--show-values", journal_});
  EXPECT_NE(shown.output.find("987654"), std::string::npos) << shown.output;
  EXPECT_NE(shown.output.find("literal-secret"), std::string::npos) << shown.output;
}

TEST_F(ReplayToolTest, CountsInStat) {
  paid(1, 5);
  const auto result = tool({"journal", "stat", journal_});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("keyed        1"), std::string::npos) << result.output;
}

TEST_F(ReplayToolTest, VerifiesAWholeJournal) {
  paid(1, 5);
  const auto result = tool({"journal", "verify", journal_});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(result.output.find("OK"), 0u) << result.output;
}

TEST_F(ReplayToolTest, AnswersNoToDamageWithItsPlace) {
  const auto seq = paid(1, 5);
  paid(2, 6);
  writer_.reset();
  const std::string path = journal_ + "/00000001.segment";
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kSegmentHeaderBytes + sizeof(RecordHeader) + 20));
    file.put('#');
  }
  ASSERT_GT(seq, 0u);
  const auto result = tool({"journal", "verify", journal_});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_NE(result.output.find("offset 4096"), std::string::npos) << result.output;
}

TEST_F(ReplayToolTest, AnswersNoToATornTail) {
  paid(1, 5);
  const auto end = kSegmentHeaderBytes + writer_->bytes();
  writer_.reset();
  {
    std::fstream file(journal_ + "/00000001.segment",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(end));
    file << "half a record";
  }
  const auto result = tool({"journal", "verify", journal_});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_NE(result.output.find("hold together"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace understudy
