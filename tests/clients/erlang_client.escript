#!/usr/bin/env escript
%% -*- erlang -*-
%% Erlang's odbc application as programs use it. Arguments: data source, engine.
-mode(compile).

main([Source, Engine]) ->
    io:setopts([{encoding, unicode}]),
    logger:set_primary_config(level, error),
    ok = odbc:start(),
    {ok, Db} = odbc:connect("DSN=" ++ Source,
                            [{auto_commit, on}, {binary_strings, on}, {scrollable_cursors, off}]),
    parameters(Db),
    direct(Db),
    generated_keys(Db, list_to_atom(Engine)),
    ok = odbc:disconnect(Db),
    {ok, Manual} = odbc:connect("DSN=" ++ Source,
                                [{auto_commit, off}, {binary_strings, on}, {scrollable_cursors, off}]),
    transactions(Manual),
    cursors(Manual),
    ok = odbc:disconnect(Manual),
    odbc:stop().

show(What, Value) -> io:format("~s: ~0tp~n", [What, Value]).

accounts(Db) ->
    {selected, _, Rows} =
        odbc:sql_query(Db, "SELECT id, owner, balance, note FROM account ORDER BY id"),
    [show("account", Row) || Row <- Rows].

%% Each parameter is a column of values: one call, many rows.
parameters(Db) ->
    Insert = "INSERT INTO account (id, owner, balance, note) VALUES (?, ?, ?, ?)",
    Wide = fun(Text) -> unicode:characters_to_binary(Text, utf8, {utf16, little}) end,
    show("inserted", odbc:param_query(Db, Insert,
        [{sql_integer, [1, 2, 3]},
         {{sql_wvarchar, 60}, [Wide("Ada"), Wide("Žofie"), Wide("")]},
         {{sql_numeric, 14, 2}, [12.5, -9999.25, 0.0]},
         {{sql_varchar, 100}, [<<"first">>, null, <<"third">>]}])),
    show("updated", odbc:param_query(Db, "UPDATE account SET balance = balance + ? WHERE id = ?",
        [{sql_double, [0.5, 0.25, 1.0]}, {sql_integer, [1, 2, 99]}])),
    show("deleted", odbc:param_query(Db, "DELETE FROM account WHERE id = ?", [{sql_integer, [3]}])),
    show("duplicate", odbc:param_query(Db, Insert,
        [{sql_integer, [2]}, {{sql_varchar, 60}, [<<"again">>]}, {{sql_numeric, 14, 2}, [1.0]},
         {{sql_varchar, 100}, [null]}])),
    show("selected", odbc:param_query(Db, "SELECT id, balance FROM account WHERE id = ?",
        [{sql_integer, [2]}])),
    accounts(Db).

direct(Db) ->
    show("inserted", odbc:sql_query(Db,
        "INSERT INTO account (id, owner, balance) VALUES (5, 'it''s', 5.5), (6, 'six', 6)")),
    show("updated", odbc:sql_query(Db, "UPDATE account SET note = 'range' WHERE id > 4")),
    show("updated none", odbc:sql_query(Db, "UPDATE account SET note = 'none' WHERE id > 4000")),
    show("deleted", odbc:sql_query(Db, "DELETE FROM account WHERE id = 6")),
    show("wrong", odbc:sql_query(Db, "UPDATE account SET nosuch = 1")),
    show("duplicate", odbc:sql_query(Db, "INSERT INTO account (id, owner, balance) VALUES (5, 'x', 1)")),
    accounts(Db).

generated_keys(Db, Engine) ->
    New = "INSERT INTO entry (account_id, amount, ratio, word) VALUES (1, 3.10, 0.125, 'erste')",
    Last = #{postgresql => "lastval()", sqlite => "last_insert_rowid()",
             mariadb => "last_insert_id()"},
    [show("returned", odbc:sql_query(Db, New ++ " RETURNING id, amount, word")) || Engine =/= sqlite],
    show("inserted", odbc:sql_query(Db, New)),
    show("key", odbc:sql_query(Db, "SELECT " ++ maps:get(Engine, Last))),
    show("described", odbc:describe_table(Db, "account")).

transactions(Db) ->
    show("deleted", odbc:sql_query(Db, "DELETE FROM entry")),
    show("rollback", odbc:commit(Db, rollback)),
    show("updated", odbc:sql_query(Db, "UPDATE account SET owner = 'Lise' WHERE id = 2")),
    show("duplicate", odbc:sql_query(Db, "INSERT INTO account (id, owner, balance) VALUES (2, 'x', 1)")),
    show("inserted", odbc:sql_query(Db, "INSERT INTO account (id, owner, balance) VALUES (7, 'seven', 7)")),
    show("commit", odbc:commit(Db, commit)),
    accounts(Db),
    show("commit", odbc:commit(Db, commit)).

cursors(Db) ->
    show("count", odbc:select_count(Db, "SELECT id, owner FROM account ORDER BY id")),
    show("next", odbc:next(Db)),
    show("next", odbc:next(Db)),
    show("commit", odbc:commit(Db, commit)).
