#!/usr/bin/python3
"""pyodbc as programs use it. Arguments: data source, engine (postgresql, sqlite or mariadb)."""

import datetime
import decimal
import sys

import pyodbc

SOURCE, ENGINE = sys.argv[1], sys.argv[2]
BIG_TEXT = "Größe 中文 🙂 " * 20000
BIG_BYTES = bytes(range(256)) * 2048


def show(what, *values):
    print(what + ":", *[repr(value) for value in values])


def refused(what, work):
    """Prints what the driver says about a statement that has to fail."""
    try:
        work()
        show(what, "no error")
    except pyodbc.Error as error:
        show(what, type(error).__name__, error.args[0], error.args[1])


def rows(cursor, sql, *values):
    return [tuple(row) for row in cursor.execute(sql, *values).fetchall()]


def accounts(cursor):
    sql = "SELECT id, owner, balance, opened, seen, note FROM account ORDER BY id"
    for row in rows(cursor, sql):
        show("account", *row)


def single_statements(connection):
    cursor = connection.cursor()
    insert = "INSERT INTO account (id, owner, balance, opened, seen, note) VALUES (?, ?, ?, ?, ?, ?)"
    values = [
        (1, "Ada", decimal.Decimal("12.50"), datetime.date(2024, 2, 29),
         datetime.datetime(2024, 2, 29, 23, 59, 58, 120000), None),
        (2, "Žofie", decimal.Decimal("-99999999.99"), None, None, "naïve ☃"),
        (3, "", decimal.Decimal("0"), datetime.date(1970, 1, 1), None, ""),
    ]
    for row in values:
        show("inserted", cursor.execute(insert, row).rowcount)
    connection.commit()
    accounts(cursor)
    cursor.execute("UPDATE account SET balance = balance + ? WHERE id = ?", decimal.Decimal("0.05"), 1)
    show("updated", cursor.rowcount)
    cursor.execute("UPDATE account SET note = ? WHERE id > ?", None, 1)
    show("updated", cursor.rowcount)
    cursor.execute("DELETE FROM account WHERE id = ?", 77)
    show("deleted", cursor.rowcount)
    connection.commit()
    accounts(cursor)


def many(connection):
    insert = "INSERT INTO account (id, owner, balance, opened) VALUES (?, ?, ?, ?)"
    # fast_executemany on libsqliteodbc ends in a segmentation fault inside pyodbc.
    ways = ((False, 100),) if ENGINE == "sqlite" else ((False, 100), (True, 200))
    for fast, first in ways:
        cursor = connection.cursor()
        cursor.fast_executemany = fast
        batch = [
            (first + n, "owner " + "ü" * n, decimal.Decimal(n) / 4,
             datetime.date(2020, 1, 1 + n) if n % 3 else None)
            for n in range(25)
        ]
        def sizes(*of):  # Connector/ODBC does not know the types of its parameters
            cursor.setinputsizes(of if fast and ENGINE == "mariadb" else None)

        number, text = (pyodbc.SQL_INTEGER, 10, 0), (pyodbc.SQL_VARCHAR, 60, 0)
        amount, day = (pyodbc.SQL_DECIMAL, 14, 2), (pyodbc.SQL_TYPE_DATE, 10, 0)
        sizes(number, text, amount, day)
        cursor.executemany(insert, batch)
        connection.commit()
        show("many", fast, rows(cursor, "SELECT count(*), sum(balance) FROM account WHERE id >= ?", first))
        changes = [(decimal.Decimal("1.25"), first + n) for n in range(0, 25, 2)]
        sizes(amount, number)
        cursor.executemany("UPDATE account SET balance = balance + ? WHERE id = ?", changes)
        sizes(number)
        cursor.executemany("DELETE FROM account WHERE id = ?", [(first + n,) for n in range(1, 25, 6)])
        connection.commit()
        show("changed", rows(cursor, "SELECT * FROM account WHERE id >= ? ORDER BY id", first))
        if fast and ENGINE == "mariadb":
            continue  # Connector/ODBC goes on behind the set that fails: counted, not recorded
        refused("many with a duplicate", lambda: cursor.executemany(insert, [
            (first + 50, "new", decimal.Decimal(1), None),
            (first, "twice", decimal.Decimal(1), None),
            (first + 51, "never", decimal.Decimal(1), None),
        ]))
        connection.rollback()
        show("left", rows(cursor, "SELECT count(*) FROM account WHERE id >= ?", first + 50))


