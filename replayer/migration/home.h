// Where the files of one migration lie, and writing such a file so that a crash leaves the old or
// the new one.
#pragma once

#include <string>
#include <string_view>

namespace understudy {

/// `$UNDERSTUDY_HOME/NAME`. A value; nothing is touched by making one.
struct Home {
  std::string root;
  std::string name;

  /// Of the environment. Throws Failure (2) when the name cannot be one.
  static Home of(std::string_view migration);

  [[nodiscard]] std::string folder() const { return root + "/" + name; }
  [[nodiscard]] std::string settings() const { return folder() + "/migration.toml"; }
  [[nodiscard]] std::string state() const { return folder() + "/state.json"; }
  [[nodiscard]] std::string catalog() const { return folder() + "/catalog"; }
  [[nodiscard]] std::string shadow_catalog() const { return folder() + "/shadow.catalog"; }
  [[nodiscard]] std::string mapping() const { return folder() + "/mapping.toml"; }
  [[nodiscard]] std::string journal() const { return folder() + "/journal"; }
  [[nodiscard]] std::string journald_log() const { return folder() + "/journald.log"; }
  [[nodiscard]] std::string replayer_log() const { return folder() + "/replayer.log"; }
  [[nodiscard]] std::string socket() const { return folder() + "/control.sock"; }
  [[nodiscard]] bool exists() const;
};

/// Throws Failure (2) that names the remedy when there is no such migration.
Home existing_home(std::string_view migration);

/// Temporary file, fsync, rename, fsync of the folder; its owner's alone. Throws Failure (3).
void replace_file(const std::string& path, std::string_view content);
/// Throws Failure (3).
std::string read_file(const std::string& path);

}  // namespace understudy
