-- The shop's production database: about 20,000 rows, generated keys.
PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;
BEGIN;
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner TEXT NOT NULL,
  balance_cents BIGINT NOT NULL
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  price_cents BIGINT NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts (id),
  reference TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  total_cents BIGINT NOT NULL,
  note TEXT,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE order_lines (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL,
  price_cents BIGINT NOT NULL
);
CREATE INDEX order_lines_by_order ON order_lines (order_id);
CREATE TABLE payments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  account_id INTEGER NOT NULL REFERENCES accounts (id),
  amount_cents BIGINT NOT NULL,
  paid_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO accounts (owner, balance_cents) SELECT 'owner ' || i, 100000 + i FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO products (name, price_cents) SELECT 'product ' || i, 100 + i * 7 % 900 FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO orders (account_id, reference, status, total_cents, note)
SELECT 1 + i % 2000, 'old-' || i, 'paid', 2 * (100 + i * 7 % 900),
       CASE WHEN i % 3 = 0 THEN 'it''s old – ' || i END
FROM n;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
INSERT INTO order_lines (order_id, product_id, quantity, price_cents)
SELECT 1 + i / 2, 1 + i % 500, 1, 100 + (1 + i / 2) * 7 % 900 FROM n;
INSERT INTO payments (order_id, account_id, amount_cents)
SELECT id, account_id, total_cents FROM orders WHERE id % 2 = 0;
COMMIT;
