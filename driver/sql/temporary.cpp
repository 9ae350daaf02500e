#include "driver/sql/temporary.h"

#include "driver/sql/functions.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr std::size_t kNamesMax = 1000;  // in one statement

class Words {
 public:
  Words(std::string_view text, Dialect dialect)
      : lexer_(text, dialect), dialect_(dialect), token_(lexer_.next()) {}

  [[nodiscard]] const Token& peek() const { return token_; }
  void skip() { token_ = lexer_.next(); }
  bool accept(std::string_view word) {
    if (!token_.is_word(word)) return false;
    skip();
    return true;
  }
  bool accept(char punctuation) {
    if (!token_.is(punctuation)) return false;
    skip();
    return true;
  }
  void accept_if_exists() {
    if (accept("IF")) {
      accept("NOT");
      accept("EXISTS");
    }
  }
  [[nodiscard]] bool done() const { return token_.kind == TokenKind::end || token_.is(';'); }

  /// `name`, or `schema.name` of the schema where temporary tables live.
  std::optional<std::string> table() {
    auto name = part();
    if (!name || !accept('.')) return name;
    const std::string schema = ascii_lower(*name);
    name = part();
    if (schema != "temp" && schema != "pg_temp") return std::nullopt;
    return name;
  }

 private:
  std::optional<std::string> part() {
    if (token_.kind != TokenKind::word && token_.kind != TokenKind::quoted_identifier) {
      return std::nullopt;
    }
    std::string name = plain_name(identifier(token_, dialect_), dialect_);
    skip();
    return name;
  }

  Lexer lexer_;
  Dialect dialect_;
  Token token_;
};

/// MariaDB: writes to a table of this engine stay in it.
bool keeps_its_rows(const Token& engine) {
  for (const std::string_view known : {"INNODB", "MEMORY", "HEAP", "MYISAM", "ARIA"}) {
    if (engine.is_word(known)) return true;
  }
  return false;
}

/// What follows the name of a CREATE TABLE; see temporary_table.
bool stands_alone(Words* words, Dialect dialect) {
  for (; !words->done(); words->skip()) {
    const Token& word = words->peek();
    if (dialect == Dialect::postgresql && (word.is_word("INHERITS") || word.is_word("PARTITION"))) {
      return false;
    }
    if (dialect != Dialect::mariadb || !words->accept("ENGINE")) continue;
    words->accept('=');
    if (!keeps_its_rows(words->peek())) return false;
  }
  return true;
}

std::optional<std::vector<std::string>> names(Words* words) {
  std::vector<std::string> out;
  do {
    words->accept("ONLY");
    auto name = words->table();
    if (!name || out.size() >= kNamesMax) return std::nullopt;
    out.push_back(std::move(*name));
    words->accept('*');
  } while (words->accept(','));
  return out;
}

}  // namespace

std::string plain_name(std::string_view name, Dialect dialect) {
  return dialect == Dialect::postgresql ? std::string(name) : ascii_lower(name);
}

std::optional<std::string> temporary_table(std::string_view text, Dialect dialect) {
  Words words(text, dialect);
  if (words.accept("CREATE")) {
    while (words.accept("OR") || words.accept("REPLACE") || words.accept("GLOBAL") ||
           words.accept("LOCAL")) {
    }
    if (!words.accept("TEMP") && !words.accept("TEMPORARY")) return std::nullopt;
    if (!words.accept("TABLE")) return std::nullopt;
    words.accept_if_exists();
    auto name = words.table();
    return name && stands_alone(&words, dialect) ? std::move(name) : std::nullopt;
  }
  while (!words.done() && !words.accept("INTO")) words.skip();
  if (!words.accept("TEMP") && !words.accept("TEMPORARY")) return std::nullopt;
  words.accept("TABLE");
  return words.table();
}

std::optional<std::vector<std::string>> changed_tables(std::string_view text, Dialect dialect) {
  Words words(text, dialect);
  if (words.accept("DROP")) {
    words.accept("TEMPORARY");
    if (!words.accept("TABLE") && !words.accept("VIEW")) return std::nullopt;
    words.accept_if_exists();
    auto out = names(&words);
    const bool cascades = words.accept("CASCADE");
    words.accept("RESTRICT");
    return cascades || !words.done() ? std::nullopt : out;
  }
  if (words.accept("ALTER")) {
    if (!words.accept("TABLE")) return std::nullopt;
    words.accept_if_exists();
    words.accept("ONLY");
    const auto name = words.table();
    return name ? std::optional(std::vector{*name}) : std::nullopt;
  }
  if (words.accept("TRUNCATE")) {
    words.accept("TABLE");
    auto out = names(&words);
    while (words.accept("RESTART") || words.accept("CONTINUE") || words.accept("IDENTITY")) {
    }
    return words.done() ? out : std::nullopt;
  }
  if (!words.accept("CREATE")) return std::nullopt;
  words.accept("UNIQUE");
  if (!words.accept("INDEX")) return std::nullopt;
  while (!words.done() && !words.accept("ON")) words.skip();
  words.accept("ONLY");
  const auto name = words.table();
  return name ? std::optional(std::vector{*name}) : std::nullopt;
}

}  // namespace understudy::sql
