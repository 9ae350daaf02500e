CREATE TABLE account (id integer PRIMARY KEY, owner varchar(60) NOT NULL, balance numeric(14,2) NOT NULL, opened date, seen timestamp, note text);
CREATE TABLE entry (id integer PRIMARY KEY AUTOINCREMENT, account_id integer NOT NULL REFERENCES account (id), amount numeric(14,2) NOT NULL, ratio double precision, word varchar(60), made timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE document (id integer PRIMARY KEY, title varchar(200) NOT NULL, body text, picture blob, pages integer);
