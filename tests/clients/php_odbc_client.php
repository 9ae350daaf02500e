<?php
// PHP's odbc_* functions as programs use them. Arguments: data source, engine.
error_reporting(E_ALL & ~E_WARNING);  // errors are asked for, not printed
[, $source, $engine] = $argv;

function show(string $what, ...$values): void {
  $texts = array_map(fn($value) => var_export($value, true), $values);
  echo $what, ': ', str_replace("\n", ' ', implode(' | ', $texts)), "\n";
}

function show_rows(string $what, $result): void {
  while (($row = odbc_fetch_array($result)) !== false) show($what, ...array_values($row));
  odbc_free_result($result);
}

function outcome(string $what, $db, $result): void {
  if ($result === false) show($what, 'refused', odbc_error($db), odbc_errormsg($db));
  else show($what, is_resource($result) || is_object($result) ? odbc_num_rows($result) : $result);
}

function accounts($db): void {
  show_rows('account', odbc_exec($db, 'SELECT id, owner, balance, opened, seen, note FROM account ORDER BY id'));
}

function prepared($db): void {
  $insert = odbc_prepare($db, 'INSERT INTO account (id, owner, balance, opened, seen, note) VALUES (?, ?, ?, ?, ?, ?)');
  $rows = [
    [1, 'Ada', '12.50', '2024-02-29', '2024-02-29 23:59:58.12', null],
    [2, 'Žofie', '-99999999.99', null, null, 'naïve ☃'],
    [3, '', '0', '1970-01-01', null, ''],
  ];
  foreach ($rows as $row) show('inserted', odbc_execute($insert, $row), odbc_num_rows($insert));
  $update = odbc_prepare($db, 'UPDATE account SET balance = balance + ? WHERE id = ?');
  foreach ([['0.05', 1], ['10', 2], ['1', 99]] as $row) {
    show('updated', odbc_execute($update, $row), odbc_num_rows($update));
  }
  $duplicate = odbc_execute($insert, [2, 'again', '1', null, null, null]);
  show('duplicate', $duplicate, odbc_error($db), odbc_errormsg($db));
  show('and again', odbc_execute($insert, [4, 'Grace', '4.40', null, null, 'after an error']));
  accounts($db);
}

function direct($db): void {
  outcome('inserted', $db, odbc_exec($db, "INSERT INTO account (id, owner, balance) VALUES (5, 'it''s ☃', 5.5), (6, 'six', 6)"));
  outcome('updated', $db, odbc_exec($db, "UPDATE account SET note = 'range' WHERE id > 4"));
  outcome('updated none', $db, odbc_exec($db, "UPDATE account SET note = 'none' WHERE id > 4000"));
  outcome('deleted', $db, odbc_exec($db, 'DELETE FROM account WHERE id = 6'));
  outcome('wrong', $db, odbc_exec($db, 'UPDATE account SET nosuch = 1'));
  outcome('duplicate', $db, odbc_exec($db, "INSERT INTO account (id, owner, balance) VALUES (5, 'x', 1)"));
  accounts($db);
}

function transactions($db): void {
  show('off', odbc_autocommit($db, false));
  outcome('deleted', $db, odbc_exec($db, 'DELETE FROM account'));
  show('rolled back', odbc_rollback($db));
  outcome('updated', $db, odbc_exec($db, "UPDATE account SET owner = 'Lise' WHERE id = 3"));
  outcome('duplicate', $db, odbc_exec($db, "INSERT INTO account (id, owner, balance) VALUES (3, 'x', 1)"));
  outcome('inserted', $db, odbc_exec($db, "INSERT INTO account (id, owner, balance) VALUES (7, 'seven', 7)"));
  show('committed', odbc_commit($db));
  outcome('updated', $db, odbc_exec($db, "UPDATE account SET note = 'by autocommit' WHERE id = 7"));
  show('on', odbc_autocommit($db, true), odbc_autocommit($db));
  accounts($db);
}

function large_values($db): void {
  $text = str_repeat('Größe 中文 ', 20000);
  $bytes = str_repeat(implode('', array_map('chr', range(0, 255))), 1024);
  $insert = odbc_prepare($db, 'INSERT INTO document (id, title, body, picture, pages) VALUES (?, ?, ?, ?, ?)');
  show('inserted', odbc_execute($insert, [1, 'large', $text, $bytes, 3]), odbc_error($db), odbc_errormsg($db));
  // A name in single quotes is a file: odbc_execute sends it in pieces when it is asked for.
  $file = tempnam(sys_get_temp_dir(), 'understudy');
  file_put_contents($file, $text);
  show('from a file', odbc_execute($insert, [2, 'file', "'$file'", null, 4]), odbc_error($db), odbc_errormsg($db));
  unlink($file);
  $result = odbc_exec($db, 'SELECT id, title, body, picture, pages FROM document ORDER BY id');
  odbc_longreadlen($result, 1 << 20);
  odbc_binmode($result, ODBC_BINMODE_RETURN);
  while (odbc_fetch_row($result)) {
    $body = odbc_result($result, 3);
    $picture = odbc_result($result, 4);
    show('document', odbc_result($result, 1), odbc_result($result, 2), md5((string)$body), $body === $text,
      $picture === null ? null : md5($picture), $picture === $bytes, odbc_result($result, 5));
  }
}

function generated_keys($db, string $engine): void {
  $insert = "INSERT INTO entry (account_id, amount, ratio, word) VALUES (1, 3.10, 0.125, 'erste')";
  if ($engine !== 'sqlite') show_rows('returned', odbc_exec($db, "$insert RETURNING id, amount, word"));
  outcome('inserted', $db, odbc_exec($db, $insert));
  $last = ['postgresql' => 'lastval()', 'sqlite' => 'last_insert_rowid()', 'mariadb' => 'last_insert_id()'];
  show_rows('key', odbc_exec($db, "SELECT {$last[$engine]} AS k"));
  show_rows('entry', odbc_exec($db, 'SELECT id, account_id, amount, ratio, word FROM entry ORDER BY id'));
}

function catalog($db): void {
  $result = odbc_columns($db, null, null, 'account', '%');
  while ($row = odbc_fetch_array($result)) show('column', $row['COLUMN_NAME'], $row['TYPE_NAME'], $row['NULLABLE']);
  $result = odbc_exec($db, 'SELECT id, owner, balance FROM account ORDER BY id');
  for ($at = 1; $at <= odbc_num_fields($result); ++$at) {
    show('field', odbc_field_name($result, $at), odbc_field_type($result, $at), odbc_field_len($result, $at));
  }
}

$db = odbc_connect($source, '', '');
prepared($db);
direct($db);
transactions($db);
large_values($db);
generated_keys($db, $engine);
catalog($db);
odbc_close($db);
