//! What pages are given, by example: an operator's templates are tried with it, and every page that is shown in a
//! debug build is held against it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Value as Json, json};

/// A page with all that it can be given.
pub(super) struct Page {
    pub(super) name: &'static str,
    /// Everything at once, and what is otherwise in its other shapes.
    pub(super) shapes: Vec<Value>,
}

/// Makes a page: what it is given, and for each other shape what differs.
fn page(name: &'static str, given: Json, others: impl IntoIterator<Item = Json>) -> Page {
    let around = json!({ "others": [
        { "language": "de", "name": "Deutsch", "link": "/here?lang=de" },
        { "language": "es", "name": "Español", "link": "/here?lang=es" },
    ] });
    let given = with(around, given);
    let others = others.into_iter().map(|other| with(given.clone(), other));
    let shapes: Vec<_> = [given.clone()].into_iter().chain(others).collect();
    Page { name, shapes: shapes.into_iter().map(|shape| Serde(shape).into()).collect() }
}

/// One of the pages of the account.
fn place(name: &'static str, given: Json, others: impl IntoIterator<Item = Json>) -> Page {
    let frame = json!({
        "guard": "guard-of-the-session",
        "owned_by": "ann@example.org",
        "places": [
            { "link": "/account", "words": "Your account", "here": true },
            { "link": "/account/password", "words": "Password", "here": false },
        ],
        "sign_out": "/sign-out",
    });
    page(name, with(frame, given), others)
}

fn with(mut given: Json, more: Json) -> Json {
    if let (Json::Object(given), Json::Object(more)) = (&mut given, more) {
        given.extend(more);
    }
    given
}

/// A button for passkeys, behind a sign-in.
fn passkey() -> Json {
    json!({
        "action": "/sign-in/passkey", "challenge": "/sign-in/passkey/challenge", "guard": "guard-of-the-button",
        "ticket": "ticket-of-the-button", "then": "then-of-the-button", "conditional": true, "alone": false,
    })
}

fn own_captcha() -> Json {
    json!({
        "script": "/assets/captcha.js", "challenge": "/api/v1/captcha/challenge", "site_key": null, "box": null,
        "at": "login", "always": true,
    })
}

fn their_captcha() -> Json {
    json!({
        "script": "https://captcha.example/api.js", "challenge": null, "site_key": "site-key", "box": "their-box",
        "at": "login", "always": false,
    })
}

/// Every page.
pub(super) static SAMPLES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    [links(), around(), doors(), account(), keys()].into_iter().flatten().collect()
});

/// Where links lead.
fn links() -> Vec<Page> {
    let link = |action: &str| json!({ "token": "token-of-the-link", "action": action, "email": "ann@example.org", "by_password": true });
    let weak = ["Use at least 8 characters.", "It was stolen before."];
    vec![
        page("verify.html", link("/verify-email"), [json!({ "by_password": false })]),
        page("not_me.html", link("/not-me"), [json!({ "by_password": false })]),
        page(
            "reset.html",
            json!({
                "token": "token-of-the-link", "action": "/reset-password", "email": "ann@example.org",
                "min": 8, "errors": weak, "alert": "Too many at once.",
            }),
            [json!({ "errors": [], "alert": null })],
        ),
        page(
            "setup.html",
            json!({
                "token": "token-of-the-link", "action": "/setup", "email": "ann@example.org",
                "full_name": "Ann Lee", "wrong_email": "No address.", "wrong_name": "No name.",
                "by_password": true, "min": 8, "errors": weak, "alert": "Too many at once.",
            }),
            [json!({
                "wrong_email": null, "wrong_name": null, "by_password": false, "errors": [], "alert": null,
            })],
        ),
        page(
            "mail-link.html",
            json!({ "token": "token-of-the-link", "action": "/sign-in/link" }),
            [],
        ),
    ]
}