def large_values(connection):
    if ENGINE == "mariadb":
        connection.maxwrite = 1 << 30  # Connector/ODBC refuses SQLPutData of a text as UTF-16
    cursor = connection.cursor()
    insert = "INSERT INTO document (id, title, body, picture, pages) VALUES (?, ?, ?, ?, ?)"
    cursor.execute(insert, 1, "large", BIG_TEXT, BIG_BYTES, 3)
    cursor.execute(insert, 2, "empty", "", b"", 0)
    cursor.execute(insert, 3, "nothing", None, None, None)
    cursor.execute("UPDATE document SET body = ?, pages = ? WHERE id = ?", BIG_TEXT[:9000], 8, 2)
    connection.commit()
    for number, body, picture, pages in rows(
            cursor, "SELECT id, body, picture, pages FROM document ORDER BY id"):
        show("document", number, body if body is None else (len(body), body == BIG_TEXT),
             picture if picture is None else (len(picture), bytes(picture) == BIG_BYTES), pages)


def generated_keys(connection):
    cursor = connection.cursor()
    insert = "INSERT INTO entry (account_id, amount, ratio, word) VALUES (?, ?, ?, ?)"
    values = (1, decimal.Decimal("3.10"), 1 / 3, "erste")
    if ENGINE == "sqlite":
        cursor.execute(insert, values)
        show("key", rows(cursor, "SELECT last_insert_rowid()"))
    else:
        show("returned", rows(cursor, insert + " RETURNING id, amount, ratio, word", values))
        cursor.execute(insert, values)
        last = "SELECT lastval()" if ENGINE == "postgresql" else "SELECT last_insert_id()"
        show("key", rows(cursor, last))
    connection.commit()
    show("entries", rows(cursor, "SELECT id, account_id, amount, ratio, word FROM entry ORDER BY id"))


def transactions(connection):
    cursor = connection.cursor()
    cursor.execute("UPDATE account SET owner = ?", "everybody")
    connection.rollback()
    cursor.execute("UPDATE account SET owner = ? WHERE id = ?", "Grace", 2)
    connection.commit()
    try:
        with connection:
            connection.execute("DELETE FROM entry")
            raise LookupError("on purpose")
    except LookupError:
        connection.rollback()
    with connection:
        connection.execute("UPDATE account SET note = 'with' WHERE id = 3")
    show("entries left", rows(cursor, "SELECT count(*) FROM entry"))
    connection.autocommit = True
    cursor.execute("INSERT INTO account (id, owner, balance) VALUES (10, 'auto', 1)")
    show("inserted", cursor.rowcount)
    refused("duplicate", lambda: cursor.execute(
        "INSERT INTO account (id, owner, balance) VALUES (10, 'again', 1)"))
    cursor.execute("UPDATE account SET balance = balance * 3 WHERE id = 10")
    connection.autocommit = False
    show("now", rows(cursor, "SELECT * FROM account WHERE id < 100 ORDER BY id"))


def errors(connection):
    cursor = connection.cursor()
    cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")
    refused("duplicate", lambda: cursor.execute(
        "INSERT INTO account (id, owner, balance) VALUES (?, ?, ?)", 2, "x", 1))
    refused("no such column", lambda: cursor.execute("UPDATE account SET nosuch = 1"))
    refused("not null", lambda: cursor.execute(
        "INSERT INTO account (id, owner, balance) VALUES (?, ?, ?)", 500, None, 1))
    cursor.execute("UPDATE account SET balance = balance + 2 WHERE id = 1")
    connection.commit()
    show("balance", rows(cursor, "SELECT balance FROM account WHERE id = 1"))
    refused("too few values", lambda: cursor.execute("DELETE FROM account WHERE id = ?"))
    connection.rollback()


def catalog(connection):
    cursor = connection.cursor()
    show("tables", [row.table_name for row in cursor.tables(table="acc%", tableType="TABLE")])
    show("columns", [(row.column_name, row.type_name, row.column_size, row.nullable)
                     for row in cursor.columns(table="account")])
    show("key", [row.column_name for row in cursor.primaryKeys("account")])
    cursor.execute("SELECT id, owner, balance FROM account WHERE id < 4 ORDER BY id")
    show("description", cursor.description)
    show("one at a time", [tuple(row) for row in cursor.fetchmany(2)], cursor.fetchone(), cursor.fetchone())


def main():
    connection = pyodbc.connect("DSN=" + SOURCE)
    for part in (single_statements, many, large_values, generated_keys, transactions, errors, catalog):
        print("--", part.__name__)
        part(connection)
    connection.execute("DELETE FROM account WHERE id = 10")  # never committed
    connection.close()


main()
