CREATE TABLE account (id integer PRIMARY KEY, owner varchar(60) NOT NULL, balance decimal(14,2) NOT NULL, opened date, seen datetime(6), note text);
CREATE TABLE entry (id bigint AUTO_INCREMENT PRIMARY KEY, account_id integer NOT NULL REFERENCES account (id), amount decimal(14,2) NOT NULL, ratio double precision, word varchar(60), made timestamp NOT NULL DEFAULT now());
CREATE TABLE document (id integer PRIMARY KEY, title varchar(200) NOT NULL, body longtext, picture longblob, pages integer);
