// The options that name the key of an encrypted journal.
#pragma once

#include <memory>

#include "replayer/migration/key_source.h"

namespace CLI {
class App;
}

namespace understudy {

/// Adds --journal-key-file and --journal-key-command; what they name is in the result once the
/// command line has been read.
std::shared_ptr<KeySource> add_key_options(CLI::App& command);

}  // namespace understudy