/// What everybody may see.
fn around() -> Vec<Page> {
    let code = json!({
        "wire": "AUTH_TOKEN_MISSING", "title": "A token is needed", "language": "en", "status": 401,
        "words": [{ "code": false, "text": "Send " }, { "code": true, "text": "Authorization" }],
    });
    vec![
        page(
            "home.html",
            json!({ "docs": true, "account": "/account" }),
            [json!({ "docs": false })],
        ),
        page("docs.html", json!({ "script": "/assets/docs.js" }), []),
        page("code.html", json!({ "code": code.clone() }), []),
        page("codes.html", json!({ "codes": [code] }), []),
        page(
            "message.html",
            json!({
                "mood": "good", "title": "Done", "lead": "It was done.", "reference": "019a0c1e",
                "next": { "link": "/sign-in", "words": "Sign in" },
            }),
            [json!({ "mood": "bad", "reference": null, "next": null, "others": [] })],
        ),
        page(
            "onward.html",
            json!({ "to": "https://app.example.org/in?code=1", "host": "app.example.org" }),
            [],
        ),
    ]
}

/// Where people come in.
fn doors() -> Vec<Page> {
    let mail_form = |action: &str| {
        json!({
            "action": action, "sign_in": "/sign-in", "email": "ann@example.org", "wrong_email": "No address.",
            "alert": "Too many at once.", "captcha": own_captcha(),
        })
    };
    let no_more = || {
        [
            json!({ "wrong_email": null, "alert": null, "captcha": null }),
            json!({ "captcha": their_captcha() }),
        ]
    };
    vec![
        page(
            "sign-in.html",
            json!({
                "action": "/sign-in", "email": "ann@example.org", "wrong_email": "No address.",
                "alert": "Too many at once.", "by_mail": "/sign-in/mail", "by_password": true,
                "forgot": "/forgot-password", "register": "/register", "resend": "/sign-in/resend",
                "passkey": passkey(), "captcha": own_captcha(),
                "providers": [{ "link": "/sign-in/at/example", "words": "Sign in with Example" }],
            }),
            [
                json!({
                    "wrong_email": null, "alert": null, "by_mail": null, "register": null, "resend": null,
                    "captcha": null, "providers": [],
                }),
                json!({ "by_password": false, "captcha": their_captcha() }),
                json!({ "by_password": false, "by_mail": null, "alert": null }),
            ],
        ),
        page("mail-sign-in.html", mail_form("/sign-in/mail"), no_more()),
        page("forgot.html", mail_form("/forgot-password"), no_more()),
        page(
            "mail-code.html",
            json!({
                "action": "/sign-in/mail/code", "lead": "A mail is on its way.", "anew": "/sign-in/mail",
                "alert": "That is not the code.",
            }),
            [json!({ "alert": null })],
        ),
        page(
            "second-factor.html",
            json!({
                "action": "/sign-in/second-factor", "anew": "/sign-in", "ticket": "ticket-of-the-sign-in",
                "by_code": true, "by_mail": false, "send": "/sign-in/second-factor/mail", "trust_days": 30,
                "passkey": passkey(), "alert": "That is not the code.",
            }),
            [
                json!({ "trust_days": null, "passkey": null, "alert": null }),
                json!({ "by_code": false, "by_mail": true, "passkey": null }),
                json!({ "by_code": false }),
            ],
        ),
        page(
            "enrol.html",
            json!({
                "action": "/sign-in/enrol", "anew": "/sign-in", "ticket": "ticket-of-the-sign-in", "guard": null,
                "secret": "ABCD EFGH", "uri": "otpauth://totp/x", "picture": "PHN2Zy8+",
                "alert": "That is not the code.",
            }),
            [
                json!({ "ticket": null, "guard": "guard-of-the-session", "alert": null }),
                json!({ "secret": null, "uri": null, "picture": null }),
            ],
        ),
        page(
            "recovery-codes.html",
            json!({ "codes": ["aaaa-bbbb", "cccc-dddd"], "next": "/account" }),
            [],
        ),
        page(
            "register.html",
            json!({
                "action": "/register", "sign_in": "/sign-in", "email": "ann@example.org", "full_name": "Ann Lee",
                "wrong_email": "No address.", "wrong_name": "No name.", "by_password": true, "min": 8,
                "errors": ["Use at least 8 characters."], "alert": "Too many at once.",
                "captcha": own_captcha(),
            }),
            [
                json!({
                    "wrong_email": null, "wrong_name": null, "by_password": false, "errors": [], "alert": null,
                    "captcha": null,
                }),
                json!({ "captcha": their_captcha() }),
            ],
        ),
    ]
}

