#include "journal/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <span>

#include "journal/access.h"

namespace understudy {
namespace {

constexpr std::string_view kFirstLine = "understudy-catalog 1";
constexpr std::size_t kCatalogBytesMax = 256u << 20;
constexpr std::uint32_t kTablesMax = 1u << 20;
constexpr std::uint32_t kTableColumnsMax = 4096;

using Fields = std::vector<std::string>;

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

void put_field(std::string& out, std::string_view field) {
  out += '\t';
  for (const char c : field) {
    switch (c) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
}

void put_indices(std::string& out, std::string_view word, std::span<const std::uint32_t> indices) {
  out += word;
  for (const auto index : indices) put_field(out, std::to_string(index));
  out += '\n';
}

std::optional<Fields> split_line(std::string_view line) {
  Fields fields(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\t') {
      fields.emplace_back();
      continue;
    }
    if (line[i] != '\\') {
      fields.back() += line[i];
      continue;
    }
    if (++i == line.size()) return std::nullopt;
    switch (line[i]) {
      case 't':
        fields.back() += '\t';
        break;
      case 'n':
        fields.back() += '\n';
        break;
      case '\\':
        fields.back() += '\\';
        break;
      default:
        return std::nullopt;
    }
  }
  return fields;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A set of flags as a word of letters; "-" when none is set.
std::string flags_word(std::initializer_list<std::pair<bool, char>> flags) {
  std::string out;
  for (const auto& [set, letter] : flags) {
    if (set) out += letter;
  }
  return out.empty() ? "-" : out;
}

bool has_flag(std::string_view word, char letter) {
  return word.find(letter) != word.npos;
}

std::string_view default_kind_name(DefaultKind kind) {
  switch (kind) {
    case DefaultKind::none:
      return "none";
    case DefaultKind::constant:
      return "constant";
    case DefaultKind::computed:
      return "computed";
  }
  return "computed";
}

std::optional<DefaultKind> default_kind_from_name(std::string_view name) {
  for (const auto kind : {DefaultKind::none, DefaultKind::constant, DefaultKind::computed}) {
    if (default_kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

void put_column(std::string& out, const Column& column) {
  out += "column";
  put_field(out, column.name);
  put_field(out, column.type);
  put_field(out, flags_word({{column.nullable, 'n'},
                             {column.generated, 'g'},
                             {column.identity, 'i'},
                             {column.immutable_arithmetic, 'a'},
                             {column.numbered, 's'}}));
  put_field(out, default_kind_name(column.default_kind));
  put_field(out, column.sequence);
  out += '\n';
}

void put_foreign_key(std::string& out, const ForeignKey& key) {
  out += "foreign_key";
  put_field(out, key.name);
  put_field(out, key.parent_schema);
  put_field(out, key.parent_table);
  put_field(out, flags_word({{key.cascades, 'c'}}));
  put_field(out, std::to_string(key.columns.size()));
  for (const auto& column : key.columns) put_field(out, column);
  for (const auto& column : key.parent_columns) put_field(out, column);
  out += '\n';
}

void put_table(std::string& out, const Table& table) {
  out += "table";
  put_field(out, table.schema);
  put_field(out, table.name);
  put_field(out, flags_word({{table.is_view, 'v'},
                             {table.partitioned, 'p'},
                             {table.inherited, 'h'},
                             {table.readable, 'r'},
                             {table.row_security, 's'},
                             {table.rules, 'u'},
                             {table.by_effects, 'e'},
                             {table.deferrable, 'd'},
                             {table.numbering, 'n'}}));
  out += '\n';
  for (const auto& column : table.columns) put_column(out, column);
  if (!table.key.empty()) put_indices(out, "key", table.key);
  for (const auto& key : table.unique_keys) put_indices(out, "unique", key);
  for (const auto& key : table.foreign_keys) put_foreign_key(out, key);
  for (const auto& trigger : table.triggers) {
    out += "trigger";
    put_field(out, trigger);
    out += '\n';
  }
  if (table.definition.empty()) return;
  out += "definition";
  put_field(out, table.definition);
  out += '\n';
}

constexpr std::string_view kNameCases = "ulsm";  // in the order of NameCase

void put_engine(std::string& out, const Engine& engine) {
  out += "\nengine";
  put_field(out, engine.name);
  put_field(out, engine.quote);
  put_field(out, std::string(1, kNameCases[static_cast<std::size_t>(engine.names)]));
  put_field(out, std::string(1, kNameCases[static_cast<std::size_t>(engine.quoted_names)]));
  put_field(out, flags_word({{engine.for_update, 'f'},
                             {engine.savepoints, 's'},
                             {engine.serializable, 'z'},
                             {engine.snapshots, 'o'},
                             {engine.limit, 'l'},
                             {engine.fetch_first, 'r'}}));
}

std::optional<NameCase> name_case(std::string_view word) {
  const std::size_t at = word.size() == 1 ? kNameCases.find(word) : kNameCases.npos;
  if (at == kNameCases.npos) return std::nullopt;
  return static_cast<NameCase>(at);
}

/// Reads line after line into a catalog; false when a line makes no sense.
class LineReader {
 public:
  bool line(const Fields& f) {
    const auto& word = f[0];
    if (ended_) return false;
    if (word == "dialect") return f.size() == 2 && dialect(f[1]);
    if (word == "engine") return f.size() == 6 && engine(f);
    if (word == "search_path") return assign(catalog.search_path, f, 1);
    if (word == "shadow_connection")
      return f.size() == 2 && (catalog.shadow_connection = f[1], true);
    if (word == "deferrable_keys") return f.size() == 2 && (catalog.deferrable_keys = f[1], true);
    if (word == "end") return f.size() == 2 && end(f[1]);
    if (word == "table") return f.size() == 4 && table(f);
    if (catalog.tables.empty()) return false;
    Table& last = catalog.tables.back();
    if (word == "column") return f.size() == 6 && column(last, f);
    if (word == "key") return last.key.empty() && indices(last, f, &last.key);
    if (word == "unique") return indices(last, f, &last.unique_keys.emplace_back());
    if (word == "foreign_key") return f.size() >= 6 && foreign_key(last, f);
    if (word == "trigger") return f.size() == 2 && (last.triggers.push_back(f[1]), true);
    if (word == "definition") return f.size() == 2 && (last.definition = f[1], true);
    return false;
  }
  [[nodiscard]] bool ended() const { return ended_; }

  Catalog catalog;

 private:
  bool dialect(std::string_view name) {
    const auto known = dialect_from_name(name);
    if (known) catalog.dialect = *known;
    return known.has_value();
  }

  bool engine(const Fields& f) {
    const auto names = name_case(f[3]);
    const auto quoted = name_case(f[4]);
    if (!names || !quoted) return false;
    Engine& out = catalog.engine;
    out.name = f[1];
    out.quote = f[2];
    out.names = *names;
    out.quoted_names = *quoted;
    out.for_update = has_flag(f[5], 'f');
    out.savepoints = has_flag(f[5], 's');
    out.serializable = has_flag(f[5], 'z');
    out.snapshots = has_flag(f[5], 'o');
    out.limit = has_flag(f[5], 'l');
    out.fetch_first = has_flag(f[5], 'r');
    return true;
  }

  static bool assign(std::vector<std::string>& out, const Fields& f, std::size_t from) {
    out.assign(f.begin() + static_cast<std::ptrdiff_t>(from), f.end());
    return true;
  }

  bool end(std::string_view count) {
    ended_ = number(count) == catalog.tables.size();
    return ended_;
  }

  bool table(const Fields& f) {
    if (catalog.tables.size() == kTablesMax) return false;
    Table& table = catalog.tables.emplace_back();
    table.schema = f[1];
    table.name = f[2];
    table.is_view = has_flag(f[3], 'v');
    table.partitioned = has_flag(f[3], 'p');
    table.inherited = has_flag(f[3], 'h');
    table.readable = has_flag(f[3], 'r');
    table.row_security = has_flag(f[3], 's');
    table.rules = has_flag(f[3], 'u');
    table.by_effects = has_flag(f[3], 'e');
    table.deferrable = has_flag(f[3], 'd');
    table.numbering = has_flag(f[3], 'n');
    return true;
  }

  static bool column(Table& table, const Fields& f) {
    const auto kind = default_kind_from_name(f[4]);
    if (!kind || table.columns.size() == kTableColumnsMax) return false;
    Column& column = table.columns.emplace_back();
    column.name = f[1];
    column.type = f[2];
    column.nullable = has_flag(f[3], 'n');
    column.generated = has_flag(f[3], 'g');
    column.identity = has_flag(f[3], 'i');
    column.immutable_arithmetic = has_flag(f[3], 'a');
    column.numbered = has_flag(f[3], 's');
    column.default_kind = *kind;
    column.sequence = f[5];
    return true;
  }

  static bool indices(const Table& table, const Fields& f, std::vector<std::uint32_t>* out) {
    for (std::size_t i = 1; i < f.size(); ++i) {
      const auto index = number(f[i]);
      if (!index || *index >= table.columns.size()) return false;
      out->push_back(*index);
    }
    return !out->empty();
  }

  static bool foreign_key(Table& table, const Fields& f) {
    const auto count = number(f[5]);
    if (!count || *count > kTableColumnsMax || f.size() != 6 + 2ull * *count) return false;
    ForeignKey& key = table.foreign_keys.emplace_back();
    key.name = f[1];
    key.parent_schema = f[2];
    key.parent_table = f[3];
    key.cascades = has_flag(f[4], 'c');
    key.columns.assign(f.begin() + 6, f.begin() + 6 + *count);
    key.parent_columns.assign(f.begin() + 6 + *count, f.end());
    return true;
  }

  bool ended_ = false;
};

/// SQLite calls the file that was opened `main`, whether or not a statement says so.
bool same_schema(Dialect dialect, std::string_view a, std::string_view b) {
  if (dialect != Dialect::sqlite) return a == b;
  const auto full = [](std::string_view s) { return s.empty() ? std::string_view("main") : s; };
  return same_ignoring_case(full(a), full(b));
}

bool same_name(Dialect dialect, std::string_view a, std::string_view b) {
  return dialect == Dialect::sqlite ? same_ignoring_case(a, b) : a == b;
}

Status io_error(const char* what, const std::string& path) {
  const int error = errno;
  return {error == ENOENT ? Code::not_found : Code::io,
          std::string("cannot ") + what + " " + path + ": " + std::strerror(error)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::string_view dialect_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::generic:
      return "generic";
    case Dialect::sqlite:
      return "sqlite";
    case Dialect::postgresql:
      return "postgresql";
    case Dialect::mariadb:
      return "mariadb";
  }
  return "generic";
}

std::optional<Dialect> dialect_from_name(std::string_view name) {
  for (const auto dialect :
       {Dialect::generic, Dialect::sqlite, Dialect::postgresql, Dialect::mariadb}) {
    if (dialect_name(dialect) == name) return dialect;
  }
  return std::nullopt;
}

Dialect dialect_of_dbms(std::string_view dbms_name) {
  const auto begins = [&](std::string_view word) {
    return dbms_name.size() >= word.size() &&
           same_ignoring_case(dbms_name.substr(0, word.size()), word);
  };
  if (begins("sqlite")) return Dialect::sqlite;
  if (begins("postgresql")) return Dialect::postgresql;
  if (begins("mariadb")) return Dialect::mariadb;
  return Dialect::generic;
}

bool Engine::counts_changed() const {
  return same_ignoring_case(name.substr(0, 5), "mysql") ||
         same_ignoring_case(name.substr(0, 7), "mariadb");
}

std::optional<std::uint32_t> Table::column(std::string_view column_name) const {
  std::optional<std::uint32_t> found;
  bool several = false;
  for (std::uint32_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == column_name) return i;
    if (!same_ignoring_case(columns[i].name, column_name)) continue;
    several = found.has_value();
    found = i;
  }
  return several ? std::nullopt : found;
}

std::string Table::display_name() const {
  return schema.empty() ? name : schema + "." + name;
}

const Table* Catalog::find(std::string_view schema, std::string_view name) const {
  const bool ignores_case = dialect == Dialect::generic && engine.names == NameCase::mixed;
  const auto same = [&](const std::string& a, std::string_view b) {
    return ignores_case ? same_ignoring_case(a, b) : same_name(dialect, a, b);
  };
  const auto in_schema = [&](const std::string_view* wanted, bool* doubtful) -> const Table* {
    const Table* found = nullptr;
    for (const auto& table : tables) {
      if (!same(table.name, name)) continue;
      if (wanted != nullptr && !same_schema(dialect, table.schema, *wanted)) continue;
      if (found != nullptr) *doubtful = true;
      found = &table;
    }
    return found;
  };
  bool doubtful = false;
  if (dialect == Dialect::mariadb) {
    // All tables are the connection's own database's, which the search path names.
    const bool ours = schema.empty() || (!search_path.empty() && search_path[0] == schema);
    const Table* found = ours ? in_schema(nullptr, &doubtful) : nullptr;
    return doubtful ? nullptr : found;
  }
  if (!schema.empty()) {
    const Table* found = in_schema(&schema, &doubtful);
    return doubtful ? nullptr : found;
  }
  for (const std::string_view place : search_path) {
    const Table* found = in_schema(&place, &doubtful);
    if (doubtful) return nullptr;
    if (found != nullptr) return found;
  }
  if (!search_path.empty()) return nullptr;
  const Table* found = in_schema(nullptr, &doubtful);
  return doubtful ? nullptr : found;
}

std::string Catalog::encode() const {
  std::string out(kFirstLine);
  out += "\ndialect";
  put_field(out, dialect_name(dialect));
  if (dialect == Dialect::generic) put_engine(out, engine);
  out += "\nsearch_path";
  for (const auto& schema : search_path) put_field(out, schema);
  out += "\nshadow_connection";
  put_field(out, shadow_connection);
  out += '\n';
  if (!deferrable_keys.empty()) {
    out += "deferrable_keys";
    put_field(out, deferrable_keys);
    out += '\n';
  }
  for (const auto& table : tables) put_table(out, table);
  out += "end";
  put_field(out, std::to_string(tables.size()));
  out += '\n';
  return out;
}

Result<Catalog> Catalog::decode(std::string_view text) {
  LineReader reader;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    const auto wrong = [&](const char* what) {
      return Status(Code::corrupt, "catalog line " + std::to_string(line_number) + " " + what +
                                       "; let `understudy start` write it again");
    };
    if (end == text.npos) return wrong("is cut off");
    text.remove_prefix(end + 1);
    if (line_number == 1) {
      if (line.substr(0, 19) != kFirstLine.substr(0, 19)) return wrong("is not a catalog's");
      if (line != kFirstLine) {
        return Status(Code::unsupported, "the catalog is of another version: " + std::string(line));
      }
      continue;
    }
    const auto fields = split_line(line);
    if (!fields || !reader.line(*fields)) return wrong("cannot be read");
  }
  if (!reader.ended()) {
    return Status(Code::corrupt, "the catalog has no end; let `understudy start` write it again");
  }
  return std::move(reader.catalog);
}

Result<Catalog> Catalog::load(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return io_error("open", path);
  std::string text;
  std::array<char, 65536> part;
  for (;;) {
    const ssize_t count = ::read(file.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error("read", path);
    if (count == 0) break;
    text.append(part.data(), static_cast<std::size_t>(count));
    if (text.size() > kCatalogBytesMax) return Status(Code::full, path + " is over 256 MiB");
  }
  return decode(text);
}

namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Status Catalog::save(const std::string& path) const {
  const std::string temporary = path + ".tmp";
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return io_error("create", temporary);
    const Access access = access_of(folder_of(path));
    if (const Status given = give_access(file.get(), access, false); !given.ok()) return given;
    if (!write_all(file.get(), encode())) return io_error("write", temporary);
    if (::fsync(file.get()) != 0) return io_error("sync", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("rename to", path);
  const std::string folder = folder_of(path);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return io_error("sync", folder);
  return {};
}

}  // namespace understudy
