//! A letter as its reader sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fluent_bundle::FluentArgs;
use minijinja::{AutoEscape, Value, context};
use zeroize::Zeroizing;

use super::name;
use crate::kernel::Timestamp;
use crate::theme::{Button, Engine, Theme, Unfit, html};
use crate::words::{LANGUAGES, Speechless, WORDS, Words};

/// The templates of mails in the folder of an operator.
const PART: &str = "mail";
/// How long a letter may be in an operator's layout, in bytes of either part.
const AT_MOST: usize = 24 * 1024;

/// The layout for programs that show text.
const TEXT: &str = "layout.txt";

/// The layout for programs that show HTML; everything put into it is escaped.
const HTML: &str = "layout.html";

/// The layouts that are built in.
pub(crate) const EMBEDDED: &[(&str, &str)] = &[
    (HTML, include_str!("../../templates/mail/layout.html")),
    (TEXT, include_str!("../../templates/mail/layout.txt")),
];

/// Layouts, loaded: one engine for each, so that neither can put in what the other one escapes.
pub struct Templates {
    text: Engine,
    html: Engine,
    button: Button,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// What a letter says about itself, before it is put into words.
pub(super) struct Draft<'a> {
    pub(super) kind: &'a str,
    pub(super) language: &'static str,
    pub(super) service: &'a str,
    pub(super) site: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) at: Timestamp,
    pub(super) life: Duration,
    /// Whether people have passwords, and may be told to choose a new one.
    pub(super) has_passwords: bool,
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// A letter in words; it may hold a link, so it does not show itself.
#[derive(Clone)]
pub struct Rendered {
    /// The subject line.
    pub subject: String,
    /// For programs that show text.
    pub text: Zeroizing<String>,
    /// For programs that show HTML.
    pub html: Zeroizing<String>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a letter could not be put into words: a bug, or a row from another version.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Words are missing.
    #[error(transparent)]
    Words(#[from] Speechless),
    /// A layout is wrong.
    #[error("the layout of letters failed")]
    Layout(#[from] minijinja::Error),
    /// The variables cannot be opened: they were sealed under another master key.
    #[error("its variables cannot be opened; is `master_key` the one they were sealed under?")]
    Sealed,
}

impl Templates {
    /// Reads the layouts that are built in, and tries those of an operator.
    pub fn load(theme: &Theme) -> Result<Self, Unfit> {
        let mut files = theme.own.part(PART, EMBEDDED)?;
        let mut engine = |name, escape: AutoEscape| {
            let embedded: Vec<_> =
                EMBEDDED.iter().copied().filter(|(known, _)| *known == name).collect();
            let file = files.remove_entry(name).into_iter().collect();
            Engine::new(PART, &embedded, file, move |layouts| {
                layouts.set_auto_escape_callback(move |_| escape.clone());
            })
        };
        let (text, html) = (engine(TEXT, AutoEscape::None)?, engine(HTML, AutoEscape::Html)?);
        let templates = Self { text, html, button: theme.button };
        Unfit::unless_fine(templates.wrong())?;
        Ok(templates)
    }

    /// Tries an operator's layouts with letters of each kind in every language: without the link or the code a
    /// letter is worth nothing.
    fn wrong(&self) -> Vec<String> {
        let mut own = vec![(TEXT, &self.text), (HTML, &self.html)];
        own.retain(|(_, engine)| engine.has_own());
        // Where there are none, the words of all languages would be read at each start, and kept.
        if own.is_empty() {
            return Vec::new();
        }
        let variables = |given: &[(&str, &str)]| -> BTreeMap<String, String> {
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let both = [("link", "https://id.example.org/x?token=a&b=c"), ("code", "123456")];
        let letters = [
            ("sign_in", variables(&both)),
            ("reset_password", variables(&both[..1])),
            ("password_changed", variables(&[])),
        ];
        let mut wrong = Vec::new();
        for (kind, variables) in &letters {
            for language in LANGUAGES {
                let draft = Draft {
                    kind,
                    language: language.tag,
                    service: "Example",
                    site: "id.example.org",
                    name: Some("Ann Lee"),
                    at: Timestamp::from_microsecond(0),
                    life: Duration::from_mins(15),
                    has_passwords: true,
                    variables,
                };
                let context =
                    self.context(&draft).expect("the words of our own letters are there").1;
                for (name, engine) in &own {
                    let why = match engine.compare(name, &context) {
                        None => None,
                        Some(Err(why)) => Some(why),
                        Some(Ok((_, letter))) => fault(name, &letter, variables),
                    };
                    wrong.extend(why.filter(|why| !wrong.contains(why)));
                }
            }
        }
        wrong
    }

    /// Returns the language that letters in `locale` are written in.
    pub(super) fn language(locale: &str, default: &str) -> &'static str {
        Words::pick(locale, default)
    }

    /// Puts a letter into words.
    pub(super) fn render(&self, draft: &Draft<'_>) -> Result<Rendered, RenderError> {
        let (subject, context) = self.context(draft)?;
        let text = Zeroizing::new(self.text.render(TEXT, &context)?);
        let html = Zeroizing::new(self.html.render(HTML, &context)?);
        Ok(Rendered { subject, text, html })
    }

    /// Returns the subject of a letter, and what its layouts are given.
    fn context(&self, draft: &Draft<'_>) -> Result<(String, Value), Speechless> {
        let [link, code] =
            ["link", "code"].map(|name| draft.variables.get(name).map(String::as_str));
        let name = draft.name.and_then(name::presentable);

        let mut args = FluentArgs::new();
        args.set("service", draft.service);
        args.set("site", draft.site);
        args.set("at", draft.at.to_minute());
        for (key, value) in draft.variables {
            args.set(key.as_str(), value.as_str());
        }
        if let Some(name) = &name {
            args.set("name", name.as_str());
        }
        let (unit, count) = in_words(draft.life);
        args.set("count", count);
        let say = |id: &str, args: &FluentArgs<'_>| WORDS.say(draft.language, id, args);
        let secure = if draft.has_passwords { "secure-password" } else { "secure-mailbox" };
        args.set("secure", say(secure, &args)?);
        let of = |attribute: &str| say(&format!("{}.{attribute}", draft.kind), &args);

        let subject = say(draft.kind, &args)?;
        let greeting = say(if name.is_some() { "greeting-name" } else { "greeting" }, &args)?;
        let with_link = link.is_some() && WORDS.has(draft.kind, "lead-link");
        let lead = of(if with_link { "lead-link" } else { "lead" })?;
        let action = if link.is_some() { Some(of("action")?) } else { None };
        let note = of("note")?;
        let span = say(unit, &args)?;
        args.set("span", span);
        let context = context! {
            language => draft.language,
            service => draft.service,
            subject => &subject,
            greeting => greeting,
            lead => lead,
            code => code,
            link => link,
            action => action,
            copy => say("link-copy", &args)?,
            life => say("link-life", &args)?,
            note => note,
            closing => say("closing", &args)?,
            accent => self.button.ground.to_string(),
            on_accent => self.button.words.to_string(),
        };
        Ok((subject, context))
    }
}

/// Returns the words for a span and how many: the largest unit that says it exactly enough.
fn in_words(span: Duration) -> (&'static str, u32) {
    let minutes = u32::try_from(span.as_secs() / 60).unwrap_or(u32::MAX).max(1);
    match minutes {
        minutes if minutes >= 48 * 60 && minutes % (24 * 60) == 0 => {
            ("span-days", minutes / (24 * 60))
        }
        minutes if minutes >= 60 && minutes % 60 == 0 => ("span-hours", minutes / 60),
        minutes => ("span-minutes", minutes),
    }
}

/// Says what is wrong with a letter that came out of an operator's layout `name`.
fn fault(name: &str, letter: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    if letter.len() > AT_MOST {
        let length = letter.len();
        return Some(format!(
            "{PART}/{name} makes {length} bytes of a letter, and {AT_MOST} are the most; make it shorter"
        ));
    }
    if let Some(part) = html::loads(letter).filter(|_| name == HTML) {
        return Some(format!("{PART}/{name} has {part}, which no mail may have; take it out"));
    }
    let shown = html::plain(&html::without_comments(letter));
    let (lacking, _) = variables.iter().find(|(_, value)| !shown.contains(*value))?;
    Some(format!(
        "{PART}/{name} does not show `{lacking}`, without which such a mail is worth nothing; \
         `authshield config templates {PART}/{name}` shows ours"
    ))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::mail::letter::{Letter, Lives};
    use crate::words::LANGUAGES;
    use crate::world::{Sandbox, World};

    const LIVES: Lives = Lives {
        verification: Duration::from_hours(24),
        recovery: Duration::from_mins(30),
        sign_in: Duration::from_mins(10),
        not_me: Duration::from_hours(72),
        notice: Lives::NOTICE,
    };

    fn letters() -> Vec<Letter> {
        let link = || "https://id.example.org/x?token=T-0_k&a=b".into();
        vec![
            Letter::VerifyEmail { link: link() },
            Letter::ChoosePassword { link: link() },
            Letter::AlreadyRegistered { link: None },
            Letter::AlreadyRegistered { link: Some(link()) },
            Letter::SignIn { link: link(), code: "042917".into() },
            Letter::ProofCode { code: "042917".into() },
            Letter::ResetPassword { link: link() },
            Letter::AccountClosed { link: link() },
            Letter::PasswordChanged,
            Letter::AccountLocked,
            Letter::ConfirmNewEmail { link: link() },
            Letter::EmailChanging { new_email_masked: "n***@example.net".to_owned() },
            Letter::EmailChanged { link: None },
            Letter::EmailChanged { link: Some(link()) },
            Letter::SecondFactorAdded,
            Letter::SecondFactorRemoved,
            Letter::SecondFactorGuessed,
            Letter::RecoveryCodeUsed { left: 3 },
            Letter::RecoveryCodesRenewed,
            Letter::PasskeyAdded,
            Letter::PasskeyRemoved,
            Letter::IdentityLinked { provider: "gitlab".to_owned() },
            Letter::IdentityRemoved { provider: "gitlab".to_owned() },
            Letter::NewDevice {
                link: link(),
                device: "Firefox on Linux".to_owned(),
                place: "203.0.113.7".to_owned(),
            },
            Letter::AccountDeletionRequested { due: Sandbox::default().now() },
            Letter::AccountDeletionWithdrawn,
            Letter::AccountDeleted,
            Letter::Test,
            Letter::Canary { nonce: "abcdefghijklmnopqrstuvwxyz234567abcdefg".into() },
        ]
    }

    fn render(letter: &Letter, language: &'static str, name: Option<&str>) -> Rendered {
        render_where(true, letter, language, name)
    }

    fn render_where(
        has_passwords: bool,
        letter: &Letter,
        language: &'static str,
        name: Option<&str>,
    ) -> Rendered {
        let draft = Draft {
            kind: letter.kind(),
            language,
            service: "Example & Sons",
            site: "id.example.org",
            name,
            at: Sandbox::default().now(),
            life: letter.life(&LIVES),
            has_passwords,
            variables: &letter.variables(),
        };
        let templates = Templates::load(&Theme::default()).expect("nothing is an operator's");
        templates.render(&draft).expect("our own letters can be rendered")
    }

    #[test]
    fn every_letter_speaks_every_language() {
        let kinds: Vec<_> = letters().iter().map(Letter::kind).collect();
        assert!(Letter::KINDS.iter().all(|kind| kinds.contains(kind)));
        for language in LANGUAGES.map(|language| language.tag) {
            let mut all = String::new();
            for letter in letters() {
                let rendered = render(&letter, language, Some("Ann Lee"));
                let Rendered { subject, text, html } = &rendered;
                let kind = letter.kind();
                writeln!(all, "===== {kind} =====\nSubject: {subject}\n\n{}", **text).unwrap();
                assert!(html.contains("Example &amp; Sons"), "{letter:?}");
                assert!(!html.contains('\u{2068}'), "{letter:?}");
            }
            insta::assert_snapshot!(format!("letters_{language}"), all);
        }
        insta::assert_snapshot!("verify_email_html", *render(&letters()[0], "en", None).html);
    }

    #[test]
    fn nobody_is_told_of_a_password_where_nobody_has_one() {
        // What only who has one gets.
        let about_passwords = [
            "choose_password",
            "already_registered",
            "reset_password",
            "password_changed",
            "account_locked",
        ];
        let word =
            [("en", "password"), ("de", "passwort"), ("es", "contraseña"), ("fr", "mot de passe")];
        assert_eq!(word.len(), LANGUAGES.len());
        for (language, word) in word {
            for letter in letters() {
                let speaks = |has_passwords| {
                    let rendered = render_where(has_passwords, &letter, language, None);
                    rendered.text.to_lowercase().replace('\n', " ").contains(word)
                };
                match letter.kind() {
                    kind if about_passwords.contains(&kind) => {}
                    kind @ "passkey_removed" => {
                        assert!(speaks(true) && !speaks(false), "{language} {kind}");
                    }
                    kind => assert!(!speaks(false), "{language} {kind}"),
                }
            }
        }
    }

    /// ASVS: V1.2.1, V1.3.7
    #[test]
    fn a_name_cannot_write_html() {
        let rendered = render(&letters()[0], "en", Some("<b onclick=x>Ann</b>"));
        assert!(rendered.html.contains("Hello,"), "looks like markup with a path, so not shown");
        let rendered = render(&letters()[0], "en", Some("Ann \"&\" {{ 7*7 }} { $link }"));
        assert!(rendered.html.contains("Ann &quot;&amp;&quot; {{ 7*7 }} { $link }"));
        assert!(rendered.text.contains("Hello Ann \"&\" {{ 7*7 }} { $link },"));
    }

    /// What somebody wrote into a field is text in an operator's layouts, too.
    ///
    /// ASVS: V1.3.5, V1.3.7
    #[test]
    fn a_layout_of_an_operator_shows_what_it_must_and_runs_nothing() {
        let load = |own: &[(&str, &str)]| {
            let own = crate::theme::Own::of(own);
            Templates::load(&Theme { own, ..Theme::default() }).map_err(|wrong| wrong.to_string())
        };
        let layout = "<h1>{{ greeting }}</h1><a href=\"{{ link }}\">{{ link }}</a> {{ code }}";
        let templates = load(&[
            ("mail/layout.html", layout),
            ("mail/layout.txt", "{{ greeting }} {{ link }} {{ code }}"),
        ]);
        let letter = &letters()[0];
        let draft = Draft {
            kind: letter.kind(),
            language: "en",
            service: "Acme {{ 7*7 }} ${7*7}",
            site: "id.example.org",
            name: Some("{{7*7}} ${7*7} <%= 7*7 %>"),
            at: Sandbox::default().now(),
            life: letter.life(&LIVES),
            has_passwords: true,
            variables: &letter.variables(),
        };
        let templates = templates.unwrap();
        let Rendered { text, html, .. } = templates.render(&draft).unwrap();
        assert!(html.starts_with("<h1>Hello"), "{}", *html);
        let named = Draft { name: Some("{{7*7}} ${7*7} % 7*7 %"), ..draft };
        let Rendered { text: named_text, html: named_html, .. } = templates.render(&named).unwrap();
        for part in [&text, &html, &named_text, &named_html] {
            assert!(!part.contains("49"), "{}", **part);
        }
        assert!(named_html.contains("Hello {{7*7}} ${7*7} % 7*7 %,"), "{}", *named_html);
        assert!(named_text.contains("Hello {{7*7}} ${7*7} % 7*7 %,"), "{}", *named_text);
        for (place, layout, told) in [
            ("mail/layout.html", "{{ link }}", "mail/layout.html does not show `code`"),
            ("mail/layout.txt", "{{ code }}", "mail/layout.txt does not show `link`"),
            (
                "mail/layout.txt",
                "{{ link }}{{ code }}{{ password }}",
                "mail/layout.txt, line 1: undefined value",
            ),
            ("mail/layout.html", "{% include 'layout.txt' %}", "template not found"),
            ("mail/layout.html", "{{ link|safe }}", "take the filter out"),
            ("mail/verify.html", "", "did you mean `mail/"),
        ] {
            let wrong = load(&[(place, layout)]).err().unwrap_or_default();
            assert!(wrong.contains(told), "{layout}: {wrong}");
        }
    }

    /// ASVS: V14.2.3
    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for letter in letters() {
            let html = render(&letter, "de", None).html;
            for way in ["<img", "<link", "<script", "url(", "src=", "@import"] {
                assert!(!html.contains(way), "{way} in {letter:?}");
            }
            let links = html.matches("<a ").count();
            assert_eq!(links, usize::from(letter.variables().contains_key("link")), "{letter:?}");
        }
    }

    #[test]
    fn spans_are_said_in_the_largest_exact_unit() {
        for (seconds, words) in [
            (1, ("span-minutes", 1)),
            (1800, ("span-minutes", 30)),
            (3600, ("span-hours", 1)),
            (5400, ("span-minutes", 90)),
            (86_400, ("span-hours", 24)),
            (172_800, ("span-days", 2)),
            (90_000 * 2, ("span-hours", 50)),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }
}
