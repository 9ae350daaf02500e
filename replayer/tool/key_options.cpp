#include "replayer/tool/key_options.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace understudy {

std::shared_ptr<KeySource> add_key_options(CLI::App& command) {
  const auto source = std::make_shared<KeySource>();
  // Whoever reads it later may run in another folder.
  CLI::Option* file = command.add_option_function<std::string>(
      "--journal-key-file",
      [source](const std::string& path) { source->file = std::filesystem::absolute(path); },
      "file with the keys of an encrypted journal, the current one first");
  CLI::Option* program = command.add_option_function<std::string>(
      "--journal-key-command",
      [source](const std::string& text) { source->command = words_of_command(text); },
      "program, named by its full path, that prints such a file; run without a shell");
  file->excludes(program);
  return source;
}

}  // namespace understudy
