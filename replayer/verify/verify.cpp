#include "replayer/verify/verify.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "replayer/copy/page_reader.h"

namespace understudy {
namespace {

constexpr std::uint64_t kPageRows = 4000;
// Rows of one table that wait for their counterpart, both sides together; about 150 bytes each.
constexpr std::size_t kPendingRowsMax = 2'000'000;

using RowHash = std::array<char, 16>;

enum Side : std::size_t { kProduction = 0, kShadow = 1 };

void put_value(std::string& out, const odbc::OptionalText& value) {
  const auto length = value ? static_cast<std::uint32_t>(value->size()) : 0xffffffffu;
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  if (value) out += *value;
}

Row take_values(std::string_view text) {
  Row out;
  while (!text.empty()) {
    std::uint32_t length = 0;
    std::memcpy(&length, text.data(), sizeof length);
    text.remove_prefix(sizeof length);
    if (length == 0xffffffffu) {
      out.emplace_back();
      continue;
    }
    out.emplace_back(std::string(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return out;
}

RowHash hash_of(std::string_view text) {
  const auto hash = XXH3_128bits(text.data(), text.size());
  RowHash out;
  static_assert(sizeof hash == sizeof out);
  std::memcpy(out.data(), &hash, sizeof hash);
  return out;
}

// What the shadow's rows say of the added columns, behind their values: whether each holds what the
// mapping gives it.
std::vector<std::string> held(const SqlDialect& to, const TablePair& pair) {
  std::vector<std::string> out;
  for (const AddedColumn& one : pair.added)
    out.push_back(to.holds_sql(pair.shadow->columns[one.column], one.sql));
  return out;
}

// One table. Rows of either side wait under their key until the other side's row comes by; rows
// without a key (or with NULL in it) are their own key, counted.
class TableComparison {
 public:
  TableComparison(odbc::Connection& production, odbc::Connection& shadow, const SqlDialect& from,
                  const SqlDialect& to, const TablePair& pair)
      : pair_(pair),
        readers_{
            PageReader(production, from, *pair.production, pair.production_columns, kPageRows),
            PageReader(shadow, to, *pair.shadow, pair.shadow_columns, kPageRows, held(to, pair))},
        conversions_(conversions_of(pair, from.kind(), to.kind())) {
    result_.table = pair.production->display_name();
    find_key();
  }

  /// Reads a page of each side; false when both have ended.
  bool step() {
    bool more = false;
    for (const auto side : {kProduction, kShadow}) {
      if (!readers_[side].next(&rows_)) continue;
      more = true;
      for (auto& row : rows_) settle(side, row);
    }
    if (pending_[kProduction].size() + pending_[kShadow].size() > kPendingRowsMax) {
      throw std::runtime_error("table " + result_.table + ": more than " +
                               std::to_string(kPendingRowsMax) +
                               " rows have no counterpart yet; the sides sort keys too "
                               "differently, or the shadow lacks most rows: copy it again");
    }
    return more;
  }

  TableDifference finish() {
    for (const auto side : {kProduction, kShadow}) {
      for (const auto& [key, waiting] : pending_[side]) {
        (side == kProduction ? result_.missing : result_.extra) += waiting.count;
        result_.rows_compared += waiting.count;
        note_key(key);
      }
    }
    return std::move(result_);
  }

  [[nodiscard]] std::uint64_t rows_read() const { return rows_read_; }

 private:
  struct Waiting {
    RowHash hash{};
    std::uint64_t count = 0;
  };

  // Places in the pair's columns of production's key, or of the shadow's.
  void find_key() {
    find_key(pair_.production->key, pair_.production_columns);
    if (key_.empty()) find_key(pair_.shadow->key, pair_.shadow_columns);
  }

  void find_key(const std::vector<std::uint32_t>& key, const std::vector<std::uint32_t>& columns) {
    key_.clear();
    for (const auto column : key) {
      const auto at = std::find(columns.begin(), columns.end(), column);
      if (at == columns.end()) {
        key_.clear();
        return;
      }
      key_.push_back(static_cast<std::size_t>(at - columns.begin()));
    }
  }

  void settle(Side side, Row& row) {
    ++rows_read_;
    make_comparable(side, row);
    whole_.clear();
    for (const auto& value : row) put_value(whole_, value);
    const auto hash = hash_of(whole_);
    const std::string key = key_of(row, hash);
    auto& other = pending_[1 - side];
    const auto found = other.find(key);
    if (found == other.end()) {
      auto& waiting = pending_[side][key];
      waiting.hash = hash;
      ++waiting.count;
      return;
    }
    ++result_.rows_compared;
    if (found->second.hash != hash) {
      ++result_.different;
      note_key(key);
    }
    if (--found->second.count == 0) other.erase(found);
  }

  void make_comparable(Side side, Row& row) {
    for (std::size_t i = 0; i < conversions_.size(); ++i) {
      if (side == kProduction) convert(conversions_[i], row[i]);
      conversions_[i].make_comparable(side == kShadow, &row[i]);
    }
    if (side == kProduction) row.insert(row.end(), pair_.added.size(), "1");
  }

  // What has no equal on the shadow differs from whatever stands there.
  static void convert(const Conversion& conversion, odbc::OptionalText& value) {
    try {
      conversion.convert(&value);
    } catch (const Unconvertible&) {
      value = "(not convertible) " + *value;
    }
  }

  // 'k' and the key's values, or 'r' and the hash of the row.
  [[nodiscard]] std::string key_of(const Row& row, const RowHash& hash) const {
    std::string out = "k";
    for (const auto place : key_) {
      if (!row[place]) return "r" + std::string(hash.data(), hash.size());
      put_value(out, row[place]);
    }
    return key_.empty() ? "r" + std::string(hash.data(), hash.size()) : out;
  }

  void note_key(const std::string& key) {
    if (key.front() != 'k' || result_.first_keys.size() >= kFirstKeysMax) return;
    result_.first_keys.push_back(take_values(std::string_view(key).substr(1)));
  }

  const TablePair& pair_;
  std::array<PageReader, 2> readers_;
  std::vector<Conversion> conversions_;  // by column
  std::vector<std::size_t> key_;
  std::array<std::unordered_map<std::string, Waiting>, 2> pending_;
  std::vector<Row> rows_;
  std::string whole_;
  std::uint64_t rows_read_ = 0;
  TableDifference result_;
};

}  // namespace

VerifyResult compare_tables(odbc::Connection& production, odbc::Connection& shadow,
                            const SqlDialect& from, const SqlDialect& to,
                            const std::vector<TablePair>& pairs,
                            const std::function<void(const CopyProgress&)>& progress,
                            const std::atomic<bool>& stop) {
  VerifyResult out;
  CopyProgress done;
  for (const auto& pair : pairs) {
    done.total_rows +=
        static_cast<std::uint64_t>(from.estimated_rows(production, *pair.production));
  }
  for (const auto& pair : pairs) {
    TableComparison comparison(production, shadow, from, to, pair);
    const auto before = done.copied_rows;
    done.table = pair.production->display_name();
    while (!stop && comparison.step()) {
      done.copied_rows = before + comparison.rows_read() / 2;
      done.total_rows = std::max(done.total_rows, done.copied_rows);
      if (progress) progress(done);
    }
    if (stop) break;
    out.tables.push_back(comparison.finish());
    const auto& table = out.tables.back();
    out.rows_compared += table.rows_compared;
    out.rows_different += table.missing + table.extra + table.different;
  }
  return out;
}

}  // namespace understudy
