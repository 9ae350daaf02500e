// A program that dies, or stops, at an exact moment of its transaction: plain ODBC, and a look at
// the shared memory to name the moment.
//
//   dying_app CONNECTION-STRING MIGRATION [--autocommit] [--stop] [--at N | --named NAME]
//   STATEMENT...
//
// The statements are one transaction, or one each with --autocommit. Of the moments of
// crossings.h, counted from 1, at the Nth, or at the first of this name, SIGKILL comes (with
// --stop: SIGSTOP). Before that a line with the name goes to standard output. A program that comes
// to its end prints "done". Names: see `name_of_moment`.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "journal/ring.h"
#include "journal/segment_map.h"
#include "tests/fault/crossings.h"
#include "tests/support/plain_odbc.h"

namespace understudy {
namespace {

struct Options {
  std::string target;
  std::string migration;
  bool autocommit = false;
  bool stop = false;
  std::uint64_t at = 0;
  std::string named;
  std::vector<std::string> statements;
};

/// Where the program stands: in the present statement, or in its COMMIT.
class Progress {
 public:
  explicit Progress(std::byte* shared) : shared_(shared) {}

  void statement_begins() {
    began_ = header().tail.load();
    sends_ = 0;
    commit_ = Commit::none;
  }
  void saw(const std::string& kind) {
    if (kind == "send") ++sends_;
    if (commit_ == Commit::none && prepared() && kind == "sent") commit_ = Commit::sent;
    // While the real driver works nothing of ours writes.
    if (commit_ == Commit::sent && kind == "write") commit_ = Commit::returned;
  }
  [[nodiscard]] const char* name_of_moment() const {
    const std::uint64_t tail = header().tail.load();
    if (tail == began_) return sends_ > 1 ? "between-two-requests" : "before-claim";
    if (commit_ == Commit::sent) return "commit-sent";
    if (commit_ == Commit::returned) return "commit-returned";
    if (prepared()) return "prepared";
    const RingHeader& record = first_record();
    if (record.state.load() == 0 || record.kind == 0) return "claimed";
    const auto* payload = reinterpret_cast<const std::byte*>(&record + 1);
    for (std::uint32_t i = 0; i < record.payload_bytes; ++i) {
      if (payload[i] != std::byte{0}) return "half-written";
    }
    return "claimed";
  }

 private:
  enum class Commit { none, sent, returned };

  [[nodiscard]] ControlHeader& header() const { return *reinterpret_cast<ControlHeader*>(shared_); }
  [[nodiscard]] const RingHeader& first_record() const {
    const ControlHeader& control = header();
    return *reinterpret_cast<const RingHeader*>(shared_ + control.ring_offset +
                                                (began_ & (control.ring_bytes - 1)));
  }
  /// Or read by journald already.
  [[nodiscard]] bool prepared() const {
    return header().head.load() > began_ ||
           first_record().state.load() == static_cast<std::uint32_t>(RingState::prepared);
  }

  std::byte* shared_;
  std::uint64_t began_ = 0;
  int sends_ = 0;
  Commit commit_ = Commit::none;
};

void tell(const char* line) {
  (void)!::write(STDOUT_FILENO, line, std::strlen(line));
  (void)!::write(STDOUT_FILENO, "\n", 1);
}

int run(const Options& options) {
  plain::Connection connection(options.target);
  connection.set_autocommit(options.autocommit);
  const auto shared = crossings::find_mapping("-" + options.migration);
  if (shared.address == nullptr) throw std::runtime_error("no migration is mapped");
  Progress progress(shared.address);
  std::uint64_t count = 0;
  bool came = false;
  crossings::begin(shared.address, shared.bytes, [&](const char* kind) {
    progress.saw(kind);
    ++count;
    const bool here =
        options.named.empty() ? count == options.at : options.named == progress.name_of_moment();
    if (came || !here) return;
    came = true;
    tell(progress.name_of_moment());
    ::kill(::getpid(), options.stop ? SIGSTOP : SIGKILL);
  });
  for (const std::string& statement : options.statements) {
    progress.statement_begins();
    plain::run(connection, statement);
  }
  progress.statement_begins();
  if (!options.autocommit) connection.commit();
  crossings::end();
  tell("done");
  return 0;
}

bool parse(int argc, char** argv, Options* options) {
  if (argc < 4) return false;
  options->target = argv[1];
  options->migration = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--autocommit") {
      options->autocommit = true;
    } else if (word == "--stop") {
      options->stop = true;
    } else if (word == "--at" && i + 1 < argc) {
      options->at = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--named" && i + 1 < argc) {
      options->named = argv[++i];
    } else {
      options->statements.push_back(word);
    }
  }
  return !options->statements.empty();
}

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  understudy::Options options;
  if (!understudy::parse(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: dying_app CONNECTION-STRING MIGRATION [--autocommit] [--stop]"
                 " [--at N | --named NAME] STATEMENT...\n");
    return 2;
  }
  try {
    return understudy::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dying_app: %s\n", error.what());
    return 3;
  }
}
