"""Functions that only compute: they write nothing, and read nothing but their arguments.

Those that the parser knows by a name of its own need not be here.

Source: sqlite.org/lang_corefunc.html, lang_datefunc.html, json1.html; PostgreSQL 18,
chapter 9, those of its functions that are immutable or stable and take no text of SQL,
no name of a table, file or setting.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HARMLESS"]

_SQLITE: Final = """
    abs char date datetime format glob hex iif instr json json_array json_array_length
    json_each json_error_position json_extract json_group_array json_group_object
    json_insert json_object json_patch json_pretty json_quote json_remove json_replace
    json_set json_tree json_type json_valid jsonb jsonb_array jsonb_extract julianday
    last_insert_rowid likelihood likely ltrim max min nullif octet_length printf quote
    random replace round rtrim sign soundex strftime substr time timediff total trim
    typeof unhex unicode unixepoch unlikely upper zeroblob
"""
_POSTGRESQL: Final = """
    age array_agg array_append array_cat array_dims array_fill array_length array_lower
    array_ndims array_position array_positions array_prepend array_remove array_replace
    array_to_json array_to_string array_upper bit_count btrim cardinality ceil ceiling
    clock_timestamp date_bin date_part date_trunc decode div encode extract
    gen_random_uuid get_byte initcap isfinite json_agg json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object
    json_each json_each_text json_extract_path json_extract_path_text json_object
    json_object_agg json_object_keys json_strip_nulls json_typeof jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
    jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_pretty
    jsonb_set jsonb_strip_nulls jsonb_typeof justify_days justify_hours
    justify_interval lpad make_date make_interval make_time make_timestamp
    make_timestamptz md5 mod now num_nonnulls num_nulls overlay percent_rank
    pg_column_size pg_sleep pg_typeof position quote_ident quote_literal quote_nullable
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr repeat reverse rpad
    scale sha224 sha256 sha384 sha512 similarity split_part starts_with
    statement_timestamp string_agg string_to_array string_to_table strpos timeofday
    to_char to_date to_hex to_json to_jsonb to_number to_timestamp
    transaction_timestamp translate trim_array trim_scale trunc unnest width_bucket
"""

HARMLESS: Final = frozenset((*_SQLITE.split(), *_POSTGRESQL.split()))
"""Their names, in small letters."""
