//! Names that nobody declared: what was meant, and which are none of our business.

use std::net::IpAddr;

use super::finding::Finding;
use super::setting::{PREFIX, Setting, either};
use super::{setting, settings};

/// What was probably meant.
#[derive(Debug)]
enum Guess {
    /// It was called that once.
    Former(&'static Setting),
    /// People call it that.
    Certain(&'static Setting),
    /// Up to three that look like it, best first.
    Near(Vec<&'static Setting>),
}

/// Names of the Python service (and of its like) that no single setting replaces.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "JWT_SECRET_KEY",
        "AuthShield makes its signing keys itself and keeps them wrapped under AUTHSHIELD_MASTER_KEY",
    ),
    (
        "JWT_SECRET",
        "AuthShield makes its signing keys itself and keeps them wrapped under AUTHSHIELD_MASTER_KEY",
    ),
    (
        "SECRET_KEY",
        "AuthShield makes its signing keys itself and keeps them wrapped under AUTHSHIELD_MASTER_KEY",
    ),
    ("EMAIL_PROVIDER", "AuthShield sends by SMTP: see AUTHSHIELD_SMTP_HOST"),
    (
        "SENDGRID_API_KEY",
        "AuthShield sends by SMTP: see AUTHSHIELD_SMTP_HOST and AUTHSHIELD_SMTP_PASSWORD",
    ),
    (
        "FRONTEND_URL",
        "where mail links lead is AUTHSHIELD_MAIL_LINK_VERIFY_EMAIL and AUTHSHIELD_MAIL_LINK_RESET_PASSWORD, and who may call the API is AUTHSHIELD_CORS_ORIGINS",
    ),
    ("GOOGLE_CLIENT_ID", "this version has no sign-in with Google"),
    ("GOOGLE_CLIENT_SECRET", "this version has no sign-in with Google"),
    ("GOOGLE_REDIRECT_URI", "this version has no sign-in with Google"),
    ("GITHUB_CLIENT_ID", "this version has no sign-in with GitHub"),
    ("GITHUB_CLIENT_SECRET", "this version has no sign-in with GitHub"),
    ("GITHUB_REDIRECT_URI", "this version has no sign-in with GitHub"),
    (
        "RATE_LIMIT_LOGIN_PER_MINUTE",
        "the limits are built in; AUTHSHIELD_RATE_LIMIT_ENABLED is their switch",
    ),
    (
        "RATE_LIMIT_REGISTER_PER_MINUTE",
        "the limits are built in; AUTHSHIELD_RATE_LIMIT_ENABLED is their switch",
    ),
    (
        "RATE_LIMIT_PASSWORD_RESET_PER_HOUR",
        "the limits are built in; AUTHSHIELD_RATE_LIMIT_ENABLED is their switch",
    ),
    (
        "BCRYPT_ROUNDS",
        "new passwords are hashed with Argon2id: see AUTHSHIELD_PASSWORD_HASH_MEMORY_KIB and AUTHSHIELD_PASSWORD_HASH_ITERATIONS",
    ),
    ("PASSWORD_MAX_LENGTH", "the longest password is not a setting"),
    ("TOTP_ISSUER_NAME", "this version has no second factor"),
];

/// Names of the Python service that are so common that they count only beside another of its names.
const IN_COMPANY: &[(&str, &str)] = &[
    ("HOST", "AuthShield reads AUTHSHIELD_LISTEN"),
    ("PORT", "AuthShield reads AUTHSHIELD_LISTEN"),
    ("DEBUG", "AuthShield reads AUTHSHIELD_ENVIRONMENT and AUTHSHIELD_LOG"),
    ("APP_NAME", "the name is not a setting"),
    ("APP_VERSION", "the version is not a setting"),
];

/// What people write after the prefix that is not a setting at all.
const NOT_SETTINGS: &[(&str, &str)] = &[
    ("CONFIG", "name the file with --config"),
    ("CONFIG_FILE", "name the file with --config"),
    ("CONFIG_PATH", "name the file with --config"),
];

fn words<'a>(table: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

/// Says what is wrong with a variable that has the prefix and is not declared.
pub(super) fn unknown_variable(name: &str) -> Finding {
    let tail = tidy(name.get(PREFIX.len()..).unwrap_or_default());
    let (stem, file) = match tail.strip_suffix("_FILE") {
        Some(stem) => (stem, true),
        None => (tail.as_str(), false),
    };
    if let Some(known) = settings().find(|known| file && !known.secret && known.bare_env() == stem)
    {
        let message =
            format!("{name} is not a setting: only secrets have a _FILE form; set {}", known.env());
        return Finding::refusal("unknown-name", message).about(&[known.name]);
    }
    let special = words(NOT_SETTINGS, &tail).or_else(|| words(ELSEWHERE, &tail));
    if let Some(words) = special {
        return Finding::refusal("unknown-name", format!("{name} is not a setting; {words}"));
    }
    let shown =
        |setting: &Setting| setting.file_env().filter(|_| file).unwrap_or_else(|| setting.env());
    sentence(format!("{name} is not a setting"), &guess(stem), shown)
}

/// Says what is wrong with a key of the file, or of `--set`, that is not declared.
pub(super) fn unknown_key(path: &str, place: &str) -> Finding {
    let tail = tidy(&path.replace(['.', '-'], "_"));
    let tail = tail.strip_prefix(PREFIX).unwrap_or(&tail);
    sentence(format!("unknown key `{path}`{place}"), &guess(tail), |setting| {
        format!("`{}`", setting.name)
    })
}

fn sentence(fault: String, guess: &Guess, shown: impl Fn(&Setting) -> String) -> Finding {
    match guess {
        Guess::Former(now) => Finding::refusal(
            "unknown-name",
            format!("{fault} any more; it is called {} now", shown(now)),
        )
        .about(&[now.name]),
        Guess::Certain(meant) => {
            Finding::refusal("unknown-name", format!("{fault}; did you mean {}?", shown(meant)))
                .about(&[meant.name])
        }
        Guess::Near(near) if near.is_empty() => Finding::refusal("unknown-name", fault),
        Guess::Near(near) => {
            let names: Vec<_> = near.iter().map(|setting| shown(setting)).collect();
            let names = match names.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => names.concat(),
            };
            Finding::refusal("unknown-name", format!("{fault}; did you mean {names}?"))
        }
    }
}

