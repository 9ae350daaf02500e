// Preflight: named checks of both databases and the machine, each with verdict and remedy.
#pragma once

#include <string>
#include <vector>

#include "replayer/migration/home.h"
#include "replayer/migration/settings.h"
#include "replayer/migration/state.h"

namespace understudy {

struct Check {
  enum class Verdict { pass, warn, fail };
  std::string name;
  Verdict verdict = Verdict::pass;
  std::string detail;
  std::string remedy;  // empty when it passes
  bool skipped = false;
};

std::string_view verdict_word(Check::Verdict verdict);

/// The names in the order in which they run; what `--skip` takes.
const std::vector<std::string>& check_names();
/// Throws Failure (2) that lists the names when one is unknown.
void require_check_names(const std::vector<std::string>& names);

/// Changes nothing. A check that needs a database which cannot be reached is left out of the
/// result. A skipped check is run all the same, where it can, so that what is skipped is seen.
/// Throws Failure (2) as mapped_tables does.
std::vector<Check> run_checks(const Home& home, const Settings& settings, const State& state,
                              const std::vector<std::string>& skip);
/// The first failing check that is not skipped, or null.
const Check* first_failure(const std::vector<Check>& checks);

}  // namespace understudy
