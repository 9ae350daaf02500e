#include "driver/sql/procedures.h"

#include <algorithm>
#include <array>
#include <utility>

#include "driver/sql/dialects.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr std::array<std::string_view, 21> kResultWords = {
    "SELECT",   "WITH",    "RETURNING", "SHOW",  "CALL",     "EXECUTE", "EXPLAIN",
    "DESCRIBE", "DESC",    "ANALYZE",   "CHECK", "CHECKSUM", "REPAIR",  "OPTIMIZE",
    "HELP",     "HANDLER", "CACHE",     "LOAD",  "XA",       "TABLE",   "BINLOG"};

constexpr std::array<std::string_view, 19> kControlWords = {"COMMIT",
                                                            "ROLLBACK",
                                                            "START",
                                                            "SAVEPOINT",
                                                            "AUTOCOMMIT",
                                                            "ALTER",
                                                            "TRUNCATE",
                                                            "RENAME",
                                                            "GRANT",
                                                            "REVOKE",
                                                            "LOCK",
                                                            "UNLOCK",
                                                            "FLUSH",
                                                            "INSTALL",
                                                            "GET_LOCK",
                                                            "RELEASE_LOCK",
                                                            "RELEASE_ALL_LOCKS",
                                                            "XA",
                                                            "RESET"};

// Behind which a statement begins.
constexpr std::array<std::string_view, 6> kBeginWords = {"BEGIN", "THEN", "ELSE",
                                                         "DO",    "LOOP", "REPEAT"};

constexpr std::array<std::string_view, 13> kCharacteristics = {
    "LANGUAGE", "SQL",      "NOT",      "DETERMINISTIC", "CONTAINS", "NO",     "READS",
    "DATA",     "MODIFIES", "SECURITY", "DEFINER",       "INVOKER",  "COMMENT"};

constexpr std::array<std::string_view, 4> kLoopWords = {"LOOP", "WHILE", "REPEAT", "FOR"};

template <std::size_t N>
bool is_one_of(const Token& token, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return token.is_word(word); });
}

bool is_name(const Token& token) {
  return token.kind == TokenKind::word || token.kind == TokenKind::quoted_identifier;
}

}  // namespace

std::optional<CalledProcedure> called_procedure(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  Token token = lexer.next();
  if (token.is('{')) token = lexer.next();
  if (!token.is_word("CALL")) return std::nullopt;
  const Token first = lexer.next();
  if (!is_name(first)) return std::nullopt;
  CalledProcedure out{"", identifier(first, Dialect::mariadb)};
  if (!lexer.next().is('.')) return out;
  const Token second = lexer.next();
  if (!is_name(second)) return std::nullopt;
  out.schema = std::exchange(out.name, identifier(second, Dialect::mariadb));
  return out;
}

namespace {

std::string qualified(const CalledProcedure& procedure) {
  const std::string name = backticked(procedure.name);
  return procedure.schema.empty() ? name : backticked(procedure.schema) + '.' + name;
}

}  // namespace

std::string call_of(const CalledProcedure& procedure) {
  return "CALL " + qualified(procedure);
}

std::string show_procedure(const CalledProcedure& procedure) {
  return "SHOW CREATE PROCEDURE " + qualified(procedure);
}

std::optional<std::string_view> procedure_body(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  Token token = lexer.next();
  while (token.kind != TokenKind::end && !token.is_word("PROCEDURE")) token = lexer.next();
  if (!is_name(lexer.next())) return std::nullopt;
  std::size_t depth = 0;
  do {
    token = lexer.next();
    if (token.kind == TokenKind::end) return std::nullopt;
    if (token.is('(')) ++depth;
    if (token.is(')')) --depth;
  } while (depth > 0);
  if (!token.is(')')) return std::nullopt;
  return definition.substr(token.offset + 1);
}

bool may_send_results(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  bool begins = true;
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.kind == TokenKind::unterminated || is_one_of(token, kResultWords)) return true;
    if (begins && token.is_word("VALUES")) return true;
    begins = token.is(';') || is_one_of(token, kBeginWords);
  }
  return false;
}

namespace {

/// Reads a definition statement by statement and counts those that send rows.
class ResultCount {
 public:
  explicit ResultCount(std::string_view definition) : lexer_(definition, Dialect::mariadb) {}

  std::optional<std::size_t> count() {
    for (Token token = lexer_.next(); token.kind != TokenKind::end; token = lexer_.next()) {
      if (token.kind == TokenKind::unterminated || token.is_word("EXECUTE")) return std::nullopt;
      if (is_characteristic(token)) continue;
      if (token.is(';')) {
        after_end_ = false;
        end_statement();
      } else {
        read(token);
      }
      if (unknown_) return std::nullopt;
    }
    end_statement();
    return unknown_ || !blocks_.empty() ? std::nullopt : std::optional(count_);
  }

 private:
  enum class Block { plain, repeated };

  /// Between the parameters and the first statement.
  bool is_characteristic(const Token& token) {
    prefix_ = prefix_ && (token.kind == TokenKind::string || is_one_of(token, kCharacteristics));
    return prefix_;
  }

  void read(const Token& token) {
    // Which END it is tells a word of its own.
    const bool ends = std::exchange(after_end_, token.is_word("END"));
    if (after_end_) return end_block();
    if (ends) return;
    const bool begins = std::exchange(begins_, false);
    if (opens(token, begins)) return;
    if (begins_ || token.is(':')) begins_ = true;
    note(token, begins);
  }

