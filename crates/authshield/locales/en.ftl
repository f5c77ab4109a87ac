# The words of every letter and every page, in English.
#
# A letter is a message named like its kind: its value is the subject, its attributes are the
# paragraphs (`lead`, `note`) and, where there is a link, the words on the button (`action`).
# Every letter may use $service (the name mail is sent under), $site (the host of the service) and
# $at (when it was written).

-account = account

greeting = Hello,
greeting-name = Hello { $name },

span-minutes = { $count ->
    [one] one minute
   *[other] { $count } minutes
}
span-hours = { $count ->
    [one] one hour
   *[other] { $count } hours
}
span-days = { $count ->
    [one] one day
   *[other] { $count } days
}

link-copy = If the button does not work, copy this address into your browser:
link-life = The link works once, within { $span }. Do not pass it on: whoever has it can use it.
secure-password = choose a new password now
secure-mailbox = sign out everywhere now and protect your mailbox
closing = { $service } sent this message because it concerns your { -account } at { $site }. It is written by a program; replies are not read.

verify_email = Confirm your e-mail address for { $service }
    .lead = Somebody, we hope it was you, used this address to open an { -account } at { $service }. Please confirm that it is yours.
    .action = Confirm this address
    .note = If it was not you, ignore this message; nothing more will happen.

choose_password = Choose the password of your { -account } at { $service }
    .lead = This address was used more than once, and with different passwords, to open an { -account } at { $service }. So that it opens with nobody's password but yours, choose one here; that also confirms the address.
    .action = Choose a password
    .note = If it was not you, ignore this message; nothing more will happen.

already_registered = You already have an { -account } at { $service }
    .lead = Somebody, perhaps you, tried to open an { -account } at { $service } with this address. You have one already, so nothing was changed: simply sign in.
    .lead-link = Somebody, perhaps you, tried to open an { -account } at { $service } with this address. You have one already, so nothing was changed: simply sign in. If you forgot your password, choose a new one here.
    .action = Choose a new password
    .note = If it was not you, ignore this message; your { -account } is as it was.

sign_in = Sign in to { $service }
    .lead = Somebody, we hope it was you, wants to sign in to { $service } with this address. Where that was asked for, type this code, or open the link in the same browser:
    .action = Sign in
    .note = Code and link open something only in the browser or app that asked for them. If it was not you, ignore this message. Tell nobody the code, and type it on no page that you did not open yourself.

proof_code = Your code for { $service }
    .lead = Somebody, we hope it was you, is about to do something with your { -account } at { $service } that needs a proof, or signs in from where it was not used before. Where that is asked for, type this code:
    .note = It works for a few minutes, and only where it was asked for. If it was not you, ignore this message, and sign out everywhere else in your { -account }. Tell nobody the code, and type it on no page that you did not open yourself.

reset_password = Choose a new password for { $service }
    .lead = Somebody, we hope it was you, asked for a new password for your { -account } at { $service }.
    .action = Choose a new password
    .note = If it was not you, ignore this message; your password stays as it is.

account_closed = Your { -account } at { $service } is closed
    .lead = On { $at } everybody was signed out of your { -account } at { $service }, as you had asked. Nothing opens it until you confirm that this mailbox is yours. Then sign in, and look at what was changed.
    .action = Open it again
    .note = If you did not ask for that, somebody else has access to your { -account }: tell the operator of { $service }.

password_changed = Your password for { $service } was changed
    .lead = The password of your { -account } at { $service } was changed on { $at }.
    .note = If it was not you, somebody else has access: ask for a new password at { $service } at once, and tell its operator.

account_locked = Somebody is trying passwords for your { -account } at { $service }
    .lead = On { $at } so many wrong passwords had been tried for your { -account } at { $service } that nobody may try another for a while. Nobody got in. Where you signed in before, you still can.
    .note = You need not do anything. If it was you, or if you cannot sign in, ask for a new password at { $service }: the link in that message lets you in.

confirm_new_email = Confirm your new e-mail address for { $service }
    .lead = You asked to use this address for your { -account } at { $service } from now on. Please confirm that it is yours; until then the old address stays.
    .action = Confirm the new address
    .note = If it was not you, ignore this message; nothing more will happen.

email_changing = Your e-mail address for { $service } is about to change
    .lead = On { $at } somebody, we hope it was you, asked to replace this address by { $new_email } for your { -account } at { $service }. It happens as soon as the new address is confirmed.
    .note = If it was not you, somebody else has access: { $secure }. That also stops the change of address.