/// Where people look after their account.
fn account() -> Vec<Page> {
    let session = |id: &str, current: bool| {
        json!({
            "id": id, "device": "Firefox on Linux", "address": "203.0.113.7", "since": "2026-11-20 10:00 UTC",
            "last": "2026-11-26 10:00 UTC", "current": current,
        })
    };
    let identity = |id: &str, email: Option<&str>| {
        json!({
            "id": id, "provider": "Example", "email": email, "since": "2026-11-20 10:00 UTC",
            "last": email.map(|_| "2026-11-26 10:00 UTC"),
        })
    };
    vec![
        place(
            "account.html",
            json!({
                "save": "/account/profile", "end": "/account/sessions/end",
                "end_others": "/account/sessions/end-others", "email": "ann@example.org",
                "change_email": "/account/email", "lock": "/account/lock", "full_name": "Ann Lee",
                "languages": [
                    { "tag": "de", "name": "Deutsch", "chosen": false },
                    { "tag": "en", "name": "English", "chosen": true },
                ],
                "other_language": "it", "sessions": [session("session-1", true), session("session-2", false)],
                "elsewhere": true, "more": true, "done": "Saved.", "wrong_name": "No name.",
                "due": "2026-12-26 10:00 UTC", "keep": "/account/data/keep",
                "trusted": [{
                    "id": "device-1", "device": "Firefox on Linux", "address": "203.0.113.7",
                    "since": "2026-11-20 10:00 UTC", "last": "2026-11-26 10:00 UTC", "until": "2026-12-26 10:00 UTC",
                }],
                "untrust": "/account/devices/untrust",
                "identities": [identity("identity-1", Some("ann@example.net")), identity("identity-2", None)],
                "unlink": "/account/identities/unlink",
            }),
            [json!({
                "other_language": null, "sessions": [session("session-1", true)], "elsewhere": false,
                "more": false, "done": null, "wrong_name": null, "due": null, "trusted": [], "identities": [],
            })],
        ),
        place(
            "password.html",
            json!({
                "action": "/account/password", "min": 8, "errors": ["Use at least 8 characters."],
                "alert": "That is not the password.",
            }),
            [json!({ "errors": [], "alert": null })],
        ),
        place(
            "email.html",
            json!({
                "action": "/account/email", "typed": "ann@example.net", "wrong_email": "No address.",
                "by_password": true, "alert": "That is not the password.",
            }),
            [json!({ "wrong_email": null, "by_password": false, "alert": null })],
        ),
        place(
            "lock.html",
            json!({ "action": "/account/lock", "has_factors": true, "by_password": true }),
            [json!({ "has_factors": false, "by_password": false })],
        ),
    ]
}

