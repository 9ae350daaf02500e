INSERT INTO branches SELECT i, 0 FROM generate_series(1, 10) AS i;
INSERT INTO tellers SELECT i, 1 + i % 10, 0 FROM generate_series(1, 100) AS i;
INSERT INTO accounts SELECT i, 1 + i % 10, 0 FROM generate_series(1, 100000) AS i;
VACUUM ANALYZE;
