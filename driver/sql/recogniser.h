// What the recognisers of INSERT, UPDATE and DELETE over tokens share. Internal to driver/sql.
//
// A recogniser understands as much of a statement as a verdict needs. What it does not recognise is
// opaque, or has effects and no key.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/sql/dialects.h"
#include "driver/sql/functions.h"

namespace understudy::sql {

/// Walks along the tokens of one statement.
class Cursor {
 public:
  Cursor(const std::vector<Token>& tokens, std::size_t from, std::size_t to, Dialect dialect)
      : tokens_(tokens), at_(from), to_(to), dialect_(dialect) {}

  [[nodiscard]] bool done() const { return at_ >= to_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  void seek(std::size_t position) { at_ = position < to_ ? position : to_; }
  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const;
  const Token& take();
  bool accept(std::string_view word);
  bool accept(char punctuation);
  /// Two punctuation bytes side by side, such as <=.
  bool accept(char first, char second);
  /// Behind the parenthesis that closes the one here; false when there is none.
  bool skip_parentheses();
  std::optional<std::string> name();

 private:
  const std::vector<Token>& tokens_;
  std::size_t at_;
  std::size_t to_;
  Dialect dialect_;
};

/// A value at the cursor: parameter, or literal. The number of its tokens, 0 when there is none.
std::size_t value_tokens(const Cursor& cursor);

/// The parts that every verb has. A dialect's analyzer derives from it.
class Recogniser {
 public:
  Recogniser(const TokenizedText& text, const Catalog& catalog, Analysis* out);

 protected:
  ~Recogniser() = default;

  struct Assignment {
    std::uint32_t column = 0;
    std::size_t from = 0;  // tokens of its expression
    std::size_t to = 0;
    bool single = true;  // not (a, b) = ...
  };
  using Span = std::pair<std::size_t, std::size_t>;  // tokens; an end of 0: none
  using Key = std::optional<std::vector<KeyPart>>;

  /// Gives the verdict opaque.
  void refuse(std::string_view reason) { set_opaque(&out_, reason); }
  /// The same, and false.
  bool refused(std::string_view reason);
  [[nodiscard]] Cursor cursor(std::size_t from, std::size_t to) const;
  /// The first of these words outside parentheses from here on, or the end.
  [[nodiscard]] std::size_t find(std::size_t from,
                                 std::initializer_list<std::string_view> words) const;
  [[nodiscard]] bool balanced() const;
  [[nodiscard]] std::optional<std::uint32_t> key_position(std::uint32_t ordinal) const;
  /// The key part of the value that fills exactly these tokens.
  [[nodiscard]] std::optional<KeyPart> key_part(std::uint32_t position, Span tokens) const;
  /// `(value, ...)` from the cursor to the end of the text, by the ordinals of `columns`.
  std::optional<std::vector<Span>> single_row(const std::vector<std::uint32_t>& columns);
  /// `(...), (...)` from the cursor to `to`, `rows_max` at the most: expressions by the ordinals of
  /// `columns`.
  bool value_rows(std::size_t to, const std::vector<std::uint32_t>& columns, std::size_t rows_max,
                  std::vector<std::vector<Span>>* rows);
  /// A parameter or a literal; and whether all that is given of a row is.
  [[nodiscard]] bool is_value(Span tokens) const;
  [[nodiscard]] bool all_values(const std::vector<Span>& row) const;
  /// `column = expression, ...` from the cursor to `to`. False: the verdict is given, as it is for
  /// a column of the key unless `keys` allows them.
  bool assignments(std::size_t to, std::vector<Assignment>* out, bool keys = false);
  /// Whether these tokens are an expression that depends on nothing but the row and its operands.
  [[nodiscard]] bool immutable(Span tokens) const;
  /// Whether REPLACE can remove no other row than the one with the new row's key, and nothing
  /// follows from that removal.
  [[nodiscard]] bool replaces_one_row() const;
  /// Whether a foreign key refers to the table.
  [[nodiscard]] bool is_referred_to() const;
  /// The key when the condition behind WHERE, at this token, names one row by it.
  [[nodiscard]] Key pinned_key(std::size_t where) const;

  const TokenizedText& text_;
  const Catalog& catalog_;
  Analysis& out_;
  Cursor cursor_;
  const Table* table_ = nullptr;
  std::string name_;  // alias or table name, as the statement's own expressions may say it

  /// The comma, outside parentheses, that ends the expression here, or the end of the text.
  [[nodiscard]] std::size_t end_of_expression(std::size_t from) const;

 private:
  struct Side {
    bool valid = false;
    std::optional<std::uint32_t> column;
    Span tokens;
  };
  using Found = std::vector<std::optional<KeyPart>>;

  std::optional<std::uint32_t> column(Cursor* at) const;
  bool sum(Cursor* at) const;
  bool operand(Cursor* at) const;
  bool call(Cursor* at) const;
  bool conjunction(std::size_t from, std::size_t to, Found* found) const;
  bool conjunct(std::size_t from, std::size_t to, Found* found) const;
  Side side(Cursor* at) const;
  void pin(const Side& left, const Side& right, Found* found) const;

  const Dialect dialect_;
};

}  // namespace understudy::sql