email_changed = Your e-mail address for { $service } was changed
    .lead = This is no longer the address of your { -account } at { $service }; it was replaced on { $at }.
    .lead-link = This is no longer the address of your { -account } at { $service }; it was replaced on { $at }. If it was not you, use the link: on the page that it leads to you can put this address back, sign everybody out, and get another message with the way back in.
    .action = This was not me
    .note = If it was not you, and you cannot put it right yourself, tell the operator of { $service } at once.

second_factor_added = A second factor was added to your { -account } at { $service }
    .lead = On { $at } an authenticator app was added to your { -account } at { $service }. From now on a sign-in needs a code of it, and you were signed out on every other device.
    .note = If it was not you, somebody else has access: tell the operator of { $service } at once.

second_factor_removed = The second factor was removed from your { -account } at { $service }
    .lead = On { $at } the second factor of your { -account } at { $service } was removed. From now on a sign-in does not ask for it.
    .note = If it was not you, { $secure }, and tell the operator of { $service }.

second_factor_guessed = Somebody is guessing codes for your { -account } at { $service }
    .lead = On { $at } somebody got past the first step of signing in to your { -account } at { $service } and then sent wrong codes, again and again. The second factor kept them out.
    .note = If it was not you, somebody else got that far: { $secure }. If codes are refused for a while, a recovery code lets you in.

recovery_code_used = A recovery code of your { -account } at { $service } was used
    .lead = On { $at } one of your recovery codes was used in the place of your authenticator app. Unused codes that are left: { $left }. Make new ones before they run out.
    .note = If it was not you, somebody has your codes: make new ones, and { $secure }.

recovery_codes_renewed = New recovery codes for your { -account } at { $service }
    .lead = On { $at } new recovery codes were made for your { -account } at { $service }. The ones before are worth nothing any more.
    .note = If it was not you, somebody else has access: { $secure }, and tell the operator of { $service }.

passkey_added = A passkey was added to your { -account } at { $service }
    .lead = On { $at } a passkey was added to your { -account } at { $service }. Whoever has it can sign in with nothing else.
    .note = If it was not you, somebody else has access: remove the passkey, { $secure }, and tell the operator of { $service }.

passkey_removed = A passkey was removed from your { -account } at { $service }
    .lead = On { $at } a passkey was removed from your { -account } at { $service }. It cannot be used to sign in any more.
    .note = If it was not you, somebody else has access: { $secure }, and tell the operator of { $service }.

identity_linked = Your { -account } at { $service } can be opened at { $provider }
    .lead = On { $at } an account at { $provider } was linked to your { -account } at { $service }. Whoever has it can sign in with nothing else.
    .note = If it was not you, somebody else has access: remove the identity, { $secure }, and tell the operator of { $service }.

identity_removed = An identity was removed from your { -account } at { $service }
    .lead = On { $at } an account at { $provider } was removed from your { -account } at { $service }. It cannot be used to sign in any more.
    .note = If it was not you, somebody else has access: { $secure }, and tell the operator of { $service }.

new_device = New sign-in to your { -account } at { $service }
    .lead = On { $at } somebody, we hope it was you, signed in to your { -account } at { $service } from where it was not used before: { $device }, at { $place }.
    .action = This was not me
    .note = If it was you, ignore this message. If not, use the link: on the page that it leads to you can end every session and shut out whoever is in. Then you get another message with the way back in.

account_deletion_requested = Your { -account } at { $service } will be deleted
    .lead = On { $at } somebody, we hope it was you, asked to delete your { -account } at { $service }. It will be deleted on { $due } with all that belongs to it. Until then you can sign in and take that back; on every other device you were signed out.
    .note = If it was not you, somebody else has access: sign in, keep the { -account }, and { $secure }.

account_deletion_withdrawn = Your { -account } at { $service } stays
    .lead = Your { -account } at { $service } will not be deleted: that was taken back on { $at }.
    .note = If it was not you, somebody else has access: { $secure }.

account_deleted = Your { -account } at { $service } was deleted
    .lead = On { $at } your { -account } at { $service } was deleted, with all that belonged to it, as you had asked.
    .note = There is nothing for you to do. Whoever wants to can open a new one with this address.