/// Capitals, and single underscores.
fn tidy(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    name.split('_').filter(|token| !token.is_empty()).collect::<Vec<_>>().join("_")
}

fn guess(tail: &str) -> Guess {
    let formerly = |setting: &&Setting| {
        setting.former.iter().any(|name| *name.replace('.', "_").to_ascii_uppercase() == *tail)
    };
    if let Some(setting) = settings().find(formerly) {
        return Guess::Former(setting);
    }
    let called = |setting: &&Setting| {
        setting.bare_env() == tail
            || setting.mistaken.contains(&tail)
            || setting.foreign.contains(&tail)
    };
    if let Some(setting) = settings().find(called) {
        return Guess::Certain(setting);
    }
    Guess::Near(nearest(tail))
}

/// Returns up to three settings whose names look like `tail`, best first.
pub(super) fn nearest(tail: &str) -> Vec<&'static Setting> {
    const ENOUGH: f64 = 0.68;
    const CLOSE: f64 = 0.12;
    let mut scored: Vec<_> = settings()
        .map(|setting| (likeness(tail, &setting.bare_env()), setting))
        .filter(|(score, _)| *score >= ENOUGH)
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| best - score <= CLOSE);
    scored.into_iter().take(3).map(|(_, setting)| setting).collect()
}

/// Returns how alike two names are: the words that they share, and the letters.
fn likeness(a: &str, b: &str) -> f64 {
    let (a_words, b_words): (Vec<_>, Vec<_>) = (a.split('_').collect(), b.split('_').collect());
    let shared: f64 = a_words
        .iter()
        .map(|word| b_words.iter().map(|other| word_likeness(word, other)).fold(0.0, f64::max))
        .sum();
    let words = f64::from(u32::try_from(a_words.len() + b_words.len()).unwrap_or(u32::MAX));
    0.55 * (2.0 * shared / words).min(1.0) + 0.45 * strsim::jaro_winkler(a, b)
}

/// `USER` is nearly `USERNAME`, and so is `USRENAME`.
fn word_likeness(a: &str, b: &str) -> f64 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if a == b {
        1.0
    } else if short.len() >= 3 && long.starts_with(short) {
        0.9
    } else {
        Some(strsim::jaro_winkler(a, b)).filter(|likeness| *likeness > 0.85).unwrap_or(0.0)
    }
}

