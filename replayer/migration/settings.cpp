#include "replayer/migration/settings.h"

#include <fmt/format.h>
#include <strings.h>

#include <array>
#include <fstream>
#include <sstream>

#include "replayer/migration/failure.h"
#include "replayer/toml/toml_text.h"

namespace understudy {
namespace {

constexpr std::array kCredentialKeys = {"UID", "PWD", "USER", "USERNAME", "PASSWORD"};

bool is_credential(std::string_view key) {
  while (!key.empty() && key.front() == ' ') key.remove_prefix(1);
  while (!key.empty() && key.back() == ' ') key.remove_suffix(1);
  for (const char* known : kCredentialKeys) {
    if (key.size() == std::string_view(known).size() &&
        ::strncasecmp(key.data(), known, key.size()) == 0)
      return true;
  }
  return false;
}

/// Where the pair that begins at `from` ends: values in braces may hold semicolons, }} is a brace.
std::size_t end_of_pair(const std::string& text, std::size_t from) {
  const std::size_t equals = text.find_first_of("=;", from);
  if (equals == std::string::npos || text[equals] == ';') return std::min(equals, text.size());
  std::size_t at = text.find_first_not_of(' ', equals + 1);
  if (at == std::string::npos || text[at] != '{')
    return std::min(text.find(';', equals), text.size());
  for (++at; at < text.size(); ++at) {
    if (text[at] != '}') continue;
    if (at + 1 >= text.size() || text[at + 1] != '}')
      return std::min(text.find(';', at), text.size());
    ++at;
  }
  return text.size();
}

std::string one_of(const toml::table& table, std::string_view key, const std::string& otherwise,
                   std::initializer_list<std::string_view> allowed, const std::string& path) {
  const std::string value = table[key].value_or(otherwise);
  for (const std::string_view choice : allowed) {
    if (value == choice) return value;
  }
  throw Failure(kExitFailed, fmt::format("{} in {} is not one of its words; write {}", key, path,
                                         fmt::join(allowed, " or ")));
}

/// `record = "effects"`, or a table [record] of table names; "statements" is how it is without.
void load_record(const toml::table& table, const std::string& path, Settings* out) {
  const auto wrong = [&](std::string_view key) {
    throw Failure(kExitFailed, fmt::format("{} in {} is not one of its words; write \"effects\" or "
                                           "\"statements\"",
                                           key, path));
  };
  const toml::node* node = table.get("record");
  if (node == nullptr) return;
  const toml::table* each = node->as_table();
  if (each == nullptr) {
    const auto word = node->value<std::string>();
    if (!word || (*word != "effects" && *word != "statements")) wrong("record");
    out->record_effects = *word == "effects";
    out->record_statements = *word == "statements";
    return;
  }
  for (const auto& [name, value] : *each) {
    const auto word = value.value<std::string>();
    if (!word || (*word != "effects" && *word != "statements")) wrong("[record]");
    auto& tables = *word == "effects" ? out->tables_by_effects : out->tables_by_statements;
    tables.emplace_back(name.str());
  }
}

/// Something that is there and cannot be read must not leave the journal unencrypted.
void load_key_source(const toml::table& table, const std::string& path, KeySource* out) {
  const toml::node* file = table.get("journal_key_file");
  const toml::node* command = table.get("journal_key_command");
  if (file != nullptr && command != nullptr)
    throw Failure(
        kExitFailed,
        fmt::format("{} has both journal_key_file and journal_key_command; keep one", path));
  if (file != nullptr) out->file = file->value<std::string>().value_or("");
  if (file != nullptr && out->file.empty())
    throw Failure(kExitFailed, fmt::format("journal_key_file in {} is not a path", path));
  if (command == nullptr) return;
  const toml::array* words = command->as_array();
  bool good = words != nullptr && !words->empty();
  for (std::size_t i = 0; good && i < words->size(); ++i) {
    const auto word = words->get(i)->value<std::string>();
    good = word.has_value();
    if (good) out->command.push_back(*word);
  }
  if (!good)
    throw Failure(kExitFailed,
                  fmt::format("journal_key_command in {} is not a list of words", path));
}

}  // namespace

Settings load_settings(const Home& home) {
  const std::string path = home.settings();
  toml::table table;
  try {
    table = parse_toml(read_file(path));
  } catch (const TomlError& error) {
    // The parser's own words may quote the line, and the line a password.
    throw Failure(kExitFailed,
                  fmt::format("{} is no TOML at line {}; correct it", path, error.line()));
  }
  Settings out;
  out.production = table["production"].value_or(std::string());
  out.shadow = table["shadow"].value_or(std::string());
  if (out.production.empty() || out.shadow.empty())
    throw Failure(
        kExitFailed,
        fmt::format("{} lacks `production` or `shadow`; add the connection string", path));
  out.mapping = table["mapping"].value_or(std::string());
  out.durability = one_of(table, "durability", out.durability, {"process", "power"}, path);
  out.on_full = one_of(table, "on_full", out.on_full, {"wait", "invalidate"}, path);
  out.share_credentials = table["share_credentials"].value_or(false);
  out.ring_bytes = static_cast<std::uint64_t>(
      table["ring_bytes"].value_or(static_cast<std::int64_t>(kRingBytesDefault)));
  out.generic = one_of(table, "dialect", "own", {"own", "generic"}, path) == "generic";
  load_record(table, path, &out);
  load_key_source(table, path, &out.journal_key);
  return out;
}

void save_settings(const Home& home, const Settings& settings) {
  toml::table table;
  table.insert("production", settings.production);
  table.insert("shadow", settings.shadow);
  if (!settings.mapping.empty()) table.insert("mapping", settings.mapping);
  table.insert("durability", settings.durability);
  table.insert("on_full", settings.on_full);
  table.insert("share_credentials", settings.share_credentials);
  table.insert("ring_bytes", static_cast<std::int64_t>(settings.ring_bytes));
  if (settings.generic) table.insert("dialect", "generic");
  const bool by_table =
      !settings.tables_by_effects.empty() || !settings.tables_by_statements.empty();
  if (settings.record_effects) {
    table.insert("record", "effects");
  } else if (settings.record_statements) {
    table.insert("record", "statements");
  } else if (by_table) {
    toml::table each;
    for (const std::string& name : settings.tables_by_effects) each.insert(name, "effects");
    for (const std::string& name : settings.tables_by_statements) each.insert(name, "statements");
    table.insert("record", std::move(each));
  }
  const KeySource& key = settings.journal_key;
  if (!key.file.empty()) table.insert("journal_key_file", key.file);
  if (!key.command.empty()) {
    toml::array words;
    for (const std::string& word : key.command) words.push_back(word);
    table.insert("journal_key_command", std::move(words));
  }
  std::ostringstream text;
  text << table << "\n";
  replace_file(home.settings(), text.str());
}

std::vector<std::string> mark_by_effects(const Settings& settings, const Catalog& shadow,
                                         Catalog* production) {
  const bool another = !production->same_engine(shadow);
  const bool unseen = production->dialect == Dialect::generic && !settings.record_statements;
  for (Table& table : production->tables) {
    table.by_effects = settings.record_effects || another || unseen;
  }
  std::vector<std::string> unknown;
  const auto mark = [&](const std::vector<std::string>& names, bool by_effects) {
    for (const std::string& name : names) {
      bool found = false;
      for (Table& table : production->tables) {
        if (table.display_name() != name) continue;
        found = true;
        table.by_effects = by_effects;
      }
      if (!found) unknown.push_back(name);
    }
  };
  mark(settings.tables_by_effects, true);
  mark(settings.tables_by_statements, another);
  return unknown;
}

std::string with_options(const std::string& target, const std::string& options) {
  std::string out = target.find('=') == std::string::npos ? "DSN=" + target : target;
  if (options.empty()) return out;
  if (out.back() != ';') out += ';';
  return out + options;
}

std::string without_credentials(const std::string& target) {
  const std::string text = with_options(target, "");
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = end_of_pair(text, from);
    const std::string pair = text.substr(from, end - from);
    if (!pair.empty() && !is_credential(pair.substr(0, pair.find('=')))) out += pair + ";";
    from = end + 1;
  }
  return out;
}

}  // namespace understudy