test = Test message from { $service }
    .lead = This message shows that { $service } can send mail. It was written on { $at }.
    .note = There is nothing for you to do.

canary = Does mail of { $service } arrive?
    .lead = { $service } sends this message to itself, again and again, to see whether mail arrives. Its mark is { $nonce }.
    .note = It is read and deleted by a program.


## Pages

page-error = Error: { $title }
page-footer = { $service } takes care of sign-in at { $site }.
page-reference = If you ask for help, give this number:

page-home = Sign-in service
    .lead = { $service } takes care of accounts and sign-in for the applications at { $site }. Here you look after your { -account }; to use an application, open it.
    .account = Your { -account }
    .developers = For developers
    .docs = Try the API
    .openapi = Description of the API (OpenAPI)
    .problems = Error codes

page-verify = Confirm your email address
    .lead = Is this your address? Then press the button.
    .action = Confirm this address
    .note = If you did not expect this, close the page: nothing happens.
    .done = Your address is confirmed
    .done-lead = Thank you. { $email } is confirmed. You can close this page and sign in.

page-reset = Choose a new password
    .account = For the account
    .label = New password
    .action = Set the new password
    .note = When you do, you are signed out on every device.
    .done = Your password was changed
    .done-lead = You were signed out on every device. Close this page and sign in with the new password.

page-not-me = Was this not you?
    .lead = If somebody else signed in to this { -account }, or changed its address, press the button: everybody is signed out, the password counts no more, passkeys and an app for codes that were added since are removed, and this is its address again. You get a mail to choose a new password.
    .lead-plain = If somebody else signed in to this { -account }, or changed its address, press the button: everybody is signed out, passkeys and an app for codes that were added since are removed, and this is its address again. Nothing opens the { -account } then until you use the link in a mail that you get.
    .action = It was not me
    .note = If it was you, close the page: nothing happens.
    .done = Everybody was signed out
    .done-lead = The old password counts no more. Look into your mailbox: a mail to { $email } lets you choose a new one. Then look at what was changed in your { -account }.
    .done-lead-plain = Nothing opens the { -account } now. Look into your mailbox: a mail to { $email } has a link that opens it again. Then look at what was changed in your { -account }.

page-setup = Open the first account
    .lead = Nobody looks after { $service } yet. Whoever opens this account becomes its administrator.
    .email = Email address
    .name = Full name
    .optional = optional
    .password = Password
    .action = Create the administrator
    .done = { $service } is ready
    .done-lead = { $email } is its administrator and can sign in now.
    .wrong-email = Enter a complete email address, such as ann@example.org.
    .wrong-name = A name has at most 200 characters, and none that are invisible.
    .taken = This address has an account already. Choose another.

page-federation = Sign in with { $provider }
    .denied = You did not sign in there. Try again, or sign in another way.
    .unavailable = The provider does not answer at the moment. Try again later, or sign in another way.
    .unverified = The provider does not confirm that your address is yours, so no account can be found or opened with it. Sign in as before.
    .other = Your account belongs to another sign-in at this provider. Use that one, or sign in another way.
    .closed = New accounts cannot be opened at the moment.
    .over = This sign-in is not valid any more. Begin again.

page-sign-in = Sign in
    .action = Sign in
    .forgot = Forgot your password?
    .new = Not here yet?
    .wrong = The email address or the password is wrong. We do not say which; please check both.
    .disabled = This { -account } was disabled. Please ask whoever runs the service.
    .unverified = The password is right, but the email address was never confirmed. Open the link in the mail that you got, or have it sent again.
    .resend = Send the mail again

page-no-password = Nobody has a password here
    .lead = Sign in another way.

page-sign-out = You are signed out
    .lead = On this device. Wherever else you are signed in, you stay so.
    .applications = On these pages. Applications that you signed in to from here, and your other devices, stay signed in: your account shows them all, and signs you out there.

page-second-factor = Show that it is you
    .code = Code
    .rule = Six digits of your authenticator app, or one of your recovery codes.
    .trust = Do not ask for a code on this device for { $days ->
        [0] a few hours
        [one] one day
       *[other] { $days } days
    }
    .action = Go on
    .note = Your phone is lost, and so are the recovery codes? Then whoever runs the service can help.
    .anew = Begin again
    .wrong = This code is not right. Please enter the one that your app shows now.
    .used = This code was used already. Please wait until your app shows the next one.
    .locked = There were too many wrong codes, so none of the app is taken any more. Please use a recovery code, or ask whoever runs the service.
    .over = Please sign in again
    .over-lead = It took too long, or there were too many tries.