/// Whether a cluster made this variable for a Service that is called like us.
///
/// A Service called `authshield` gives every pod `AUTHSHIELD` + `_PORT=tcp://10.0.0.1:80` and its
/// like; one called `authshield-smtp` even collides with a setting. The value tells them apart.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let url = |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|it| value.starts_with(it));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let protocol = |text: &str| ["TCP", "UDP", "SCTP"].contains(&text);
    let tokens: Vec<_> = name.split('_').skip(1).collect();
    match tokens.as_slice() {
        [.., "SERVICE", "HOST"] | [.., "PORT", _, _, "ADDR"] => value.parse::<IpAddr>().is_ok(),
        [.., "PORT", port, proto] if number(port) && protocol(proto) => url(value),
        [.., "PORT", port, proto, "PORT"] if number(port) && protocol(proto) => value == *port,
        [.., "PORT", port, proto, "PROTO"] if number(port) && protocol(proto) => {
            value.eq_ignore_ascii_case(proto)
        }
        [.., "PORT"] if url(value) => true,
        words => {
            let at = words.windows(2).position(|pair| pair == ["SERVICE", "PORT"]);
            at.is_some() && number(value)
        }
    }
}

/// Says which variables of other programs were probably meant for us. `given` tells whether a setting
/// was given in some other way.
pub(super) fn foreign(names: &[&str], given: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings: Vec<_> = names.iter().filter_map(|name| near_miss(name, &given)).collect();
    if !findings.is_empty() {
        findings.extend(names.iter().filter_map(|name| {
            let words = words(IN_COMPANY, name)?;
            Some(Finding::warning(
                "unread-variable",
                format!("{name} is set but not read; {words}"),
            ))
        }));
    }
    findings
}

fn near_miss(name: &str, given: &impl Fn(&str) -> bool) -> Option<Finding> {
    if let Some(words) = words(ELSEWHERE, name) {
        return Some(Finding::warning(
            "unread-variable",
            format!("{name} is set but not read; {words}"),
        ));
    }
    let (stem, file) = match name.strip_suffix("_FILE") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let stem = stem.strip_prefix("AUTH_SHIELD_").unwrap_or(stem);
    let setting = settings().filter(|setting| setting.secret || !file).find(|setting| {
        let own = setting.bare_env();
        setting.foreign.contains(&stem)
            || (own == stem && (own.contains('_') || stem.len() < name.len()))
    })?;
    let read = setting.file_env().filter(|_| file).unwrap_or_else(|| setting.env());
    let message = if given(setting.name) {
        format!("{name} is set but not read; `{}` is given in another way", setting.name)
    } else {
        format!("{name} is set but not read; AuthShield reads {read}")
    };
    Some(Finding::warning("unread-variable", message).about(&[setting.name]))
}

/// Finds what somebody asks about: a dotted name, a variable, or something like either.
pub(super) fn asked(name: &str) -> Result<&'static Setting, String> {
    let bare = tidy(&name.replace(['.', '-'], "_"));
    let bare = bare.strip_prefix(PREFIX).unwrap_or(&bare);
    let stem = bare
        .strip_suffix("_FILE")
        .filter(|stem| settings().any(|setting| setting.secret && setting.bare_env() == **stem));
    let bare = stem.unwrap_or(bare);
    if let Some(found) = setting(name).or_else(|| settings().find(|it| it.bare_env() == bare)) {
        return Ok(found);
    }
    let near: Vec<_> = match guess(bare) {
        Guess::Former(setting) | Guess::Certain(setting) => vec![setting.name],
        Guess::Near(near) => near.iter().map(|setting| setting.name).collect(),
    };
    if near.is_empty() {
        return Err(format!("`{name}` is not a setting"));
    }
    Err(format!("`{name}` is not a setting; did you mean {}?", either(&near)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_name_is_said_to_be_one() {
        let now = setting("token.access_ttl").unwrap();
        let fault = "`token.ttl` is not a setting".to_owned();
        let finding = sentence(fault, &Guess::Former(now), Setting::env);
        assert_eq!(
            finding.message,
            "`token.ttl` is not a setting any more; it is called AUTHSHIELD_TOKEN_ACCESS_TTL now"
        );
    }

    #[test]
    fn likeness_sees_words_and_letters() {
        assert!(likeness("SMTP_USER", "SMTP_USERNAME") > 0.9);
        assert!(likeness("SMTP_USER", "SMTP_USERNAME") > likeness("SMTP_USER", "SMTP_HOST"));
        assert!(likeness("QWERTZ", "MASTER_KEY") < 0.68);
    }
}