/// How they prove who they are, and what happened.
fn keys() -> Vec<Page> {
    let key = |id: &str, last: Option<&str>| {
        json!({
            "id": id, "name": "My telephone", "synced": last.is_some(), "since": "2026-11-20 10:00 UTC",
            "last": last,
        })
    };
    vec![
        place(
            "factor.html",
            json!({
                "since": "2026-11-20 10:00 UTC", "left": 3, "low": true, "by_password": true,
                "add": "/account/second-factor/add", "renew": "/account/second-factor/codes",
                "remove": "/account/second-factor/remove", "alert": "That is not the password.",
            }),
            [
                json!({ "low": false, "by_password": false, "alert": null }),
                json!({ "since": null, "alert": null }),
                json!({ "since": null, "by_password": false }),
            ],
        ),
        place(
            "passkeys.html",
            json!({
                "passkeys": [key("passkey-1", Some("2026-11-26 10:00 UTC")), key("passkey-2", None)],
                "add": "/account/passkeys/add", "rename": "/account/passkeys/rename",
                "remove": "/account/passkeys/remove", "done": "It was added.", "alert": "It is gone.",
            }),
            [json!({ "passkeys": [], "done": null, "alert": null })],
        ),
        place(
            "add-passkey.html",
            json!({
                "action": "/account/passkeys/add", "challenge": "/account/passkeys/challenge",
                "back": "/account/passkeys", "name": "My telephone", "wrong_name": "No name.",
                "alert": "It is gone.",
            }),
            [json!({ "wrong_name": null, "alert": null })],
        ),
        place(
            "prove.html",
            json!({
                "action": "/account/prove", "then": "add-passkey", "by_code": true, "by_password": false,
                "by_mail": false, "mailed": null, "send": "/account/prove/mail", "passkey": passkey(),
                "alert": "That is not the code.",
            }),
            [
                json!({ "by_code": false, "by_password": true, "passkey": null, "alert": null }),
                json!({ "by_code": false, "by_mail": true, "mailed": "A mail is on its way." }),
                json!({ "by_code": false, "by_mail": true, "passkey": null }),
                json!({ "by_code": false }),
                json!({ "by_code": false, "passkey": null }),
            ],
        ),
        place(
            "activity.html",
            json!({
                "spoken": "fr", "next": "/account/activity?cursor=1", "lock": "/account/lock",
                "entries": [
                    {
                        "at": "2026-11-26 10:00 UTC", "words": "Somebody signed in.", "address": "203.0.113.7",
                        "device": "Firefox on Linux", "here": true, "by_operator": true,
                    },
                    {
                        "at": "2026-11-26 10:00 UTC", "words": "A mail was sent.", "address": null,
                        "device": null, "here": false, "by_operator": false,
                    },
                ],
            }),
            [json!({ "entries": [], "next": null })],
        ),
        place(
            "data.html",
            json!({
                "export": "/account/data/export", "delete": "/account/data/delete", "days": 30,
                "alert": "That is not the password.",
            }),
            [json!({ "alert": null })],
        ),
    ]
}

/// Says what the page `name` is given and its sample is not, and the other way round: then an operator's template
/// would be tried with something else than it gets.
pub(super) fn odd(name: &str, given: &Value) -> Vec<String> {
    let Some(page) = SAMPLES.iter().find(|page| page.name == name) else {
        return vec![format!("{name} has no sample")];
    };
    let names = |value: &Value| -> BTreeSet<String> {
        let keys = value.try_iter().into_iter().flatten();
        keys.map(|key| key.to_string()).filter(|key| key != "language").collect()
    };
    let (given, sample) = (names(given), names(&page.shapes[0]));
    given.symmetric_difference(&sample).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::screens::templates::{EMBEDDED, PARTS};

    #[test]
    fn every_page_has_a_sample() {
        let sampled: BTreeSet<_> = SAMPLES.iter().map(|page| page.name).collect();
        let pages: BTreeSet<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        let parts = BTreeSet::from(PARTS);
        assert_eq!(sampled, pages.difference(&parts).copied().collect());
        assert!(parts.is_subset(&pages));
    }

    #[test]
    fn every_shape_is_one_of_its_page() {
        for page in SAMPLES.iter() {
            for shape in &page.shapes {
                assert_eq!(odd(page.name, shape), Vec::<String>::new(), "{}", page.name);
            }
        }
    }
}
