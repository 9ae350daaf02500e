#!/usr/bin/perl
# DBI with DBD::ODBC as programs use it. Arguments: data source, engine.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
use Digest::MD5 qw(md5_hex);
use Encode qw(encode_utf8);

my ($source, $engine) = @ARGV;
binmode STDOUT, ':encoding(UTF-8)';
$| = 1;

sub show {
  my $what = shift;
  print "$what: ", join(' | ', map { defined $_ ? "'$_'" : 'undef' } @_), "\n";
}

sub refused {
  my ($what, $db, $work) = @_;
  if (eval { $work->(); 1 }) { show($what, 'no error') }
  else { show($what, $db->state, $db->err, $db->errstr =~ s/\n/ /gr) }
}

sub accounts {
  my ($db) = @_;
  my $rows = $db->selectall_arrayref('SELECT id, owner, balance, opened, seen, note FROM account ORDER BY id');
  show('account', @$_) for @$rows;
}

my $insert = 'INSERT INTO account (id, owner, balance, opened, seen, note) VALUES (?, ?, ?, ?, ?, ?)';

sub prepared {
  my ($db) = @_;
  my $statement = $db->prepare($insert);
  show('inserted', $statement->execute(1, 'Ada', '12.50', '2024-02-29', '2024-02-29 23:59:58.12', undef));
  show('inserted', $statement->execute(2, 'Žofie', '-99999999.99', undef, undef, 'naïve ☃'));
  $statement->bind_param(1, 3, SQL_INTEGER);
  $statement->bind_param(2, '', SQL_VARCHAR);
  $statement->bind_param(3, '0', SQL_NUMERIC);
  show('inserted', $statement->execute(3, '', '0', '1970-01-01', undef, ''));
  show('updated', $db->do('UPDATE account SET balance = balance + ? WHERE id = ?', undef, '0.05', 1));
  show('updated', $db->do('UPDATE account SET note = ? WHERE id > ?', undef, undef, 1));
  show('deleted', $db->do('DELETE FROM account WHERE id = ?', undef, 77));
  accounts($db);
  refused('duplicate', $db, sub { $statement->execute(2, 'again', '1', undef, undef, undef) });
  show('inserted', $statement->execute(4, 'Grace', '4.40', undef, undef, 'after an error'));
  refused('wrong', $db, sub { $db->do('UPDATE account SET nosuch = 1') });
}

sub many {
  my ($db) = @_;
  my $statement = $db->prepare('INSERT INTO account (id, owner, balance) VALUES (?, ?, ?)');
  my @status;
  my @ids = (100 .. 130);
  $statement->execute_array({ArrayTupleStatus => \@status}, \@ids, [map { "ö$_" } @ids], [map { $_ / 4 } @ids]);
  show('array', scalar(@status), join(',', map { ref $_ ? $_->[2] : $_ } @status));
  my @some = (131, 100, 132);
  my $done = eval { $statement->execute_array({ArrayTupleStatus => \@status}, \@some, 'same', [1, 2, 3]) };
  show('array with a duplicate', $done, map { ref $_ ? "$_->[2] $_->[0]" : $_ } @status);
  my $sum = $db->selectrow_arrayref('SELECT count(*), sum(balance) FROM account WHERE id >= 100');
  show('sum', @$sum);
  my $delete = $db->prepare('DELETE FROM account WHERE id = ?');
  $delete->execute_array({ArrayTupleStatus => \@status}, [101, 102, 900]);
  show('deleted', map { ref $_ ? $_->[2] : $_ } @status);
}

sub transactions {
  my ($db) = @_;
  $db->begin_work;
  $db->do('DELETE FROM account');
  $db->rollback;
  $db->begin_work;
  $db->do("UPDATE account SET owner = 'Lise' WHERE id = 3");
  refused('duplicate', $db, sub { $db->do("INSERT INTO account (id, owner, balance) VALUES (3, 'x', 1)") });
  $db->do("INSERT INTO account (id, owner, balance) VALUES (7, 'seven', 7)");
  $db->commit;
  $db->{AutoCommit} = 0;
  $db->do("UPDATE account SET note = 'turned on' WHERE id = 7");
  $db->{AutoCommit} = 1;
  accounts($db);
}

sub large_values {
  my ($db) = @_;
  my $text = 'Größe 中文 ' x 20000;
  my $bytes = join('', map { chr } 0 .. 255) x 1024;
  my $statement = $db->prepare('INSERT INTO document (id, title, body, picture, pages) VALUES (?, ?, ?, ?, ?)');
  $statement->bind_param(4, undef, SQL_LONGVARBINARY);
  $statement->execute(1, 'large', $text, $bytes, 3);
  $statement->execute(2, 'empty', '', undef, 0);
  local $db->{LongReadLen} = 1 << 20;
  local $db->{LongTruncOk} = 1;  # libsqliteodbc calls every long value truncated
  my $rows = $db->selectall_arrayref('SELECT id, title, body, picture, pages FROM document ORDER BY id');
  for my $row (@$rows) {
    my ($id, $title, $body, $picture, $pages) = @$row;
    show('document', $id, $title, md5_hex(encode_utf8($body)), $body eq $text,
      defined $picture ? (length $picture, md5_hex($picture), $picture eq $bytes) : undef, $pages);
  }
}

sub generated_keys {
  my ($db) = @_;
  my $new = 'INSERT INTO entry (account_id, amount, ratio, word) VALUES (?, ?, ?, ?)';
  if ($engine ne 'sqlite') {
    show('returned', @{$db->selectrow_arrayref("$new RETURNING id, amount, word", undef, 1, '3.10', 0.125, 'erste')});
  }
  show('inserted', $db->do($new, undef, 1, '3.20', 0.25, 'zweite'));
  my %last = (postgresql => 'lastval()', sqlite => 'last_insert_rowid()', mariadb => 'last_insert_id()');
  show('key', @{$db->selectrow_arrayref("SELECT $last{$engine}")});
  show('entry', @$_) for @{$db->selectall_arrayref('SELECT id, account_id, amount, ratio, word FROM entry ORDER BY id')};
}

sub catalog {
  my ($db) = @_;
  my $columns = $db->column_info(undef, undef, 'account', '%');
  while (my $row = $columns->fetchrow_hashref('NAME_uc')) { show('column', @$row{qw(COLUMN_NAME TYPE_NAME NULLABLE)}) }
  show('key', $db->primary_key(undef, undef, 'account'));
  my $statement = $db->prepare('SELECT id, owner, balance FROM account ORDER BY id');
  $statement->execute;
  show('names', @{$statement->{NAME}});
  show('types', @{$statement->{TYPE}});
  $statement->finish;
}

my $db = DBI->connect("dbi:ODBC:DSN=$source", undef, undef, {RaiseError => 1, PrintError => 0, AutoCommit => 1});
prepared($db);
many($db);
transactions($db);
large_values($db);
generated_keys($db);
catalog($db);
$db->disconnect;
