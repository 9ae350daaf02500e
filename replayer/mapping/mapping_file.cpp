#include "replayer/mapping/mapping_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "replayer/toml/toml_text.h"

namespace understudy {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

MappingPlace place_of(const toml::source_region& region, MappingPlace otherwise) {
  if (region.begin.line == 0 || region.begin.column == 0) return otherwise;
  return {region.begin.line, region.begin.column};
}

// Why a text cannot stand in brackets as one expression; empty: it can. The statement around it has
// parameters of its own, and drivers look for them and for escapes in the whole text.
std::string_view flaw_of(std::string_view text) {
  char quote = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '?') return "holds a question mark, which would be read as a parameter";
    if (c == 0) return "holds a NUL character";
    const bool quoted = quote != 0;
    if (quoted && c == '\\' && i + 1 < text.size() && text[i + 1] == quote)
      return "holds a backslash before a quotation mark; double the mark instead";
    if (quoted) {
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '\'' || c == '"' || c == '`') quote = c;
    if (c == ';' || c == '{') return "holds a semicolon or a brace outside of a text";
    if (text.substr(i, 2) == "--" || text.substr(i, 2) == "/*") return "holds a comment";
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) return "closes a bracket that it did not open";
  }
  if (quote != 0) return "leaves a quotation mark open";
  return depth != 0 ? "leaves a bracket open" : std::string_view();
}

class Reader {
 public:
  explicit Reader(const std::string& path) { out_.path = path; }