page-mail-sign-in = Sign in by mail
    .lead = We send you a code and a link. They work only in this browser.
    .action = Send me a code
    .offer = Send me a code by mail instead
    .back = Sign in another way

page-mail-code = Look into your mailbox
    .lead = If { $email } can be used here, a mail with a code is on its way there.
    .code = Code
    .rule = The six digits in the mail.
    .action = Sign in
    .note = The mail has a link, too, which signs in in this browser. If nothing comes, look at the address again, and into the folder for spam.
    .spam = If nothing comes, look into the folder for spam.
    .again = Have another mail sent
    .wrong = This code is not right. Please look into the newest mail.
    .wait = There were too many wrong codes. Please use the link in the mail, in this browser.
    .over = Please ask for another mail
    .over-lead = The code or the link was used, is too old, or belongs to another browser, or there were too many tries.

page-mail-link = Sign in
    .lead = You asked for it in this browser. Press the button, and you are signed in.
    .action = Sign in
    .elsewhere = This link opens nothing here
    .elsewhere-lead = It works once, for a few minutes, and only in the browser that asked for it. If you asked elsewhere, go back there and type the code of the same mail.

page-enrol = Add a second factor
    .lead = Signing in needs a second factor here. Scan this picture with an authenticator app on your phone; from then on the app shows a code for every sign-in.
    .own = Scan this picture with an authenticator app on your phone; from then on the app shows a code for every sign-in.
    .picture = QR code for your authenticator app
    .by-hand = Without a camera, type this key into the app:
    .same-device = Open it in an app on this device
    .again = Please enter the code that the app shows now. If the app does not show this { -account }, begin again.
    .rule = Six digits, as the app shows them now.
    .action = Add it and sign in

page-recovery-codes = Keep these codes
    .lead = Your second factor is added. If you ever lose it, each of these codes lets you in once. They are shown only now: print them, or put them into a password manager.
    .next = I have kept them

page-register = Open an { -account }
    .action = Open the { -account }
    .known = You have one?
    .closed = Nobody can register here
    .closed-lead = Whoever runs the service opens accounts themselves.
    .domain = Mailboxes of this domain are kept by nobody, and addresses there are not taken. Use one that lasts.

page-mailed = Look into your mailbox
    .lead = We sent a mail to { $email }. Open the link in it, and you can sign in. If nothing comes, look at the address again, and into the folder for spam.
    .meant = Did you mean { $email }? Then register with that one.

page-forgot = Forgot your password?
    .lead = We send you a link to choose a new one.
    .action = Send the link
    .back = Back to sign-in
    .done = Look into your mailbox
    .done-lead = If { $email } has an { -account }, a mail with a link is on its way there.

page-captcha = A check that keeps machines away
    .due = Before we go on, we have to make sure that no machine is at work: your browser does it, below. Nothing was judged now: please fill in what is missing, and send the form again.
    .again = The check that keeps machines away did not count, or it was too long ago. Nothing was judged now: please fill in what is missing, and send the form again.
    .working = Your browser is doing a short calculation, which keeps machines away. You can go on meanwhile.
    .done = Your browser has done the calculation that keeps machines away.
    .failed = Your browser could not do the calculation that keeps machines away. Please load the page again; if that does not help, use another browser.
    .scripts = This form needs JavaScript, for a short check that keeps machines away. Please allow it for this page and load the page again; if you cannot, ask whoever runs the service.
    .scripts-or-later = Just now this form needs JavaScript, for a short check that keeps machines away. Please allow it for this page and load the page again, or come back in a quarter of an hour, when it may not be needed.

page-wait = { $minutes ->
        [one] There were too many tries. Nothing was judged now: please wait one minute, then try again.
       *[other] There were too many tries. Nothing was judged now: please wait { $minutes } minutes, then try again.
    }

