#include "driver/handle/attributes.h"

#include <algorithm>
#include <cstring>

#include "driver/real/wide.h"

namespace understudy {
namespace {

constexpr SQLINTEGER kDriverSpecific = 0x4000;

bool standard_string(SQLINTEGER attribute) {
  return attribute == SQL_ATTR_CURRENT_CATALOG || attribute == SQL_ATTR_TRACEFILE ||
         attribute == SQL_ATTR_TRANSLATE_LIB;
}

// Bytes of the value without its end; more than kAttributeBytesMax when it is too long.
std::size_t value_bytes(SQLPOINTER value, SQLINTEGER length, bool wide) {
  if (length >= 0) return static_cast<std::size_t>(length);
  if (length <= SQL_LEN_BINARY_ATTR_OFFSET) {
    return static_cast<std::size_t>(SQL_LEN_BINARY_ATTR_OFFSET - length);
  }
  if (!wide) return strnlen(static_cast<const char*>(value), kAttributeBytesMax + 1);
  const auto* units = static_cast<const SQLWCHAR*>(value);
  std::size_t count = 0;
  while (count <= kAttributeBytesMax / sizeof(SQLWCHAR) && units[count] != 0) ++count;
  return count * sizeof(SQLWCHAR);
}

SQLPOINTER pointer_of(const Attribute& value) {
  return value.is_string ? const_cast<char*>(value.string.data()) : value.value;
}

// A wide string is converted; everything else goes to the plain entry as it is.
template <class Set>
SQLRETURN set_plain(const Attribute& value, Set set) {
  if (!value.is_string || !value.wide || value.string_length <= SQL_LEN_BINARY_ATTR_OFFSET) {
    return set(pointer_of(value), value.string_length);
  }
  const real::NarrowText text(reinterpret_cast<const SQLWCHAR*>(value.string.data()), SQL_NTS);
  return text.ok() ? set(text.data(), text.length()) : SQL_ERROR;
}

}  // namespace

bool is_string_attribute(SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length) {
  if (value == nullptr) return false;
  if (standard_string(attribute)) return true;
  if (attribute < kDriverSpecific) return false;
  return length == SQL_NTS || length > 0 || length <= SQL_LEN_BINARY_ATTR_OFFSET;
}

std::optional<Attribute> copy_attribute(SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length,
                                        bool wide) {
  Attribute out;
  out.attribute = attribute;
  out.wide = wide;
  out.value = value;
  out.string_length = length;
  out.is_string = is_string_attribute(attribute, value, length);
  if (!out.is_string) return out;
  const std::size_t bytes = value_bytes(value, length, wide);
  if (bytes > kAttributeBytesMax) return std::nullopt;
  const auto* first = static_cast<const char*>(value);
  out.string.assign(first, first + bytes);
  out.string.insert(out.string.end(), sizeof(SQLWCHAR), '\0');
  return out;
}

void remember(std::vector<Attribute>& attributes, Attribute attribute) {
  const auto same = std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& known) {
    return known.attribute == attribute.attribute;
  });
  if (same != attributes.end()) {
    *same = std::move(attribute);
  } else {
    attributes.push_back(std::move(attribute));
  }
}

const Attribute* find_attribute(const std::vector<Attribute>& attributes, SQLINTEGER attribute) {
  for (const Attribute& known : attributes) {
    if (known.attribute == attribute) return &known;
  }
  return nullptr;
}

SQLRETURN set_connect_attribute(const real::Library& library, SQLHDBC real,
                                const Attribute& value) {
  const real::Entries& fn = library.fn;
  if (fn.SetConnectAttrW != nullptr && (value.wide || fn.SetConnectAttr == nullptr)) {
    return fn.SetConnectAttrW(real, value.attribute, pointer_of(value), value.string_length);
  }
  return set_plain(value, [&](SQLPOINTER pointer, SQLINTEGER length) -> SQLRETURN {
    if (fn.SetConnectAttr != nullptr) {
      return fn.SetConnectAttr(real, value.attribute, pointer, length);
    }
    if (fn.SetConnectOption == nullptr) return SQL_ERROR;
    return fn.SetConnectOption(real, static_cast<SQLUSMALLINT>(value.attribute),
                               reinterpret_cast<SQLULEN>(pointer));
  });
}

SQLRETURN set_stmt_attribute(const real::Library& library, SQLHSTMT real, const Attribute& value) {
  const real::Entries& fn = library.fn;
  if (fn.SetStmtAttrW != nullptr && (value.wide || fn.SetStmtAttr == nullptr)) {
    return fn.SetStmtAttrW(real, value.attribute, pointer_of(value), value.string_length);
  }
  return set_plain(value, [&](SQLPOINTER pointer, SQLINTEGER length) -> SQLRETURN {
    if (fn.SetStmtAttr != nullptr) return fn.SetStmtAttr(real, value.attribute, pointer, length);
    if (fn.SetStmtOption == nullptr) return SQL_ERROR;
    return fn.SetStmtOption(real, static_cast<SQLUSMALLINT>(value.attribute),
                            reinterpret_cast<SQLULEN>(pointer));
  });
}

}  // namespace understudy
