#include "driver/sql/functions.h"

#include <algorithm>

namespace understudy::sql {
namespace {

/// Looks for a whole word in a list of words separated by single spaces, space at both ends.
bool listed(std::string_view list, std::string_view word) {
  constexpr std::size_t kWordBytesMax = 64;
  if (word.empty() || word.size() > kWordBytesMax || word.find(' ') != word.npos) return false;
  for (std::size_t at = list.find(word); at != std::string_view::npos;
       at = list.find(word, at + 1)) {
    if (list[at - 1] == ' ' && list[at + word.size()] == ' ') return true;
  }
  return false;
}

// Immutable for all argument types in every dialect that has them.
constexpr std::string_view kImmutable =
    " abs coalesce greatest least length lower ltrim nullif round rtrim substr substring trim "
    "upper replace sign ";

constexpr std::string_view kPostgresImmutable =
    " btrim ceil ceiling char_length character_length div floor gcd lcm left lpad md5 mod "
    "octet_length overlay position power repeat reverse right rpad split_part sqrt strpos "
    "translate trunc ";

constexpr std::string_view kSqliteImmutable =
    " char hex ifnull iif instr max min nullif quote typeof unicode ";

constexpr std::string_view kMariadbImmutable =
    " ceil ceiling char_length character_length concat floor if ifnull left lpad mod octet_length "
    "reverse right rpad truncate ";

constexpr std::string_view kCommonReads =
    " abs acos asin atan atan2 avg bit_length cast ceil ceiling char_length character_length "
    "coalesce concat cos cot count current_date current_time current_timestamp current_user "
    "date degrees dense_rank exp extract first_value floor greatest ifnull lag last_value lead "
    "least left length ln localtime localtimestamp log lower lpad ltrim max min mod now nth_value "
    "ntile nullif octet_length percent_rank pi position power radians rank repeat replace "
    "reverse right round row_number rpad rtrim session_user sign sin sqrt stddev stddev_pop "
    "stddev_samp substr substring sum tan trim trunc truncate upper user var_pop var_samp "
    "variance year month day hour minute second cume_dist ";

constexpr std::string_view kPostgresReads =
    " acosd acosh age any_value area array_agg array_append array_cat array_dims array_fill "
    "array_length array_lower array_ndims array_position array_positions array_prepend "
    "array_remove array_replace array_to_json array_to_string array_upper ascii asind asinh atan2d "
    "atand atanh bit_and bit_count bit_or bit_xor bool_and bool_or box btrim cardinality cbrt "
    "center chr circle clock_timestamp col_description concat_ws convert convert_from convert_to "
    "corr cosd cosh cotd covar_pop covar_samp current_catalog current_database current_query "
    "current_role current_schema current_schemas current_setting currval date_bin date_part "
    "date_trunc datemultirange daterange decode diameter div encode enum_first enum_last "
    "enum_range erf erfc every "
    "factorial family format format_type gcd gen_random_uuid generate_series generate_subscripts "
    "get_bit get_byte has_any_column_privilege has_column_privilege has_database_privilege "
    "has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege "
    "has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege "
    "has_table_privilege has_tablespace_privilege has_type_privilege height host hostmask "
    "inet_client_addr inet_client_port inet_merge inet_same_family inet_server_addr "
    "inet_server_port initcap int4multirange int4range int8multirange int8range isempty isfinite "
    "json_agg json_array_elements "
    "json_array_elements_text json_array_length json_build_array json_build_object json_each "
    "json_each_text json_extract_path json_extract_path_text json_object json_object_agg "
    "json_object_keys json_populate_record json_populate_recordset json_strip_nulls "
    "json_to_record json_to_recordset json_typeof jsonb_agg jsonb_array_elements "
    "jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each "
    "jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object "
    "jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match "
    "jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz "
    "jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record "
    "jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls "
    "jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval "
    "lastval lcm line log10 lower_inc lower_inf lseg macaddr8_set7bit make_date make_interval "
    "make_time make_timestamp make_timestamptz masklen md5 min_scale mode multirange netmask "
    "network normalize num_nonnulls num_nulls nummultirange numnode numrange obj_description "
    "octet_length overlay "
    "parse_ident path pclose percentile_cont percentile_disc pg_backend_pid pg_blocking_pids "
    "pg_cancel_backend pg_client_encoding pg_collation_for pg_collation_is_visible "
    "pg_column_compression pg_column_size pg_conf_load_time pg_conversion_is_visible "
    "pg_current_logfile pg_current_snapshot pg_current_wal_flush_lsn pg_current_wal_insert_lsn "
    "pg_current_wal_lsn pg_current_xact_id pg_current_xact_id_if_assigned pg_database_size "
    "pg_describe_object pg_encoding_to_char pg_function_is_visible pg_get_constraintdef "
    "pg_get_expr pg_get_function_arguments pg_get_function_identity_arguments "
    "pg_get_function_result pg_get_functiondef pg_get_indexdef pg_get_keywords "
    "pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef pg_get_ruledef "
    "pg_get_serial_sequence pg_get_statisticsobjdef pg_get_triggerdef pg_get_userbyid "
    "pg_get_viewdef pg_has_role pg_identify_object pg_identify_object_as_address "
    "pg_index_column_has_property pg_index_has_property pg_indexam_has_property pg_indexes_size "
    "pg_is_in_recovery pg_is_other_temp_schema pg_last_wal_receive_lsn pg_last_wal_replay_lsn "
    "pg_last_xact_replay_timestamp pg_listening_channels pg_lock_status pg_my_temp_schema "
    "pg_notify pg_opclass_is_visible pg_operator_is_visible pg_options_to_table pg_partition_root "
    "pg_partition_tree pg_postmaster_start_time pg_relation_filenode pg_relation_filepath "
    "pg_relation_size pg_sequence_last_value pg_sequence_parameters pg_size_bytes pg_size_pretty "
    "pg_sleep pg_sleep_for pg_sleep_until pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin "
    "pg_stat_get_activity pg_table_is_visible pg_table_size pg_tablespace_size "
    "pg_terminate_backend pg_total_relation_size pg_trigger_depth pg_type_is_visible pg_typeof "
    "pg_visible_in_snapshot pg_wal_lsn_diff pg_walfile_name pg_xact_commit_timestamp "
    "pg_xact_status phraseto_tsquery plainto_tsquery point polygon popen quote_ident quote_literal "
    "quote_nullable random range_agg range_intersect_agg range_merge regexp_count regexp_instr "
    "regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array "
    "regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 "
    "regr_slope regr_sxx regr_sxy regr_syy row_security_active row_to_json scale set_bit set_byte "
    "set_masklen setseed setweight sha224 sha256 sha384 sha512 shobj_description sind sinh slope "
    "split_part sqrt starts_with statement_timestamp string_agg string_to_array string_to_table "
    "strip strpos tand tanh text timeofday to_ascii to_char to_date to_hex to_json to_jsonb "
    "to_number to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc "
    "to_regprocedure to_regrole to_regtype to_timestamp to_tsquery to_tsvector "
    "transaction_timestamp translate trim_array trim_scale tsmultirange tsrange tstzmultirange "
    "tstzrange ts_delete ts_filter ts_headline "
    "ts_rank ts_rank_cd tsquery_phrase tsvector_to_array txid_current txid_current_if_assigned "
    "txid_status unistr unnest upper_inc upper_inf uuid_generate_v1 uuid_generate_v1mc "
    "uuid_generate_v4 version websearch_to_tsquery width width_bucket xmlagg xmlattributes "
    "xmlcomment xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlserialize "
    // as the parser names what the grammar spells in words
    "timezone like_escape similar_escape similar_to_escape is_normalized overlaps "
    "pg_collation_for ";

constexpr std::string_view kPostgresLocks =
    " pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all "
    "pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared "
    "pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock "
    "pg_try_advisory_xact_lock_shared ";

constexpr std::string_view kMariadbReads =
    " adddate addtime ascii bin bit_and bit_count bit_or bit_xor char charset coercibility "
    "collation concat_ws connection_id conv convert convert_tz crc32 curdate current_role curtime "
    "database date_add date_format date_sub datediff dayname dayofmonth dayofweek dayofyear elt "
    "export_set field find_in_set format found_rows from_base64 from_days from_unixtime "
    "group_concat hex if inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 "
    "is_ipv6 isnull json_array json_arrayagg json_contains json_contains_path json_depth "
    "json_extract json_keys json_length json_merge_patch json_merge_preserve json_object "
    "json_objectagg json_quote json_search json_set json_type json_unquote json_valid json_value "
    "last_day last_insert_id lcase locate log10 log2 ltrim make_set makedate maketime md5 "
    "microsecond mid monthname oct ord period_add period_diff quarter quote rand regexp_instr "
    "regexp_replace regexp_substr row_count schema sec_to_time sha sha1 sha2 sleep soundex space "
    "std str_to_date strcmp subdate substring_index subtime sysdate system_user time time_format "
    "time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_days to_seconds ucase "
    "unhex unix_timestamp utc_date utc_time utc_timestamp uuid uuid_short values version week "
    "weekday weekofyear weight_string yearweek ";

// SQLite functions run in the application's process and only these reach out of their result.
constexpr std::string_view kSqliteWriters =
    " edit fts3_tokenizer load_extension sqlite_log spatialite_init writefile ";

constexpr std::string_view kSqliteReads =
    " changes date datetime format glob group_concat ifnull iif instr json json_array "
    "json_array_length json_extract json_group_array json_group_object json_insert json_object "
    "json_patch json_quote json_remove json_replace json_set json_type json_valid julianday "
    "last_insert_rowid like likelihood likely printf random randomblob soundex sqlite_version "
    "strftime time total total_changes typeof unicode unixepoch unlikely zeroblob char hex quote "
    "json_each json_tree ";

constexpr std::string_view kGrammarWords =
    " ALL AND ANY ARRAY AS ASYMMETRIC BETWEEN BIGINT BIT BPCHAR BY CASE CHAR CHARACTER CHECK CROSS "
    "CUBE DEC DECIMAL DEFAULT DISTINCT ELSE ESCAPE EXCEPT EXISTS FILTER FLOAT FROM FULL GROUPING "
    "HAVING "
    "ILIKE IN INNER INT INTEGER INTERSECT INTERVAL INTO IS JOIN KEY LATERAL LIKE LIMIT LITERAL "
    "MATERIALIZED NATIONAL NCHAR NOT NOTNULL NUMERIC NVARCHAR OF OFFSET ON ONLY OR ORDINALITY "
    "OUTER OVER PARTITION PRECISION RECURSIVE RETURNING ROLLUP ROW ROWS SELECT SET SETS SIMILAR "
    "SMALLINT SOME SYMMETRIC SYSTEM BERNOULLI TABLESAMPLE THEN TIME TIMESTAMP TIMESTAMPTZ TO UNION "
    "UNIQUE "
    "USING VALUES VARBIT VARCHAR VARCHARACTER VARYING WHEN WHERE WINDOW WITH WITHIN XMLTABLE ZONE "
    "AGAINST MATCH ";

}  // namespace

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string ascii_upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

FunctionEffect function_effect(std::string_view name, Dialect dialect) {
  if (listed(kImmutable, name)) return FunctionEffect::immutable;
  switch (dialect) {
    case Dialect::sqlite:
      if (listed(kSqliteImmutable, name)) return FunctionEffect::immutable;
      if (listed(kSqliteReads, name) || listed(kCommonReads, name)) return FunctionEffect::reads;
      // An extension's function cannot be told from a misspelt one; neither writes to the database.
      return listed(kSqliteWriters, name) ? FunctionEffect::unknown : FunctionEffect::reads;
    case Dialect::mariadb:
      if (listed(kMariadbImmutable, name)) return FunctionEffect::immutable;
      if (listed(kMariadbReads, name) || listed(kCommonReads, name)) return FunctionEffect::reads;
      if (name == "nextval" || name == "lastval") return FunctionEffect::sequences;
      if (name == "get_lock" || name == "release_lock" || name == "release_all_locks" ||
          name == "is_free_lock" || name == "is_used_lock") {
        return FunctionEffect::locks;
      }
      return FunctionEffect::unknown;
    default:
      break;
  }
  if (listed(kPostgresImmutable, name)) return FunctionEffect::immutable;
  if (listed(kCommonReads, name) || listed(kPostgresReads, name)) return FunctionEffect::reads;
  if (name == "nextval") return FunctionEffect::sequences;
  return listed(kPostgresLocks, name) ? FunctionEffect::locks : FunctionEffect::unknown;
}

bool keyword_before_parenthesis(std::string_view word) {
  return listed(kGrammarWords, word);
}

}  // namespace understudy::sql