page-account = Your { -account }
    .sign-out = Sign out
    .profile = About you
    .language = Language of mails
    .save = Save
    .saved = It was saved.
    .sessions = Where you are signed in
    .this-one = This device
    .seen = Last used { $last } from { $address }, signed in { $since }
    .end = Sign out there
    .end-others = Sign out everywhere else
    .ended = You are signed out there.
    .ended-others = You are signed out everywhere else.
    .more = There are more than are shown here.
    .wrong-password = The password is wrong.
    .trusted = Trusted devices
    .trusted-lead = Signing in does not ask for a code there. Changing your password, or signing out everywhere, ends that.
    .trusted-seen = Last used { $last } from { $address }, trusted since { $since }, until { $until }
    .untrust = Ask for a code there again
    .untrusted = A code is asked for there again.
    .identities = Accounts at providers
    .identity-used = Last used { $last }, linked { $since }
    .identity-unused = Not used yet, linked { $since }
    .unlink = Remove
    .unlinked = The link to the provider was removed, and you are signed out everywhere else.
    .last-identity = This is the only way into your { -account }. Set a password or add a passkey first.

page-prove = Show again that it is you
    .lead = What comes next cannot be taken back, or would open your { -account } in another way.
    .anew = There is nothing here that you can show. Please sign out and in again, then come back.
    .mail-send = Send me a code by mail
    .mail-lead = A mail with a code is on its way to { $email }. If nothing comes, look into the folder for spam.
    .mail-over = The code is too old, or there were too many tries. Please have another mail sent.

page-password = Password
    .current = Current password
    .note = When you set a new one, you are signed out on every other device.
    .same = This is the current password. Choose another.
    .done = Your password was changed, and you are signed out everywhere else.

page-email = Another email address
    .change = Change the address
    .new = New email address
    .action = Send the link
    .note = We send a link to the new address; once it is opened, that is your address. This one gets a notice.
    .done = A mail is on its way to the new address. Open the link in it; until then everything stays as it is.

page-lock = Is somebody else in your { -account }?
    .lead = Press the button: everybody is signed out, here too, and the password counts no more. Nothing opens your { -account } then until you choose a new password with the link in a mail to this address:
    .lead-plain = Press the button: everybody is signed out, here too. Nothing opens your { -account } then until you use the link in a mail to this address:
    .factors = Also remove my second factor and my passkeys, because I lost them or they may be somebody else's
    .action = Sign everybody out

page-factor = Second factor
    .off = With a second factor, a stolen password opens nothing: at every sign-in you show a code of an app on your phone. Enter your password to add one.
    .off-plain = With a second factor, whoever reads your mail gets nothing: at every sign-in you show a code of an app on your phone as well.
    .add = Add an app
    .confirm = Add it
    .on = An authenticator app is asked for since { $since }.
    .left = { $left ->
        [0] No recovery code is left. Make new ones, or losing your phone locks you out.
        [one] One recovery code is left. Make new ones, or losing your phone may lock you out.
       *[other] { $left } recovery codes are left.
    }
    .renew = New recovery codes
    .renew-note = The ones that you have are worth nothing then.
    .renew-action = Make new codes
    .remove = Remove it
    .remove-note = From then on your password alone opens your { -account }.
    .remove-note-plain = From then on one proof alone opens your { -account }.
    .remove-action = Remove the second factor
    .removed = The second factor was removed.
    .changed = That changed in the meantime. Please look again.

page-passkey = Passkey
    .use = Use a passkey
    .failed = The passkey was not used. Please try again, or go on in another way.
    .refused = The passkey was not accepted. Please try again.
    .impossible = This browser shows no passkeys here: it is too old for them, or scripts are switched off.
    .lost = Your passkey is lost? Then whoever runs the service can help.

page-passkeys = Passkeys
    .lead = A passkey signs you in with a finger, a look or a PIN, without a password and without an address to type. It cannot be guessed, and no forged page gets it.
    .none = You have none yet.
    .add = Add a passkey
    .action = Make the passkey
    .back = Back to the passkeys
    .name = Name
    .rule = So that you know it again later, such as "Blue phone".
    .rename = Rename it
    .remove = Remove it
    .synced = On several devices
    .used = Last used { $last }, added { $since }
    .unused = Never used, added { $since }
    .added = The passkey was added.
    .renamed = The passkey has its new name.
    .removed = The passkey was removed. Delete it on your device, too.
    .known = There is a passkey for this { -account } on this device already.
    .too-many = There are as many passkeys as there may be. Remove one that you do not use any more.
    .last = This passkey is the only way into your { -account }. Set a password or add another one first.