  MappingFile read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const MappingPlace at = place_of(key.source(), {});
      if (key != "tables") wrong(at, "the only key at the top is `tables`; write [tables.NAME]");
      const toml::table& tables = table_at(node, at, "tables");
      if (tables.size() > kMappedTablesMax)
        wrong(at, fmt::format("more than {} tables; leave out those that change nothing",
                              kMappedTablesMax));
      for (const auto& [name, body] : tables) read_table(name, body, at);
    }
    // toml++ orders by name.
    std::sort(out_.tables.begin(), out_.tables.end(), [](const auto& a, const auto& b) {
      return std::pair(a.name.place.line, a.name.place.column) <
             std::pair(b.name.place.line, b.name.place.column);
    });
    return std::move(out_);
  }

 private:
  using Part = MappingFile::Part;

  [[noreturn]] void wrong(MappingPlace at, std::string_view reason) const {
    throw MappingError(out_.path, at, reason);
  }

  [[nodiscard]] const toml::table& table_at(const toml::node& node, MappingPlace at,
                                            std::string_view what) const {
    if (const toml::table* table = node.as_table()) return *table;
    wrong(place_of(node.source(), at), fmt::format("{} has to be a table", what));
  }

  MappingName named(std::string_view text, MappingPlace at) const {
    if (text.empty()) wrong(at, "a name is empty");
    if (text.size() > kMappedNameBytesMax)
      wrong(at, fmt::format("a name is longer than {} bytes", kMappedNameBytesMax));
    if (text.find('\0') != std::string_view::npos) wrong(at, "a name holds a NUL character");
    return {std::string(text), at};
  }

  MappingName name_at(const toml::node& node, MappingPlace around) const {
    const MappingPlace at = place_of(node.source(), around);
    const auto* text = node.as_string();
    if (text == nullptr) wrong(at, "a name is written as a text, in quotation marks");
    return named(text->get(), at);
  }

  std::vector<MappingName> names_at(const toml::node& node, MappingPlace around,
                                    std::string_view what) const {
    const MappingPlace at = place_of(node.source(), around);
    const toml::array* array = node.as_array();
    if (array == nullptr) wrong(at, fmt::format("`{}` is a list of column names", what));
    require_count(array->size(), at);
    std::vector<MappingName> out;
    for (const toml::node& one : *array) out.push_back(name_at(one, at));
    return out;
  }

  void require_count(std::size_t count, MappingPlace at) const {
    if (count > kMappedColumnsMax)
      wrong(at, fmt::format("more than {} columns are named", kMappedColumnsMax));
  }

  void read_table(const toml::key& key, const toml::node& node, MappingPlace around) {
    const MappingPlace at = place_of(key.source(), around);
    MappingFile::Table out;
    out.name = named(key.str(), at);
    const toml::table& body = table_at(node, at, out.name.name);
    out.parts.emplace_back();
    for (const auto& [word, value] : body) read_word(word, value, at, &out);
    if (out.dropped && body.size() != 1)
      wrong(at,
            fmt::format("table {} is dropped, and nothing else can be said of it", out.name.name));
    if (out.dropped) out.parts.clear();
    if (out.split) out.parts.erase(out.parts.begin());
    out_.tables.push_back(std::move(out));
  }

  void read_word(const toml::key& word, const toml::node& value, MappingPlace around,
                 MappingFile::Table* out) {
    const MappingPlace at = place_of(word.source(), around);
    if (word == "drop") {
      if (const auto* whole = value.as_boolean()) {
        if (!whole->get()) wrong(at, "`drop` is true, or a list of column names");
        out->dropped = true;
      } else {
        out->drop = names_at(value, at, "drop");
      }
    } else if (word == "retyped") {
      out->retyped = names_at(value, at, "retyped");
    } else if (word == "split") {
      out->split = true;
      read_split(value, at, out);
    } else if (!read_part_word(word, value, at, &out->parts.front())) {
      wrong(at,
            fmt::format("`{}` is none of to, rename, drop, add, retyped and split", word.str()));
    }
    const Part& whole = out->parts.front();
    if (out->split && (!whole.to.name.empty() || !whole.rename.empty() || !whole.add.empty()))
      wrong(at, "in a split, `to`, `rename` and `add` belong to its parts");
  }

  bool read_part_word(const toml::key& word, const toml::node& value, MappingPlace at, Part* out) {
    if (word == "to") {
      out->to = name_at(value, at);
      return true;
    }
    if (word != "rename" && word != "add") return false;
    const toml::table& columns = table_at(value, at, word.str());
    require_count(columns.size(), at);
    for (const auto& [column, node] : columns) {
      const MappingPlace place = place_of(column.source(), at);
      if (word == "rename") {
        out->rename.emplace_back(named(column.str(), place), name_at(node, place));
      } else {
        out->add.emplace_back(named(column.str(), place), value_at(node, place));
      }
    }
    return true;
  }

  void read_split(const toml::node& node, MappingPlace around, MappingFile::Table* out) {
    const toml::array* parts = node.as_array();
    if (parts == nullptr || parts->size() != kSplitParts)
      wrong(around, fmt::format("a table is split into {} parts: write [[tables.NAME.split]] {} "
                                "times, with `to` and `columns`",
                                kSplitParts, kSplitParts));
    for (const toml::node& one : *parts) {
      const MappingPlace at = place_of(one.source(), around);
      Part part;
      for (const auto& [word, value] : table_at(one, at, "a part of a split")) {
        const MappingPlace place = place_of(word.source(), at);
        if (word == "columns") {
          part.columns = names_at(value, place, "columns");
        } else if (!read_part_word(word, value, place, &part)) {
          wrong(place, fmt::format("`{}` is none of to, columns, rename and add", word.str()));
        }
      }
      if (part.to.name.empty()) wrong(at, "a part of a split lacks `to`, the shadow's table");
      if (part.columns.empty()) wrong(at, "a part of a split lacks `columns`");
      out->parts.push_back(std::move(part));
    }
  }

  MappingValue value_at(const toml::node& node, MappingPlace around) const {
    const MappingPlace at = place_of(node.source(), around);
    if (const toml::table* table = node.as_table()) {
      const toml::node* expression = table->get("expression");
      const auto* text = expression == nullptr ? nullptr : expression->as_string();
      if (text == nullptr || table->size() != 1)
        wrong(at, "an added column has a constant, or { expression = \"...\" }");
      const MappingPlace place = place_of(expression->source(), at);
      MappingValue out{MappingValue::Kind::expression, text->get(), place};
      require_size(out);
      if (out.text.find_first_not_of(" \t\r\n") == std::string::npos)
        wrong(place, "the expression is empty");
      if (const auto flaw = flaw_of(out.text); !flaw.empty())
        wrong(place, fmt::format("the expression {}", flaw));
      return out;
    }
    MappingValue out{MappingValue::Kind::text, {}, at};
    if (const auto* text = node.as_string()) {
      out.text = text->get();
      if (out.text.find('\0') != std::string::npos) wrong(at, "the constant holds a NUL character");
    } else if (const auto* boolean = node.as_boolean()) {
      out.kind = MappingValue::Kind::boolean;
      out.text = boolean->get() ? "true" : "false";
    } else if (const auto* integer = node.as_integer()) {
      out.kind = MappingValue::Kind::number;
      out.text = fmt::format("{}", integer->get());
    } else if (const auto* real = node.as_floating_point(); real && std::isfinite(real->get())) {
      out.kind = MappingValue::Kind::number;
      out.text = fmt::format("{}", real->get());
    } else {
      wrong(at, "a constant is a text, a finite number or a boolean; write a date as a text");
    }
    require_size(out);
    return out;
  }

  void require_size(const MappingValue& value) const {
    if (value.text.size() > kAddedBytesMax)
      wrong(value.place,
            fmt::format("a constant or an expression has more than {} bytes", kAddedBytesMax));
  }

  MappingFile out_;
};

}  // namespace

MappingError::MappingError(std::string_view path, MappingPlace place, std::string_view reason)
    : std::runtime_error(
          one_line(fmt::format("{}:{}:{}: {}", path, place.line, place.column, reason))) {}

MappingFile parse_mapping(std::string_view text, const std::string& path) {
  if (text.size() > kMappingBytesMax)
    throw MappingError(path, {}, fmt::format("the file has more than {} bytes", kMappingBytesMax));
  try {
    return Reader(path).read(parse_toml(text));
  } catch (const TomlError& error) {
    throw MappingError(path, {error.line(), error.column()},
                       fmt::format("this is no TOML: {}", error.what()));
  }
}

}  // namespace understudy
