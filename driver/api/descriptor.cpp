// Descriptors: our objects in front, the real driver's behind.

#include "driver/api/handles.h"
#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

// Which real descriptor answers: that of the statement the application fetches from.
SQLHDESC answering(const Descriptor& desc) {
  if (desc.statement == nullptr) return desc.real;
  const Statement& stmt = *desc.statement;
  SQLHSTMT clone = capture::clone(stmt);
  if (clone == SQL_NULL_HSTMT) return desc.real;
  for (std::size_t i = 0; i < stmt.implicit.size(); i += 2) {  // the two row descriptors
    if (stmt.implicit[i].get() != &desc) continue;
    SQLHDESC found = SQL_NULL_HDESC;
    const SQLRETURN ret = stmt.library->fn.GetStmtAttr(
        clone, static_cast<SQLINTEGER>(SQL_ATTR_APP_ROW_DESC + i), &found, SQL_IS_POINTER, nullptr);
    if (SQL_SUCCEEDED(ret)) return found;
  }
  return desc.real;
}

bool counts_columns(const Descriptor& desc, SQLSMALLINT field, SQLPOINTER value) {
  constexpr std::size_t kImplementationRow = SQL_ATTR_IMP_ROW_DESC - SQL_ATTR_APP_ROW_DESC;
  return field == SQL_DESC_COUNT && value != nullptr && desc.statement != nullptr &&
         desc.statement->implicit[kImplementationRow].get() == &desc;
}

// psqlodbc refuses to count the columns of a statement that it was never given: the application's
// own, when its text ran on ours.
bool counts_none(const Descriptor& desc, SQLSMALLINT field, SQLPOINTER value, SQLINTEGER* length) {
  if (!counts_columns(desc, field, value) || !capture::without_result(*desc.statement) ||
      !capture::counts_no_columns(*desc.statement)) {
    return false;
  }
  *static_cast<SQLSMALLINT*>(value) = 0;
  if (length != nullptr) *length = sizeof(SQLINTEGER);  // as psqlodbc says
  return true;
}

// The columns of a result that are ours are not counted.
SQLRETURN without_ours(const Descriptor& desc, SQLSMALLINT field, SQLPOINTER value, SQLRETURN ret) {
  if (counts_columns(desc, field, value) && SQL_SUCCEEDED(ret)) {
    *static_cast<SQLSMALLINT*>(value) -= capture::clipped_columns(*desc.statement);
  }
  return ret;
}

template <class Work>
SQLRETURN set(SQLHDESC handle, Work work) {
  return api::on<Descriptor>(handle, [&](Descriptor& desc) -> SQLRETURN {
    if (const SQLRETURN found = api::find_real_descriptor(desc); !SQL_SUCCEEDED(found))
      return found;
    const SQLRETURN ret = work(desc);
    if (ret != SQL_INVALID_HANDLE) desc.touched = true;  // a failed call may have set some fields
    return ret;
  });
}