page-onward = You are signed in
    .lead = You are taken back to { $host }.
    .action = Go on
    .refused = This application is not known here
    .refused-lead = The address that it gave to come back to is not one of those that are allowed, so nobody is sent there. Please tell whoever runs the application.

page-activity = What happened
    .lead = Was something in this list not you?
    .operator = by the operator
    .next = Older

page-data = Your data
    .export = Take everything along
    .export-note = Everything that is kept of you, as one file (JSON).
    .export-action = Download
    .delete = Leave
    .delete-note = { $days ->
        [one] Your { -account } is deleted, with all that belongs to it, after one day. Until then you can take that back here. Everywhere else you are signed out at once.
       *[other] Your { -account } is deleted, with all that belongs to it, after { $days } days. Until then you can take that back here. Everywhere else you are signed out at once.
    }
    .delete-action = Delete my { -account }
    .deletion = You are leaving. Until then nothing is lost.
    .due = Your { -account } will be deleted on { $at }.
    .keep = Keep my { -account }
    .kept = Your { -account } is kept.
    .last-admin = You are the only administrator. Make somebody else one first.

page-password-rule = At least { $min } characters. A few words that have nothing to do with each other are long and easy to remember.
page-busy = A lot is going on just now. Nothing was changed: please enter the password again in a moment.

page-link = This link does not work
    .incomplete = It is not complete, or a newer mail has taken its place. Open it from the latest mail that you got, or copy all of it.
    .used = This link was used already
    .used-lead = Each link works once. If it was you, all is done; if not, ask for a new one.
    .expired = This link has expired
    .expired-lead = Links work for a limited time only. Ask for a new one.
    .moved = The address cannot be confirmed with this link any more: it was changed again, or belongs to another account.
    .setup = There is an administrator already
    .setup-lead = The first account was opened, so this link has no use any more.

weakness-too_short = Use at least { $min } characters.
weakness-too_long = Use at most { $max } characters.
weakness-common = This is one of the passwords that are tried first, because many people use it or one like it.
weakness-breached = This password is in lists of passwords that were stolen elsewhere, so it is among those that are tried first. Choose another, and change it wherever else you use it.
weakness-contains_context = Your name, your email address and the name of this service are easy to guess. Choose a password that does not depend on them.
weakness-too_weak = This password is too easy to guess. { $advice }

advice-rows-of-keys = Straight rows of keys are easy to guess.
advice-keyboard-patterns = Short keyboard patterns are easy to guess.
advice-repeated-letters = Repeats like "aaa" are easy to guess.
advice-repeats = Repeats like "abcabcabc" are only slightly harder to guess than "abc".
advice-top-10 = It is one of the ten most common passwords.
advice-top-100 = It is one of the hundred most common passwords.
advice-very-common = It is very common.
advice-like-a-common-one = It is similar to a password that many people use.
advice-sequences = Sequences like "abc" or "6543" are easy to guess.
advice-recent-years = Recent years are easy to guess.
advice-one-word = A word by itself is easy to guess.
advice-dates = Dates are often easy to guess.
advice-names-alone = Names by themselves are easy to guess.
advice-common-names = Common names are easy to guess.
advice-use-a-few-words = Use a few words, but no common phrase.
advice-no-need-for-symbols = There is no need for symbols, digits or capital letters.
advice-add-words = Add another word or two. Uncommon words are better.
advice-capitals-help-little = Capital letters do not help very much.
advice-all-capitals = All capital letters are almost as easy to guess as all small ones.
advice-reversed = Reversed words are not much harder to guess.
advice-substitutions = Predictable substitutions like "@" instead of "a" do not help very much.
advice-longer-pattern = Use a longer keyboard pattern with more turns.
advice-avoid-repeats = Avoid repeated words and characters.
advice-avoid-sequences = Avoid sequences.
advice-avoid-recent-years = Avoid recent years.
advice-avoid-your-years = Avoid years that have to do with you.
advice-avoid-your-dates = Avoid dates and years that have to do with you.

page-problem = Something went wrong
    .lead = It is our fault, and has been noted. Please try again later.
    .missing = There is nothing here
    .missing-lead = Check the address, or open the link from your mail again.
    .method = This does not work here
    .method-lead = Open the link from your mail again and use the form on the page.
    .invalid = We did not understand that
    .invalid-lead = Open the page, or the link from your mail, again and use the form on it.
    .form = This form is out of date
    .form-lead = Nothing was done. Open the page again and use the form on it: somebody signed in or out meanwhile, or it was not our own page that sent you here.
    .limited = Too many tries
    .limited-lead = { $seconds ->
        [one] Nothing was changed. Please wait one second, then try again.
       *[other] Nothing was changed. Please wait { $seconds } seconds, then try again.
    }
    .busy = We are busy
    .busy-lead = Nothing was changed. Please try again in a moment.

