<?php
// PHP's PDO_ODBC as programs use it. Arguments: data source, engine.
[, $source, $engine] = $argv;

function show(string $what, ...$values): void {
  $texts = array_map(fn($value) => var_export($value, true), $values);
  echo $what, ': ', str_replace("\n", ' ', implode(' | ', $texts)), "\n";
}

function refused(string $what, callable $work): void {
  try {
    $work();
    show($what, 'no error');
  } catch (PDOException $error) {
    show($what, $error->getCode(), $error->getMessage());
  }
}

function accounts(PDO $db): void {
  foreach ($db->query('SELECT id, owner, balance, opened, seen, note FROM account ORDER BY id', PDO::FETCH_NUM) as $row) {
    show('account', ...$row);
  }
}

function prepared(PDO $db): void {
  $insert = $db->prepare('INSERT INTO account (id, owner, balance, opened, seen, note) VALUES (:id, :owner, :balance, :opened, :seen, :note)');
  $rows = [
    [1, 'Ada', '12.50', '2024-02-29', '2024-02-29 23:59:58.12', null],
    [2, 'Žofie', '-99999999.99', null, null, 'naïve ☃'],
    [3, '', '0', '1970-01-01', null, ''],
  ];
  foreach ($rows as $row) {
    $insert->execute(array_combine([':id', ':owner', ':balance', ':opened', ':seen', ':note'], $row));
    show('inserted', $insert->rowCount());
  }
  $update = $db->prepare('UPDATE account SET balance = balance + ?, note = ? WHERE id = ?');
  $amount = '0.05';
  $note = null;
  $id = 1;
  $update->bindParam(1, $amount);
  $update->bindParam(2, $note, PDO::PARAM_STR);
  $update->bindParam(3, $id, PDO::PARAM_INT);
  foreach ([['0.05', 'first', 1], ['10', null, 2], ['1', 'nobody', 99]] as [$amount, $note, $id]) {
    $update->execute();
    show('updated', $update->rowCount());
  }
  refused('duplicate', fn() => $insert->execute([':id' => 2, ':owner' => 'again', ':balance' => '1', ':opened' => null, ':seen' => null, ':note' => null]));
  $insert->execute([':id' => 4, ':owner' => 'Grace', ':balance' => '4.40', ':opened' => null, ':seen' => null, ':note' => 'after']);
  accounts($db);
}

function direct(PDO $db): void {
  show('inserted', $db->exec("INSERT INTO account (id, owner, balance) VALUES (5, 'it''s ☃', 5.5), (6, 'six', 6)"));
  show('updated', $db->exec("UPDATE account SET note = 'range' WHERE id > 4"));
  show('updated none', $db->exec("UPDATE account SET note = 'none' WHERE id > 4000"));
  show('deleted', $db->exec('DELETE FROM account WHERE id = 6'));
  refused('wrong', fn() => $db->exec('UPDATE account SET nosuch = 1'));
  $db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_SILENT);
  show('silent', $db->exec("INSERT INTO account (id, owner, balance) VALUES (5, 'x', 1)"), $db->errorInfo()[0]);
  $db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
  accounts($db);
}

function transactions(PDO $db): void {
  show('begin', $db->beginTransaction(), $db->inTransaction());
  show('deleted', $db->exec('DELETE FROM account'));
  show('rollback', $db->rollBack(), $db->inTransaction());
  $db->beginTransaction();
  show('updated', $db->exec("UPDATE account SET owner = 'Lise' WHERE id = 3"));
  refused('duplicate', fn() => $db->exec("INSERT INTO account (id, owner, balance) VALUES (3, 'x', 1)"));
  show('inserted', $db->exec("INSERT INTO account (id, owner, balance) VALUES (7, 'seven', 7)"));
  show('commit', $db->commit());
  accounts($db);
}

function large_values(PDO $db): void {
  $text = str_repeat('Größe 中文 ', 20000);
  $bytes = str_repeat(implode('', array_map('chr', range(0, 255))), 1024);
  $insert = $db->prepare('INSERT INTO document (id, title, body, picture, pages) VALUES (?, ?, ?, ?, ?)');
  foreach ([1, 2] as $id) {  // a stream goes to the driver in pieces
    $stream = fopen('php://memory', 'r+');
    fwrite($stream, $bytes);
    rewind($stream);
    $insert->bindValue(1, $id, PDO::PARAM_INT);
    $insert->bindValue(2, "stream $id");
    $insert->bindValue(3, $id === 1 ? $text : null);
    $insert->bindValue(4, $stream, PDO::PARAM_LOB);
    $insert->bindValue(5, 10 * $id, PDO::PARAM_INT);
    $insert->execute();
    show('inserted', $insert->rowCount());
  }
  foreach ($db->query('SELECT id, title, body, picture, pages FROM document ORDER BY id', PDO::FETCH_NUM) as $row) {
    show('document', $row[0], $row[1], md5((string)$row[2]), $row[2] === $text, md5((string)$row[3]), $row[3] === $bytes, $row[4]);
  }
}

function generated_keys(PDO $db, string $engine): void {
  $insert = 'INSERT INTO entry (account_id, amount, ratio, word) VALUES (?, ?, ?, ?)';
  if ($engine !== 'sqlite') {
    $returning = $db->prepare("$insert RETURNING id, amount, word");
    $returning->execute([1, '3.10', '0.125', 'erste']);
    show('returned', ...$returning->fetch(PDO::FETCH_NUM));
    $returning->closeCursor();
  }
  $db->prepare($insert)->execute([1, '3.20', '0.25', 'zweite']);
  $last = ['postgresql' => 'lastval()', 'sqlite' => 'last_insert_rowid()', 'mariadb' => 'last_insert_id()'];
  show('key', $db->query("SELECT {$last[$engine]}")->fetchColumn());
  show('entries', ...$db->query('SELECT word FROM entry ORDER BY id')->fetchAll(PDO::FETCH_COLUMN));
}

$db = new PDO("odbc:$source", null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
prepared($db);
direct($db);
transactions($db);
large_values($db);
generated_keys($db, $engine);
$db->beginTransaction();
$db->exec('DELETE FROM account WHERE id = 7');  // never committed
