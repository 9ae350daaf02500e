#include "driver/real/configuration.h"

#include <odbcinst.h>
#include <strings.h>

#include <array>
#include <initializer_list>

namespace understudy::real {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr const char* kDataSources = "ODBC.INI";
constexpr const char* kDrivers = "ODBCINST.INI";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool same_word(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

// At the opening brace; returns the value and leaves `at` behind the closing one.
std::string braced_value(std::string_view text, std::size_t* at) {
  std::string value;
  for (++*at; *at < text.size(); ++*at) {
    if (text[*at] == '}') {
      if (*at + 1 >= text.size() || text[*at + 1] != '}') break;
      ++*at;
    }
    value.push_back(text[*at]);
  }
  return value;
}

std::string next_value(std::string_view text, std::size_t* at) {
  const auto start = text.find_first_not_of(kBlanks, *at);
  if (start != std::string_view::npos && text[start] == '{') {
    *at = start;
    std::string value = braced_value(text, at);
    *at = text.find(';', std::min(*at, text.size()));
    return value;
  }
  const auto end = text.find(';', *at);
  const std::string_view value = text.substr(*at, end == std::string_view::npos ? end : end - *at);
  *at = end;
  return std::string(trimmed(value));
}

std::string quoted_value(std::string_view value) {
  const bool plain = value.find_first_of("[]{}(),;?*=!@") == std::string_view::npos &&
                     trimmed(value).size() == value.size();
  if (plain) return std::string(value);
  std::string out = "{";
  for (const char c : value) out.append(c == '}' ? 2 : 1, c);
  return out + "}";
}

// The three places in the order in which they are asked.
class Sources {
 public:
  Sources(std::string_view text, const ProfileReader& read)
      : pairs_(parse_connect_text(text)), read_(read) {
    dsn_ = in_text("DSN");
    driver_ = in_text("DRIVER");
    if (dsn_.empty() && driver_.empty()) dsn_ = "DEFAULT";
    section_ = dsn_;
    if (driver_.empty()) find_driver_of_dsn();
  }

  [[nodiscard]] const std::string& dsn() const { return dsn_; }

  std::string value(const char* key) const {
    std::string found = in_text(key);
    if (found.empty() && !section_.empty()) found = read_(kDataSources, section_, key);
    if (found.empty() && !driver_.empty()) found = read_(kDrivers, driver_, key);
    return std::string(trimmed(found));
  }

  std::string where() const {
    if (!dsn_.empty()) return "the section [" + dsn_ + "] of odbc.ini";
    return "the connection string or the section [" + driver_ + "] of odbcinst.ini";
  }

 private:
  std::string in_text(std::string_view key) const {
    for (const auto& [name, value] : pairs_) {
      if (same_word(name, key)) return value;
    }
    return {};
  }

  // The driver manager takes the section DEFAULT for a data source it does not know.
  void find_driver_of_dsn() {
    driver_ = read_(kDataSources, section_, "Driver");
    if (!driver_.empty()) return;
    driver_ = read_(kDataSources, "DEFAULT", "Driver");
    if (!driver_.empty()) section_ = "DEFAULT";
  }

  std::vector<std::pair<std::string, std::string>> pairs_;
  const ProfileReader& read_;
  std::string dsn_;
  std::string section_;
  std::string driver_;
};

// Empty becomes the first choice; any other value has to be one of them.
Status choose(const Sources& from, const char* key, std::initializer_list<const char*> choices,
              std::string* out) {
  const std::string value = from.value(key);
  if (value.empty()) *out = *choices.begin();
  std::string names;
  for (const char* choice : choices) {
    if (same_word(value, choice)) *out = choice;
    names += names.empty() ? choice : std::string(" or ") + choice;
  }
  if (!out->empty()) return {};
  return {Code::invalid, std::string(key) + " has a value that is not known; set it to " + names +
                             " in " + from.where()};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_connect_text(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto stop = text.find_first_of("=;", at);
    if (stop == std::string_view::npos) break;
    const std::string_view name = trimmed(text.substr(at, stop - at));
    at = stop + 1;
    if (text[stop] == ';') continue;
    std::string value = next_value(text, &at);
    if (!name.empty()) pairs.emplace_back(std::string(name), std::move(value));
    if (at == std::string_view::npos) break;
    ++at;
  }
  return pairs;
}

std::string make_connect_text(std::string_view dsn, std::string_view user,
                              std::string_view password) {
  std::string text = "DSN=" + quoted_value(dsn);
  if (!user.empty()) text += ";UID=" + quoted_value(user);
  if (!password.empty()) text += ";PWD=" + quoted_value(password);
  return text;
}

std::string profile_string(const char* file, const std::string& section, const char* key) {
  std::array<char, kProfileBytesMax> value{};
  const int length = SQLGetPrivateProfileString(section.c_str(), key, "", value.data(),
                                                static_cast<int>(value.size()), file);
  if (length <= 0) return {};
  value.back() = '\0';
  return value.data();
}

std::string connect_key(std::string_view connect_text, const std::string& dsn, const char* key) {
  for (auto& [name, value] : parse_connect_text(connect_text)) {
    if (same_word(name, key)) return std::move(value);
  }
  return dsn.empty() ? std::string() : profile_string(kDataSources, dsn, key);
}

Result<Settings> read_settings(std::string_view connect_text, const ProfileReader& read) {
  if (connect_text.size() > kConnectTextBytesMax) {
    return Status(Code::invalid, "the connection string is longer than 65536 bytes; shorten it");
  }
  const Sources from(connect_text, read);
  Settings settings;
  settings.dsn = from.dsn();
  settings.real_driver = from.value("RealDriver");
  if (settings.real_driver.empty()) {
    return Status(Code::not_found,
                  "no real driver is named; set RealDriver to the driver used before (a section of "
                  "odbcinst.ini, or the path of its library) in " +
                      from.where());
  }
  settings.migration = from.value("Migration");
  if (settings.migration.empty()) settings.migration = settings.dsn;
  Status status = choose(from, "Order", {"exact", "window"}, &settings.order);
  if (status.ok()) status = choose(from, "OnFull", {"wait", "invalidate"}, &settings.on_full);
  if (status.ok()) status = choose(from, "Durability", {"process", "power"}, &settings.durability);
  if (!status.ok()) return status;
  return settings;
}

}  // namespace understudy::real
