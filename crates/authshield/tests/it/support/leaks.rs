//! Whatever the suite does, no secret is in a log: every line is looked at, of the servers inside this
//! process and of the programs that it starts.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::app::PASSWORD;

/// What was found so far in this process; a test that ends fails with it.
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What the test of the watch logs.
const OUR_OWN: &str = "Zq9-marked-for-the-watch-itself";

/// Returns the name of the first secret in `line`. `more` are secrets besides those that are known by
/// their looks.
pub(crate) fn leak_in(line: &str, more: &[String]) -> Option<&'static str> {
    // Development shows the link of a mail that it keeps: there is no other place for it.
    let is_kept_mail = line.contains("\"link\":") && line.contains("authshield::mail");
    let follows = |prefix: &str, at_least: usize, is_part: fn(char) -> bool| {
        let mut places = line.match_indices(prefix);
        places.any(|(at, _)| {
            line[at + prefix.len()..].chars().take_while(|c| is_part(*c)).count() >= at_least
        })
    };
    let is_alphanumeric = |c: char| c.is_ascii_alphanumeric();
    let known: [(&str, bool); 9] = [
        ("password", line.contains(PASSWORD)),
        ("marked secret", line.contains("Zq9-marked-")),
        ("refresh token", follows("asr_", 43, is_alphanumeric)),
        ("sign-in ticket", follows("asm_", 43, is_alphanumeric)),
        ("handle", follows("asa_", 43, is_alphanumeric)),
        ("trust token", follows("ast_", 43, is_alphanumeric)),
        ("link token", !is_kept_mail && follows("asl_", 43, is_alphanumeric)),
        // A header of a JWT is `{"`, and a whole token is longer than a key id.
        ("access token", follows("eyJ", 60, |c| c.is_ascii_alphanumeric() || "-_.".contains(c))),
        ("secret of the configuration", more.iter().any(|secret| line.contains(secret.as_str()))),
    ];
    known.into_iter().find_map(|(name, is_there)| is_there.then_some(name))
}

/// Fails if a line of `log` gives a secret away.
#[track_caller]
pub(crate) fn assert_none(log: &str, more: &[String]) {
    for line in log.lines() {
        if let Some(name) = leak_in(line, more) {
            panic!("a {name} is in the log: {}", line.chars().take(400).collect::<String>());
        }
    }
}

/// Looks at everything that is logged in this process from now on, as talkative as we get, spans
/// included. The test's own client logs what it sends, so libraries for clients are left out.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Watch).expect("nobody else sets one");
    });
}

/// Fails if anything was found so far.
#[track_caller]
pub(crate) fn assert_none_so_far() {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found: Vec<_> = found.iter().filter(|line| !line.contains(OUR_OWN)).collect();
    assert!(found.is_empty(), "in the log of this process: {found:#?}");
}

/// Reads everything, and keeps nothing.
///
/// No registry of spans: a test has one of its own for what it captures, and two of them in one
/// process take each other's spans for their own.
struct Watch;

/// The values of an event or a span, as text.
struct Values(String);

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " \"{}\":{value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " \"{}\":{value}", field.name());
    }
}

impl Watch {
    fn look(target: &str, record: impl FnOnce(&mut Values)) {
        let mut values = Values(target.to_owned());
        record(&mut values);
        if let Some(name) = leak_in(&values.0, &[]) {
            let shown = values.0.chars().take(400).collect::<String>();
            let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(format!("{name}: {shown}"));
        }
    }
}

impl Subscriber for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        const CLIENTS: [&str; 4] = ["reqwest", "hyper", "h2", "mio"];
        let (level, target) = (*metadata.level(), metadata.target());
        let ours = target.starts_with("authshield") || target.starts_with("onesql");
        ours || (level <= Level::DEBUG && !CLIENTS.iter().any(|client| target.starts_with(client)))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Self::look(span.metadata().target(), |values| span.record(values));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, recorded: &Record<'_>) {
        Self::look("", |values| recorded.record(values));
    }

    fn event(&self, event: &Event<'_>) {
        Self::look(event.metadata().target(), |values| event.record(values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn what_looks_like_a_secret_is_found() {
    let link = format!("asl_{}0aB9zQ", "x".repeat(43));
    let kept = format!(r#"{{"target":"authshield::mail::post","link":"http://x/?token={link}"}}"#);
    let elsewhere = kept.replace("authshield::mail::post", "authshield::login");
    let jwt = format!("Bearer eyJ{}.{}", "a".repeat(40), "b".repeat(60));
    for (line, found) in [
        (format!("password {PASSWORD:?}"), Some("password")),
        (format!("asr_{}0aB9zQ", "x".repeat(43)), Some("refresh token")),
        (elsewhere, Some("link token")),
        (kept, None),
        (jwt, Some("access token")),
        ("RefreshToken(asr_…)".to_owned(), None),
        ("relay says hunter2-hunter2".to_owned(), Some("secret of the configuration")),
    ] {
        assert_eq!(leak_in(&line, &["hunter2-hunter2".to_owned()]), found, "{line}");
    }
}

/// The watch is on: a secret that somebody logs is found.
#[test]
fn a_secret_that_is_logged_anywhere_in_this_process_is_found() {
    watch();
    tracing::info!(target: "authshield::login", password = OUR_OWN, "this must be found");
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(found.iter().any(|line| line.contains(OUR_OWN)), "{found:?}");
}
