# The words of every letter, in English.
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
closing = { $service } sent this message because it concerns your { -account } at { $site }. It is written by a program; replies are not read.

verify_email = Confirm your e-mail address for { $service }
    .lead = Somebody, we hope it was you, used this address to open an { -account } at { $service }. Please confirm that it is yours.
    .action = Confirm this address
    .note = If it was not you, ignore this message; nothing more will happen.

already_registered = You already have an { -account } at { $service }
    .lead = Somebody, perhaps you, tried to open an { -account } at { $service } with this address. You have one already, so nothing was changed: simply sign in.
    .lead-link = Somebody, perhaps you, tried to open an { -account } at { $service } with this address. You have one already, so nothing was changed: simply sign in. If you forgot your password, choose a new one here.
    .action = Choose a new password
    .note = If it was not you, ignore this message; your { -account } is as it was.

reset_password = Choose a new password for { $service }
    .lead = Somebody, we hope it was you, asked for a new password for your { -account } at { $service }.
    .action = Choose a new password
    .note = If it was not you, ignore this message; your password stays as it is.

password_changed = Your password for { $service } was changed
    .lead = The password of your { -account } at { $service } was changed on { $at }.
    .note = If it was not you, somebody else has access: ask for a new password at { $service } at once, and tell its operator.

confirm_new_email = Confirm your new e-mail address for { $service }
    .lead = You asked to use this address for your { -account } at { $service } from now on. Please confirm that it is yours; until then the old address stays.
    .action = Confirm the new address
    .note = If it was not you, ignore this message; nothing more will happen.

email_changing = Your e-mail address for { $service } is about to change
    .lead = On { $at } somebody, we hope it was you, asked to replace this address by { $new_email } for your { -account } at { $service }. It happens as soon as the new address is confirmed.
    .note = If it was not you, somebody knows your password: change it now. That also stops the change of address.

email_changed = Your e-mail address for { $service } was changed
    .lead = This is no longer the address of your { -account } at { $service }; it was replaced on { $at }.
    .note = If it was not you, tell the operator of { $service } at once.

test = Test message from { $service }
    .lead = This message shows that { $service } can send mail. It was written on { $at }.
    .note = There is nothing for you to do.