template <class Work>
SQLRETURN get(SQLHDESC handle, Work work) {
  return api::on<Descriptor>(handle, [&](Descriptor& desc) -> SQLRETURN {
    if (const SQLRETURN found = api::find_real_descriptor(desc); !SQL_SUCCEEDED(found))
      return found;
    return work(desc);
  });
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLGetDescField(SQLHDESC handle, SQLSMALLINT record, SQLSMALLINT field,
                                       SQLPOINTER value, SQLINTEGER capacity, SQLINTEGER* length) {
  return get(handle, [&](Descriptor& desc) -> SQLRETURN {
    if (counts_none(desc, field, value, length)) return SQL_SUCCESS;
    return without_ours(desc, field, value,
                        api::forward(desc, api::entries(desc).GetDescField, answering(desc), record,
                                     field, value, capacity, length));
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetDescFieldW(SQLHDESC handle, SQLSMALLINT record, SQLSMALLINT field,
                                        SQLPOINTER value, SQLINTEGER capacity, SQLINTEGER* length) {
  return get(handle, [&](Descriptor& desc) -> SQLRETURN {
    if (counts_none(desc, field, value, length)) return SQL_SUCCESS;
    const real::Entries& fn = api::entries(desc);
    if (fn.GetDescFieldW != nullptr) {
      return without_ours(
          desc, field, value,
          fn.GetDescFieldW(answering(desc), record, field, value, capacity, length));
    }
    if (!api::is_text_field(field)) {
      return api::forward(desc, fn.GetDescField, answering(desc), record, field, value, capacity,
                          length);
    }
    const api::WideOutput<SQLINTEGER> out{static_cast<SQLWCHAR*>(value),
                                          capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
    return api::text_output(&desc, out, [&](SQLCHAR* to, SQLINTEGER bytes, SQLINTEGER* got) {
      return api::forward(desc, fn.GetDescField, answering(desc), record, field, SQLPOINTER{to},
                          bytes, got);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetDescRec(SQLHDESC handle, SQLSMALLINT record, SQLCHAR* name,
                                     SQLSMALLINT capacity, SQLSMALLINT* name_length,
                                     SQLSMALLINT* type, SQLSMALLINT* subtype, SQLLEN* length,
                                     SQLSMALLINT* precision, SQLSMALLINT* scale,
                                     SQLSMALLINT* nullable) {
  return get(handle, [&](Descriptor& desc) {
    return api::forward(desc, api::entries(desc).GetDescRec, answering(desc), record, name,
                        capacity, name_length, type, subtype, length, precision, scale, nullable);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetDescRecW(SQLHDESC handle, SQLSMALLINT record, SQLWCHAR* name,
                                      SQLSMALLINT capacity, SQLSMALLINT* name_length,
                                      SQLSMALLINT* type, SQLSMALLINT* subtype, SQLLEN* length,
                                      SQLSMALLINT* precision, SQLSMALLINT* scale,
                                      SQLSMALLINT* nullable) {
  return get(handle, [&](Descriptor& desc) -> SQLRETURN {
    const real::Entries& fn = api::entries(desc);
    if (fn.GetDescRecW != nullptr) {
      return fn.GetDescRecW(answering(desc), record, name, capacity, name_length, type, subtype,
                            length, precision, scale, nullable);
    }
    const api::WideOutput<SQLSMALLINT> out{name, capacity, name_length};
    return api::text_output(&desc, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
      return api::forward(desc, fn.GetDescRec, answering(desc), record, to, bytes, got, type,
                          subtype, length, precision, scale, nullable);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetDescField(SQLHDESC handle, SQLSMALLINT record, SQLSMALLINT field,
                                       SQLPOINTER value, SQLINTEGER length) {
  return set(handle, [&](Descriptor& desc) {
    return api::forward(desc, api::entries(desc).SetDescField, desc.real, record, field, value,
                        length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetDescFieldW(SQLHDESC handle, SQLSMALLINT record, SQLSMALLINT field,
                                        SQLPOINTER value, SQLINTEGER length) {
  return set(handle, [&](Descriptor& desc) -> SQLRETURN {
    const real::Entries& fn = api::entries(desc);
    if (fn.SetDescFieldW != nullptr) {
      return fn.SetDescFieldW(desc.real, record, field, value, length);
    }
    if (!api::is_text_field(field)) {
      return api::forward(desc, fn.SetDescField, desc.real, record, field, value, length);
    }
    const SQLLEN units = length < 0 ? SQLLEN{length} : length / SQLLEN{sizeof(SQLWCHAR)};
    const real::NarrowText text(static_cast<SQLWCHAR*>(value), units);
    if (!text.ok()) return api::refuse(desc, text);
    return api::forward(desc, fn.SetDescField, desc.real, record, field, SQLPOINTER{text.data()},
                        text.length());
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetDescRec(SQLHDESC handle, SQLSMALLINT record, SQLSMALLINT type,
                                     SQLSMALLINT subtype, SQLLEN length, SQLSMALLINT precision,
                                     SQLSMALLINT scale, SQLPOINTER data, SQLLEN* octet_length,
                                     SQLLEN* indicator) {
  return set(handle, [&](Descriptor& desc) {
    return api::forward(desc, api::entries(desc).SetDescRec, desc.real, record, type, subtype,
                        length, precision, scale, data, octet_length, indicator);
  });
}

UNDERSTUDY_ENTRY_POINT SQLCopyDesc(SQLHDESC source, SQLHDESC target) {
  auto* from = api::as<Descriptor>(source);
  if (from == nullptr) return SQL_INVALID_HANDLE;
  return set(target, [&](Descriptor& to) -> SQLRETURN {
    if (const SQLRETURN found = api::find_real_descriptor(*from); !SQL_SUCCEEDED(found))
      return found;
    if (&api::library_of(*from) != &api::library_of(to)) {
      return to.fail("HYC00", "the descriptors belong to different real drivers");
    }
    return api::forward(to, api::entries(to).CopyDesc, from->real, to.real);
  });
}
