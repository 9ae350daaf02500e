#!/usr/bin/env bash
# unixODBC's isql and iusql in batch mode, as scripts use them. Arguments: data source, engine.
set -uo pipefail
readonly source="$1" engine="$2"

# One statement a line, an empty one at the end; isql goes on after an error.
batch() {
  { cat && echo; } | "$1" "$source" -b -v '-d|' 2>&1
}

last_key() {
  case "$engine" in
    postgresql) echo 'SELECT lastval()' ;;
    sqlite) echo 'SELECT last_insert_rowid()' ;;
    mariadb) echo 'SELECT last_insert_id()' ;;
  esac
}

batch isql <<SQL
INSERT INTO account (id, owner, balance, opened, note) VALUES (1, 'Ada', 12.50, '2024-02-29', NULL)
INSERT INTO account (id, owner, balance, opened, note) VALUES (2, 'Žofie', -99999999.99, NULL, 'naïve ☃'), (3, '', 0, '1970-01-01', '')
UPDATE account SET balance = balance + 0.05 WHERE id = 1
UPDATE account SET note = 'range' WHERE id > 1
UPDATE account SET note = 'none' WHERE id > 1000
INSERT INTO account (id, owner, balance) VALUES (3, 'again', 1)
UPDATE account SET nosuch = 1
INSERT INTO entry (account_id, amount, ratio, word) VALUES (1, 3.10, 0.125, 'erste')
$(last_key)
SELECT id, owner, balance, opened, note FROM account ORDER BY id
SQL

# Without the database's name and the driver's own columns.
batch isql <<<'help account' | cut -d'|' -f3-11

batch iusql <<SQL
INSERT INTO account (id, owner, balance, note) VALUES (4, 'Grace', 4.40, 'wide')
DELETE FROM account WHERE id = 2
DELETE FROM account WHERE id = 2000
SELECT id, owner, balance, opened, note FROM account ORDER BY id
SELECT id, account_id, amount, ratio, word FROM entry ORDER BY id
SQL

# BEGIN and COMMIT as texts.
batch isql <<SQL
BEGIN
UPDATE account SET owner = 'lost'
ROLLBACK
BEGIN
UPDATE account SET owner = 'Lise' WHERE id = 3
INSERT INTO document (id, title, body, pages) VALUES (1, 'paper', 'text', 3)
COMMIT
SELECT id, owner FROM account ORDER BY id
SELECT id, title, body, pages FROM document ORDER BY id
SQL
