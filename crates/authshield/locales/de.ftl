# Die Wörter aller Briefe und Seiten auf Deutsch; der Aufbau steht in en.ftl.

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
secure-password = wählen Sie jetzt ein neues Passwort
secure-mailbox = melden Sie sich jetzt überall ab und schützen Sie Ihr Postfach
closing = { $service } schickt Ihnen diese Nachricht, weil sie Ihr { -account } bei { $site } betrifft. Sie wurde von einem Programm geschrieben; Antworten werden nicht gelesen.

verify_email = Bestätigen Sie Ihre E-Mail-Adresse für { $service }
    .lead = jemand, hoffentlich Sie, hat mit dieser Adresse ein { -account } bei { $service } eröffnet. Bitte bestätigen Sie, dass es Ihre ist.
    .action = Adresse bestätigen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; es geschieht nichts weiter.

choose_password = Wählen Sie das Passwort Ihres Kontos bei { $service }
    .lead = mit dieser Adresse wurde mehrmals, und mit verschiedenen Passwörtern, ein { -account } bei { $service } eröffnet. Damit kein Passwort außer Ihrem gilt, wählen Sie hier eines; damit ist auch die Adresse bestätigt.
    .action = Passwort wählen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; es geschieht nichts weiter.

already_registered = Sie haben schon ein { -account } bei { $service }
    .lead = jemand, vielleicht Sie, wollte mit dieser Adresse ein { -account } bei { $service } eröffnen. Sie haben schon eines, darum wurde nichts geändert: Melden Sie sich einfach an.
    .lead-link = jemand, vielleicht Sie, wollte mit dieser Adresse ein { -account } bei { $service } eröffnen. Sie haben schon eines, darum wurde nichts geändert: Melden Sie sich einfach an. Falls Sie Ihr Passwort vergessen haben, wählen Sie hier ein neues.
    .action = Neues Passwort wählen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; Ihr { -account } ist unverändert.

sign_in = Bei { $service } anmelden
    .lead = Jemand, hoffentlich Sie, möchte sich mit dieser Adresse bei { $service } anmelden. Geben Sie dort, wo danach gefragt wurde, diesen Code ein, oder öffnen Sie den Link im selben Browser:
    .action = Anmelden
    .note = Code und Link öffnen nur etwas in dem Browser oder der App, die danach gefragt hat. Waren Sie es nicht, beachten Sie diese Nachricht nicht. Nennen Sie den Code niemandem, und geben Sie ihn auf keiner Seite ein, die Sie nicht selbst geöffnet haben.

proof_code = Ihr Code für { $service }
    .lead = jemand, hoffentlich Sie, will mit Ihrem { -account } bei { $service } etwas tun, das einen Nachweis braucht, oder meldet sich von dort an, wo es bisher nicht benutzt wurde. Geben Sie diesen Code ein, wo danach gefragt wird:
    .note = Er gilt einige Minuten, und nur dort, wo danach gefragt wurde. Waren Sie es nicht, beachten Sie diese Nachricht nicht, und melden Sie sich in Ihrem { -account } überall sonst ab. Nennen Sie den Code niemandem, und geben Sie ihn auf keiner Seite ein, die Sie nicht selbst geöffnet haben.

reset_password = Wählen Sie ein neues Passwort für { $service }
    .lead = jemand, hoffentlich Sie, hat ein neues Passwort für Ihr { -account } bei { $service } verlangt.
    .action = Neues Passwort wählen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; Ihr Passwort bleibt, wie es ist.

account_closed = Ihr { -account } bei { $service } ist geschlossen
    .lead = am { $at } wurden alle von Ihrem { -account } bei { $service } abgemeldet, wie Sie es verlangt haben. Nichts öffnet es, bis Sie bestätigen, dass dieses Postfach Ihres ist. Melden Sie sich danach an, und sehen Sie nach, was geändert wurde.
    .action = Wieder öffnen
    .note = Wenn Sie das nicht verlangt haben, hat jemand anderes Zugang zu Ihrem { -account }: Sagen Sie es dem Betreiber von { $service }.

password_changed = Ihr Passwort für { $service } wurde geändert
    .lead = das Passwort Ihres Kontos bei { $service } wurde am { $at } geändert.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Verlangen Sie bei { $service } sofort ein neues Passwort und benachrichtigen Sie den Betreiber.

account_locked = Jemand probiert Passwörter für Ihr { -account } bei { $service }
    .lead = für Ihr { -account } bei { $service } wurden am { $at } so viele falsche Passwörter probiert, dass eine Zeit lang niemand ein weiteres probieren darf. Niemand kam hinein. Wo Sie sich früher angemeldet haben, können Sie es weiterhin.
    .note = Sie müssen nichts tun. Wenn Sie es waren oder sich nicht anmelden können, fordern Sie bei { $service } ein neues Passwort an: Der Link in dieser Nachricht lässt Sie hinein.

confirm_new_email = Bestätigen Sie Ihre neue E-Mail-Adresse für { $service }
    .lead = Sie möchten diese Adresse künftig für Ihr { -account } bei { $service } verwenden. Bitte bestätigen Sie, dass es Ihre ist; bis dahin bleibt die alte.
    .action = Neue Adresse bestätigen
    .note = Wenn Sie das nicht waren, ignorieren Sie diese Nachricht; es geschieht nichts weiter.

email_changing = Ihre E-Mail-Adresse für { $service } soll geändert werden
    .lead = am { $at } hat jemand, hoffentlich Sie, verlangt, diese Adresse Ihres Kontos bei { $service } durch { $new_email } zu ersetzen. Das geschieht, sobald die neue Adresse bestätigt ist.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang. Dann { $secure }; das verhindert auch die Änderung der Adresse.

