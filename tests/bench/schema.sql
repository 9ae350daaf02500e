-- Ten branches, a hundred tellers, a hundred thousand accounts, and a history with generated keys.
CREATE TABLE branches (bid BIGINT PRIMARY KEY, bbalance BIGINT NOT NULL);
CREATE TABLE tellers (tid BIGINT PRIMARY KEY, bid BIGINT NOT NULL, tbalance BIGINT NOT NULL);
CREATE TABLE accounts (aid BIGINT PRIMARY KEY, bid BIGINT NOT NULL, abalance BIGINT NOT NULL);
CREATE TABLE history (
  hid BIGSERIAL PRIMARY KEY,
  tid BIGINT NOT NULL,
  bid BIGINT NOT NULL,
  aid BIGINT NOT NULL,
  delta BIGINT NOT NULL,
  made_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