page-codes = Error codes
    .lead = What the API answers when it cannot do what it was asked. Programs compare these codes; they do not change.
    .status = HTTP status
    .back = All error codes

# What happened to an account, as its owner is told: one for each code that `GET /users/me/events` shows.

activity-REGISTER_SUCCEEDED = Account opened
activity-USER_CREATED = Account opened by the operator
activity-SETUP_COMPLETED = First administrator set up
activity-EMAIL_VERIFIED = E-mail address confirmed
activity-LOGIN_SUCCEEDED = Signed in
activity-SIGN_IN_HANDED_OVER = Signed in to an application
activity-LOGIN_FAILED = { $reason ->
    [wrong_password] Sign-in with a wrong password
   *[other] Sign-in refused
}
activity-SECOND_FACTOR_ASKED = Right password; the second factor was asked for
activity-SECOND_FACTOR_REFUSED = Wrong or used code of the second factor
activity-SECOND_FACTOR_ENABLED = Second factor added
activity-SECOND_FACTOR_DISABLED = Second factor removed
activity-SECOND_FACTOR_RESET = Second factor removed by the operator
activity-RECOVERY_CODE_USED = Recovery code used
activity-RECOVERY_CODES_RENEWED = New recovery codes made
activity-TRUSTED_DEVICE_ADDED = Device trusted: signing in there needs no second factor for a while
activity-TRUSTED_DEVICE_USED = Second factor not asked for, since the device is trusted
activity-TRUSTED_DEVICE_REMOVED = { $reason ->
    [user_removed] Device no longer trusted
    [second_factor_disabled] Devices no longer trusted because the second factor was removed
   *[other] Devices no longer trusted
}
activity-ACCOUNT_LOCKED = So many wrong passwords that nobody may try another for a while; where the owner signed in before, this does not hold
activity-PASSWORD_REFUSED = A new password was refused, because it was stolen elsewhere
activity-BREACHED_PASSWORD_USED = Signed in with a password that was stolen elsewhere: choose another
activity-PASSKEY_ADDED = Passkey added
activity-PASSKEY_REMOVED = Passkey removed
activity-PASSKEY_REFUSED = A passkey was refused
activity-IDENTITY_LINKED = Identity at a provider linked
activity-IDENTITY_REMOVED = Identity at a provider removed
activity-FEDERATION_REFUSED = A sign-in at a provider was refused
activity-MAGIC_LINK_REQUESTED = A mail to sign in with was asked for
activity-MAGIC_LINK_REFUSED = A code or a link of a mail was refused
activity-REFRESH_REUSED = Session ended: one of its keys was used twice, perhaps by somebody else
activity-LOGOUT = Signed out
activity-SESSION_REVOKED = { $reason ->
    [second_factor_enabled] Other sessions ended because a second factor was added
    [password_changed] Sessions ended because the password changed
    [password_reset] Sessions ended because the password changed
    [second_factor_missing] Sessions ended in which no second factor was shown, which is needed now
   *[other] Sessions ended
}
activity-PASSWORD_RESET_REQUESTED = A link to choose a new password was asked for
activity-PASSWORD_RESET_COMPLETED = New password chosen with a link
activity-PASSWORD_CHANGED = Password changed
activity-PASSWORD_MISMATCH = Wrong password where it was asked for again
activity-ACCOUNT_SECURED = { $reason ->
    [operator] Everything closed by the operator
   *[other] Everything closed: sessions ended, and a new password has to be chosen
}
activity-EMAIL_CHANGE_REQUESTED = Change of the e-mail address asked for
activity-EMAIL_CHANGED = E-mail address changed
activity-USER_DELETION_REQUESTED = Deletion of the { -account } asked for
activity-USER_DELETION_WITHDRAWN = Deletion of the { -account } taken back
activity-DATA_EXPORTED = All data of the { -account } taken along
activity-PROFILE_CHANGED = Name or language changed
activity-ROLES_CHANGED = Roles changed
activity-STATUS_CHANGED = Account disabled or enabled
