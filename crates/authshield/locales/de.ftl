# Die Wörter aller Briefe auf Deutsch; der Aufbau steht in en.ftl.

-account = Konto

greeting = Guten Tag,
greeting-name = Guten Tag, { $name },

span-minutes = { $count ->
    [one] einer Minute
   *[other] { $count } Minuten
}
span-hours = { $count ->
    [one] einer Stunde
   *[other] { $count } Stunden
}
span-days = { $count ->
    [one] einem Tag
   *[other] { $count } Tagen
}

link-copy = Falls der Knopf nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:
link-life = Der Link gilt einmal, innerhalb von { $span }. Geben Sie ihn nicht weiter: Wer ihn hat, kann ihn benutzen.
closing = { $service } schickt Ihnen diese Nachricht, weil sie Ihr { -account } bei { $site } betrifft. Sie wurde von einem Programm geschrieben; Antworten werden nicht gelesen.

verify_email = Bestätigen Sie Ihre E-Mail-Adresse für { $service }
    .lead = jemand, hoffentlich Sie, hat mit dieser Adresse ein { -account } bei { $service } eröffnet. Bitte bestätigen Sie, dass es Ihre ist.
    .action = Adresse bestätigen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; es geschieht nichts weiter.

already_registered = Sie haben schon ein { -account } bei { $service }
    .lead = jemand, vielleicht Sie, wollte mit dieser Adresse ein { -account } bei { $service } eröffnen. Sie haben schon eines, darum wurde nichts geändert: Melden Sie sich einfach an.
    .lead-link = jemand, vielleicht Sie, wollte mit dieser Adresse ein { -account } bei { $service } eröffnen. Sie haben schon eines, darum wurde nichts geändert: Melden Sie sich einfach an. Falls Sie Ihr Passwort vergessen haben, wählen Sie hier ein neues.
    .action = Neues Passwort wählen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; Ihr { -account } ist unverändert.

reset_password = Wählen Sie ein neues Passwort für { $service }
    .lead = jemand, hoffentlich Sie, hat ein neues Passwort für Ihr { -account } bei { $service } verlangt.
    .action = Neues Passwort wählen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; Ihr Passwort bleibt, wie es ist.

password_changed = Ihr Passwort für { $service } wurde geändert
    .lead = das Passwort Ihres Kontos bei { $service } wurde am { $at } geändert.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Verlangen Sie bei { $service } sofort ein neues Passwort und benachrichtigen Sie den Betreiber.

confirm_new_email = Bestätigen Sie Ihre neue E-Mail-Adresse für { $service }
    .lead = Sie möchten diese Adresse künftig für Ihr { -account } bei { $service } verwenden. Bitte bestätigen Sie, dass es Ihre ist; bis dahin bleibt die alte.
    .action = Neue Adresse bestätigen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; es geschieht nichts weiter.

email_changing = Ihre E-Mail-Adresse für { $service } soll geändert werden
    .lead = am { $at } hat jemand, hoffentlich Sie, verlangt, diese Adresse Ihres Kontos bei { $service } durch { $new_email } zu ersetzen. Das geschieht, sobald die neue Adresse bestätigt ist.
    .note = Wenn Sie das nicht waren, kennt jemand Ihr Passwort: Ändern Sie es jetzt. Das verhindert auch die Änderung der Adresse.

email_changed = Ihre E-Mail-Adresse für { $service } wurde geändert
    .lead = dies ist nicht länger die Adresse Ihres Kontos bei { $service }; sie wurde am { $at } ersetzt.
    .note = Wenn Sie das nicht waren, benachrichtigen Sie sofort den Betreiber von { $service }.

test = Testnachricht von { $service }
    .lead = diese Nachricht zeigt, dass { $service } Mail verschicken kann. Sie wurde am { $at } geschrieben.
    .note = Sie müssen nichts tun.