email_changed = Ihre E-Mail-Adresse für { $service } wurde geändert
    .lead = dies ist nicht länger die Adresse Ihres Kontos bei { $service }; sie wurde am { $at } ersetzt.
    .lead-link = dies ist nicht länger die Adresse Ihres Kontos bei { $service }; sie wurde am { $at } ersetzt. Wenn Sie das nicht waren, benutzen Sie den Link: Auf der Seite, zu der er führt, können Sie diese Adresse wiederherstellen und alle abmelden, und Sie erhalten eine weitere Nachricht, mit der Sie wieder hineinkommen.
    .action = Das war ich nicht
    .note = Wenn Sie das nicht waren und es nicht selbst in Ordnung bringen können, benachrichtigen Sie sofort den Betreiber von { $service }.

second_factor_added = Ihr { -account } bei { $service } hat jetzt einen zweiten Faktor
    .lead = am { $at } wurde Ihrem { -account } bei { $service } eine Authenticator-App hinzugefügt. Von jetzt an braucht eine Anmeldung einen Code von ihr, und Sie wurden auf allen anderen Geräten abgemeldet.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Benachrichtigen Sie sofort den Betreiber von { $service }.

second_factor_removed = Der zweite Faktor Ihres Kontos bei { $service } wurde entfernt
    .lead = am { $at } wurde der zweite Faktor Ihres Kontos bei { $service } entfernt. Von jetzt an wird bei einer Anmeldung nicht mehr nach ihm gefragt.
    .note = Wenn Sie das nicht waren, { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

second_factor_guessed = Jemand rät Codes für Ihr { -account } bei { $service }
    .lead = am { $at } ist jemand bei der Anmeldung an Ihrem { -account } bei { $service } über den ersten Schritt hinausgekommen und hat dann immer wieder falsche Codes geschickt. Der zweite Faktor hat das aufgehalten.
    .note = Wenn Sie das nicht waren, ist jemand anderes so weit gekommen. Dann { $secure }. Falls eine Zeit lang keine Codes angenommen werden, kommen Sie mit einem Wiederherstellungscode hinein.

recovery_code_used = Ein Wiederherstellungscode Ihres Kontos bei { $service } wurde benutzt
    .lead = am { $at } wurde einer Ihrer Wiederherstellungscodes anstelle der Authenticator-App benutzt. Unbenutzte Codes, die übrig sind: { $left }. Erzeugen Sie neue, bevor keiner mehr da ist.
    .note = Wenn Sie das nicht waren, hat jemand Ihre Codes: Erzeugen Sie neue, und { $secure }.

recovery_codes_renewed = Neue Wiederherstellungscodes für Ihr { -account } bei { $service }
    .lead = am { $at } wurden neue Wiederherstellungscodes für Ihr { -account } bei { $service } erzeugt. Die bisherigen gelten nicht mehr.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang. Dann { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

passkey_added = Ihr { -account } bei { $service } hat einen neuen Passkey
    .lead = am { $at } wurde Ihrem { -account } bei { $service } ein Passkey hinzugefügt. Wer ihn hat, braucht zum Anmelden nichts weiter.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Entfernen Sie den Passkey, { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

passkey_removed = Ein Passkey Ihres Kontos bei { $service } wurde entfernt
    .lead = am { $at } wurde ein Passkey von Ihrem { -account } bei { $service } entfernt. Mit ihm kann sich niemand mehr anmelden.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang. Dann { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

identity_linked = Ihr { -account } bei { $service } lässt sich bei { $provider } öffnen
    .lead = am { $at } wurde ein Konto bei { $provider } mit Ihrem { -account } bei { $service } verknüpft. Wer es hat, braucht zum Anmelden nichts weiter.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Entfernen Sie die Verknüpfung, { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

identity_removed = Eine Verknüpfung Ihres Kontos bei { $service } wurde entfernt
    .lead = am { $at } wurde die Verknüpfung Ihres Kontos bei { $service } mit einem Konto bei { $provider } entfernt. Mit ihm kann sich niemand mehr anmelden.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang. Dann { $secure }, und benachrichtigen Sie den Betreiber von { $service }.

new_device = Neue Anmeldung bei Ihrem { -account } bei { $service }
    .lead = am { $at } hat sich jemand, hoffentlich Sie, bei Ihrem { -account } bei { $service } angemeldet, von wo es noch nicht benutzt wurde: { $device }, { $place }.
    .action = Das war ich nicht
    .note = Wenn Sie es waren, ignorieren Sie diese Nachricht. Wenn nicht, benutzen Sie den Link: Auf der Seite, zu der er führt, können Sie alle Sitzungen beenden und aussperren, wer darin ist. Dann erhalten Sie eine weitere Nachricht, mit der Sie wieder hineinkommen.

account_deletion_requested = Ihr { -account } bei { $service } wird gelöscht
    .lead = am { $at } hat jemand, hoffentlich Sie, verlangt, Ihr { -account } bei { $service } zu löschen. Es wird am { $due } gelöscht, mit allem, was dazu gehört. Bis dahin können Sie sich anmelden und das zurücknehmen; auf allen anderen Geräten wurden Sie abgemeldet.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang: Melden Sie sich an, behalten Sie das { -account }, und { $secure }.

account_deletion_withdrawn = Ihr { -account } bei { $service } bleibt
    .lead = Ihr { -account } bei { $service } wird nicht gelöscht: Das wurde am { $at } zurückgenommen.
    .note = Wenn Sie das nicht waren, hat jemand anderes Zugang. Dann { $secure }.

account_deleted = Ihr { -account } bei { $service } wurde gelöscht
    .lead = am { $at } wurde Ihr { -account } bei { $service } gelöscht, mit allem, was dazu gehörte, wie Sie es verlangt hatten.
    .note = Sie müssen nichts tun. Wer möchte, kann mit dieser Adresse ein neues eröffnen.

test = Testnachricht von { $service }
    .lead = diese Nachricht zeigt, dass { $service } Mail verschicken kann. Sie wurde am { $at } geschrieben.
    .note = Sie müssen nichts tun.

canary = Kommt die Mail von { $service } an?
    .lead = diese Nachricht schickt { $service } sich selbst, immer wieder, um zu sehen, ob Mail ankommt. Ihr Merkmal ist { $nonce }.
    .note = Ein Programm liest und löscht sie.


## Seiten

page-error = Fehler: { $title }
page-footer = { $service } kümmert sich um die Anmeldung bei { $site }.
page-reference = Wenn Sie um Hilfe bitten, nennen Sie diese Nummer:

page-home = Anmeldedienst
    .lead = { $service } kümmert sich um Konten und Anmeldung für die Anwendungen bei { $site }. Hier kümmern Sie sich um Ihr Konto; um eine Anwendung zu benutzen, öffnen Sie diese.
    .account = Ihr Konto
    .developers = Für Entwickler
    .docs = Die API ausprobieren
    .openapi = Beschreibung der API (OpenAPI)
    .problems = Fehlercodes

page-verify = Bestätigen Sie Ihre E-Mail-Adresse
    .lead = Ist das Ihre Adresse? Dann drücken Sie den Knopf.
    .action = Adresse bestätigen
    .note = Wenn Sie das nicht erwartet haben, schließen Sie die Seite: Es geschieht nichts.
    .done = Ihre Adresse ist bestätigt
    .done-lead = Danke. { $email } ist bestätigt. Sie können diese Seite schließen und sich anmelden.

page-reset = Wählen Sie ein neues Passwort
    .account = Für das Konto
    .label = Neues Passwort
    .action = Neues Passwort setzen
    .note = Danach sind Sie auf allen Geräten abgemeldet.
    .done = Ihr Passwort wurde geändert
    .done-lead = Sie wurden auf allen Geräten abgemeldet. Schließen Sie diese Seite und melden Sie sich mit dem neuen Passwort an.

page-not-me = Waren das nicht Sie?
    .lead = Wenn sich jemand anderes bei diesem { -account } angemeldet oder seine Adresse geändert hat, drücken Sie den Knopf: Alle werden abgemeldet, das Passwort gilt nicht mehr, Passkeys und eine App für Codes, die seither hinzukamen, werden entfernt, und dies ist wieder seine Adresse. Sie erhalten eine Mail, um ein neues Passwort zu wählen.
    .lead-plain = Wenn sich jemand anderes bei diesem { -account } angemeldet oder seine Adresse geändert hat, drücken Sie den Knopf: Alle werden abgemeldet, Passkeys und eine App für Codes, die seither hinzukamen, werden entfernt, und dies ist wieder seine Adresse. Dann öffnet nichts das { -account }, bis Sie den Link in einer Nachricht verwenden, die Sie erhalten.
    .action = Das war ich nicht
    .note = Wenn Sie es waren, schließen Sie die Seite: Es geschieht nichts.
    .done = Alle wurden abgemeldet
    .done-lead = Das alte Passwort gilt nicht mehr. Sehen Sie in Ihr Postfach: Mit einer Mail an { $email } wählen Sie ein neues. Sehen Sie danach nach, was in Ihrem { -account } geändert wurde.
    .done-lead-plain = Nichts öffnet jetzt das { -account }. Sehen Sie in Ihr Postfach: In einer Nachricht an { $email } steht ein Link, der es wieder öffnet. Sehen Sie danach nach, was in Ihrem { -account } geändert wurde.

page-setup = Eröffnen Sie das erste Konto
    .lead = Noch verwaltet niemand { $service }. Wer dieses Konto eröffnet, wird Administrator.
    .email = E-Mail-Adresse
    .name = Vollständiger Name
    .optional = freiwillig
    .password = Passwort
    .action = Administrator anlegen
    .done = { $service } ist bereit
    .done-lead = { $email } ist Administrator und kann sich jetzt anmelden.
    .wrong-email = Geben Sie eine vollständige E-Mail-Adresse ein, etwa ann@example.org.
    .wrong-name = Ein Name hat höchstens 200 Zeichen und keine unsichtbaren.
    .taken = Diese Adresse hat schon ein Konto. Wählen Sie eine andere.

page-federation = Mit { $provider } anmelden
    .denied = Die Anmeldung dort kam nicht zustande. Versuchen Sie es noch einmal, oder melden Sie sich anders an.
    .unavailable = Der Anbieter antwortet gerade nicht. Versuchen Sie es später noch einmal, oder melden Sie sich anders an.
    .unverified = Der Anbieter bestätigt nicht, dass die Adresse Ihnen gehört; deshalb lässt sich damit kein Konto finden oder eröffnen. Melden Sie sich an wie bisher.
    .other = Ihr Konto gehört zu einer anderen Anmeldung bei diesem Anbieter. Nehmen Sie jene, oder melden Sie sich anders an.
    .closed = Zurzeit können keine Konten eröffnet werden.
    .over = Diese Anmeldung gilt nicht mehr. Beginnen Sie neu.

page-sign-in = Anmelden
    .action = Anmelden
    .forgot = Passwort vergessen?
    .new = Noch nicht hier?
    .wrong = Die E-Mail-Adresse oder das Passwort ist falsch. Wir sagen nicht, welches; bitte prüfen Sie beides.
    .disabled = Dieses Konto wurde gesperrt. Bitte fragen Sie, wer den Dienst betreibt.
    .unverified = Das Passwort stimmt, aber die E-Mail-Adresse wurde nie bestätigt. Öffnen Sie den Link in der Nachricht, die Sie bekommen haben, oder lassen Sie sie noch einmal schicken.
    .resend = Die Nachricht noch einmal schicken

page-no-password = Hier hat niemand ein Passwort
    .lead = Melden Sie sich auf andere Weise an.

page-sign-out = Sie sind abgemeldet
    .lead = Auf diesem Gerät. Wo Sie sonst noch angemeldet sind, bleiben Sie es.
    .applications = Auf diesen Seiten. In Anwendungen, bei denen Sie sich von hier aus angemeldet haben, und auf anderen Geräten bleiben Sie angemeldet: Ihr Konto zeigt sie alle und meldet Sie dort ab.

page-second-factor = Zeigen Sie, dass Sie es sind
    .code = Code
    .rule = Sechs Ziffern Ihrer Authenticator-App oder einer Ihrer Wiederherstellungscodes.
    .trust = Auf diesem Gerät { $days ->
        [0] einige Stunden
        [one] einen Tag
       *[other] { $days } Tage
    } lang nicht nach einem Code fragen
    .action = Weiter
    .note = Ihr Telefon ist weg, und die Wiederherstellungscodes auch? Dann kann helfen, wer den Dienst betreibt.
    .anew = Von vorn beginnen
    .wrong = Dieser Code stimmt nicht. Bitte geben Sie den ein, den Ihre App jetzt zeigt.
    .used = Dieser Code wurde schon benutzt. Bitte warten Sie, bis Ihre App den nächsten zeigt.
    .locked = Es gab zu viele falsche Codes, darum wird keiner der App mehr angenommen. Bitte verwenden Sie einen Wiederherstellungscode, oder fragen Sie, wer den Dienst betreibt.
    .over = Bitte melden Sie sich noch einmal an
    .over-lead = Es hat zu lange gedauert, oder es gab zu viele Versuche.

page-mail-sign-in = Per E-Mail anmelden
    .lead = Wir senden Ihnen einen Code und einen Link. Beide gelten nur in diesem Browser.
    .action = Code senden
    .offer = Stattdessen einen Code per E-Mail senden
    .back = Anders anmelden

page-mail-code = Sehen Sie in Ihr Postfach
    .lead = Wenn { $email } hier verwendet werden kann, ist eine E-Mail mit einem Code dorthin unterwegs.
    .code = Code
    .rule = Die sechs Ziffern aus der E-Mail.
    .action = Anmelden
    .note = In der E-Mail steht auch ein Link, der in diesem Browser anmeldet. Kommt nichts an, prüfen Sie die Adresse und den Ordner für Spam.
    .spam = Kommt nichts an, sehen Sie in den Ordner für Spam.
    .again = Noch eine E-Mail senden lassen
    .wrong = Dieser Code stimmt nicht. Bitte sehen Sie in die neueste E-Mail.
    .wait = Es gab zu viele falsche Codes. Bitte verwenden Sie den Link aus der E-Mail, in diesem Browser.
    .over = Bitte lassen Sie eine neue E-Mail senden
    .over-lead = Der Code oder der Link wurde benutzt, ist zu alt oder gehört zu einem anderen Browser, oder es gab zu viele Versuche.

page-mail-link = Anmelden
    .lead = Sie haben in diesem Browser danach gefragt. Drücken Sie den Knopf, und Sie sind angemeldet.
    .action = Anmelden
    .elsewhere = Dieser Link öffnet hier nichts
    .elsewhere-lead = Er gilt einmal, einige Minuten lang, und nur in dem Browser, der danach gefragt hat. Haben Sie anderswo gefragt, gehen Sie dorthin zurück und geben Sie den Code aus derselben E-Mail ein.

page-enrol = Fügen Sie einen zweiten Faktor hinzu
    .lead = Die Anmeldung braucht hier einen zweiten Faktor. Scannen Sie dieses Bild mit einer Authenticator-App auf Ihrem Telefon; von da an zeigt die App für jede Anmeldung einen Code.
    .own = Scannen Sie dieses Bild mit einer Authenticator-App auf Ihrem Telefon; von da an zeigt die App für jede Anmeldung einen Code.
    .picture = QR-Code für Ihre Authenticator-App
    .by-hand = Ohne Kamera geben Sie diesen Schlüssel in die App ein:
    .same-device = In einer App auf diesem Gerät öffnen
    .again = Bitte geben Sie den Code ein, den die App jetzt zeigt. Wenn die App dieses Konto nicht zeigt, beginnen Sie von vorn.
    .rule = Sechs Ziffern, wie die App sie jetzt zeigt.
    .action = Hinzufügen und anmelden

page-recovery-codes = Bewahren Sie diese Codes auf
    .lead = Ihr zweiter Faktor ist hinzugefügt. Wenn Sie ihn einmal verlieren, lässt jeder dieser Codes Sie einmal hinein. Sie werden nur jetzt gezeigt: Drucken Sie sie aus, oder legen Sie sie in einen Passwortmanager.
    .next = Ich habe sie aufbewahrt

page-register = Ein Konto eröffnen
    .action = Konto eröffnen
    .known = Sie haben schon eines?
    .closed = Hier kann sich niemand registrieren
    .closed-lead = Wer den Dienst betreibt, eröffnet die Konten selbst.
    .domain = Postfächer dieser Domain behält niemand, und Adressen dort werden nicht angenommen. Verwenden Sie eine, die bleibt.

page-mailed = Sehen Sie in Ihr Postfach
    .lead = Wir haben eine Nachricht an { $email } geschickt. Öffnen Sie den Link darin, dann können Sie sich anmelden. Wenn nichts kommt, prüfen Sie die Adresse noch einmal, und sehen Sie in den Ordner für Spam.
    .meant = Meinten Sie { $email }? Dann registrieren Sie sich mit dieser.

page-forgot = Passwort vergessen?
    .lead = Wir schicken Ihnen einen Link, mit dem Sie ein neues wählen.
    .action = Link schicken
    .back = Zurück zur Anmeldung
    .done = Sehen Sie in Ihr Postfach
    .done-lead = Wenn { $email } ein Konto hat, ist eine Nachricht mit einem Link dorthin unterwegs.

page-captcha = Eine Prüfung, die Maschinen fernhält
    .due = Bevor es weitergeht, müssen wir sichergehen, dass keine Maschine am Werk ist: Das macht Ihr Browser, hier unten. Nichts wurde jetzt geprüft: Bitte füllen Sie aus, was fehlt, und senden Sie das Formular noch einmal.
    .again = Die Prüfung, die Maschinen fernhält, galt nicht oder ist zu lange her. Nichts wurde jetzt geprüft: Bitte füllen Sie aus, was fehlt, und senden Sie das Formular noch einmal.
    .working = Ihr Browser rechnet kurz; das hält Maschinen fern. Sie können inzwischen weitermachen.
    .done = Ihr Browser hat gerechnet, was Maschinen fernhält.
    .failed = Ihr Browser konnte nicht rechnen, was Maschinen fernhält. Bitte laden Sie die Seite neu; wenn das nicht hilft, nehmen Sie einen anderen Browser.
    .scripts = Dieses Formular braucht JavaScript, für eine kurze Prüfung, die Maschinen fernhält. Bitte erlauben Sie es für diese Seite und laden Sie die Seite neu; wenn das nicht geht, fragen Sie, wer den Dienst betreibt.
    .scripts-or-later = Im Moment braucht dieses Formular JavaScript, für eine kurze Prüfung, die Maschinen fernhält. Bitte erlauben Sie es für diese Seite und laden Sie die Seite neu, oder kommen Sie in einer Viertelstunde wieder, wenn es vielleicht nicht nötig ist.

page-wait = { $minutes ->
        [one] Es gab zu viele Versuche. Nichts wurde jetzt geprüft: Bitte warten Sie eine Minute, dann versuchen Sie es noch einmal.
       *[other] Es gab zu viele Versuche. Nichts wurde jetzt geprüft: Bitte warten Sie { $minutes } Minuten, dann versuchen Sie es noch einmal.
    }

page-account = Ihr Konto
    .sign-out = Abmelden
    .profile = Über Sie
    .language = Sprache der Nachrichten
    .save = Speichern
    .saved = Es wurde gespeichert.
    .sessions = Wo Sie angemeldet sind
    .this-one = Dieses Gerät
    .seen = Zuletzt benutzt { $last } von { $address }, angemeldet { $since }
    .end = Dort abmelden
    .end-others = Überall sonst abmelden
    .ended = Dort sind Sie abgemeldet.
    .ended-others = Überall sonst sind Sie abgemeldet.
    .more = Es gibt mehr, als hier gezeigt werden.
    .wrong-password = Das Passwort ist falsch.
    .trusted = Vertraute Geräte
    .trusted-lead = Dort wird bei der Anmeldung nicht nach einem Code gefragt. Wenn Sie Ihr Passwort ändern oder sich überall abmelden, endet das.
    .trusted-seen = Zuletzt benutzt { $last } von { $address }, vertraut seit { $since }, bis { $until }
    .untrust = Dort wieder nach einem Code fragen
    .untrusted = Dort wird wieder nach einem Code gefragt.
    .identities = Konten bei Anbietern
    .identity-used = Zuletzt benutzt { $last }, verknüpft { $since }
    .identity-unused = Noch nicht benutzt, verknüpft { $since }
    .unlink = Entfernen
    .unlinked = Die Verknüpfung mit dem Anbieter wurde entfernt, und überall sonst sind Sie abgemeldet.
    .last-identity = Dies ist der einzige Weg in Ihr Konto. Setzen Sie zuerst ein Passwort, oder fügen Sie einen Passkey hinzu.

page-prove = Zeigen Sie noch einmal, dass Sie es sind
    .lead = Was jetzt kommt, lässt sich nicht zurücknehmen oder würde Ihr Konto auf andere Weise öffnen.
    .anew = Hier gibt es nichts, was Sie zeigen können. Bitte melden Sie sich ab und wieder an, und kommen Sie dann zurück.
    .mail-send = Einen Code per E-Mail senden
    .mail-lead = Eine E-Mail mit einem Code ist an { $email } unterwegs. Kommt nichts an, sehen Sie in den Ordner für Spam.
    .mail-over = Der Code ist zu alt, oder es gab zu viele Versuche. Bitte lassen Sie noch eine E-Mail senden.

page-password = Passwort
    .current = Jetziges Passwort
    .note = Wenn Sie ein neues setzen, werden Sie auf allen anderen Geräten abgemeldet.
    .same = Das ist das jetzige Passwort. Wählen Sie ein anderes.
    .done = Ihr Passwort wurde geändert, und überall sonst sind Sie abgemeldet.

page-email = Eine andere E-Mail-Adresse
    .change = Adresse ändern
    .new = Neue E-Mail-Adresse
    .action = Link schicken
    .note = Wir schicken einen Link an die neue Adresse; sobald er geöffnet wurde, ist sie Ihre Adresse. Die jetzige bekommt eine Mitteilung.
    .done = Eine Nachricht ist unterwegs an die neue Adresse. Öffnen Sie den Link darin; bis dahin bleibt alles, wie es ist.

page-lock = Ist jemand anderes in Ihrem { -account }?
    .lead = Drücken Sie den Knopf: Alle werden abgemeldet, auch hier, und das Passwort gilt nicht mehr. Dann öffnet nichts Ihr { -account }, bis Sie mit dem Link in einer Nachricht an diese Adresse ein neues Passwort wählen:
    .lead-plain = Drücken Sie den Knopf: Alle werden abgemeldet, auch hier. Dann öffnet nichts Ihr { -account }, bis Sie den Link in einer Nachricht an diese Adresse verwenden:
    .factors = Auch meinen zweiten Faktor und meine Passkeys entfernen, weil ich sie verloren habe oder sie von jemand anderem sein könnten
    .action = Alle abmelden

page-factor = Zweiter Faktor
    .off = Mit einem zweiten Faktor öffnet ein gestohlenes Passwort nichts: Bei jeder Anmeldung zeigen Sie einen Code einer App auf Ihrem Telefon. Geben Sie Ihr Passwort ein, um eine hinzuzufügen.
    .off-plain = Mit einem zweiten Faktor hat nichts, wer Ihre Nachrichten liest: Bei jeder Anmeldung zeigen Sie außerdem einen Code einer App auf Ihrem Telefon.
    .add = Eine App hinzufügen
    .confirm = Hinzufügen
    .on = Seit { $since } wird nach einer Authenticator-App gefragt.
    .left = { $left ->
        [0] Es ist kein Wiederherstellungscode übrig. Machen Sie neue, sonst sperrt Sie ein verlorenes Telefon aus.
        [one] Ein Wiederherstellungscode ist übrig. Machen Sie neue, sonst sperrt Sie ein verlorenes Telefon vielleicht aus.
       *[other] { $left } Wiederherstellungscodes sind übrig.
    }
    .renew = Neue Wiederherstellungscodes
    .renew-note = Die Codes, die Sie haben, sind dann nichts mehr wert.
    .renew-action = Neue Codes machen
    .remove = Entfernen
    .remove-note = Von da an öffnet Ihr Passwort allein Ihr Konto.
    .remove-note-plain = Von da an genügt ein Nachweis, um Ihr Konto zu öffnen.
    .remove-action = Zweiten Faktor entfernen
    .removed = Der zweite Faktor wurde entfernt.
    .changed = Das hat sich inzwischen geändert. Bitte sehen Sie noch einmal nach.

page-passkey = Passkey
    .use = Passkey verwenden
    .failed = Der Passkey wurde nicht verwendet. Bitte versuchen Sie es noch einmal, oder gehen Sie einen anderen Weg.
    .refused = Der Passkey wurde nicht angenommen. Bitte versuchen Sie es noch einmal.
    .impossible = Dieser Browser zeigt hier keine Passkeys: Er ist zu alt dafür, oder Skripte sind ausgeschaltet.
    .lost = Ihr Passkey ist weg? Dann kann helfen, wer den Dienst betreibt.

page-passkeys = Passkeys
    .lead = Ein Passkey meldet Sie mit einem Finger, einem Blick oder einer PIN an, ohne Passwort und ohne dass Sie eine Adresse eingeben. Er lässt sich nicht erraten, und keine gefälschte Seite bekommt ihn.
    .none = Sie haben noch keinen.
    .add = Einen Passkey hinzufügen
    .action = Passkey anlegen
    .back = Zurück zu den Passkeys
    .name = Name
    .rule = Damit Sie ihn später wiedererkennen, zum Beispiel „Blaues Telefon“.
    .rename = Umbenennen
    .remove = Entfernen
    .synced = Auf mehreren Geräten
    .used = Zuletzt benutzt { $last }, hinzugefügt { $since }
    .unused = Nie benutzt, hinzugefügt { $since }
    .added = Der Passkey wurde hinzugefügt.
    .renamed = Der Passkey hat seinen neuen Namen.
    .removed = Der Passkey wurde entfernt. Löschen Sie ihn auch auf Ihrem Gerät.
    .known = Auf diesem Gerät gibt es schon einen Passkey für dieses Konto.
    .too-many = Es gibt so viele Passkeys, wie es geben darf. Entfernen Sie einen, den Sie nicht mehr verwenden.
    .last = Dieser Passkey ist der einzige Weg in Ihr Konto. Setzen Sie zuerst ein Passwort, oder fügen Sie einen weiteren hinzu.

page-onward = Sie sind angemeldet
    .lead = Es geht zurück zu { $host }.
    .action = Weiter
    .refused = Diese Anwendung ist hier nicht bekannt
    .refused-lead = Die Adresse, zu der sie zurückkehren will, gehört nicht zu den erlaubten, darum wird niemand dorthin geschickt. Bitte sagen Sie es denen, die die Anwendung betreiben.

page-activity = Was geschehen ist
    .lead = Waren Sie etwas in dieser Liste nicht?
    .operator = durch den Betreiber
    .next = Älteres

page-data = Ihre Daten
    .export = Alles mitnehmen
    .export-note = Alles, was über Sie gespeichert ist, in einer Datei (JSON).
    .export-action = Herunterladen
    .delete = Gehen
    .delete-note = { $days ->
        [one] Ihr Konto wird mit allem, was dazugehört, nach einem Tag gelöscht. Bis dahin können Sie das hier zurücknehmen. Überall sonst sind Sie sofort abgemeldet.
       *[other] Ihr Konto wird mit allem, was dazugehört, nach { $days } Tagen gelöscht. Bis dahin können Sie das hier zurücknehmen. Überall sonst sind Sie sofort abgemeldet.
    }
    .delete-action = Mein Konto löschen
    .deletion = Sie gehen. Bis dahin ist nichts verloren.
    .due = Ihr Konto wird am { $at } gelöscht.
    .keep = Mein Konto behalten
    .kept = Ihr Konto bleibt.
    .last-admin = Sie sind der einzige Administrator. Machen Sie zuerst jemand anderen dazu.

page-password-rule = Mindestens { $min } Zeichen. Ein paar Wörter, die nichts miteinander zu tun haben, sind lang und leicht zu merken.
page-busy = Im Moment ist viel los. Es wurde nichts geändert: Bitte geben Sie das Passwort gleich noch einmal ein.

page-link = Dieser Link funktioniert nicht
    .incomplete = Er ist nicht vollständig, oder eine neuere Nachricht hat ihn ersetzt. Öffnen Sie ihn aus der neuesten Nachricht oder kopieren Sie ihn ganz.
    .used = Dieser Link wurde schon benutzt
    .used-lead = Jeder Link gilt einmal. Wenn Sie es waren, ist alles erledigt; sonst fordern Sie einen neuen an.
    .expired = Dieser Link ist abgelaufen
    .expired-lead = Links gelten nur eine begrenzte Zeit. Fordern Sie einen neuen an.
    .moved = Die Adresse kann mit diesem Link nicht mehr bestätigt werden: Sie wurde noch einmal geändert oder gehört zu einem anderen Konto.
    .setup = Es gibt schon einen Administrator
    .setup-lead = Das erste Konto wurde eröffnet, darum hat dieser Link keinen Zweck mehr.

weakness-too_short = Verwenden Sie mindestens { $min } Zeichen.
weakness-too_long = Verwenden Sie höchstens { $max } Zeichen.
weakness-common = Das ist eines der Passwörter, die zuerst probiert werden, weil viele Menschen es oder ein ähnliches benutzen.
weakness-breached = Dieses Passwort steht in Listen anderswo gestohlener Passwörter und gehört damit zu denen, die zuerst probiert werden. Wählen Sie ein anderes, und ändern Sie es überall, wo Sie es sonst noch benutzen.
weakness-contains_context = Ihr Name, Ihre E-Mail-Adresse und der Name dieses Dienstes sind leicht zu erraten. Wählen Sie ein Passwort, das nicht davon abhängt.
weakness-too_weak = Dieses Passwort ist zu leicht zu erraten. { $advice }

advice-rows-of-keys = Tasten, die in einer Reihe liegen, sind leicht zu erraten.
advice-keyboard-patterns = Kurze Muster auf der Tastatur sind leicht zu erraten.
advice-repeated-letters = Wiederholungen wie "aaa" sind leicht zu erraten.
advice-repeats = Wiederholungen wie "abcabcabc" sind kaum schwerer zu erraten als "abc".
advice-top-10 = Es ist eines der zehn häufigsten Passwörter.
advice-top-100 = Es ist eines der hundert häufigsten Passwörter.
advice-very-common = Es ist sehr häufig.
advice-like-a-common-one = Es ähnelt einem Passwort, das viele verwenden.
advice-sequences = Folgen wie "abc" oder "6543" sind leicht zu erraten.
advice-recent-years = Jahreszahlen der letzten Zeit sind leicht zu erraten.
advice-one-word = Ein einzelnes Wort ist leicht zu erraten.
advice-dates = Ein Datum ist oft leicht zu erraten.
advice-names-alone = Namen allein sind leicht zu erraten.
advice-common-names = Häufige Namen sind leicht zu erraten.
advice-use-a-few-words = Nehmen Sie ein paar Wörter, aber keine geläufige Wendung.
advice-no-need-for-symbols = Sonderzeichen, Ziffern oder Großbuchstaben sind nicht nötig.
advice-add-words = Hängen Sie noch ein oder zwei Wörter an, am besten ungewöhnliche.
advice-capitals-help-little = Großbuchstaben helfen nicht viel.
advice-all-capitals = Nur Großbuchstaben sind fast so leicht zu erraten wie nur kleine.
advice-reversed = Rückwärts geschriebene Wörter sind kaum schwerer zu erraten.
advice-substitutions = Naheliegende Ersetzungen wie "@" statt "a" helfen nicht viel.
advice-longer-pattern = Nehmen Sie ein längeres Muster auf der Tastatur, mit mehr Wendungen.
advice-avoid-repeats = Vermeiden Sie wiederholte Wörter und Zeichen.
advice-avoid-sequences = Vermeiden Sie Folgen.
advice-avoid-recent-years = Vermeiden Sie Jahreszahlen der letzten Zeit.
advice-avoid-your-years = Vermeiden Sie Jahreszahlen, die mit Ihnen zu tun haben.
advice-avoid-your-dates = Vermeiden Sie Tage und Jahre, die mit Ihnen zu tun haben.

page-problem = Etwas ist schiefgegangen
    .lead = Es liegt an uns und wurde vermerkt. Bitte versuchen Sie es später noch einmal.
    .missing = Hier ist nichts
    .missing-lead = Prüfen Sie die Adresse, oder öffnen Sie den Link aus Ihrer Nachricht noch einmal.
    .method = Das geht hier nicht
    .method-lead = Öffnen Sie den Link aus Ihrer Nachricht noch einmal und benutzen Sie das Formular auf der Seite.
    .invalid = Das haben wir nicht verstanden
    .invalid-lead = Öffnen Sie die Seite oder den Link aus Ihrer Nachricht noch einmal und benutzen Sie das Formular dort.
    .form = Dieses Formular ist nicht mehr aktuell
    .form-lead = Es wurde nichts getan. Öffnen Sie die Seite noch einmal und benutzen Sie das Formular dort: Inzwischen hat sich jemand an- oder abgemeldet, oder nicht unsere eigene Seite hat Sie hierher geschickt.
    .limited = Zu viele Versuche
    .limited-lead = { $seconds ->
        [one] Es wurde nichts geändert. Bitte warten Sie eine Sekunde und versuchen Sie es dann noch einmal.
       *[other] Es wurde nichts geändert. Bitte warten Sie { $seconds } Sekunden und versuchen Sie es dann noch einmal.
    }
    .busy = Wir sind beschäftigt
    .busy-lead = Es wurde nichts geändert. Bitte versuchen Sie es gleich noch einmal.

page-codes = Fehlercodes
    .lead = Was die API antwortet, wenn sie nicht tun kann, worum sie gebeten wurde. Programme vergleichen diese Codes; sie ändern sich nicht.
    .status = HTTP-Status
    .back = Alle Fehlercodes

activity-REGISTER_SUCCEEDED = { -account } eröffnet
activity-USER_CREATED = { -account } vom Betreiber eröffnet
activity-SETUP_COMPLETED = Erster Administrator eingerichtet
activity-EMAIL_VERIFIED = E-Mail-Adresse bestätigt
activity-LOGIN_SUCCEEDED = Angemeldet
activity-SIGN_IN_HANDED_OVER = Bei einer Anwendung angemeldet
activity-LOGIN_FAILED = { $reason ->
    [wrong_password] Anmeldung mit falschem Passwort
   *[other] Anmeldung abgelehnt
}
activity-SECOND_FACTOR_ASKED = Richtiges Passwort; nach dem zweiten Faktor wurde gefragt
activity-SECOND_FACTOR_REFUSED = Falscher oder benutzter Code des zweiten Faktors
activity-SECOND_FACTOR_ENABLED = Zweiter Faktor hinzugefügt
activity-SECOND_FACTOR_DISABLED = Zweiter Faktor entfernt
activity-SECOND_FACTOR_RESET = Zweiter Faktor vom Betreiber entfernt
activity-RECOVERY_CODE_USED = Wiederherstellungscode benutzt
activity-RECOVERY_CODES_RENEWED = Neue Wiederherstellungscodes erzeugt
activity-TRUSTED_DEVICE_ADDED = Gerät als vertraut gemerkt: Dort braucht die Anmeldung eine Zeit lang keinen zweiten Faktor
activity-TRUSTED_DEVICE_USED = Nach dem zweiten Faktor wurde nicht gefragt, weil das Gerät vertraut ist
activity-TRUSTED_DEVICE_REMOVED = { $reason ->
    [user_removed] Gerät nicht mehr vertraut
    [second_factor_disabled] Geräte nicht mehr vertraut, weil der zweite Faktor entfernt wurde
   *[other] Geräte nicht mehr vertraut
}
activity-ACCOUNT_LOCKED = So viele falsche Passwörter, dass eine Zeit lang niemand ein weiteres probieren darf, außer wo der Eigentümer sich früher angemeldet hat
activity-PASSWORD_REFUSED = Ein neues Passwort wurde abgelehnt, weil es anderswo gestohlen wurde
activity-BREACHED_PASSWORD_USED = Anmeldung mit einem Passwort, das anderswo gestohlen wurde: wählen Sie ein anderes
activity-PASSKEY_ADDED = Passkey hinzugefügt
activity-PASSKEY_REMOVED = Passkey entfernt
activity-PASSKEY_REFUSED = Ein Passkey wurde abgelehnt
activity-IDENTITY_LINKED = Konto bei einem Anbieter verknüpft
activity-IDENTITY_REMOVED = Verknüpfung mit einem Anbieter entfernt
activity-FEDERATION_REFUSED = Eine Anmeldung bei einem Anbieter wurde abgelehnt
activity-MAGIC_LINK_REQUESTED = Nach einer E-Mail zum Anmelden wurde gefragt
activity-MAGIC_LINK_REFUSED = Ein Code oder Link aus einer E-Mail wurde abgelehnt
activity-REFRESH_REUSED = Sitzung beendet: Einer ihrer Schlüssel wurde zweimal benutzt, vielleicht von jemand anderem
activity-LOGOUT = Abgemeldet
activity-SESSION_REVOKED = { $reason ->
    [second_factor_enabled] Andere Sitzungen beendet, weil ein zweiter Faktor hinzugefügt wurde
    [password_changed] Sitzungen beendet, weil das Passwort geändert wurde
    [password_reset] Sitzungen beendet, weil das Passwort geändert wurde
    [second_factor_missing] Sitzungen beendet, in denen kein zweiter Faktor gezeigt wurde, der jetzt nötig ist
   *[other] Sitzungen beendet
}
activity-PASSWORD_RESET_REQUESTED = Ein Link für ein neues Passwort wurde angefordert
activity-PASSWORD_RESET_COMPLETED = Neues Passwort mit einem Link gewählt
activity-PASSWORD_CHANGED = Passwort geändert
activity-PASSWORD_MISMATCH = Falsches Passwort, wo noch einmal danach gefragt wurde
activity-ACCOUNT_SECURED = { $reason ->
    [operator] Alles vom Betreiber geschlossen
   *[other] Alles geschlossen: Sitzungen beendet, und ein neues Passwort muss gewählt werden
}
activity-EMAIL_CHANGE_REQUESTED = Änderung der E-Mail-Adresse angefordert
activity-EMAIL_CHANGED = E-Mail-Adresse geändert
activity-USER_DELETION_REQUESTED = Löschung des Kontos verlangt
activity-USER_DELETION_WITHDRAWN = Löschung des Kontos zurückgenommen
activity-DATA_EXPORTED = Alle Daten des Kontos mitgenommen
activity-PROFILE_CHANGED = Name oder Sprache geändert
activity-ROLES_CHANGED = Rollen geändert
activity-STATUS_CHANGED = { -account } gesperrt oder freigegeben
