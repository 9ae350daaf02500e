// PostgreSQL: EXECUTE as text, recorded by what the statement prepared as text changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "driver/capture/catalog_view.h"
#include "driver/handle/statement.h"
#include "driver/sql/analyzer.h"

namespace understudy::capture {

class Session;

inline constexpr std::size_t kPreparedTextsMax = 1024;  // names of a session remembered

/// The statements that a session has prepared by PREPARE, each with one of ours beside it that also
/// returns what it changed. The server is asked what a name means when it is first executed, so it
/// does not matter how and when it was prepared; what was learnt is asked again after anything that
/// may have changed it. Guarded by Connection::write_mutex.
class PreparedTexts {
 public:
  /// The verdict on the statement that the text of `stmt` executes; its rewritten texts execute the
  /// one of ours. Null when the text is no EXECUTE, or cannot be known: it is opaque then. May ask
  /// the server, and prepare there; the transaction must be sound.
  std::shared_ptr<const sql::Analysis> executed(Statement& stmt, Session& session);
  /// A text has run that may have changed what the names mean.
  void doubt();
  /// A statement about the session's own settings has run: it may be a DEALLOCATE.
  void after(Session& session, std::string_view text);
  /// The server's session is another one.
  void forget();

 private:
  struct Prepared {
    bool certain = false;  // nothing has run since that may have changed it
    std::string types;     // of the parameters, as the server writes them
    std::uint32_t parameters = 0;
    std::string source;  // the text that was sent to the server
    std::string own;     // name of ours; empty: there is none
    std::shared_ptr<CatalogView> view;
    sql::SearchPath search_path;
    sql::Analysis analysis;
  };
  /// What the server says of a name.
  struct Known {
    bool there = false;
    bool own_is_there = false;
    std::string source;
    std::string types;
    std::uint32_t parameters = 0;
  };

  static bool ask(Statement& stmt, std::string_view name, std::string_view own, Known* known);
  bool learn(Statement& stmt, Session& session, std::string_view name, Prepared* prepared);
  void prepare_own(Session& session, Prepared* prepared);

  std::unordered_map<std::string, Prepared> known_;
  std::uint64_t next_ = 1;
};

}  // namespace understudy::capture