  /// Words that open a block up to its END, or behind which a statement begins.
  bool opens(const Token& token, bool begins) {
    if (token.is_word("CASE")) return open(Block::plain);
    if (token.is_word("BEGIN")) return open_statement(Block::plain);
    if (begins && token.is_word("IF")) return open(Block::plain);
    if (begins && is_one_of(token, kLoopWords)) return open_statement(Block::repeated);
    // A handler's statement belongs to it up to the semicolon or, with a block, up to its END.
    if (token.is_word("CONTINUE")) continue_handler_ = true;
    if (!token.is_word("THEN") && !token.is_word("ELSE") && !token.is_word("DO")) return false;
    end_statement();
    return true;
  }

  bool open(Block block) {
    blocks_.push_back(block);
    return true;
  }

  bool open_statement(Block block) {
    open(continue_handler_ ? Block::repeated : block);
    end_statement();
    return true;
  }

  void end_block() {
    end_statement();
    if (blocks_.empty()) {
      unknown_ = true;
    } else {
      blocks_.pop_back();
    }
  }

  void note(const Token& token, bool begins) {
    if (token.is_word("INTO") || token.is_word("CURSOR") || (begins && token.is_word("CREATE"))) {
      keeps_rows_ = true;
    } else if (token.is_word("RETURNING")) {
      returns_ = true;
    } else if (token.is_word("SELECT") || token.is_word("VALUES")) {
      queries_ = queries_ || (!after_parenthesis_ && token.is_word("SELECT")) || begins;
    } else if (begins && is_one_of(token, kResultWords) && !token.is_word("CALL")) {
      returns_ = true;
    } else if (begins && token.is('(')) {
      queries_ = true;
    }
    after_parenthesis_ = token.is('(');
  }

  void end_statement() {
    if (returns_ || (queries_ && !keeps_rows_)) {
      const bool repeated = continue_handler_ || std::find(blocks_.begin(), blocks_.end(),
                                                           Block::repeated) != blocks_.end();
      unknown_ = unknown_ || repeated;
      ++count_;
    }
    queries_ = returns_ = keeps_rows_ = after_parenthesis_ = continue_handler_ = false;
    begins_ = true;
  }

  Lexer lexer_;
  std::vector<Block> blocks_;
  std::size_t count_ = 0;
  bool unknown_ = false;
  bool prefix_ = true;
  // Of the statement being read.
  bool begins_ = true;
  bool queries_ = false;     // a SELECT that is not a subquery
  bool keeps_rows_ = false;  // into variables, a table, or a cursor
  bool returns_ = false;
  bool after_parenthesis_ = false;
  bool continue_handler_ = false;
  bool after_end_ = false;
};

}  // namespace

std::optional<std::size_t> results_at_most(std::string_view definition) {
  return ResultCount(definition).count();
}

std::vector<CalledProcedure> procedures_called(std::string_view definition) {
  std::vector<CalledProcedure> out;
  Lexer lexer(definition, Dialect::mariadb);
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (!token.is_word("CALL")) continue;
    if (auto called = called_procedure(definition.substr(token.offset))) {
      out.push_back(std::move(*called));
    }
  }
  return out;
}

bool controls_transactions(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  bool changes = false;  // CREATE or DROP, of something that is not temporary
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (changes && !token.is_word("TEMPORARY")) return true;
    if (token.kind == TokenKind::unterminated || is_one_of(token, kControlWords)) return true;
    changes = token.is_word("CREATE") || token.is_word("DROP");
  }
  return false;
}

namespace {

// Of the moment: lock waits, deadlocks, interruption, timeouts, snapshots, memory and disks. And of
// the text, 1064, of which nothing has run.
constexpr std::array<long, 16> kPassingErrors = {1064, 1020, 1021, 1030, 1037, 1038, 1041, 1105,
                                                 1114, 1180, 1181, 1205, 1213, 1317, 1969, 3024};

bool fails_again(long error) {
  const bool of_server = error >= 1000 && (error < 2000 || error >= 3000);
  return of_server &&
         std::find(kPassingErrors.begin(), kPassingErrors.end(), error) == kPassingErrors.end();
}

// Without the braces of the ODBC escape, and what follows the call.
std::string_view call_alone(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  Token token = lexer.next();
  const bool escape = token.is('{');
  if (escape) token = lexer.next();
  if (!token.is_word("CALL")) return {};
  const std::size_t from = token.offset;
  std::size_t to = from;
  bool over = false;
  for (; token.kind != TokenKind::end; token = lexer.next()) {
    if (token.is(';') || (escape && token.is('}'))) {
      over = true;
    } else if (over || token.kind == TokenKind::unterminated) {
      return {};
    } else {
      to = token.offset + token.text.size();
    }
  }
  return text.substr(from, to - from);
}

}  // namespace

std::string call_that_fails(std::string_view text, long error) {
  constexpr long kNotFailed = 30001;
  const std::string_view call = call_alone(text);
  if (call.empty() || !fails_again(error)) return {};
  const long other = error == kNotFailed ? kNotFailed + 1 : kNotFailed;
  std::string out = "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR " + std::to_string(error);
  out.append(" BEGIN END; ").append(call);
  out += "; SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = " + std::to_string(other);
  return out += ", MESSAGE_TEXT = 'a call that had failed did not'; END";
}

}  // namespace understudy::sql
