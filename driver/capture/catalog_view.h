// The catalog as the drivers of this process see it, with the verdicts found so far.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "driver/sql/analyzer.h"
#include "journal/catalog.h"
#include "journal/record.h"

namespace understudy::capture {

inline constexpr std::size_t kAnalysesMax = 16384;           // distinct texts remembered
inline constexpr std::size_t kAnalysisTextBytesMax = 65536;  // longer texts are analyzed each time

/// One generation of one migration's catalog. Shared by all connections of the process; a statement
/// that holds an analysis holds the view. Thread safe.
class CatalogView {
 public:
  /// The view of this generation of one side's tables, loaded from the migration's home when it is
  /// the first. Null when the file is missing or damaged (told to syslog once for each generation):
  /// then every modifying statement is opaque.
  static std::shared_ptr<CatalogView> get(const std::string& home, const std::string& migration,
                                          Side side, std::uint32_t generation);

  [[nodiscard]] const Catalog& catalog() const { return catalog_; }
  [[nodiscard]] std::uint32_t generation() const { return generation_; }
  /// The verdict on a text; one lookup when it was seen before.
  std::shared_ptr<const sql::Analysis> analysis(std::string_view text, const sql::SearchPath& path);

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };
  using Cache = std::unordered_map<std::string, std::shared_ptr<const sql::Analysis>, TextHash,
                                   std::equal_to<>>;

  Catalog catalog_;
  std::uint32_t generation_ = 0;
  std::shared_mutex mutex_;
  Cache cache_;  // by text; where names mean something else, by that and the text
};

/// A line to syslog under the name of the product: for what the application must not be told.
void tell_operator(const char* what, std::string_view detail) noexcept;

}  // namespace understudy::capture
