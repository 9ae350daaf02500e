#include "driver/capture/catalog_view.h"

#include <syslog.h>
#include <xxhash.h>

namespace understudy::capture {

std::size_t CatalogView::TextHash::operator()(std::string_view text) const {
  return XXH3_64bits(text.data(), text.size());
}

void tell_operator(const char* what, std::string_view detail) noexcept {
  syslog(LOG_USER | LOG_WARNING, "understudy: %s: %.*s", what, static_cast<int>(detail.size()),
         detail.data());
}

namespace {

struct Views {
  std::mutex mutex;
  std::unordered_map<std::string, std::pair<std::uint32_t, std::shared_ptr<CatalogView>>> latest;
};

// Never destroyed: connections may outlive static destruction.
Views& views() {
  static Views* all = new Views;
  return *all;
}

}  // namespace

std::shared_ptr<CatalogView> CatalogView::get(const std::string& home, const std::string& migration,
                                              Side side, std::uint32_t generation) {
  const char* file = side == Side::shadow ? "/shadow.catalog" : "/catalog";
  const std::string path = home + "/" + migration + file;
  Views& all = views();
  const std::lock_guard lock(all.mutex);
  auto& [known_generation, view] = all.latest[path];
  if (known_generation == generation && generation != 0) return view;
  known_generation = generation;
  view.reset();
  Result<Catalog> loaded = Catalog::load(path);
  if (!loaded.ok()) {
    tell_operator("statements are recorded without verdicts", loaded.status().message());
    return view;
  }
  view = std::make_shared<CatalogView>();
  view->catalog_ = std::move(*loaded);
  view->generation_ = generation;
  return view;
}

std::shared_ptr<const sql::Analysis> CatalogView::analysis(std::string_view text,
                                                           const sql::SearchPath& path) {
  std::string under;
  const bool usual = path.kind == sql::SearchPath::Kind::usual;
  if (!usual) {
    // No text begins with a NUL, which C interfaces would not see.
    under.assign(1, '\0');
    for (const std::string& schema : path.schemas) under.append(schema).append(1, '\0');
    under += text;
  }
  const std::string_view key = usual ? text : std::string_view(under);
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = cache_.find(key); found != cache_.end()) return found->second;
  }
  auto made = std::make_shared<const sql::Analysis>(sql::analyze(text, catalog_, path));
  if (text.size() > kAnalysisTextBytesMax) return made;
  const std::unique_lock lock(mutex_);
  // A program that writes literals into its texts never repeats one: start again, keep it bounded.
  if (cache_.size() >= kAnalysesMax) cache_.clear();
  return cache_.emplace(std::string(key), std::move(made)).first->second;
}

}  // namespace understudy::capture
