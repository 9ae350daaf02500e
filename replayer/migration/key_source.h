// Where the keys of an encrypted journal come from: a private file, or a command that prints them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal_key.h"

namespace understudy {

inline constexpr int kKeyCommandSeconds = 10;  // that a key command may take

/// At most one of both is set; none: the journal is not encrypted.
struct KeySource {
  std::string file;                  // path
  std::vector<std::string> command;  // full path of a program, and its arguments
  [[nodiscard]] bool empty() const { return file.empty() && command.empty(); }
};

/// Null when there is no source. Reads a regular file that belongs to this user or to root and that
/// nobody else may read; or runs the command without a shell, with nothing on its standard input,
/// for at most kKeyCommandSeconds, and takes what it prints. Throws Failure (3), whose line holds
/// nothing of either but the file's or the program's path.
std::shared_ptr<const JournalKeys> load_journal_keys(const KeySource& source);

/// Words between blanks. Throws Failure (2) where a shell would do more than that.
std::vector<std::string> words_of_command(std::string_view text);

}  // namespace understudy
