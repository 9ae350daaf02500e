#!/usr/bin/tclsh8.6
# Tcl's tdbc::odbc as programs use it. Arguments: data source, engine.
package require tdbc::odbc
fconfigure stdout -encoding utf-8
lassign $argv source engine

proc show {what args} { puts "$what: [join $args { | }]" }

proc refused {what script} {
  if {[catch {uplevel 1 $script} message options]} {
    show $what [lrange [dict get $options -errorcode] 0 2] [string map {\n " "} $message]
  } else {
    show $what "no error"
  }
}

proc accounts {} {
  db foreach -as lists row {SELECT id, owner, balance, opened, seen, note FROM account ORDER BY id} {
    show account {*}$row
  }
  # A NULL is a name that is not there.
  db foreach row {SELECT id, note FROM account ORDER BY id} { show names [dict keys $row] }
}

proc prepared {} {
  set insert [db prepare {INSERT INTO account (id, owner, balance, opened, seen, note)
    VALUES (:id, :owner, :balance, :opened, :seen, :note)}]
  $insert paramtype id integer
  $insert paramtype owner varchar 60
  $insert paramtype balance varchar 20
  $insert paramtype opened varchar 20
  $insert paramtype seen varchar 40
  foreach row {
    {id 1 owner Ada balance 12.50 opened 2024-02-29 seen "2024-02-29 23:59:58.12"}
    {id 2 owner \u017dofie balance -99999999.99 note "na\u00efve \u2603"}
    {id 3 owner "" balance 0 opened 1970-01-01 note ""}
  } {
    set result [$insert execute [subst -nocommands -novariables $row]]
    show inserted [$result rowcount]
    $result close
  }
  refused duplicate {$insert execute {id 2 owner again balance 1}}
  [$insert execute {id 4 owner Grace balance 4.40 note "after an error"}] close
  $insert close
  set id 1
  set amount 0.05
  set update [db prepare {UPDATE account SET balance = balance + :amount WHERE id = :id}]
  $update paramtype amount double
  $update paramtype id integer
  set result [$update execute]
  show updated [$result rowcount]
  $result close
  set id 99
  set result [$update execute]
  show updated [$result rowcount]
  $result close
  $update close
  refused wrong {db allrows {UPDATE account SET nosuch = 1}}
  accounts
}

proc transactions {} {
  db begintransaction
  db allrows {DELETE FROM account}
  db rollback
  db transaction {
    db allrows {UPDATE account SET owner = 'Lise' WHERE id = 3}
    db allrows {INSERT INTO account (id, owner, balance) VALUES (7, 'seven', 7), (8, 'eight', 8)}
  }
  refused "an error in a transaction" {
    db transaction {
      db allrows {UPDATE account SET note = 'lost' WHERE id > 3}
      db allrows {INSERT INTO account (id, owner, balance) VALUES (3, 'x', 1)}
    }
  }
  db begintransaction
  db allrows {UPDATE account SET note = 'range' WHERE id > 3}
  refused duplicate {db allrows {INSERT INTO account (id, owner, balance) VALUES (3, 'x', 1)}}
  db allrows {DELETE FROM account WHERE id = 8}
  db commit
  accounts
}

proc large_values {} {
  set text [string repeat "Gr\u00f6\u00dfe \u4e2d\u6587 " 20000]
  set insert [db prepare {INSERT INTO document (id, title, body, pages) VALUES (:id, :title, :body, :pages)}]
  $insert paramtype id integer
  $insert paramtype title varchar 200
  $insert paramtype body longvarchar 1000000
  $insert paramtype pages integer
  [$insert execute [dict create id 1 title large body $text pages 3]] close
  [$insert execute [dict create id 2 title nothing]] close
  $insert close
  db foreach -as lists row {SELECT id, title, body, pages FROM document ORDER BY id} {
    lassign $row id title body pages
    show document $id $title [string length $body] [expr {$body eq $text}] $pages
  }
}

proc generated_keys {engine} {
  set new {INSERT INTO entry (account_id, amount, ratio, word) VALUES (1, 3.10, 0.125, 'erste')}
  if {$engine ne "sqlite"} { show returned {*}[db allrows -as lists "$new RETURNING id, amount, word"] }
  db allrows $new
  set last [dict get {postgresql lastval() sqlite last_insert_rowid() mariadb last_insert_id()} $engine]
  show key [db allrows -as lists "SELECT $last"]
  show entries [db allrows -as lists {SELECT id, account_id, amount, ratio, word FROM entry ORDER BY id}]
}

proc catalog {} {
  show tables [lsort [dict keys [db tables]]]
  foreach {name column} [db columns account] {
    show column $name [dict get $column type] [dict get $column nullable]
  }
}

tdbc::odbc::connection create db "DSN=$source"
prepared
transactions
large_values
generated_keys $engine
catalog
db close
