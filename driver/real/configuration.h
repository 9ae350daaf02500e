// Where our own keys come from: the connection string, the DSN's section, the driver's section.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/handle/connection.h"
#include "journal/status.h"

namespace understudy::real {

inline constexpr std::size_t kConnectTextBytesMax = 64u << 10;
inline constexpr std::size_t kProfileBytesMax = 4096;  // of one value in an ini file

/// Keyword and value pairs of a connection string in order; values without their braces ("}}" is
/// one brace). Text that is no pair is skipped; never fails. Pure.
std::vector<std::pair<std::string, std::string>> parse_connect_text(std::string_view text);

/// "DSN=..;UID=..;PWD=.." as SQLConnect's three arguments would be written; values are braced where
/// they have to be. Pure.
std::string make_connect_text(std::string_view dsn, std::string_view user,
                              std::string_view password);

/// Reads one value of an ini file: `file` is "ODBC.INI" or "ODBCINST.INI". Empty when absent.
using ProfileReader =
    std::function<std::string(const char* file, const std::string& section, const char* key)>;
/// The reader that asks libodbcinst, which honours ODBCINI, ODBCSYSINI and ODBCINSTINI. Values are
/// cut at kProfileBytesMax. libodbcinst remembers what it read for some seconds.
std::string profile_string(const char* file, const std::string& section, const char* key);

/// One of the real driver's own keys, from the connection string or else the DSN's section; empty
/// when it is in neither.
std::string connect_key(std::string_view connect_text, const std::string& dsn, const char* key);

/// Our keys for a connection string: first found wins. Without DSN= and DRIVER= the DSN is DEFAULT,
/// as in the driver manager. Code::not_found when RealDriver is nowhere, Code::invalid when a value
/// is not one of its choices; messages say what to set where.
Result<Settings> read_settings(std::string_view connect_text,
                               const ProfileReader& read = profile_string);

}  // namespace understudy::real
